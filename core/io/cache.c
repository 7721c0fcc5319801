/* cache.c: decoded images in a file that is mapped into memory: what does not fit there is read as it is needed.
 *
 *     safetensors (safetensors.c) with  "labels" int32 (N),  "sums" int32 (1 + B)  and  "images" uint8 (N,C,H,W), in this
 *     order, and strings of the caller's;  sums[0] = CRC-32 of all bytes before the sums,  sums[b] that of the b-th block of
 *     BLOCK bytes of images
 *
 * A cache being made is a temporary file beside its target, mapped shared, so that decoding processes write to it. Its disk
 * space is taken before it is mapped: a full disk is an error then, not a signal later. ex_cache_finish flushes, renames
 * and flushes the folder; until then nothing has the name, and without it nothing stays. A finished or opened cache is
 * mapped privately: what a program writes to its tensors stays in memory.
 * ex_cache_open notices a file that is cut, grown or of another kind; ex_cache_check, in each block, any damage within 32
 * neighbouring bits, and of larger damage all but one case in 2^32: zeroed pages, another file's bytes. It is no guard against
 * malice, and what happens to the file after the check goes unnoticed. It reads the file rather than the mapping, so that a
 * sector which cannot be read is an error and not a signal.
 * A file that another program shortens while it is mapped cannot be guarded against. What the strings mean (source,
 * version, class names) is not known here. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/team.h"
#include "../tensor/tensor.h"
#include "file.h"
#include "image.h"
#include "json.h"
#include "safetensors.h"

enum { ALIGN = 8, SHAPES = 512, BLOCK = 1 << 20, PIECE = 1 << 16 };    /* SHAPES: room for the header but for the strings */

static const char images_name[] = "images", labels_name[] = "labels", sums_name[] = "sums";

typedef struct pair { const char *key, *value; } pair;

struct ex_cache {
    ex_writer writer;                       /* while it is being made */
    int unfinished, fd;                     /* fd: for reading, until it is freed */
    char *path, *metadata;
    int64_t before, after;                  /* bytes before the sums; the first one after them */
    ex_tensor *whole, *images, *labels, *sums;      /* views of the mapping */
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

const char *ex_zlib_version(void) { return zlibVersion(); }

/* -- Checksums ----------------------------------------------------------------------------------------------------- */

/* A walk over blocks on all threads, which sets their sums or compares them. */
typedef struct walk {
    const ex_cache *c;
    int32_t first, set;
    atomic_int bad, error;                  /* the first block that is not as it was written, or EX_NONE; 0 or an errno */
} walk;

static void block_bytes(const ex_cache *c, int32_t block, int64_t *from, int64_t *to) {
    int64_t end = (int64_t)c->whole->storage->bytes;
    *from = block == 0 ? 0 : c->after + (int64_t)(block - 1) * BLOCK;
    *to = block == 0 ? c->before : *from + BLOCK < end ? *from + BLOCK : end;
}

/* Returns 0 or an errno. */
static int sum_of(uint32_t *sum, int fd, int64_t from, int64_t to) {
    uint8_t piece[PIECE];
    uLong crc = crc32(0, NULL, 0);
    while (from < to) {
        ssize_t got = pread(fd, piece, to - from < PIECE ? (size_t)(to - from) : PIECE, from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (got == 0) return ENODATA;       /* it has been cut since it was opened */
        crc = crc32(crc, piece, (uInt)got);
        from += got;
    }
    *sum = (uint32_t)crc;
    return 0;
}

static void walk_block(void *context, int32_t part, int32_t thread) {
    (void)thread;
    walk *w = context;
    int32_t block = w->first + part;
    uint32_t *kept = (uint32_t *)w->c->sums->data + block, sum = 0;
    int64_t from, to;
    block_bytes(w->c, block, &from, &to);
    int error = sum_of(&sum, w->c->fd, from, to);
    if (error) atomic_store(&w->error, error);
    else if (w->set) *kept = sum;
    else if (*kept != sum)
        for (int bad = atomic_load(&w->bad); (bad == EX_NONE || block < bad) && !atomic_compare_exchange_weak(&w->bad, &bad, block);) { }
}

static ex_status go_over(const ex_cache *c, int32_t first, int32_t count, int32_t set, ex_team *team) {
    walk w = { .c = c, .first = first, .set = set };
    atomic_store(&w.bad, EX_NONE);
    ex_team_run(team, count, walk_block, &w);
    int64_t from, to;
    int32_t bad = atomic_load(&w.bad);
    if (atomic_load(&w.error)) return ex_fail("cannot read %s: %s", c->path, ex_system_text(atomic_load(&w.error)));
    if (bad == EX_NONE) return EX_OK;
    block_bytes(c, bad, &from, &to);
    return ex_fail("%s is damaged: bytes %lld to %lld are not as they were written", c->path, (long long)from, (long long)to - 1);
}

int32_t ex_cache_blocks(const ex_cache *c) { return c->sums->dim[0]; }

ex_status ex_cache_check(ex_cache *c, int32_t first, int32_t count, ex_team *team) {
    if (c->unfinished) return ex_fail("%s: this cache is not finished", c->path);
    if (first < 0 || count < 1 || count > c->sums->dim[0] - first)
        return ex_fail("%s: blocks %d to %lld, expected some of 0 to %d", c->path, first, (long long)first + count - 1,
                       c->sums->dim[0] - 1);
    return go_over(c, first, count, 0, team);
}

/* -- Making one ---------------------------------------------------------------------------------------------------- */

typedef struct layout {
    int32_t dim[4], sum_count;              /* N, C, H, W */
    int64_t header, labels, sums, images;   /* bytes: length and header; then the tensors */
} layout;

/* How many sums there are for so many bytes of images; EX_NONE: too many. */
static int32_t sums_for(int64_t bytes) {
    int64_t blocks = (bytes - 1) / BLOCK + 1;
    return blocks < INT32_MAX / 4 ? (int32_t)blocks + 1 : EX_NONE;
}

static ex_status lay_out(layout *l, const char *path, int32_t count, int32_t c, int32_t h, int32_t w) {
    *l = (layout){ .dim = { count, c, h, w }, .labels = 4 * (int64_t)count };
    int64_t images = (int64_t)count * c, pixels = (int64_t)h * w;
    if (count < 1 || c < 1 || c > 4 || h < 1 || w < 1 || h > EX_IMAGE_SIDE_MAX || w > EX_IMAGE_SIDE_MAX
        || __builtin_mul_overflow(images, pixels, &l->images) || l->images > INT64_MAX / 2
        || (l->sum_count = sums_for(l->images)) == EX_NONE)
        return ex_fail("cannot write %s: a cache of shape (%d, %d, %d, %d), expected 1 or more images of 1 to 4 channels and"
                       " sides of up to %d", path, count, c, h, w, EX_IMAGE_SIDE_MAX);
    l->sums = 4 * (int64_t)l->sum_count;
    return EX_OK;
}

static ex_status write_header(ex_cache *c, layout *l, const char *path) {
    size_t room = strlen(c->metadata) + SHAPES;
    int64_t sums = l->labels + l->sums, end = sums + l->images;
    const char *int32 = ex_safetensors_dtype(EX_INT32);
    char *bytes = ex_alloc(room);
    if (!bytes) return EX_FAILED;
    size_t size = (size_t)snprintf(bytes + 8, room - 8,
                                   "{\"" EX_SAFETENSORS_METADATA "\":%s,"
                                   "\"%s\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[0,%lld]},"
                                   "\"%s\":{\"dtype\":\"%s\",\"shape\":[%d],\"data_offsets\":[%lld,%lld]},"
                                   "\"%s\":{\"dtype\":\"%s\",\"shape\":[%d,%d,%d,%d],\"data_offsets\":[%lld,%lld]}}",
                                   c->metadata, labels_name, int32, l->dim[0], (long long)l->labels, sums_name, int32, l->sum_count,
                                   (long long)l->labels, (long long)sums, images_name, ex_safetensors_dtype(EX_UINT8), l->dim[0],
                                   l->dim[1], l->dim[2], l->dim[3], (long long)sums, (long long)end);
    while (size % ALIGN != 0) bytes[8 + size++] = ' ';
    for (int i = 0; i < 8; i++) bytes[i] = (char)((uint64_t)size >> 8 * i & 255);
    l->header = (int64_t)size + 8;
    ex_status status = size <= EX_SAFETENSORS_HEADER_MAX ? ex_writer_put(&c->writer, bytes, size + 8)
                                                         : ex_fail("cannot write %s: %zu bytes of metadata", path, size);
    ex_free(bytes);
    return status;
}

/* Maps the file and makes the views; keeps a descriptor of its own. */
static ex_status map_file(ex_cache *c, int fd, int64_t bytes, int flags, const layout *l) {
    int64_t sums = l->header + l->labels;
    if (bytes > (int64_t)(PTRDIFF_MAX / 2)) return ex_fail("cannot map %s: %.0f GB", c->path, (double)bytes / 1e9);
    if ((c->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) return ex_fail("cannot map %s: %s", c->path, ex_system_text(errno));
    void *base = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED) return ex_fail("cannot map %s: %s", c->path, ex_system_text(errno));
    if (!(c->whole = ex_tensor_over_mapping(base, (size_t)bytes, flags == MAP_SHARED))) return EX_FAILED;
    c->before = sums;
    c->after = sums + l->sums;
    c->labels = ex_tensor_part(c->whole, (size_t)l->header, EX_INT32, 1, l->dim);
    c->sums = ex_tensor_part(c->whole, (size_t)sums, EX_INT32, 1, &l->sum_count);
    c->images = ex_tensor_part(c->whole, (size_t)c->after, EX_UINT8, 4, l->dim);
    return c->sums && c->labels && c->images ? EX_OK : EX_FAILED;
}

static ex_status create(ex_cache *c, layout *l, const char *path, const char *metadata) {
    if (!(c->path = ex_strdup(path)) || !(c->metadata = normal_metadata(metadata))) return EX_FAILED;
    if (ex_writer_open(&c->writer, c->path) != EX_OK) return EX_FAILED;
    c->unfinished = 1;
    if (write_header(c, l, c->path) != EX_OK) return EX_FAILED;
    int64_t bytes = l->header + l->sums + l->labels + l->images;
    int error;
    do error = posix_fallocate(c->writer.fd, 0, bytes);
    while (error == EINTR);
    if (error) return ex_fail("cannot write %s (%.1f MB): %s", c->path, (double)bytes / 1e6, ex_system_text(error));
    return map_file(c, c->writer.fd, bytes, MAP_SHARED, l);
}

static ex_cache *new_cache(void) {
    ex_cache *c = ex_alloc_zero(sizeof *c);
    if (c) c->fd = -1;
    return c;
}

ex_cache *ex_cache_create(const char *path, int32_t count, int32_t channels, int32_t height, int32_t width, const char *metadata) {
    layout l;
    if (lay_out(&l, path, count, channels, height, width) != EX_OK) return NULL;
    ex_cache *c = new_cache();
    if (!c) return NULL;
    if (create(c, &l, path, metadata) == EX_OK) return c;
    ex_cache_free(c);
    return NULL;
}

/* The tensors keep their addresses: the mapping is replaced where it is. */
ex_status ex_cache_finish(ex_cache *c, ex_team *team) {
    if (!c->unfinished) return ex_fail("%s: this cache is finished", c->path);
    if (go_over(c, 0, c->sums->dim[0], 1, team) != EX_OK) return EX_FAILED;
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
    ex_tensor_free(c->sums);
    ex_tensor_free(c->whole);
    if (c->fd >= 0) close(c->fd);
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

static ex_status check_images(const ex_cache *c, const ex_safetensors_place *images, const ex_safetensors_place *labels) {
    char shape[128];
    if (images->dtype != EX_UINT8 || images->ndim != 4 || images->begin == images->end)
        return ex_fail("%s: not an image cache: images are %s %s, expected uint8 (N, C, H, W)", c->path, ex_dtype_name(images->dtype),
                       ex_shape_text(shape, sizeof shape, images->ndim, images->dim));
    if (labels->dtype != EX_INT32 || labels->ndim != 1 || labels->dim[0] != images->dim[0])
        return ex_fail("%s: not an image cache: labels are %s %s, expected int32 (%d)", c->path, ex_dtype_name(labels->dtype),
                       ex_shape_text(shape, sizeof shape, labels->ndim, labels->dim), images->dim[0]);
    return EX_OK;
}

/* The format has neither gaps nor overlaps. */
static ex_status check_places(const ex_cache *c, const ex_safetensors *f, layout *l) {
    char shape[128];
    int32_t i = find(f, images_name), k = find(f, labels_name), s = find(f, sums_name);
    if (i == EX_NONE || k == EX_NONE)
        return ex_fail("%s: not an image cache: it has no tensor \"%s\"", c->path, i == EX_NONE ? images_name : labels_name);
    if (s == EX_NONE) return ex_fail("%s: an image cache of an older version, without checksums", c->path);
    ex_safetensors_place images = ex_safetensors_where(f, i), labels = ex_safetensors_where(f, k), sums = ex_safetensors_where(f, s);
    if (check_images(c, &images, &labels) != EX_OK) return EX_FAILED;
    *l = (layout){ .header = labels.begin, .sums = sums.end - sums.begin, .labels = labels.end - labels.begin,
                   .images = images.end - images.begin };
    memcpy(l->dim, images.dim, sizeof l->dim);
    l->sum_count = sums_for(l->images);
    if (sums.dtype != EX_INT32 || sums.ndim != 1 || sums.dim[0] != l->sum_count)
        return ex_fail("%s: not an image cache: sums are %s %s, expected int32 (%d)", c->path, ex_dtype_name(sums.dtype),
                       ex_shape_text(shape, sizeof shape, sums.ndim, sums.dim), l->sum_count);
    if (ex_safetensors_count(f) != 3 || sums.begin != labels.end || images.begin != sums.end || labels.begin % 4 != 0)
        return ex_fail("%s: not an image cache: expected labels, sums and images alone, in this order, at a multiple of 4 bytes", c->path);
    return EX_OK;
}

static ex_status open_file(ex_cache *c, const ex_safetensors *f) {
    layout l;
    if (check_places(c, f, &l) != EX_OK || !(c->metadata = metadata_of(f))) return EX_FAILED;
    return map_file(c, ex_safetensors_descriptor(f), l.header + l.sums + l.labels + l.images, MAP_PRIVATE, &l);
}

ex_cache *ex_cache_open(const char *path) {
    ex_safetensors *f = ex_safetensors_open(path);
    ex_cache *c = f ? new_cache() : NULL;
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
