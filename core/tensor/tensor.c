/* tensor.c: the life of tensors and their views, and single elements. A view shares its storage; the storage goes
 * with its last view. Copies and fills are in copy.c, printing in format.c, random numbers in fill.c. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "tensor.h"
#include "../base/error.h"
#include "../base/memory.h"

static const char *const dtype_names[EX_DTYPE_COUNT] = { "float32", "int32", "uint8" };
static const size_t dtype_sizes[EX_DTYPE_COUNT] = { 4, 4, 1 };

size_t ex_dtype_size(int32_t dtype) { return dtype >= 0 && dtype < EX_DTYPE_COUNT ? dtype_sizes[dtype] : 0; }

const char *ex_dtype_name(int32_t dtype)
{
    return dtype >= 0 && dtype < EX_DTYPE_COUNT ? dtype_names[dtype] : "no type";
}

/* "(2, 3)". With `batch`, a leading EX_BATCH is written as N. */
static char *join(char *out, size_t size, int32_t n, const int32_t *number, int batch)
{
    size_t at = (size_t)snprintf(out, size, "(");
    for (int32_t i = 0; i < n && at < size; i++) {
        if (batch && i == 0 && number[0] == EX_BATCH) at += (size_t)snprintf(out + at, size - at, "N");
        else at += (size_t)snprintf(out + at, size - at, i ? ", %d" : "%d", number[i]);
    }
    if (at < size) snprintf(out + at, size - at, ")");
    return out;
}

char *ex_shape_text(char *out, size_t size, int32_t ndim, const int32_t *dim) { return join(out, size, ndim, dim, 1); }

static char *list_text(char *out, size_t size, int32_t n, const int32_t *number) { return join(out, size, n, number, 0); }

/* -- Life -------------------------------------------------------------------------------------------- */

/* Bytes that a shape needs, or a failure: a wrong type, too many axes, a negative size, more bytes than exist. */
static ex_status shape_bytes(size_t *bytes, int32_t dtype, int32_t ndim, const int32_t *dim)
{
    char text[128];
    if (dtype < 0 || dtype >= EX_DTYPE_COUNT) return ex_fail("tensor: no type %d; there are float32, int32, uint8", dtype);
    if (ndim < 0 || ndim > EX_MAX_DIMS) return ex_fail("tensor: %d axes; 0 to %d are possible", ndim, EX_MAX_DIMS);
    size_t total = dtype_sizes[dtype], spread = total;   /* spread: with 1 for 0, so that strides do not overflow either */
    for (int32_t i = 0; i < ndim; i++) {
        if (dim[i] < 0) return ex_fail("tensor: negative size in shape %s", list_text(text, sizeof text, ndim, dim));
        if (__builtin_mul_overflow(spread, dim[i] ? (size_t)dim[i] : 1, &spread) || spread > (size_t)PTRDIFF_MAX / 2)
            return ex_fail("tensor: shape %s is too large", ex_shape_text(text, sizeof text, ndim, dim));
        total *= (size_t)dim[i];
    }
    *bytes = total;
    return EX_OK;
}

static ex_storage *new_storage(size_t bytes)
{
    ex_storage *storage = ex_alloc(sizeof *storage);
    if (!storage) return NULL;
    *storage = (ex_storage){ .bytes = bytes, .data = ex_alloc_zero(bytes) };
    atomic_init(&storage->references, 1);
    if (storage->data) return storage;
    ex_free(storage);
    return NULL;
}

ex_tensor *ex_tensor_new_ordered(int32_t dtype, int32_t ndim, const int32_t *dim, const int32_t *order)
{
    size_t bytes;
    uint32_t seen = 0;
    char text[128];
    if (shape_bytes(&bytes, dtype, ndim, dim) != EX_OK) return NULL;
    for (int32_t i = 0; order && i < ndim; i++) {
        if (order[i] < 0 || order[i] >= ndim || seen & 1u << order[i]) {
            ex_fail("tensor: %s is not an order of %d axes", list_text(text, sizeof text, ndim, order), ndim);
            return NULL;
        }
        seen |= 1u << order[i];
    }
    ex_tensor *t = ex_alloc_zero(sizeof *t);
    ex_storage *storage = t ? new_storage(bytes) : NULL;
    if (!storage) {
        ex_error_at("tensor %s", ex_shape_text(text, sizeof text, ndim, dim));
        ex_free(t);
        return NULL;
    }
    t->storage = storage;
    t->data = storage->data;
    t->dtype = dtype;
    t->ndim = ndim;
    ptrdiff_t stride = 1;
    for (int32_t i = ndim - 1; i >= 0; i--) {
        int32_t axis = order ? order[i] : i;
        t->dim[axis] = dim[axis];
        t->stride[axis] = stride;
        stride *= dim[axis] ? dim[axis] : 1;
    }
    return t;
}

ex_tensor *ex_tensor_new(int32_t dtype, int32_t ndim, const int32_t *dim)
{
    return ex_tensor_new_ordered(dtype, ndim, dim, NULL);
}

ex_tensor *ex_tensor_over_mapping(void *mapping, size_t bytes, int shared)
{
    ex_tensor *t = ex_alloc_zero(sizeof *t);
    ex_storage *storage = ex_alloc(sizeof *storage);
    if (!t || !storage) {
        ex_free(t);
        ex_free(storage);
        munmap(mapping, bytes);
        return NULL;
    }
    *storage = (ex_storage){ .bytes = bytes, .data = mapping, .mapped = bytes, .shared = shared };
    atomic_init(&storage->references, 1);
    t->storage = storage;
    t->data = mapping;
    t->dtype = EX_UINT8;
    return t;
}

ex_tensor *ex_tensor_part(const ex_tensor *t, size_t offset, int32_t dtype, int32_t ndim, const int32_t *dim)
{
    ex_tensor *view = ex_tensor_view(t);
    if (!view) return NULL;
    view->data = (char *)t->storage->data + offset;
    view->dtype = dtype;
    view->ndim = ndim;
    ptrdiff_t stride = 1;
    for (int32_t i = ndim - 1; i >= 0; i--) {
        view->dim[i] = dim[i];
        view->stride[i] = stride;
        stride *= dim[i] ? dim[i] : 1;
    }
    return view;
}

void ex_tensor_free(ex_tensor *t)
{
    if (!t) return;
    if (atomic_fetch_sub(&t->storage->references, 1) == 1) {
        if (t->storage->mapped) munmap(t->storage->data, t->storage->mapped);
        else ex_free(t->storage->data);
        ex_free(t->storage);
    }
    ex_free(t);
}

void ex_tensor_describe(const ex_tensor *t, ex_tensor_info *info)
{
    *info = (ex_tensor_info){ .data = t->data, .dtype = t->dtype, .ndim = t->ndim, .dense = ex_tensor_dense(t),
                              .count = (double)ex_tensor_count(t), .version = t->storage->version };
    for (int32_t i = 0; i < t->ndim; i++) {
        info->dim[i] = t->dim[i];
        info->stride[i] = (double)t->stride[i];
    }
}

int64_t ex_tensor_count(const ex_tensor *t)
{
    int64_t count = 1;
    for (int32_t i = 0; i < t->ndim; i++) count *= t->dim[i];
    return count;
}

int ex_tensor_dense(const ex_tensor *t)
{
    ptrdiff_t stride = 1;
    for (int32_t i = t->ndim - 1; i >= 0; i--) {
        if (t->dim[i] == 0) return 1;
        if (t->dim[i] != 1 && t->stride[i] != stride) return 0;
        stride *= t->dim[i];
    }
    return 1;
}

void ex_tensor_touch(ex_tensor *t) { t->storage->version++; }

/* -- Views ------------------------------------------------------------------------------------------- */

ex_tensor *ex_tensor_view(const ex_tensor *t)
{
    ex_tensor *view = ex_alloc(sizeof *view);
    if (!view) return NULL;
    *view = *t;
    atomic_fetch_add(&t->storage->references, 1);
    return view;
}

ex_tensor *ex_tensor_slice(const ex_tensor *t, int32_t axis, int32_t start, int32_t count, int32_t step)
{
    char text[128];
    ex_shape_text(text, sizeof text, t->ndim, t->dim);
    if (axis < 0 || axis >= t->ndim) {
        ex_fail("slice: axis %d of a tensor of shape %s", axis, text);
        return NULL;
    }
    int64_t last = start + (count > 0 ? count - 1 : 0) * (int64_t)step;
    int inside = count == 0 ? start >= 0 && start <= t->dim[axis]
                            : start >= 0 && start < t->dim[axis] && last >= 0 && last < t->dim[axis];
    if (count < 0 || step == 0 || !inside) {
        ex_fail("slice: start %d, count %d, step %d do not fit axis %d of shape %s", start, count, step, axis, text);
        return NULL;
    }
    ex_tensor *view = ex_tensor_view(t);
    if (!view) return NULL;
    if (count) view->data += start * t->stride[axis] * (ptrdiff_t)dtype_sizes[t->dtype];
    view->dim[axis] = count;
    view->stride[axis] *= step;
    return view;
}

ex_tensor *ex_tensor_permute(const ex_tensor *t, const int32_t *order)
{
    char text[128], got[128];
    uint32_t seen = 0;
    for (int32_t i = 0; i < t->ndim; i++)
        if (order[i] >= 0 && order[i] < t->ndim) seen |= 1u << order[i];
    if (seen != (1u << t->ndim) - 1) {
        ex_fail("permute: %s is not an order of the %d axes of shape %s", list_text(got, sizeof got, t->ndim, order),
                t->ndim, ex_shape_text(text, sizeof text, t->ndim, t->dim));
        return NULL;
    }
    ex_tensor *view = ex_tensor_view(t);
    for (int32_t i = 0; view && i < t->ndim; i++) {
        view->dim[i] = t->dim[order[i]];
        view->stride[i] = t->stride[order[i]];
    }
    return view;
}

/* The shape with its one -1 filled in, and the count of `t` checked. */
static ex_status reshaped(int32_t *out, const ex_tensor *t, int32_t ndim, const int32_t *dim)
{
    char from[128], to[128];
    int32_t free_axis = EX_NONE;
    int64_t known = 1, count = ex_tensor_count(t);
    if (ndim < 0 || ndim > EX_MAX_DIMS) return ex_fail("reshape: %d axes; 0 to %d are possible", ndim, EX_MAX_DIMS);
    ex_shape_text(from, sizeof from, t->ndim, t->dim);
    list_text(to, sizeof to, ndim, dim);
    for (int32_t i = 0; i < ndim; i++) {
        out[i] = dim[i];
        if (dim[i] == -1 && free_axis != EX_NONE) return ex_fail("reshape: more than one -1 in %s", to);
        if (dim[i] < -1) return ex_fail("reshape: negative size in %s", to);
        if (dim[i] == -1) free_axis = i;
        else if (__builtin_mul_overflow(known, (int64_t)dim[i], &known)) return ex_fail("reshape: shape %s is too large", to);
    }
    int64_t rest = known ? count / known : 0;
    if (free_axis != EX_NONE && known && rest * known == count && rest <= INT32_MAX) out[free_axis] = (int32_t)rest;
    else if (free_axis != EX_NONE || known != count)
        return ex_fail("reshape: shape %s (%lld elements) cannot become %s", from, (long long)count, to);
    return EX_OK;
}

/* Strides of the same elements in another shape; 0 where strides cannot say it. Walks runs of axes that follow each other
 * in memory, from the last axis on: a run of `t` (`have` elements, `step` apart) must be a run of the new shape too. */
static int restride(ptrdiff_t *stride, const ex_tensor *t, int32_t ndim, const int32_t *dim)
{
    int32_t at = ndim;                      /* the next new axis, from the end: at - 1 */
    int64_t have = 1, given = 1;
    ptrdiff_t step = t->ndim ? t->stride[t->ndim - 1] : 1;
    if (ex_tensor_dense(t)) {
        for (; at > 0; given *= dim[at] ? dim[at] : 1) stride[--at] = given;
        return 1;
    }
    for (int32_t i = t->ndim - 1; i >= 0; i--) {
        have *= t->dim[i];
        if (i > 0 && (t->dim[i - 1] == 1 || t->stride[i - 1] == have * step)) continue;
        while (at > 0 && (given < have || dim[at - 1] == 1)) {
            stride[--at] = given * step;
            given *= dim[at];
        }
        if (given != have) return 0;
        if (i > 0) step = t->stride[i - 1];
        have = given = 1;
    }
    return at == 0;
}

ex_tensor *ex_tensor_reshape(const ex_tensor *t, int32_t ndim, const int32_t *dim)
{
    int32_t shape[EX_MAX_DIMS];
    ptrdiff_t stride[EX_MAX_DIMS];
    char from[128], to[128];
    if (reshaped(shape, t, ndim, dim) != EX_OK) return NULL;
    if (!restride(stride, t, ndim, shape)) {
        ex_fail("reshape: a strided view of shape %s must be made dense to become %s",
                ex_shape_text(from, sizeof from, t->ndim, t->dim), ex_shape_text(to, sizeof to, ndim, shape));
        return NULL;
    }
    ex_tensor *view = ex_tensor_view(t);
    if (view) view->ndim = ndim;
    for (int32_t i = 0; view && i < ndim; i++) {
        view->dim[i] = shape[i];
        view->stride[i] = stride[i];
    }
    return view;
}

ex_tensor *ex_tensor_broadcast(const ex_tensor *t, int32_t ndim, const int32_t *dim)
{
    char from[128], to[128];
    int32_t lead = ndim - t->ndim;          /* new axes in front */
    size_t bytes;
    if (shape_bytes(&bytes, t->dtype, ndim, dim) != EX_OK) {
        ex_error_at("broadcast");
        return NULL;
    }
    int fits = lead >= 0;
    for (int32_t i = 0; fits && i < t->ndim; i++) fits = t->dim[i] == dim[lead + i] || t->dim[i] == 1;
    if (!fits) {
        ex_fail("broadcast: shape %s cannot become %s", ex_shape_text(from, sizeof from, t->ndim, t->dim),
                ex_shape_text(to, sizeof to, ndim, dim));
        return NULL;
    }
    ex_tensor *view = ex_tensor_view(t);
    if (view) view->ndim = ndim;
    for (int32_t i = 0; view && i < ndim; i++) {
        view->dim[i] = dim[i];
        view->stride[i] = i < lead || t->dim[i - lead] != dim[i] ? 0 : t->stride[i - lead];
    }
    return view;
}

/* -- Elements ---------------------------------------------------------------------------------------- */

/* The address of an element, or NULL and a message. */
static void *element(const ex_tensor *t, const int32_t *index)
{
    char shape[128], at[128];
    ptrdiff_t offset = 0;
    for (int32_t i = 0; i < t->ndim; i++) {
        if (index[i] < 0 || index[i] >= t->dim[i]) {
            ex_fail("index %s is outside shape %s", list_text(at, sizeof at, t->ndim, index),
                    ex_shape_text(shape, sizeof shape, t->ndim, t->dim));
            return NULL;
        }
        offset += index[i] * t->stride[i];
    }
    return t->data + offset * (ptrdiff_t)dtype_sizes[t->dtype];
}

double ex_tensor_get(const ex_tensor *t, const int32_t *index)
{
    const void *at = element(t, index);
    if (!at) return NAN;
    switch (t->dtype) {
    case EX_FLOAT32: return *(const float *)at;
    case EX_INT32: return *(const int32_t *)at;
    default: return *(const uint8_t *)at;
    }
}

ex_status ex_tensor_set(ex_tensor *t, const int32_t *index, double value)
{
    void *at = element(t, index);
    if (!at) return EX_FAILED;
    ex_status status = ex_element_from(at, t->dtype, value);
    if (status == EX_OK) ex_tensor_touch(t);
    return status;
}
