/* safetensors_write.c: writes tensors of any strides to a safetensors file (the format: safetensors.c).
 *
 * The same tensors and strings give the same bytes, whatever order they come in: metadata sorted by key, tensors by
 * the size of their type (so that each lies aligned), then by name; the header padded with spaces to 8 bytes; no
 * time, no host. Strided tensors pass through a small buffer, so nothing of their size is held twice. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../tensor/tensor.h"
#include "file.h"
#include "json.h"
#include "safetensors.h"

enum { BUFFER = 1 << 18, ALIGN = 8 };

typedef struct item { const char *name; const ex_tensor *tensor; } item;
typedef struct pair { const char *key, *value; } pair;

typedef struct text {                       /* counts when bytes is NULL */
    char *bytes;
    size_t size;
} text;

/* -- The header -------------------------------------------------------------------------------------------- */

static void put(text *t, const char *s) {
    size_t size = strlen(s);
    if (t->bytes) memcpy(t->bytes + t->size, s, size);
    t->size += size;
}

static void put_quoted(text *t, const char *s) {
    t->size += ex_json_quote(t->bytes ? t->bytes + t->size : NULL, s);
}

static void put_number(text *t, int64_t number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    put(t, digits);
}

static int64_t bytes_of(const ex_tensor *t) { return ex_tensor_count(t) * (int64_t)ex_dtype_size(t->dtype); }

static void put_item(text *t, const item *it, int64_t begin) {
    put_quoted(t, it->name);
    put(t, ":{\"dtype\":\"");
    put(t, ex_safetensors_dtype(it->tensor->dtype));
    put(t, "\",\"shape\":[");
    for (int32_t i = 0; i < it->tensor->ndim; i++) {
        if (i > 0) put(t, ",");
        put_number(t, it->tensor->dim[i]);
    }
    put(t, "],\"data_offsets\":[");
    put_number(t, begin);
    put(t, ",");
    put_number(t, begin + bytes_of(it->tensor));
    put(t, "]}");
}

static void put_header(text *t, int32_t n, const item *it, int32_t m, const pair *p) {
    int64_t begin = 0;
    put(t, "{");
    for (int32_t i = 0; i < m; i++) {
        put(t, i == 0 ? "\"" EX_SAFETENSORS_METADATA "\":{" : ",");
        put_quoted(t, p[i].key);
        put(t, ":");
        put_quoted(t, p[i].value);
    }
    if (m > 0) put(t, "}");
    for (int32_t i = 0; i < n; i++) {
        if (i > 0 || m > 0) put(t, ",");
        put_item(t, &it[i], begin);
        begin += bytes_of(it[i].tensor);
    }
    put(t, "}");
    while (t->size % ALIGN != 0) put(t, " ");
}

static ex_status write_header(ex_writer *w, const char *path, int32_t n, const item *it, int32_t m, const pair *p) {
    text t = { 0 };
    put_header(&t, n, it, m, p);
    if (t.size > EX_SAFETENSORS_HEADER_MAX)
        return ex_fail("cannot write %s: its header would have %zu bytes, at most %d are allowed", path, t.size,
                       EX_SAFETENSORS_HEADER_MAX);
    size_t size = t.size;
    char *bytes = ex_alloc(size + 8);
    if (!bytes) return EX_FAILED;
    for (int i = 0; i < 8; i++) bytes[i] = (char)((uint64_t)size >> 8 * i & 255);
    t = (text){ .bytes = bytes + 8 };
    put_header(&t, n, it, m, p);
    ex_status status = ex_writer_put(w, bytes, size + 8);
    ex_free(bytes);
    return status;
}

/* -- The data ------------------------------------------------------------------------------------------------ */

/* Writes the block that starts at `data` and has the axes of t from `axis` on. */
static ex_status write_block(ex_writer *w, const ex_tensor *t, const char *data, int32_t axis, char *buffer) {
    int64_t size = (int64_t)ex_dtype_size(t->dtype), row = size;
    for (int32_t i = axis + 1; i < t->ndim; i++) row *= t->dim[i];
    int32_t rows = axis < t->ndim ? t->dim[axis] : 1, ndim = axis < t->ndim ? t->ndim - axis : 0;
    ptrdiff_t step = axis < t->ndim ? t->stride[axis] * (ptrdiff_t)size : 0;
    if (row > BUFFER) {
        for (int32_t i = 0; i < rows; i++)
            if (write_block(w, t, data + i * step, axis + 1, buffer) != EX_OK) return EX_FAILED;
        return EX_OK;
    }
    ptrdiff_t dense[EX_MAX_DIMS];
    int32_t dim[EX_MAX_DIMS], many = (int32_t)(BUFFER / row);
    ptrdiff_t next = 1;
    for (int32_t i = ndim - 1; i >= 0; i--) {
        dense[i] = next;
        dim[i] = t->dim[axis + i];
        next *= dim[i];
    }
    for (int32_t i = 0; i < rows; i += many) {
        int32_t now = rows - i < many ? rows - i : many;
        dim[0] = now;
        ex_strided_copy(buffer, t->dtype, dense, data + i * step, t->dtype, t->stride + axis, ndim, dim);
        if (ex_writer_put(w, buffer, (size_t)(now * row)) != EX_OK) return EX_FAILED;
    }
    return EX_OK;
}

static ex_status write_tensor(ex_writer *w, const ex_tensor *t, char *buffer) {
    if (ex_tensor_count(t) == 0) return EX_OK;
    if (ex_tensor_dense(t)) return ex_writer_put(w, t->data, (size_t)bytes_of(t));
    return write_block(w, t, t->data, 0, buffer);
}

/* -- The border ------------------------------------------------------------------------------------------------ */

static int by_place(const void *a, const void *b) {
    const item *x = a, *y = b;
    size_t u = ex_dtype_size(x->tensor->dtype), v = ex_dtype_size(y->tensor->dtype);
    return u != v ? (u > v ? -1 : 1) : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) { return strcmp(((const item *)a)->name, ((const item *)b)->name); }
static int by_key(const void *a, const void *b) { return strcmp(((const pair *)a)->key, ((const pair *)b)->key); }

/* Sorts both lists and refuses what the format cannot hold. */
static ex_status prepare(const char *path, int32_t n, item *it, int32_t m, pair *p) {
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(it[i].name, EX_SAFETENSORS_METADATA) == 0)
            return ex_fail("cannot write %s: a tensor may not be called %s", path, it[i].name);
        if (!ex_utf8_valid(it[i].name)) return ex_fail("cannot write %s: the name of tensor %d is not UTF-8", path, i + 1);
    }
    for (int32_t i = 0; i < m; i++)
        if (!ex_utf8_valid(p[i].key) || !ex_utf8_valid(p[i].value))
            return ex_fail("cannot write %s: metadata string %d is not UTF-8", path, i + 1);
    qsort(it, (size_t)n, sizeof *it, by_name);
    qsort(p, (size_t)m, sizeof *p, by_key);
    for (int32_t i = 1; i < n; i++)
        if (by_name(&it[i - 1], &it[i]) == 0) return ex_fail("cannot write %s: two tensors are called %s", path, it[i].name);
    for (int32_t i = 1; i < m; i++)
        if (by_key(&p[i - 1], &p[i]) == 0) return ex_fail("cannot write %s: two metadata strings are called %s", path, p[i].key);
    qsort(it, (size_t)n, sizeof *it, by_place);
    return EX_OK;
}

static ex_status write_file(const char *path, int32_t n, const item *it, int32_t m, const pair *p, char *buffer) {
    ex_writer w;
    if (ex_writer_open(&w, path) != EX_OK) return EX_FAILED;
    ex_status status = write_header(&w, path, n, it, m, p);
    for (int32_t i = 0; i < n && status == EX_OK; i++) status = write_tensor(&w, it[i].tensor, buffer);
    if (status == EX_OK) return ex_writer_commit(&w);
    ex_writer_abandon(&w);
    return status;
}

ex_status ex_safetensors_write(const char *path, int32_t n, const char *const *name, ex_tensor *const *tensor, int32_t m,
                               const char *const *key, const char *const *value) {
    item *it = ex_alloc((size_t)(n + 1) * sizeof *it);
    pair *p = ex_alloc((size_t)(m + 1) * sizeof *p);
    char *buffer = ex_alloc(BUFFER);
    ex_status status = it && p && buffer ? EX_OK : EX_FAILED;
    for (int32_t i = 0; i < n && status == EX_OK; i++) it[i] = (item){ name[i], tensor[i] };
    for (int32_t i = 0; i < m && status == EX_OK; i++) p[i] = (pair){ key[i], value[i] };
    if (status == EX_OK) status = prepare(path, n, it, m, p);
    if (status == EX_OK) status = write_file(path, n, it, m, p, buffer);
    ex_free(buffer);
    ex_free(p);
    ex_free(it);
    return status;
}
