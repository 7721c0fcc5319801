/* shape_rules.c: what shape rules share: counting, comparing, and the refusals that every operator words alike; and which
 * inputs an operator writes. */
#include <string.h>
#include "op.h"
#include "../base/error.h"
#include "../tensor/tensor.h"

int64_t ex_shape_count(const ex_shape *s)
{
    int64_t n = 1;
    for (int32_t i = 0; i < s->ndim; i++) n *= s->dim[i] == EX_BATCH ? 1 : s->dim[i];
    return n;
}

int ex_shape_same(const ex_shape *a, const ex_shape *b)
{
    return a->dtype == b->dtype && a->ndim == b->ndim && !memcmp(a->dim, b->dim, sizeof *a->dim * (size_t)a->ndim);
}

ex_status ex_expect_images(const char *what, const ex_shape *s)
{
    if (s->ndim == 4 && s->dim[0] == EX_BATCH && s->dtype == EX_FLOAT32) return EX_OK;
    char text[160];
    return ex_fail("%s must be a batch of images (N, C, H, W) in float32, got %s %s", what,
                   ex_shape_text(text, sizeof text, s->ndim, s->dim), ex_dtype_name(s->dtype));
}

ex_status ex_expect(const char *what, const ex_shape *s, int32_t dtype, int32_t ndim)
{
    if (s->ndim == ndim && s->dtype == dtype) return EX_OK;
    char text[160];
    return ex_fail("%s must have %d %s in %s, got %s %s", what, ndim, ndim == 1 ? "axis" : "axes", ex_dtype_name(dtype),
                   ex_shape_text(text, sizeof text, s->ndim, s->dim), ex_dtype_name(s->dtype));
}

int ex_op_writes(const ex_op *op, int32_t input)
{
    int32_t first = op->min_inputs - op->period;
    if (op->period && input >= first) input = first + (input - first) % op->period;
    return input < 32 && (op->writes >> input & 1);
}
