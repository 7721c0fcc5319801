/* shape.c: operators that move numbers and never change them, for values of any type. Element order is the logical one
 * (row-major over the axes as they are spoken), whatever the memory. The batch stays the first axis: none of them cuts,
 * joins or moves it. */
#include <string.h>
#include "broadcast.h"
#include "loop.h"
#include "../base/error.h"
#include "../tensor/tensor.h"

enum { TARGET };                            /* reshape, expand: shape; permute: order */
enum { AXIS, START, COUNT, STEP };          /* slice */
enum { GRAD_STEP = 2, GRAD_SIZE };          /* slice_grad */
static const ex_attr_spec shape_attr[] = { { .name = "shape", .count = EX_MAX_DIMS, .required = 1, .variable = 1 }, { 0 } };
static const ex_attr_spec order_attr[] = { { .name = "order", .count = EX_MAX_DIMS, .required = 1, .variable = 1 }, { 0 } };
static const ex_attr_spec concat_attr[] = { { .name = "axis", .count = 1, .value = { 1 } }, { 0 } };
static const ex_attr_spec slice_attr[] = { { .name = "axis", .count = 1, .required = 1 }, { .name = "start", .count = 1, .required = 1 },
    { .name = "count", .count = 1, .required = 1 }, { .name = "step", .count = 1, .value = { 1 } }, { 0 } };
static const ex_attr_spec slice_grad_attr[] = { { .name = "axis", .count = 1, .required = 1 },
    { .name = "start", .count = 1, .required = 1 }, { .name = "step", .count = 1, .value = { 1 } },
    { .name = "size", .count = 1, .required = 1 }, { 0 } };

static ex_status refuse(const char *what, const ex_shape *from, const ex_shape *to)
{
    char a[96], b[96];
    return ex_fail("%s: got shape %s for an input of %s", what, ex_shape_text(b, sizeof b, to->ndim, to->dim),
                   ex_shape_text(a, sizeof a, from->ndim, from->dim));
}

static int batched(const ex_shape *s) { return s->ndim && s->dim[0] == EX_BATCH; }

/* An axis given from the front or, negative, from the end; never the batch. */
static ex_status take_axis(int32_t *axis, double given, const ex_shape *s)
{
    int32_t a = (int32_t)given;
    if (a < 0) a += s->ndim;
    if (a < 0 || a >= s->ndim) return ex_fail("axis: got %g, expected less than the %d axes of the input", given, s->ndim);
    if (s->dim[a] == EX_BATCH) return ex_fail("axis: got %g, the batch, expected another one", given);
    *axis = a;
    return EX_OK;
}

static ex_shape target_of(const ex_signature *s)
{
    ex_shape t = { .dtype = s->in[0].dtype, .ndim = s->attr_count[TARGET] };
    for (int32_t i = 0; i < t.ndim; i++) t.dim[i] = (int32_t)s->attr[TARGET][i];
    return t;
}

/* -- copy, reshape, flatten -------------------------------------------------------------------------------------------- */

static ex_status infer_same(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return EX_OK;
}

static void forward_copy(const ex_call *call)
{
    if (call->out[0].data != call->in[0].data) ex_operand_copy(&call->out[0], &call->in[0], call->team);
}

static ex_status gradient_copy(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    (void)b;
    (void)node;
    if (wanted[0]) din[0] = dout[0];
    return EX_OK;
}

/* A first -1 is the batch where the input has one, else whatever the other axes leave. */
static ex_status infer_reshape(const ex_signature *s)
{
    const ex_shape *x = &s->in[0];
    ex_shape t = target_of(s), sized = t;
    for (int32_t i = 0; i < t.ndim; i++)
        if (t.dim[i] < 0 && (i || t.dim[i] != EX_BATCH)) return refuse("only the first axis may be -1", x, &t);
    int64_t count = ex_shape_count(x);
    if (batched(x)) {
        if (!batched(&t)) return refuse("the batch must stay the first axis, -1", x, &t);
    } else if (batched(&t)) {
        int64_t rest = ex_shape_count(&t);
        sized.dim[0] = rest ? (int32_t)(count / rest) : 0;
    }
    if (ex_shape_count(&sized) != count) return refuse("the number of elements differs", x, &t);
    s->out[0] = sized;
    return EX_OK;
}

static ex_status infer_flatten(const ex_signature *s)
{
    const ex_shape *x = &s->in[0];
    char text[96];
    if (x->ndim < 2) return ex_fail("input: got %s, expected (N, ...) with two axes or more", ex_shape_text(text, sizeof text, x->ndim, x->dim));
    int64_t count = 1;
    for (int32_t i = 1; i < x->ndim; i++) count *= x->dim[i];
    s->out[0] = (ex_shape){ .dtype = x->dtype, .ndim = 2, .dim = { x->dim[0], (int32_t)count } };
    return EX_OK;
}

/* Row-major without gaps from axis `from` on. */
static int runs_on(const ex_operand *o, int32_t from)
{
    ptrdiff_t step = 1;
    for (int32_t i = o->ndim - 1; i >= from; i--) {
        if (o->dim[i] != 1 && o->stride[i] != step) return 0;
        step *= o->dim[i];
    }
    return 1;
}

/* The memory of `o`, dense but for its first axis, in the axes of `like`, which has the same first axis. */
static ex_operand seen_as(const ex_operand *o, const ex_operand *like, int rows)
{
    ex_operand view = ex_operand_dense(like, o->data);
    view.dtype = o->dtype;
    if (rows) view.stride[0] = o->stride[0];
    return view;
}

static ptrdiff_t element_offset(const ex_operand *o, int64_t element)
{
    ptrdiff_t at = 0;
    for (int32_t i = o->ndim - 1; i >= 0; i--) {
        at += element % o->dim[i] * o->stride[i];
        element /= o->dim[i];
    }
    return at;
}

/* Both sides are views of one logical row-major sequence. Where one side runs on in memory, it is seen in the other's
 * axes and copied; two strided sides go element by element. */
static void forward_reshape(const ex_call *call)
{
    const ex_operand *out = &call->out[0], *in = &call->in[0];
    int rows = in->ndim && out->ndim && in->dim[0] == out->dim[0];
    if (out->data == in->data) return;
    if (runs_on(out, rows)) {
        ex_operand view = seen_as(out, in, rows);
        ex_operand_copy(&view, in, call->team);
    } else if (runs_on(in, rows)) {
        ex_operand view = seen_as(in, out, rows);
        ex_operand_copy(out, &view, call->team);
    } else {
        size_t size = ex_dtype_size(in->dtype);
        int64_t count = ex_operand_count(in);
        for (int64_t i = 0; i < count; i++)
            memcpy((char *)out->data + element_offset(out, i) * (ptrdiff_t)size,
                   (const char *)in->data + element_offset(in, i) * (ptrdiff_t)size, size);
    }
}

static ex_status gradient_reshape(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    ex_shape x = *b->shape(b, node->in[0]);
    if (!x.ndim) return b->node(b, "sum", 1, &dout[0], 0, NULL, &din[0]);   /* one element: to a scalar */
    ex_attr shape = ex_shape_attr("shape", &x);
    return b->node(b, "reshape", 1, &dout[0], 1, &shape, &din[0]);
}

/* -- concat, slice ------------------------------------------------------------------------------------------------------ */

static ex_status infer_concat(const ex_signature *s)
{
    char a[96], b[96];
    int32_t axis;
    int64_t size = 0;
    if (take_axis(&axis, s->attr[AXIS][0], &s->in[0])) return EX_FAILED;
    for (int32_t i = 0; i < s->inputs; i++) {
        ex_shape like = s->in[i];
        if (like.ndim > axis) like.dim[axis] = s->in[0].dim[axis];
        if (!ex_shape_same(&like, &s->in[0]))
            return ex_fail("input %d: got %s %s, expected %s %s in all axes but %d", i + 1,
                           ex_shape_text(a, sizeof a, s->in[i].ndim, s->in[i].dim), ex_dtype_name(s->in[i].dtype),
                           ex_shape_text(b, sizeof b, s->in[0].ndim, s->in[0].dim), ex_dtype_name(s->in[0].dtype), axis);
        size += s->in[i].dim[axis];
    }
    s->out[0] = s->in[0];
    s->out[0].dim[axis] = (int32_t)size;
    return EX_OK;
}

/* `count` elements of one axis, from `start` on, `step` apart. */
static ex_operand part_of(const ex_operand *o, int32_t axis, int32_t start, int32_t count, int32_t step)
{
    ex_operand view = *o;
    view.data = (char *)o->data + start * o->stride[axis] * (ptrdiff_t)ex_dtype_size(o->dtype);
    view.dim[axis] = count;
    view.stride[axis] = o->stride[axis] * step;
    return view;
}

static int32_t axis_at(const ex_operand *o, double given) { return (int32_t)given < 0 ? (int32_t)given + o->ndim : (int32_t)given; }

static void forward_concat(const ex_call *call)
{
    int32_t axis = axis_at(&call->out[0], call->attr[AXIS][0]), start = 0;
    for (int32_t i = 0; i < call->inputs; i++) {
        int32_t count = call->in[i].dim[axis];
        ex_operand view = part_of(&call->out[0], axis, start, count, 1);
        if (view.data != call->in[i].data) ex_operand_copy(&view, &call->in[i], call->team);
        start += count;
    }
}

static ex_status gradient_concat(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t start = 0;
    for (int32_t i = 0; i < node->inputs; i++) {
        const ex_shape *x = b->shape(b, node->in[i]);
        int32_t axis = (int32_t)node->attr[AXIS][0];
        if (axis < 0) axis += x->ndim;
        int32_t count = x->dim[axis];
        ex_attr attr[] = { { "axis", 1, { axis } }, { "start", 1, { start } }, { "count", 1, { count } } };
        if (wanted[i] && b->node(b, "slice", 1, &dout[0], 3, attr, &din[i])) return EX_FAILED;
        start += count;
    }
    return EX_OK;
}

static ex_status check_slice(int32_t start, int32_t count, int32_t step, int32_t size)
{
    if (step < 1) return ex_fail("step: got %d, expected 1 or more", step);
    if (count < 1) return ex_fail("count: got %d, expected 1 or more", count);
    if (start < 0 || start + (int64_t)(count - 1) * step >= size)
        return ex_fail("slice of %d from %d in steps of %d reaches outside an axis of %d", count, start, step, size);
    return EX_OK;
}

static ex_status infer_slice(const ex_signature *s)
{
    int32_t axis, count = (int32_t)s->attr[COUNT][0];
    if (take_axis(&axis, s->attr[AXIS][0], &s->in[0])) return EX_FAILED;
    if (check_slice((int32_t)s->attr[START][0], count, (int32_t)s->attr[STEP][0], s->in[0].dim[axis])) return EX_FAILED;
    s->out[0] = s->in[0];
    s->out[0].dim[axis] = count;
    return EX_OK;
}

static void forward_slice(const ex_call *call)
{
    int32_t axis = axis_at(&call->in[0], call->attr[AXIS][0]);
    ex_operand view = part_of(&call->in[0], axis, (int32_t)call->attr[START][0], call->out[0].dim[axis], (int32_t)call->attr[STEP][0]);
    if (view.data != call->out[0].data) ex_operand_copy(&call->out[0], &view, call->team);
}

static ex_status gradient_slice(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    const ex_shape *x = b->shape(b, node->in[0]);
    int32_t axis = (int32_t)node->attr[AXIS][0];
    if (axis < 0) axis += x->ndim;
    ex_attr attr[] = { { "axis", 1, { axis } }, { "start", 1, { node->attr[START][0] } }, { "step", 1, { node->attr[STEP][0] } },
                       { "size", 1, { x->dim[axis] } } };
    return b->node(b, "slice_grad", 1, &dout[0], 4, attr, &din[0]);
}

static ex_status infer_slice_grad(const ex_signature *s)
{
    int32_t axis, size = (int32_t)s->attr[GRAD_SIZE][0];
    if (take_axis(&axis, s->attr[AXIS][0], &s->in[0])) return EX_FAILED;
    if (check_slice((int32_t)s->attr[START][0], s->in[0].dim[axis], (int32_t)s->attr[GRAD_STEP][0], size)) return EX_FAILED;
    s->out[0] = s->in[0];
    s->out[0].dim[axis] = size;
    return EX_OK;
}

static void forward_slice_grad(const ex_call *call)
{
    static double zero;
    const ex_operand *dx = &call->out[0];
    ex_operand nothing = *dx;
    nothing.data = &zero;
    memset(nothing.stride, 0, sizeof nothing.stride);
    ex_operand_copy(dx, &nothing, call->team);
    int32_t axis = axis_at(dx, call->attr[AXIS][0]);
    ex_operand view = part_of(dx, axis, (int32_t)call->attr[START][0], call->in[0].dim[axis], (int32_t)call->attr[GRAD_STEP][0]);
    ex_operand_copy(&view, &call->in[0], call->team);
}

/* -- permute, expand ----------------------------------------------------------------------------------------------------- */

static ex_status infer_permute(const ex_signature *s)
{
    const ex_shape *x = &s->in[0];
    int32_t seen = 0;
    s->out[0] = *x;
    if (s->attr_count[TARGET] != x->ndim) return ex_fail("order: got %d axes, expected %d", s->attr_count[TARGET], x->ndim);
    for (int32_t i = 0; i < x->ndim; i++) {
        double from = s->attr[TARGET][i];
        if (from < 0 || from >= x->ndim || seen >> (int)from & 1) return ex_fail("order: got axis %g, expected each of 0 to %d once", from, x->ndim - 1);
        seen |= 1 << (int)from;
        s->out[0].dim[i] = x->dim[(int)from];
    }
    if (batched(x) && s->attr[TARGET][0] != 0) return ex_fail("order: got axis %g first, expected 0, the batch", s->attr[TARGET][0]);
    return EX_OK;
}

static void forward_permute(const ex_call *call)
{
    int32_t order[EX_MAX_DIMS] = { 0 };
    for (int32_t i = 0; i < call->in[0].ndim; i++) order[i] = (int32_t)call->attr[TARGET][i];
    ex_operand view = ex_operand_permute(&call->in[0], order);
    if (view.data != call->out[0].data) ex_operand_copy(&call->out[0], &view, call->team);
}

static ex_status gradient_permute(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    ex_attr order = { .name = "order", .count = node->attr_count[TARGET] };
    for (int32_t i = 0; i < order.count; i++) order.value[(int)node->attr[TARGET][i]] = i;
    return b->node(b, "permute", 1, &dout[0], 1, &order, &din[0]);
}

static ex_status infer_expand(const ex_signature *s)
{
    const ex_shape *x = &s->in[0];
    ex_shape t = target_of(s);
    if (t.ndim < x->ndim) return refuse("expand keeps the axes", x, &t);
    for (int32_t i = 0; i < t.ndim; i++) {
        int32_t own = i - (t.ndim - x->ndim);
        if (t.dim[i] < 1 && (i || t.dim[i] != EX_BATCH)) return refuse("only the first axis may be -1", x, &t);
        if (own >= 0 && x->dim[own] != 1 && x->dim[own] != t.dim[i]) return refuse("only axes of 1 repeat", x, &t);
    }
    s->out[0] = t;
    return EX_OK;
}

static void forward_expand(const ex_call *call)
{
    const ex_operand *out = &call->out[0], *in = &call->in[0];
    ex_operand view = *out;
    view.data = in->data;
    for (int32_t i = 0; i < out->ndim; i++) {
        int32_t own = i - (out->ndim - in->ndim);
        view.stride[i] = own < 0 || (in->dim[own] == 1 && out->dim[i] != 1) ? 0 : in->stride[own];
    }
    ex_operand_copy(out, &view, call->team);
}

static ex_status gradient_expand(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    ex_shape x = *b->shape(b, node->in[0]);
    return ex_broadcast_gradient(b, dout[0], &x, &din[0]);
}

/* -- The family ----------------------------------------------------------------------------------------------------------- */

static const char *kernel_copy(const ex_signature *s) { (void)s; return "copy"; }

static const ex_op reshape = {
    .name = "reshape", .about = "reshape(x; shape): the same elements in other axes; a first -1 is the batch", .min_inputs = 1,
    .max_inputs = 1, .outputs = 1, .attr = shape_attr, .flags = EX_OP_VIEW | EX_OP_BY_IMAGE, .infer = infer_reshape, .forward = forward_reshape,
    .gradient = gradient_reshape, .kernel = kernel_copy };
static const ex_op flatten = {
    .name = "flatten", .about = "flatten(x (N, C, H, W)): (N, C H W) in C, H, W order", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .flags = EX_OP_VIEW | EX_OP_BY_IMAGE, .infer = infer_flatten, .forward = forward_reshape, .gradient = gradient_reshape, .kernel = kernel_copy };
static const ex_op copy = {
    .name = "copy", .about = "copy(x): the same value in the memory layout of the result", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .flags = EX_OP_VIEW | EX_OP_BY_IMAGE, .infer = infer_same, .forward = forward_copy, .gradient = gradient_copy, .kernel = kernel_copy };
static const ex_op concat = {
    .name = "concat", .about = "concat(x1, ..., xn; axis = 1)", .min_inputs = 1, .max_inputs = INT32_MAX, .outputs = 1,
    .attr = concat_attr, .flags = EX_OP_NARY | EX_OP_BY_IMAGE, .infer = infer_concat, .forward = forward_concat, .gradient = gradient_concat,
    .kernel = kernel_copy };
static const ex_op slice = {
    .name = "slice", .about = "slice(x; axis, start, count, step): part of an axis", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = slice_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_slice, .forward = forward_slice, .gradient = gradient_slice, .kernel = kernel_copy };
static const ex_op slice_grad = {
    .name = "slice_grad", .about = "slice_grad(dy; axis, start, step, size): zeros but for the slice", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = slice_grad_attr, .infer = infer_slice_grad, .forward = forward_slice_grad, .kernel = kernel_copy };
static const ex_op permute = {
    .name = "permute", .about = "permute(x; order): axis i of the result is axis order[i] of x", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = order_attr, .infer = infer_permute, .forward = forward_permute, .gradient = gradient_permute,
    .kernel = kernel_copy };
static const ex_op expand = {
    .name = "expand", .about = "expand(x; shape): axes of 1 repeated", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = shape_attr, .infer = infer_expand, .forward = forward_expand, .gradient = gradient_expand, .kernel = kernel_copy };

const ex_op *const ex_ops_shape[] = { &reshape, &flatten, &copy, &concat, &slice, &slice_grad, &permute, &expand, NULL };
