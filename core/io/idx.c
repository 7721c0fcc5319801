/* idx.c: reads IDX, the format of MNIST and its kin, plain or gzip (zlib tells them apart).
 *
 *     byte 0, 1: 0   byte 2: type (8: unsigned byte)   byte 3: number of axes
 *     each axis: its length, 32 bits big-endian        then the values, row-major
 *
 * Gives a dense uint8 tensor. Only unsigned bytes are read; other types are refused by name. A length is believed
 * only as far as the file can be that long, so a hostile header costs no memory. What the axes mean is not known here. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>
#include "../base/error.h"
#include "../tensor/tensor.h"
#include "file.h"

enum {
    READ_AT_MOST = 1 << 30,
    DEFLATE_RATIO = 1032,                   /* no deflate stream grows more than this */
    DEFLATE_SLACK = 1024
};

static const char *type_name(int type) {
    switch (type) {
    case 0x08: return "unsigned byte";
    case 0x09: return "signed byte";
    case 0x0B: return "16-bit integer";
    case 0x0C: return "32-bit integer";
    case 0x0D: return "32-bit float";
    case 0x0E: return "64-bit float";
    default: return NULL;
    }
}

/* Reads up to `size` bytes; gives how many came, or -1 and a message. Fewer: the data end here. */
static int64_t read_some(gzFile file, const char *path, uint8_t *out, int64_t size) {
    int64_t total = 0;
    while (total < size) {
        int64_t rest = size - total;
        int got = gzread(file, out + total, (unsigned)(rest < READ_AT_MOST ? rest : READ_AT_MOST));
        int code;
        const char *why = gzerror(file, &code);
        if (code == Z_BUF_ERROR) break;                             /* a gzip stream that stops in its middle */
        if (code == Z_ERRNO) ex_fail("cannot read %s: %s", path, ex_system_text(errno));
        else if (got < 0 || code < 0) ex_fail("%s: damaged gzip data: %s", path, why);
        if (got < 0 || code < 0) return -1;
        if (got == 0) break;
        total += got;
    }
    return total;
}

/* How many bytes a file of this size can hold at most, uncompressed. */
static int64_t most_bytes(gzFile file, const char *path) {
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return INT64_MAX;
    if (gzdirect(file)) return s.st_size;
    return s.st_size < INT64_MAX / DEFLATE_RATIO - DEFLATE_SLACK ? s.st_size * DEFLATE_RATIO + DEFLATE_SLACK : INT64_MAX;
}

/* Reads the lengths of the axes; gives their product, or -1 and a message. */
static int64_t read_shape(gzFile file, const char *path, int32_t *dim, int ndim) {
    uint8_t raw[4 * EX_MAX_DIMS] = { 0 };
    int64_t got = read_some(file, path, raw, 4 * ndim), count = 1;
    if (got < 0) return -1;
    if (got < 4 * ndim) {
        ex_fail("%s: truncated: the header of %d axes ends early", path, ndim);
        return -1;
    }
    for (int i = 0; i < ndim; i++) {
        const uint8_t *b = raw + 4 * i;
        uint32_t length = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        if (length == 0 || length > INT32_MAX) {
            ex_fail("%s: axis %d has length %u, expected 1 to %d", path, i + 1, length, INT32_MAX);
            return -1;
        }
        dim[i] = (int32_t)length;
        if (count > INT64_MAX / dim[i]) {
            ex_fail("%s: the lengths of its axes overflow", path);
            return -1;
        }
        count *= dim[i];
    }
    return count;
}

static ex_tensor *read_values(gzFile file, const char *path, int ndim, const int32_t *dim, int64_t count) {
    int64_t most = most_bytes(file, path);
    if (count > most) {
        ex_fail("%s: truncated: its header promises %lld values, the file holds at most %lld", path, (long long)count,
                (long long)most);
        return NULL;
    }
    ex_tensor *out = ex_tensor_new(EX_UINT8, ndim, dim);
    if (!out) return NULL;
    uint8_t more;
    int code;
    int64_t got = read_some(file, path, (uint8_t *)out->data, count);
    int64_t extra = got == count ? read_some(file, path, &more, 1) : 0;   /* makes zlib check the sum at the end, too */
    gzerror(file, &code);
    if (got >= 0 && got < count)
        ex_fail("%s: truncated: its header promises %lld values, got %lld", path, (long long)count, (long long)got);
    else if (extra > 0)
        ex_fail("%s: bytes follow the %lld values that its header promises", path, (long long)count);
    else if (extra == 0 && code == Z_BUF_ERROR)
        ex_fail("%s: truncated: the gzip stream has no end", path);
    if (got != count || extra != 0 || code == Z_BUF_ERROR) {
        ex_tensor_free(out);
        return NULL;
    }
    ex_tensor_touch(out);
    return out;
}

static ex_tensor *read_open(gzFile file, const char *path) {
    uint8_t magic[4];
    int32_t dim[EX_MAX_DIMS];
    int64_t got = read_some(file, path, magic, 4);
    if (got < 0) return NULL;
    const char *type = got == 4 && magic[0] == 0 && magic[1] == 0 ? type_name(magic[2]) : NULL;
    int64_t count = -1;
    if (got == 0) ex_fail("%s: empty, expected an IDX file", path);
    else if (got < 4) ex_fail("%s: truncated: %d bytes, an IDX header has more", path, (int)got);
    else if (!type)
        ex_fail("%s: not an IDX file: it starts with %02x %02x %02x %02x, expected 00 00, a type, a number of axes", path,
                magic[0], magic[1], magic[2], magic[3]);
    else if (magic[2] != 0x08) ex_fail("%s: holds values of type %s, only unsigned byte is read", path, type);
    else if (magic[3] < 1 || magic[3] > EX_MAX_DIMS)
        ex_fail("%s: %d axes, expected 1 to %d", path, magic[3], EX_MAX_DIMS);
    else count = read_shape(file, path, dim, magic[3]);
    return count < 0 ? NULL : read_values(file, path, magic[3], dim, count);
}

ex_tensor *ex_idx_read(const char *path) {
    if (ex_file_kind(path) == 2) {
        ex_fail("cannot read %s: it is a folder", path);
        return NULL;
    }
    gzFile file = gzopen(path, "rbe");
    if (!file) {
        ex_fail("cannot read %s: %s", path, ex_system_text(errno ? errno : ENOMEM));
        return NULL;
    }
    gzbuffer(file, 1 << 17);
    ex_tensor *out = read_open(file, path);
    gzclose(file);
    return out;
}
