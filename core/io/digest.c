/* digest.c: SHA-256 and MD5 of a file, by libmd, read in blocks. It compares nothing and keeps nothing. */
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

typedef union context {
    MD5_CTX md5;
    SHA2_CTX sha256;
} context;

static void put_hex(char *hex, const uint8_t *byte, size_t count) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        hex[2 * i] = digit[byte[i] >> 4];
        hex[2 * i + 1] = digit[byte[i] & 15];
    }
    hex[2 * count] = 0;
}

/* hex65: at least 65 bytes. */
ex_status ex_file_digest(const char *path, const char *algorithm, char *hex65) {
    int sha256 = strcmp(algorithm, "sha256") == 0;
    if (!sha256 && strcmp(algorithm, "md5") != 0)
        return ex_fail("unknown digest %s: there are sha256 and md5", algorithm);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ex_fail("cannot read %s: %s", path, ex_system_text(errno));
    context c;
    if (sha256) SHA256Init(&c.sha256);
    else MD5Init(&c.md5);
    uint8_t block[BLOCK], sum[SHA256_DIGEST_LENGTH];
    ssize_t size;
    while ((size = read(fd, block, sizeof block)) != 0) {
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) {
            int error = errno;
            close(fd);
            return ex_fail("cannot read %s: %s", path, ex_system_text(error));
        }
        if (sha256) SHA256Update(&c.sha256, block, (size_t)size);
        else MD5Update(&c.md5, block, (size_t)size);
    }
    close(fd);
    if (sha256) SHA256Final(sum, &c.sha256);
    else MD5Final(sum, &c.md5);
    put_hex(hex65, sum, sha256 ? SHA256_DIGEST_LENGTH : MD5_DIGEST_LENGTH);
    return EX_OK;
}
