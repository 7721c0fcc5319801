/* broadcast.c: see broadcast.h. */
#include "broadcast.h"
#include "../base/error.h"
#include "../tensor/tensor.h"

static int axis_of(const ex_shape *s, int32_t ndim, int32_t axis)
{
    int32_t own = axis - (ndim - s->ndim);
    return own < 0 ? 1 : s->dim[own];
}

ex_status ex_broadcast_shape(ex_shape *out, const ex_shape *a, const ex_shape *b)
{
    ex_shape y = { .dtype = EX_FLOAT32, .ndim = a->ndim > b->ndim ? a->ndim : b->ndim };
    int fits = 1;
    for (int32_t i = 0; i < y.ndim; i++) {
        int32_t m = axis_of(a, y.ndim, i), n = axis_of(b, y.ndim, i);
        y.dim[i] = m == 1 ? n : m;
        if (m != n && m != 1 && n != 1) fits = 0;
        if (y.dim[i] == EX_BATCH && i) fits = 0;
    }
    char left[96], right[96];
    if (!fits)
        return ex_fail("shapes %s and %s do not broadcast", ex_shape_text(left, sizeof left, a->ndim, a->dim),
                       ex_shape_text(right, sizeof right, b->ndim, b->dim));
    *out = y;
    return EX_OK;
}

ex_attr ex_shape_attr(const char *name, const ex_shape *s)
{
    ex_attr attr = { .name = name, .count = s->ndim };
    for (int32_t i = 0; i < s->ndim; i++) attr.value[i] = s->dim[i];
    return attr;
}

ex_status ex_broadcast_gradient(ex_builder *b, int32_t value, const ex_shape *target, int32_t *out)
{
    ex_shape from = *b->shape(b, value), to = *target;
    ex_attr axes = { .name = "axes" };
    int32_t left = 0;                       /* axes that stay */
    for (int32_t i = 0; i < from.ndim; i++) {
        int32_t own = i - (from.ndim - to.ndim);
        if (own < 0 || (to.dim[own] == 1 && from.dim[i] != 1)) axes.value[axes.count++] = i;
        else left++;
    }
    *out = value;
    if (axes.count && b->node(b, "sum", 1, &value, 1, &axes, out)) return EX_FAILED;
    if (left == to.ndim) return EX_OK;
    ex_attr shape = ex_shape_attr("shape", &to);
    int32_t summed = *out;
    return b->node(b, "reshape", 1, &summed, 1, &shape, out);
}
