/* safetensors.c: opens and reads files of the safetensors format
 * (https://github.com/huggingface/safetensors, "Format"):
 *
 *     8 bytes      length of the header, little-endian
 *     header       JSON: { "NAME": { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] }, ...,
 *                          "__metadata__": { "KEY": "VALUE", ... } }, then white space
 *     data         the tensors, row-major, little-endian; offsets count from here, without holes or overlap
 *
 * Opening checks all of it; nothing of the data is read before a tensor is asked for, and no number in the file is
 * believed before it is compared with the file's size. F32, I32 and U8 are read, other types refused by name. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../tensor/tensor.h"
#include "file.h"
#include "json.h"
#include "safetensors.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are read as they lie in the file");
_Static_assert(EX_DTYPE_COUNT == 3, "a new type needs its safetensors name");

typedef struct entry {
    const char *name;
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];
    int64_t begin, end;
} entry;

typedef struct pair { const char *key, *value; } pair;

struct ex_safetensors {
    int fd;
    char *path, *where, *header;            /* names and strings point into the header */
    int64_t start, size;                    /* of the data */
    entry *entry;                           /* in the header's order */
    pair *pair;                             /* by key, once checked */
    int32_t entries, entries_room, pairs, pairs_room;
    int metadata;                           /* the header had one */
};

const char *ex_safetensors_dtype(int32_t dtype) {
    static const char *const name[EX_DTYPE_COUNT] = { "F32", "I32", "U8" };
    return name[dtype];
}

/* -- The header ------------------------------------------------------------------------------------------ */

static void *grow(void *list, int32_t count, int32_t *room, size_t size) {
    if (count < *room) return list;
    int32_t wanted = *room ? 2 * *room : 32;       /* the header's size limits how far this goes */
    void *grown = ex_realloc(list, (size_t)wanted * size);
    if (grown) *room = wanted;
    return grown;
}

static ex_status read_metadata(ex_safetensors *f, ex_json *j) {
    if (f->metadata++) return ex_json_fail(j, "__metadata__ stands there twice");
    if (ex_json_take(j, '{') != EX_OK) return EX_FAILED;
    int more;
    while ((more = ex_json_item(j, '}', f->pairs)) == 1) {
        pair *grown = grow(f->pair, f->pairs, &f->pairs_room, sizeof *f->pair);
        if (!grown) return EX_FAILED;
        f->pair = grown;
        pair *p = &f->pair[f->pairs];
        if (!(p->key = ex_json_string(j)) || ex_json_take(j, ':') != EX_OK || !(p->value = ex_json_string(j)))
            return EX_FAILED;
        f->pairs++;
    }
    return more < 0 ? EX_FAILED : EX_OK;
}

static ex_status read_dtype(ex_json *j, entry *e) {
    static const char *const other[] = { "BOOL", "F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I8", "I16",
                                         "U16", "F16", "BF16", "U32", "F64", "I64", "U64", "C64" };
    const char *name = ex_json_string(j);
    if (!name) return EX_FAILED;
    for (e->dtype = 0; e->dtype < EX_DTYPE_COUNT; e->dtype++)
        if (strcmp(name, ex_safetensors_dtype(e->dtype)) == 0) return EX_OK;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcmp(name, other[i]) == 0)
            return ex_fail("%s: tensor \"%s\" is of type %s; F32, I32 and U8 are read", j->where, e->name, name);
    return ex_fail("%s: tensor \"%s\" is of unknown type \"%s\"", j->where, e->name, name);
}

static ex_status read_shape(ex_json *j, entry *e) {
    if (ex_json_take(j, '[') != EX_OK) return EX_FAILED;
    int more;
    for (e->ndim = 0; (more = ex_json_item(j, ']', e->ndim)) == 1; e->ndim++) {
        int64_t length;
        if (ex_json_count(j, &length) != EX_OK) return EX_FAILED;
        if (e->ndim == EX_MAX_DIMS)
            return ex_fail("%s: tensor \"%s\" has more than %d axes", j->where, e->name, EX_MAX_DIMS);
        if (length > INT32_MAX)
            return ex_fail("%s: tensor \"%s\" has an axis of %lld, at most %d are read", j->where, e->name,
                           (long long)length, INT32_MAX);
        e->dim[e->ndim] = (int32_t)length;
    }
    return more < 0 ? EX_FAILED : EX_OK;
}

static ex_status read_offsets(ex_json *j, entry *e) {
    if (ex_json_take(j, '[') != EX_OK || ex_json_count(j, &e->begin) != EX_OK || ex_json_take(j, ',') != EX_OK
        || ex_json_count(j, &e->end) != EX_OK || ex_json_take(j, ']') != EX_OK)
        return EX_FAILED;
    return EX_OK;
}

static ex_status read_entry(ex_json *j, entry *e) {
    static const char *const key[] = { "dtype", "shape", "data_offsets" };
    static ex_status (*const read[])(ex_json *, entry *) = { read_dtype, read_shape, read_offsets };
    if (ex_json_take(j, '{') != EX_OK) return EX_FAILED;
    unsigned seen = 0;
    int more;
    for (int item = 0; (more = ex_json_item(j, '}', item)) == 1; item++) {
        const char *name = ex_json_string(j);
        if (!name || ex_json_take(j, ':') != EX_OK) return EX_FAILED;
        unsigned k = 0;
        while (k < 3 && strcmp(name, key[k]) != 0) k++;
        if (k == 3) return ex_fail("%s: tensor \"%s\": unknown key \"%s\"", j->where, e->name, name);
        if (seen & 1u << k) return ex_fail("%s: tensor \"%s\": %s stands there twice", j->where, e->name, name);
        seen |= 1u << k;
        if (read[k](j, e) != EX_OK) return EX_FAILED;
    }
    for (int k = 0; k < 3 && more == 0; k++)
        if (!(seen & 1u << k)) return ex_fail("%s: tensor \"%s\" has no %s", j->where, e->name, key[k]);
    return more < 0 ? EX_FAILED : EX_OK;
}

static ex_status read_header(ex_safetensors *f, size_t size) {
    ex_json j = { .where = f->where, .text = f->header, .size = size };
    if (size == 0 || f->header[0] != '{') return ex_json_fail(&j, "expected '{'");
    if (ex_json_take(&j, '{') != EX_OK) return EX_FAILED;
    int more;
    for (int64_t item = 0; (more = ex_json_item(&j, '}', item)) == 1; item++) {
        const char *name = ex_json_string(&j);
        if (!name || ex_json_take(&j, ':') != EX_OK) return EX_FAILED;
        if (strcmp(name, EX_SAFETENSORS_METADATA) == 0) {
            if (read_metadata(f, &j) != EX_OK) return EX_FAILED;
            continue;
        }
        entry *grown = grow(f->entry, f->entries, &f->entries_room, sizeof *f->entry);
        if (!grown) return EX_FAILED;
        f->entry = grown;
        f->entry[f->entries] = (entry){ .name = name };
        if (read_entry(&j, &f->entry[f->entries]) != EX_OK) return EX_FAILED;
        f->entries++;
    }
    return more < 0 ? EX_FAILED : ex_json_end(&j);
}

/* -- What the header claims ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    return strcmp((*(const entry *const *)a)->name, (*(const entry *const *)b)->name);
}

static int by_place(const void *a, const void *b) {
    const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
    return x->begin != y->begin ? (x->begin < y->begin ? -1 : 1) : x->end != y->end ? (x->end < y->end ? -1 : 1) : 0;
}

static int by_key(const void *a, const void *b) { return strcmp(((const pair *)a)->key, ((const pair *)b)->key); }

static ex_status check_size(const ex_safetensors *f, const entry *e) {
    int64_t bytes = (int64_t)ex_dtype_size(e->dtype);
    char shape[160];
    for (int32_t i = 0; i < e->ndim; i++) {
        if (e->dim[i] > 0 && bytes > INT64_MAX / e->dim[i])
            return ex_fail("%s: tensor \"%s\": the size of its shape %s overflows", f->where, e->name,
                           ex_shape_text(shape, sizeof shape, e->ndim, e->dim));
        bytes *= e->dim[i];
    }
    if (e->end < e->begin || e->end - e->begin != bytes)
        return ex_fail("%s: tensor \"%s\": data_offsets [%lld, %lld] do not fit its shape %s, expected %lld bytes", f->where,
                       e->name, (long long)e->begin, (long long)e->end,
                       ex_shape_text(shape, sizeof shape, e->ndim, e->dim), (long long)bytes);
    return EX_OK;
}

/* Sizes equal shapes; the tensors fill the data, each byte once. */
static ex_status check_places(const ex_safetensors *f, const entry **sorted) {
    int64_t at = 0;
    qsort(sorted, (size_t)f->entries, sizeof *sorted, by_place);
    for (int32_t i = 0; i < f->entries; i++) {
        const entry *e = sorted[i];
        if (check_size(f, e) != EX_OK) return EX_FAILED;
        if (e->begin != at)
            return ex_fail("%s: tensor \"%s\" begins at byte %lld of the data, %s byte %lld", f->where, e->name,
                           (long long)e->begin, e->begin < at ? "inside another, which ends at" : "which leaves a hole from",
                           (long long)at);
        at = e->end;
    }
    if (at > f->size)
        return ex_fail("%s: truncated: its tensors take %lld bytes, the file has %lld", f->path, (long long)at,
                       (long long)f->size);
    if (at < f->size)
        return ex_fail("%s: %lld bytes follow the last tensor", f->path, (long long)(f->size - at));
    return EX_OK;
}

/* Sorts the strings by key: a file may hold millions. */
static ex_status check_keys(ex_safetensors *f) {
    if (f->pairs > 0) qsort(f->pair, (size_t)f->pairs, sizeof *f->pair, by_key);
    for (int32_t i = 1; i < f->pairs; i++)
        if (by_key(&f->pair[i - 1], &f->pair[i]) == 0)
            return ex_fail("%s: __metadata__ has \"%s\" twice", f->where, f->pair[i].key);
    return EX_OK;
}

static ex_status check_names(const ex_safetensors *f, const entry **sorted) {
    for (int32_t i = 0; i < f->entries; i++) sorted[i] = &f->entry[i];
    qsort(sorted, (size_t)f->entries, sizeof *sorted, by_name);
    for (int32_t i = 1; i < f->entries; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            return ex_fail("%s: tensor \"%s\" stands there twice", f->where, sorted[i]->name);
    return EX_OK;
}

static ex_status check_claims(ex_safetensors *f) {
    const entry **sorted = ex_alloc((size_t)(f->entries + 1) * sizeof *sorted);
    if (!sorted) return EX_FAILED;
    ex_status status = check_keys(f);
    if (status == EX_OK) status = check_names(f, sorted);      /* leaves the entries in `sorted` */
    if (status == EX_OK) status = check_places(f, sorted);
    ex_free(sorted);
    return status;
}

/* -- Bytes ----------------------------------------------------------------------------------------------------- */

static ex_status read_at(const ex_safetensors *f, void *out, int64_t size, int64_t at) {
    char *to = out;
    while (size > 0) {
        ssize_t got = pread(f->fd, to, size < (1 << 30) ? (size_t)size : 1 << 30, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ex_fail("cannot read %s: %s", f->path, ex_system_text(errno));
        if (got == 0) return ex_fail("%s: truncated: it became shorter while it was read", f->path);
        to += got;
        at += got;
        size -= got;
    }
    return EX_OK;
}

static ex_status open_file(ex_safetensors *f, int64_t *size) {
    struct stat s;
    if ((f->fd = open(f->path, O_RDONLY | O_CLOEXEC)) < 0 || fstat(f->fd, &s) != 0)
        return ex_fail("cannot read %s: %s", f->path, ex_system_text(errno));
    if (!S_ISREG(s.st_mode)) return ex_fail("cannot read %s: it is not a file", f->path);
    *size = s.st_size;
    return EX_OK;
}

static ex_status open_checked(ex_safetensors *f) {
    int64_t size = 0;
    uint8_t raw[8];
    if (open_file(f, &size) != EX_OK) return EX_FAILED;
    if (size < 8) return ex_fail("%s: %lld bytes, too short for a safetensors file", f->path, (long long)size);
    if (read_at(f, raw, 8, 0) != EX_OK) return EX_FAILED;
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | raw[i];
    if (length > EX_SAFETENSORS_HEADER_MAX)
        return ex_fail("%s: not a safetensors file: its header would have %llu bytes, at most %d are allowed", f->path,
                       (unsigned long long)length, EX_SAFETENSORS_HEADER_MAX);
    if ((int64_t)length > size - 8)
        return ex_fail("%s: truncated or no safetensors file: its header would have %llu bytes, the file has %lld", f->path,
                       (unsigned long long)length, (long long)size);
    f->start = 8 + (int64_t)length;
    f->size = size - f->start;
    if (!(f->header = ex_alloc((size_t)length + 1)) || read_at(f, f->header, (int64_t)length, 8) != EX_OK) return EX_FAILED;
    return read_header(f, (size_t)length) == EX_OK ? check_claims(f) : EX_FAILED;
}

/* -- The border --------------------------------------------------------------------------------------------------- */

ex_safetensors *ex_safetensors_open(const char *path) {
    static const char suffix[] = ": safetensors header";
    ex_safetensors *f = ex_alloc_zero(sizeof *f);
    if (!f) return NULL;
    f->fd = -1;
    size_t size = strlen(path) + sizeof suffix;
    if ((f->path = ex_strdup(path)) && (f->where = ex_alloc(size))) {
        snprintf(f->where, size, "%s%s", path, suffix);
        if (open_checked(f) == EX_OK) return f;
    }
    ex_safetensors_free(f);
    return NULL;
}

void ex_safetensors_free(ex_safetensors *f) {
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    ex_free(f->entry);
    ex_free(f->pair);
    ex_free(f->header);
    ex_free(f->where);
    ex_free(f->path);
    ex_free(f);
}

int32_t ex_safetensors_count(const ex_safetensors *f) { return f->entries; }

const char *ex_safetensors_name(const ex_safetensors *f, int32_t i) {
    return i >= 0 && i < f->entries ? f->entry[i].name : NULL;
}

int32_t ex_safetensors_metadata_count(const ex_safetensors *f) { return f->pairs; }

const char *ex_safetensors_metadata_key(const ex_safetensors *f, int32_t i) {
    return i >= 0 && i < f->pairs ? f->pair[i].key : NULL;
}

const char *ex_safetensors_metadata(const ex_safetensors *f, const char *key) {
    const pair wanted = { .key = key }, *found = NULL;
    if (f->pairs > 0) found = bsearch(&wanted, f->pair, (size_t)f->pairs, sizeof *f->pair, by_key);
    return found ? found->value : NULL;
}

ex_safetensors_place ex_safetensors_where(const ex_safetensors *f, int32_t i) {
    const entry *e = &f->entry[i];
    ex_safetensors_place place = { .dtype = e->dtype, .ndim = e->ndim, .begin = f->start + e->begin, .end = f->start + e->end };
    memcpy(place.dim, e->dim, sizeof place.dim);
    return place;
}

int ex_safetensors_descriptor(const ex_safetensors *f) { return f->fd; }

ex_tensor *ex_safetensors_read(const ex_safetensors *f, int32_t i) {
    if (i < 0 || i >= f->entries) {
        ex_fail("%s: tensor %d of %d", f->path, i, f->entries);
        return NULL;
    }
    const entry *e = &f->entry[i];
    ex_tensor *out = ex_tensor_new(e->dtype, e->ndim, e->dim);
    if (!out) {
        ex_error_at("%s: tensor \"%s\"", f->path, e->name);
        return NULL;
    }
    if (read_at(f, out->data, e->end - e->begin, f->start + e->begin) != EX_OK) {
        ex_tensor_free(out);
        return NULL;
    }
    ex_tensor_touch(out);
    return out;
}
