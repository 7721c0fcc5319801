/* digest.c: SHA-256 and MD5 of bytes and of files, by libmd; files are read in blocks. It compares nothing and keeps nothing. */
#define _GNU_SOURCE
#include <sys/types.h>
#include <errno.h>
#include <fcntl.h>
#include <md5.h>
#include <sha2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../base/error.h"
#include "file.h"

enum { BLOCK = 1 << 16 };

typedef struct digest {
    int sha256;                             /* else MD5 */
    MD5_CTX md5;
    SHA2_CTX sha2;
} digest;

static ex_status digest_start(digest *d, const char *algorithm) {
    d->sha256 = strcmp(algorithm, "sha256") == 0;
    if (!d->sha256 && strcmp(algorithm, "md5") != 0)
        return ex_fail("unknown digest %s: there are sha256 and md5", algorithm);
    if (d->sha256) SHA256Init(&d->sha2);
    else MD5Init(&d->md5);
    return EX_OK;
}

static void digest_add(digest *d, const uint8_t *bytes, size_t size) {
    if (d->sha256) SHA256Update(&d->sha2, bytes, size);
    else MD5Update(&d->md5, bytes, size);
}

static void digest_end(digest *d, char *hex) {
    static const char digit[] = "0123456789abcdef";
    uint8_t sum[SHA256_DIGEST_LENGTH];
    if (d->sha256) SHA256Final(sum, &d->sha2);
    else MD5Final(sum, &d->md5);
    int count = d->sha256 ? SHA256_DIGEST_LENGTH : MD5_DIGEST_LENGTH;
    for (int i = 0; i < count; i++) {
        *hex++ = digit[sum[i] >> 4];
        *hex++ = digit[sum[i] & 15];
    }
    *hex = 0;
}

/* hex65: at least 65 bytes. */
ex_status ex_text_digest(const char *bytes, double size, const char *algorithm, char *hex65) {
    digest d;
    if (!(size >= 0 && size <= 0x1p53)) return ex_fail("digest: size %g is not a count of bytes", size);
    if (digest_start(&d, algorithm) != EX_OK) return EX_FAILED;
    digest_add(&d, (const uint8_t *)bytes, (size_t)size);
    digest_end(&d, hex65);
    return EX_OK;
}

ex_status ex_file_digest(const char *path, const char *algorithm, char *hex65) {
    digest d;
    if (digest_start(&d, algorithm) != EX_OK) return EX_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ex_fail("cannot read %s: %s", path, ex_system_text(errno));
    uint8_t block[BLOCK];
    ssize_t size;
    while ((size = read(fd, block, sizeof block)) != 0) {
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            int error = errno;
            close(fd);
            return ex_fail("cannot read %s: %s", path, ex_system_text(error));
        }
        digest_add(&d, block, (size_t)size);
    }
    close(fd);
    digest_end(&d, hex65);
    return EX_OK;
}
