/* mat.c: reads one numeric array of a MATLAB file of version 5 ("Level 5 MAT-File Format", The MathWorks), as SVHN comes in.
 *
 *     128 bytes of header: text (116), offset (8), version 0x0100, "IM" where the file is little-endian
 *     elements: type and size in bytes (32 bits each), the bytes, up to the next multiple of 8
 *         small form, up to 4 bytes: size and type in 16 bits each, then the bytes
 *         15 compressed: a zlib stream that holds one element, not padded
 *         14 matrix: elements for flags (class), dimensions, name, and the values, column-major
 *
 * Gives a dense uint8 tensor whose axes are those of the array from last to first: what MATLAB calls (H, W, C, N) comes as
 * (N, C, W, H), and no byte moves. Values of other types are taken where all are whole numbers from 0 to 255. Refused by
 * name: big-endian files, cells, structures, text, sparse and complex arrays. Other arrays in the file are passed over.
 * A length is believed only as far as the file can be that long. */
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
    HEADER = 128, BLOCK = 1 << 16, NAME = 64,
    DEFLATE_RATIO = 1032, DEFLATE_SLACK = 1024,                 /* no deflate stream grows more than this */
    MI_INT8 = 1, MI_UINT8, MI_INT16, MI_UINT16, MI_INT32, MI_UINT32, MI_SINGLE, MI_DOUBLE = 9, MI_MATRIX = 14, MI_COMPRESSED,
    MX_DOUBLE = 6, MX_UINT64 = 15, MX_COMPLEX = 0x0800
};

/* Bytes of the file from here on, through zlib where `packed`. */
typedef struct source {
    FILE *file;
    const char *path;
    int packed;
    int64_t rest;                           /* bytes of the file that this element still has */
    z_stream stream;
    uint8_t block[BLOCK];
} source;

typedef struct matrix {
    uint32_t flags;
    int ndim;
    int32_t dim[EX_MAX_DIMS];               /* as in the file: the first axis runs fastest */
    int64_t count;
    char name[NAME];
} matrix;

/* -- Bytes -------------------------------------------------------------------------------------------------- */

static uint32_t word(const uint8_t *b) { return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0]; }

static ex_status truncated(const source *s) {
    if (ferror(s->file)) return ex_fail("cannot read %s: %s", s->path, ex_system_text(errno));
    return ex_fail("%s: truncated", s->path);
}

static ex_status take_plain(source *s, uint8_t *out, size_t size) {
    if ((int64_t)size > s->rest) return truncated(s);
    if (fread(out, 1, size, s->file) != size) return truncated(s);
    s->rest -= (int64_t)size;
    return EX_OK;
}

/* Brings the next block of packed bytes; `done` where there are none. */
static ex_status refill(source *s) {
    size_t want = s->rest < BLOCK ? (size_t)s->rest : BLOCK;
    if (want == 0 || fread(s->block, 1, want, s->file) != want) return truncated(s);
    s->rest -= (int64_t)want;
    s->stream.next_in = s->block;
    s->stream.avail_in = (unsigned)want;
    return EX_OK;
}

static ex_status take_packed(source *s, uint8_t *out, size_t size) {
    z_stream *z = &s->stream;
    while (size > 0) {
        unsigned part = size < 1u << 30 ? (unsigned)size : 1u << 30;
        z->next_out = out;
        z->avail_out = part;
        if (z->avail_in == 0 && refill(s) != EX_OK) return EX_FAILED;
        int code = inflate(z, Z_NO_FLUSH);
        size_t got = part - z->avail_out;
        out += got;
        size -= got;
        if (code == Z_STREAM_END && size > 0) return ex_fail("%s: a compressed element ends early", s->path);
        if (code != Z_OK && code != Z_STREAM_END)
            return ex_fail("%s: damaged compressed data: %s", s->path, z->msg ? z->msg : "no zlib stream");
    }
    return EX_OK;
}

static ex_status take(source *s, void *out, size_t size) {
    return s->packed ? take_packed(s, out, size) : take_plain(s, out, size);
}

/* After the last value of a packed element: its end, with zlib's check sum, must follow. */
static ex_status check_end(source *s) {
    if (!s->packed) return EX_OK;
    uint8_t more[64];
    for (;;) {                              /* padding of the matrix may still come */
        z_stream *z = &s->stream;
        z->next_out = more;
        z->avail_out = sizeof more;
        if (z->avail_in == 0 && s->rest > 0 && refill(s) != EX_OK) return EX_FAILED;
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_STREAM_END) return EX_OK;
        if (code == Z_BUF_ERROR) return ex_fail("%s: truncated: a compressed element has no end", s->path);
        if (code != Z_OK) return ex_fail("%s: damaged compressed data: %s", s->path, z->msg ? z->msg : "no zlib stream");
    }
}

/* -- Elements ------------------------------------------------------------------------------------------------- */

typedef struct element {
    uint32_t type, size;
    int small;
    uint8_t inside[4];                      /* the bytes of the small form */
} element;

static ex_status read_tag(source *s, element *e) {
    uint8_t tag[8];
    if (take(s, tag, sizeof tag) != EX_OK) return EX_FAILED;
    uint32_t first = word(tag);
    e->small = first >> 16 != 0;
    e->type = e->small ? first & 0xFFFF : first;
    e->size = e->small ? first >> 16 : word(tag + 4);
    memcpy(e->inside, tag + 4, 4);
    if (e->small && e->size > 4) return ex_fail("%s: a small element of %u bytes, at most 4 are possible", s->path, e->size);
    return EX_OK;
}

/* The bytes of a short element (dimensions, name) with their padding: at most `room` bytes. */
static ex_status read_short(source *s, const char *what, uint32_t type, uint8_t *out, size_t room, uint32_t *size) {
    element e;
    if (read_tag(s, &e) != EX_OK) return EX_FAILED;
    if (e.type != type) return ex_fail("%s: an array's %s is of type %u, expected %u", s->path, what, e.type, type);
    if (e.size > room) return ex_fail("%s: an array's %s has %u bytes, expected at most %zu", s->path, what, e.size, room);
    *size = e.size;
    if (e.small) memcpy(out, e.inside, e.size);
    else if (e.size > 0 && take(s, out, e.size) != EX_OK) return EX_FAILED;
    uint8_t padding[8];
    if (!e.small && e.size % 8 != 0) return take(s, padding, 8 - e.size % 8);
    return EX_OK;
}

static ex_status read_dims(source *s, matrix *m) {
    uint8_t raw[4 * EX_MAX_DIMS];
    uint32_t size;
    if (read_short(s, "list of dimensions", MI_INT32, raw, sizeof raw, &size) != EX_OK) return EX_FAILED;
    m->ndim = (int)(size / 4);
    m->count = 1;
    if (size % 4 != 0 || m->ndim < 2) return ex_fail("%s: an array with %u bytes of dimensions", s->path, size);
    for (int i = 0; i < m->ndim; i++) {
        uint32_t length = word(raw + (size_t)4 * i);
        if (length > INT32_MAX) return ex_fail("%s: an array has a dimension of %u", s->path, length);
        m->dim[i] = (int32_t)length;
        if (length > 0 && m->count > INT64_MAX / (int64_t)length) return ex_fail("%s: an array's dimensions overflow", s->path);
        m->count *= (int64_t)length;
    }
    return EX_OK;
}

/* What stands before the values of an array. */
static ex_status read_head(source *s, matrix *m) {
    uint8_t flags[8], name[NAME - 1];
    uint32_t size;
    if (read_short(s, "flags", MI_UINT32, flags, sizeof flags, &size) != EX_OK) return EX_FAILED;
    if (size != 8) return ex_fail("%s: an array's flags have %u bytes, expected 8", s->path, size);
    m->flags = word(flags);
    if (read_dims(s, m) != EX_OK || read_short(s, "name", MI_INT8, name, sizeof name, &size) != EX_OK) return EX_FAILED;
    memcpy(m->name, name, size);
    m->name[size] = 0;
    return EX_OK;
}

/* -- Values --------------------------------------------------------------------------------------------------- */

static int type_size(uint32_t type) {
    static const int size[] = { [MI_INT8] = 1, [MI_UINT8] = 1, [MI_INT16] = 2, [MI_UINT16] = 2, [MI_INT32] = 4,
                                [MI_UINT32] = 4, [MI_SINGLE] = 4, [MI_DOUBLE] = 8 };
    return type < sizeof size / sizeof *size ? size[type] : 0;
}

static double value_of(uint32_t type, const uint8_t *b) {
    uint64_t bits = 0;
    for (int i = type_size(type) - 1; i >= 0; i--) bits = bits << 8 | b[i];
    float single;
    double number;
    switch (type) {
    case MI_INT8: return (int8_t)bits;
    case MI_INT16: return (int16_t)bits;
    case MI_INT32: return (int32_t)bits;
    case MI_SINGLE: memcpy(&single, &(uint32_t){ (uint32_t)bits }, 4); return single;
    case MI_DOUBLE: memcpy(&number, &bits, 8); return number;
    default: return (double)bits;
    }
}

/* Values of another type than unsigned bytes, a few at a time. */
static ex_status read_converted(source *s, const matrix *m, uint32_t type, uint8_t *out) {
    uint8_t part[512];
    int size = type_size(type);
    for (int64_t i = 0; i < m->count;) {
        int64_t n = m->count - i < 64 ? m->count - i : 64;
        if (take(s, part, (size_t)(n * size)) != EX_OK) return EX_FAILED;
        for (int64_t k = 0; k < n; k++, i++) {
            double v = value_of(type, part + k * size);
            if (!(v >= 0 && v <= 255 && v == (double)(uint8_t)v))
                return ex_fail("%s: %s: value %lld (counted from 0) is %g, expected a whole number from 0 to 255", s->path,
                               m->name, (long long)i, v);
            out[i] = (uint8_t)v;
        }
    }
    return EX_OK;
}

static ex_status check_kind(const source *s, const matrix *m) {
    uint32_t kind = m->flags & 0xFF;
    if (kind < MX_DOUBLE || kind > MX_UINT64 || m->flags & MX_COMPLEX)
        return ex_fail("%s: %s is %s, expected an array of numbers", s->path, m->name,
                       m->flags & MX_COMPLEX ? "complex" : kind == 4 ? "text" : kind == 5 ? "sparse" : "a cell or structure");
    if (m->count == 0) return ex_fail("%s: %s is empty", s->path, m->name);
    return EX_OK;
}

static ex_tensor *read_values(source *s, const matrix *m) {
    element e;
    if (check_kind(s, m) != EX_OK || read_tag(s, &e) != EX_OK) return NULL;
    int size = type_size(e.type);
    int64_t most = !s->packed ? s->rest
                 : s->rest < INT64_MAX / DEFLATE_RATIO - BLOCK ? (s->rest + BLOCK) * DEFLATE_RATIO + DEFLATE_SLACK : INT64_MAX;
    if (size == 0) {
        ex_fail("%s: %s: values of type %u are not read", s->path, m->name, e.type);
        return NULL;
    }
    if (m->count > UINT32_MAX / size || (int64_t)e.size != m->count * size) {
        ex_fail("%s: %s: %u bytes of values, its dimensions ask for %lld of %d bytes each", s->path, m->name, e.size,
                (long long)m->count, size);
        return NULL;
    }
    if (!e.small && e.size > most) {
        ex_fail("%s: truncated: %s promises %u bytes, the file holds at most %lld", s->path, m->name, e.size, (long long)most);
        return NULL;
    }
    int32_t dim[EX_MAX_DIMS];
    for (int i = 0; i < m->ndim; i++) dim[i] = m->dim[m->ndim - 1 - i];
    ex_tensor *out = ex_tensor_new(EX_UINT8, m->ndim, dim);
    if (!out) return NULL;
    ex_status status;
    if (e.small) {
        for (int64_t i = 0; i < m->count; i++) out->data[i] = (char)e.inside[i];
        status = e.type == MI_UINT8 ? EX_OK : ex_fail("%s: %s: small values of type %u are not read", s->path, m->name, e.type);
    } else {
        status = e.type == MI_UINT8 ? take(s, out->data, e.size) : read_converted(s, m, e.type, (uint8_t *)out->data);
    }
    if (status == EX_OK) status = check_end(s);
    ex_tensor_touch(out);
    if (status == EX_OK) return out;
    ex_tensor_free(out);
    return NULL;
}

/* -- The file --------------------------------------------------------------------------------------------------- */

static ex_status check_header(source *s) {
    uint8_t header[HEADER];
    size_t got = fread(header, 1, HEADER, s->file);
    if (ferror(s->file)) return truncated(s);
    if (got < HEADER) return ex_fail("%s: %zu bytes, a MAT file of version 5 has more", s->path, got);
    if (header[126] == 'M' && header[127] == 'I') return ex_fail("%s: a big-endian MAT file is not read", s->path);
    if (header[126] != 'I' || header[127] != 'M' || header[125] != 1)
        return ex_fail("%s: not a MAT file of version 5: its header ends in %02x %02x %02x %02x, expected 00 01 49 4d", s->path,
                       header[124], header[125], header[126], header[127]);
    return EX_OK;
}

/* Looks into the element at the file's place: the wanted array's values, or NULL: with *found 1 it failed. */
static ex_tensor *look_into(source *s, const element *outer, const char *name, int *found) {
    matrix m = { 0 };
    element e = *outer;
    ex_tensor *out = NULL;
    *found = 1;
    s->packed = e.type == MI_COMPRESSED;
    s->rest = e.size;
    s->stream = (z_stream){ 0 };
    if (s->packed && inflateInit(&s->stream) != Z_OK) {
        ex_fail("%s: out of memory", s->path);
        return NULL;
    }
    ex_status status = s->packed ? read_tag(s, &e) : EX_OK;
    if (status == EX_OK && e.type != MI_MATRIX) *found = 0;          /* no array: passed over */
    else if (status == EX_OK) {
        status = read_head(s, &m);
        *found = status != EX_OK || strcmp(m.name, name) == 0;
        if (status == EX_OK && *found) out = read_values(s, &m);
    }
    if (s->packed) inflateEnd(&s->stream);
    return out;
}

static ex_tensor *search(source *s, const char *name, int64_t size) {
    int64_t at = HEADER;
    while (at + 8 <= size) {
        element e;
        int found;
        if (fseeko(s->file, at, SEEK_SET) != 0) {
            truncated(s);
            return NULL;
        }
        s->packed = 0;
        s->rest = 8;
        if (read_tag(s, &e) != EX_OK) return NULL;
        at += 8;
        if (e.small) continue;
        if (e.size > size - at) {
            ex_fail("%s: truncated: an element promises %u bytes, the file has %lld more", s->path, e.size, (long long)(size - at));
            return NULL;
        }
        ex_tensor *out = look_into(s, &e, name, &found);
        if (found) return out;
        at += e.type == MI_COMPRESSED ? (int64_t)e.size : ((int64_t)e.size + 7) / 8 * 8;
    }
    ex_fail("%s: it holds no array '%s'", s->path, name);
    return NULL;
}

ex_tensor *ex_mat_read(const char *path, const char *name) {
    source s;
    struct stat info;
    if (ex_file_kind(path) == 2) {
        ex_fail("cannot read %s: it is a folder", path);
        return NULL;
    }
    s.path = path;
    s.file = fopen(path, "rbe");
    if (!s.file || fstat(fileno(s.file), &info) != 0) {
        ex_fail("cannot read %s: %s", path, ex_system_text(errno));
        if (s.file) fclose(s.file);
        return NULL;
    }
    ex_tensor *out = check_header(&s) == EX_OK ? search(&s, name, info.st_size) : NULL;
    fclose(s.file);
    return out;
}
