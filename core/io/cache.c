/* cache.c: decoded images in a file that is mapped into memory: what does not fit there is read as it is needed.
 *
 *     safetensors (safetensors.c) with  "labels" int32 (N)  and  "images" uint8 (N,C,H,W), and strings of the caller's
 *
 * A cache being made is a temporary file beside its target, mapped shared, so that decoding processes write to it. Its disk
 * space is taken before it is mapped: a full disk is an error then, not a signal later. ex_cache_finish flushes, renames
 * and flushes the folder; until then nothing has the name, and without it nothing stays. A finished or opened cache is
 * mapped privately: what a program writes to its tensors stays in memory.
 * A file that another program shortens while it is mapped cannot be guarded against. What the strings mean (source,
 * version, class names) is not known here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../tensor/tensor.h"
#include "file.h"
#include "image.h"
#include "json.h"
#include "safetensors.h"

enum { ALIGN = 8, SHAPES = 512 };           /* SHAPES: room for the header but for the strings */

static const char images_name[] = "images", labels_name[] = "labels";

typedef struct pair { const char *key, *value; } pair;

struct ex_cache {
    ex_writer writer;                       /* while it is being made */
    int unfinished;
    char *path, *metadata;
    ex_tensor *whole, *images, *labels;     /* views of the mapping */
};

/* -- Metadata ------------------------------------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b) { return strcmp(((const pair *)a)->key, ((const pair *)b)->key); }

/* {"KEY":"VALUE",...}; ex_free it. */
static char *object_text(const pair *p, int32_t n) {
    size_t size = 3;
    for (int32_t i = 0; i < n; i++) size += ex_json_quote(NULL, p[i].key) + ex_json_quote(NULL, p[i].value) + 2;
    char *text = ex_alloc(size), *end = text;
    if (!text) return NULL;
    *end++ = '{';
    for (int32_t i = 0; i < n; i++) {
        if (i > 0) *end++ = ',';
        end += ex_json_quote(end, p[i].key);
        *end++ = ':';
        end += ex_json_quote(end, p[i].value);
    }
    *end++ = '}';
    *end = 0;
    return text;
}

/* Reads the object's pairs, whose text is changed, into p, which has room for all. */
static ex_status read_pairs(ex_json *j, pair *p, int32_t *n) {
    int more;
    if (ex_json_take(j, '{') != EX_OK) return EX_FAILED;
    while ((more = ex_json_item(j, '}', *n)) == 1) {
        pair *next = &p[*n];
        if (!(next->key = ex_json_string(j)) || ex_json_take(j, ':') != EX_OK || !(next->value = ex_json_string(j))) return EX_FAILED;
        ++*n;
    }
    if (more < 0 || ex_json_end(j) != EX_OK) return EX_FAILED;
    qsort(p, (size_t)*n, sizeof *p, by_key);
    for (int32_t i = 1; i < *n; i++)
        if (by_key(&p[i - 1], &p[i]) == 0) return ex_fail("%s has \"%s\" twice", j->where, p[i].key);
    return EX_OK;
}

/* The caller's object, checked, with its keys in order; ex_free it. */
static char *normal_metadata(const char *metadata) {
    size_t size = strlen(metadata);
    int32_t n = 0;
    ex_json j = { .where = "cache: metadata", .text = ex_strdup(metadata), .size = size };
    pair *p = size < EX_SAFETENSORS_HEADER_MAX ? ex_alloc((size / 5 + 1) * sizeof *p) : NULL;     /* a pair has 5 bytes or more */
    char *out = j.text && p && read_pairs(&j, p, &n) == EX_OK ? object_text(p, n) : NULL;
    if (size >= EX_SAFETENSORS_HEADER_MAX) ex_fail("cache: %zu bytes of metadata", size);
    ex_free(p);
    ex_free(j.text);
    return out;
}

static char *metadata_of(const ex_safetensors *f) {
    int32_t n = ex_safetensors_metadata_count(f);
    pair *p = ex_alloc((size_t)(n + 1) * sizeof *p);
    for (int32_t i = 0; p && i < n; i++) {
        p[i].key = ex_safetensors_metadata_key(f, i);
        p[i].value = ex_safetensors_metadata(f, p[i].key);
    }
    char *text = p ? object_text(p, n) : NULL;
    ex_free(p);
    return text;
}

/* -- Making one ---------------------------------------------------------------------------------------------------- */

typedef struct layout {
    int32_t dim[4];                         /* N, C, H, W */
    int64_t header, labels, images;         /* bytes: length and header; then both tensors */
} layout;

static ex_status lay_out(layout *l, const char *path, int32_t count, int32_t c, int32_t h, int32_t w) {
    *l = (layout){ .dim = { count, c, h, w }, .labels = 4 * (int64_t)count };
    if (count < 1 || c < 1 || c > 4 || h < 1 || w < 1 || h > EX_IMAGE_SIDE_MAX || w > EX_IMAGE_SIDE_MAX
        || __builtin_mul_overflow((int64_t)count * c, (int64_t)h * w, &l->images) || l->images > INT64_MAX / 2)
        return ex_fail("cannot write %s: a cache of shape (%d, %d, %d, %d), expected 1 or more images of 1 to 4 channels and sides of up to %d",
                       path, count, c, h, w, EX_IMAGE_SIDE_MAX);
    return EX_OK;
}

static ex_status write_header(ex_cache *c, layout *l, const char *path) {
    size_t room = strlen(c->metadata) + SHAPES;
    char *bytes = ex_alloc(room);
    if (!bytes) return EX_FAILED;
    size_t size = (size_t)snprintf(bytes + 8, room - 8,
                                   "{\"" EX_SAFETENSORS_METADATA "\":%s,\"%s\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%lld]},"
                                   "\"%s\":{\"dtype\":\"%s\",\"shape\":[%d,%d,%d,%d],\"data_offsets\":[%lld,%lld]}}",
                                   c->metadata, labels_name, ex_safetensors_dtype(EX_INT32), l->dim[0], (long long)l->labels, images_name,
                                   ex_safetensors_dtype(EX_UINT8), l->dim[0], l->dim[1], l->dim[2], l->dim[3], (long long)l->labels,
                                   (long long)(l->labels + l->images));
    while (size % ALIGN != 0) bytes[8 + size++] = ' ';
    for (int i = 0; i < 8; i++) bytes[i] = (char)((uint64_t)size >> 8 * i & 255);
    l->header = (int64_t)size + 8;
    ex_status status = size <= EX_SAFETENSORS_HEADER_MAX ? ex_writer_put(&c->writer, bytes, size + 8)
                                                         : ex_fail("cannot write %s: %zu bytes of metadata", path, size);
    ex_free(bytes);
    return status;
}

/* Maps the file and makes the views. */
static ex_status map_file(ex_cache *c, int fd, int64_t bytes, int flags, int64_t labels, int64_t images, const int32_t *dim) {
    if (bytes > (int64_t)(PTRDIFF_MAX / 2)) return ex_fail("cannot map %s: %.0f GB", c->path, (double)bytes / 1e9);
    void *base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) return ex_fail("cannot map %s: %s", c->path, ex_system_text(errno));
    if (!(c->whole = ex_tensor_over_mapping(base, (size_t)bytes, flags == MAP_SHARED))) return EX_FAILED;
    c->labels = ex_tensor_part(c->whole, (size_t)labels, EX_INT32, 1, dim);
    c->images = ex_tensor_part(c->whole, (size_t)images, EX_UINT8, 4, dim);
    return c->labels && c->images ? EX_OK : EX_FAILED;
}

static ex_status create(ex_cache *c, layout *l, const char *path, const char *metadata) {
    if (!(c->path = ex_strdup(path)) || !(c->metadata = normal_metadata(metadata))) return EX_FAILED;
    if (ex_writer_open(&c->writer, c->path) != EX_OK) return EX_FAILED;
    c->unfinished = 1;
    if (write_header(c, l, c->path) != EX_OK) return EX_FAILED;
    int64_t bytes = l->header + l->labels + l->images;
    int error;
    do error = posix_fallocate(c->writer.fd, 0, bytes);
    while (error == EINTR);
    if (error) return ex_fail("cannot write %s (%.1f MB): %s", c->path, (double)bytes / 1e6, ex_system_text(error));
    return map_file(c, c->writer.fd, bytes, MAP_SHARED, l->header, l->header + l->labels, l->dim);
}

ex_cache *ex_cache_create(const char *path, int32_t count, int32_t channels, int32_t height, int32_t width, const char *metadata) {
    layout l;
    if (lay_out(&l, path, count, channels, height, width) != EX_OK) return NULL;
    ex_cache *c = ex_alloc_zero(sizeof *c);
    if (!c) return NULL;
    if (create(c, &l, path, metadata) == EX_OK) return c;
    ex_cache_free(c);
    return NULL;
}

/* The tensors keep their addresses: the mapping is replaced where it is. */
ex_status ex_cache_finish(ex_cache *c) {
    if (!c->unfinished) return ex_fail("%s: this cache is finished", c->path);
    ex_storage *s = c->whole->storage;
    if (msync(s->data, s->mapped, MS_SYNC) != 0) return ex_fail("cannot write %s: %s", c->path, ex_system_text(errno));
    if (mmap(s->data, s->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, c->writer.fd, 0) == MAP_FAILED)
        return ex_fail("cannot map %s: %s", c->path, ex_system_text(errno));
    s->shared = 0;
    c->unfinished = 0;
    return ex_writer_commit(&c->writer);
}

void ex_cache_free(ex_cache *c) {
    if (!c) return;
    if (c->unfinished) ex_writer_abandon(&c->writer);
    ex_tensor_free(c->images);
    ex_tensor_free(c->labels);
    ex_tensor_free(c->whole);
    ex_free(c->metadata);
    ex_free(c->path);
    ex_free(c);
}

/* -- Opening one ----------------------------------------------------------------------------------------------------- */

static int find(const ex_safetensors *f, const char *name) {
    for (int32_t i = 0; i < ex_safetensors_count(f); i++)
        if (strcmp(ex_safetensors_name(f, i), name) == 0) return i;
    return EX_NONE;
}

static ex_status check_places(const ex_cache *c, const ex_safetensors *f, ex_safetensors_place *images, ex_safetensors_place *labels) {
    char shape[128];
    int32_t i = find(f, images_name), l = find(f, labels_name);
    if (i == EX_NONE || l == EX_NONE)
        return ex_fail("%s: not an image cache: it has no tensor \"%s\"", c->path, i == EX_NONE ? images_name : labels_name);
    *images = ex_safetensors_where(f, i);
    *labels = ex_safetensors_where(f, l);
    if (images->dtype != EX_UINT8 || images->ndim != 4 || images->begin == images->end)
        return ex_fail("%s: not an image cache: images are %s %s, expected uint8 (N, C, H, W)", c->path, ex_dtype_name(images->dtype),
                       ex_shape_text(shape, sizeof shape, images->ndim, images->dim));
    if (labels->dtype != EX_INT32 || labels->ndim != 1 || labels->dim[0] != images->dim[0])
        return ex_fail("%s: not an image cache: labels are %s %s, expected int32 (%d)", c->path, ex_dtype_name(labels->dtype),
                       ex_shape_text(shape, sizeof shape, labels->ndim, labels->dim), images->dim[0]);
    if (labels->begin % 4 != 0) return ex_fail("%s: its labels lie at byte %lld, expected a multiple of 4", c->path, (long long)labels->begin);
    return EX_OK;
}

static ex_status open_file(ex_cache *c, const ex_safetensors *f) {
    ex_safetensors_place images, labels;
    int64_t bytes = 0;
    if (check_places(c, f, &images, &labels) != EX_OK || !(c->metadata = metadata_of(f))) return EX_FAILED;
    for (int32_t i = 0; i < ex_safetensors_count(f); i++) {
        ex_safetensors_place place = ex_safetensors_where(f, i);
        if (place.end > bytes) bytes = place.end;
    }
    return map_file(c, ex_safetensors_descriptor(f), bytes, MAP_PRIVATE, labels.begin, images.begin, images.dim);
}

ex_cache *ex_cache_open(const char *path) {
    ex_safetensors *f = ex_safetensors_open(path);
    ex_cache *c = f ? ex_alloc_zero(sizeof *c) : NULL;
    if (c && (!(c->path = ex_strdup(path)) || open_file(c, f) != EX_OK)) {
        ex_cache_free(c);
        c = NULL;
    }
    ex_safetensors_free(f);
    return c;
}

ex_tensor *ex_cache_images(ex_cache *c) { return ex_tensor_view(c->images); }
ex_tensor *ex_cache_labels(ex_cache *c) { return ex_tensor_view(c->labels); }
const char *ex_cache_metadata(ex_cache *c) { return c->metadata; }
