/* broadcast.h: NumPy's broadcasting in shape rules and gradient rules: shapes are aligned at the last axis, an axis of 1
 * or a missing one repeats. A batch axis meets another batch axis, 1, or nothing. */
#pragma once
#include "op.h"

/* The common shape (float32), or "shapes (N, 3) and (4) do not broadcast". */
ex_status ex_broadcast_shape(ex_shape *out, const ex_shape *a, const ex_shape *b);
/* Sums the gradient `value` over the axes along which `target` was repeated. */
ex_status ex_broadcast_gradient(ex_builder *b, int32_t value, const ex_shape *target, int32_t *out);
/* The attribute that asks for a shape. */
ex_attr ex_shape_attr(const char *name, const ex_shape *s);
