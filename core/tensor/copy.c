/* copy.c: copies between strided blocks, whatever their types, and fills. The one place that converts types:
 *     to float32: rounded; to an integer type: towards zero, cut to the type's range, NaN becomes 0.
 * A single value that a person writes is not bent like that: ex_element_from refuses what does not fit. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "tensor.h"
#include "../base/error.h"
#include "../base/memory.h"

/* -- One value --------------------------------------------------------------------------------------- */

ex_status ex_element_from(void *out, int32_t dtype, double value)
{
    static const double low[EX_DTYPE_COUNT] = { 0, INT32_MIN, 0 }, high[EX_DTYPE_COUNT] = { 0, INT32_MAX, UINT8_MAX };
    if (dtype == EX_FLOAT32) {
        *(float *)out = (float)value;
        return EX_OK;
    }
    if (!(value >= low[dtype] && value <= high[dtype]) || value != floor(value))
        return ex_fail("%s holds whole numbers from %.0f to %.0f, not %.7g", ex_dtype_name(dtype), low[dtype], high[dtype], value);
    if (dtype == EX_INT32) *(int32_t *)out = (int32_t)value;
    else *(uint8_t *)out = (uint8_t)value;
    return EX_OK;
}

/* -- Rows: the innermost loops, one per pair of types -------------------------------------------------- */

static inline float float_of_float(float v) { return v; }
static inline float float_of_int(int32_t v) { return (float)v; }
static inline float float_of_byte(uint8_t v) { return (float)v; }
static inline int32_t int_of_float(float v)
{
    return v >= 0x1p31f ? INT32_MAX : v > -0x1p31f ? (int32_t)v : v == v ? INT32_MIN : 0;
}
static inline int32_t int_of_int(int32_t v) { return v; }
static inline int32_t int_of_byte(uint8_t v) { return v; }
static inline uint8_t byte_of_float(float v) { return v >= 255 ? 255 : v > 0 ? (uint8_t)v : 0; }
static inline uint8_t byte_of_int(int32_t v) { return (uint8_t)(v > 255 ? 255 : v < 0 ? 0 : v); }
static inline uint8_t byte_of_byte(uint8_t v) { return v; }

typedef void (*row_copy)(void *out, ptrdiff_t out_stride, const void *in, ptrdiff_t in_stride, int32_t n);

/* The dense case stands apart so that the compiler makes vector code of it. */
#define ROW(name, to, from, convert)                                                                        \
    static void name(void *out, ptrdiff_t out_stride, const void *in, ptrdiff_t in_stride, int32_t n)       \
    {                                                                                                       \
        __typeof__(to) *o = out;                                                                            \
        const __typeof__(from) *i = in;                                                                     \
        if (out_stride == 1 && in_stride == 1)                                                              \
            for (int32_t k = 0; k < n; k++) o[k] = convert(i[k]);                                           \
        else                                                                                                \
            for (int32_t k = 0; k < n; k++) o[k * out_stride] = convert(i[k * in_stride]);                  \
    }

ROW(row_ff, float, float, float_of_float)
ROW(row_fi, float, int32_t, float_of_int)
ROW(row_fb, float, uint8_t, float_of_byte)
ROW(row_if, int32_t, float, int_of_float)
ROW(row_ii, int32_t, int32_t, int_of_int)
ROW(row_ib, int32_t, uint8_t, int_of_byte)
ROW(row_bf, uint8_t, float, byte_of_float)
ROW(row_bi, uint8_t, int32_t, byte_of_int)
ROW(row_bb, uint8_t, uint8_t, byte_of_byte)

static const row_copy rows[EX_DTYPE_COUNT][EX_DTYPE_COUNT] = {      /* [out][in] */
    [EX_FLOAT32] = { row_ff, row_fi, row_fb },
    [EX_INT32] = { row_if, row_ii, row_ib },
    [EX_UINT8] = { row_bf, row_bi, row_bb },
};

/* -- Blocks ------------------------------------------------------------------------------------------ */

/* The axes of a copy in the order in which they are walked, neighbours that run on merged into one. */
typedef struct walk {
    int32_t ndim, dim[EX_MAX_DIMS];
    ptrdiff_t out[EX_MAX_DIMS], in[EX_MAX_DIMS];        /* strides in elements */
} walk;

static int goes_outside(ptrdiff_t a_out, ptrdiff_t a_in, ptrdiff_t b_out, ptrdiff_t b_in)
{
    ptrdiff_t a = a_out < 0 ? -a_out : a_out, b = b_out < 0 ? -b_out : b_out;
    if (a != b) return a > b;
    return (a_in < 0 ? -a_in : a_in) > (b_in < 0 ? -b_in : b_in);
}

/* 0 where there is nothing to copy. */
static int plan_walk(walk *w, const ptrdiff_t *out_stride, const ptrdiff_t *in_stride, int32_t ndim, const int32_t *dim)
{
    walk s = { 0 };
    for (int32_t i = 0; i < ndim; i++) {                /* insertion sort: large output strides outermost */
        if (dim[i] == 0) return 0;
        if (dim[i] == 1) continue;
        int32_t at = s.ndim++;
        for (; at > 0 && goes_outside(out_stride[i], in_stride[i], s.out[at - 1], s.in[at - 1]); at--) {
            s.dim[at] = s.dim[at - 1];
            s.out[at] = s.out[at - 1];
            s.in[at] = s.in[at - 1];
        }
        s.dim[at] = dim[i];
        s.out[at] = out_stride[i];
        s.in[at] = in_stride[i];
    }
    *w = (walk){ .ndim = 1, .dim = { 1 } };
    for (int32_t i = 0; i < s.ndim; i++) {
        int32_t last = w->ndim - 1;
        int64_t merged = (int64_t)w->dim[last] * s.dim[i];
        int runs_on = w->out[last] == s.out[i] * s.dim[i] && w->in[last] == s.in[i] * s.dim[i] && merged <= INT32_MAX;
        if (i > 0 && !runs_on) w->dim[last = w->ndim++] = s.dim[i];
        else w->dim[last] = (int32_t)merged;
        w->out[last] = s.out[i];
        w->in[last] = s.in[i];
    }
    return 1;
}

enum { TILE = 32 };

/* The two innermost axes. Where the input runs along the outer of them, they are walked in tiles: a transposition by
 * rows would read a cache line for every number. */
static void copy_plane(char *out, size_t out_size, const char *in, size_t in_size, const walk *w, row_copy row)
{
    int32_t a = w->ndim - 2, b = w->ndim - 1;
    ptrdiff_t out_a = w->out[a] * (ptrdiff_t)out_size, in_a = w->in[a] * (ptrdiff_t)in_size;
    ptrdiff_t out_b = w->out[b] * (ptrdiff_t)out_size, in_b = w->in[b] * (ptrdiff_t)in_size;
    int crossed = w->in[a] >= 0 && w->in[a] < w->in[b];
    int32_t rows_step = crossed ? TILE : w->dim[a], columns_step = crossed ? TILE : w->dim[b];
    for (int32_t r0 = 0; r0 < w->dim[a]; r0 += rows_step)
        for (int32_t c0 = 0; c0 < w->dim[b]; c0 += columns_step) {
            int32_t r1 = w->dim[a] - r0 < rows_step ? w->dim[a] : r0 + rows_step;
            int32_t n = w->dim[b] - c0 < columns_step ? w->dim[b] - c0 : columns_step;
            for (int32_t r = r0; r < r1; r++)
                row(out + r * out_a + c0 * out_b, w->out[b], in + r * in_a + c0 * in_b, w->in[b], n);
        }
}

void ex_strided_copy(void *out, int32_t out_dtype, const ptrdiff_t *out_stride, const void *in, int32_t in_dtype,
                     const ptrdiff_t *in_stride, int32_t ndim, const int32_t *dim)
{
    walk w;
    row_copy row = rows[out_dtype][in_dtype];
    ptrdiff_t out_size = (ptrdiff_t)ex_dtype_size(out_dtype), in_size = (ptrdiff_t)ex_dtype_size(in_dtype);
    if (!plan_walk(&w, out_stride, in_stride, ndim, dim)) return;
    if (w.ndim == 1) {
        row(out, w.out[0], in, w.in[0], w.dim[0]);
        return;
    }
    int32_t at[EX_MAX_DIMS] = { 0 };
    char *o = out;
    const char *i = in;
    for (;;) {
        copy_plane(o, (size_t)out_size, i, (size_t)in_size, &w, row);
        int32_t axis = w.ndim - 3;
        for (; axis >= 0; axis--) {
            o += w.out[axis] * out_size;
            i += w.in[axis] * in_size;
            if (++at[axis] < w.dim[axis]) break;
            o -= w.out[axis] * out_size * w.dim[axis];
            i -= w.in[axis] * in_size * w.dim[axis];
            at[axis] = 0;
        }
        if (axis < 0) return;
    }
}

/* -- Tensors ----------------------------------------------------------------------------------------- */

/* Each element must have a place of its own to be written. */
static ex_status check_writable(const char *what, const ex_tensor *out)
{
    char text[128];
    for (int32_t i = 0; i < out->ndim; i++)
        if (out->stride[i] == 0 && out->dim[i] > 1)
            return ex_fail("%s: a broadcast view of shape %s cannot be written", what,
                           ex_shape_text(text, sizeof text, out->ndim, out->dim));
    return EX_OK;
}

static int same_strides(const ex_tensor *a, const ex_tensor *b)
{
    return a->dtype == b->dtype && a->data == b->data && !memcmp(a->stride, b->stride, sizeof *a->stride * (size_t)a->ndim);
}

ex_status ex_tensor_copy(ex_tensor *out, const ex_tensor *in)
{
    char to[128], from[128];
    if (out->ndim != in->ndim || memcmp(out->dim, in->dim, sizeof *in->dim * (size_t)in->ndim))
        return ex_fail("copy: shape %s into shape %s", ex_shape_text(from, sizeof from, in->ndim, in->dim),
                       ex_shape_text(to, sizeof to, out->ndim, out->dim));
    if (check_writable("copy", out) != EX_OK) return EX_FAILED;
    if (same_strides(out, in)) return EX_OK;
    ex_tensor *between = NULL;
    if (out->storage == in->storage) {      /* two views of one storage may overlap: through a copy */
        between = ex_tensor_new(in->dtype, in->ndim, in->dim);
        if (!between) return ex_error_at("copy");
        ex_strided_copy(between->data, in->dtype, between->stride, in->data, in->dtype, in->stride, in->ndim, in->dim);
        in = between;
    }
    ex_strided_copy(out->data, out->dtype, out->stride, in->data, in->dtype, in->stride, in->ndim, in->dim);
    ex_tensor_touch(out);
    ex_tensor_free(between);
    return EX_OK;
}

ex_status ex_tensor_fill(ex_tensor *out, double value)
{
    static const ptrdiff_t still[EX_MAX_DIMS];
    int32_t bits = 0;                       /* room for one element of any type */
    if (check_writable("fill", out) != EX_OK) return EX_FAILED;
    if (ex_element_from(&bits, out->dtype, value) != EX_OK) return ex_error_at("fill");
    ex_strided_copy(out->data, out->dtype, out->stride, &bits, out->dtype, still, out->ndim, out->dim);
    ex_tensor_touch(out);
    return EX_OK;
}
