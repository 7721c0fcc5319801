/* activation.c: relu(x) = max(x, 0), relu6(x) = min(max(x, 0), 6), element by element, any shape. A NaN passes through.
 * Gradients are taken from the result y, not from x, so that x need not be kept. */
#include "loop.h"
#include "../base/error.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

typedef struct work { const ex_vector_kernels *v; int32_t kind; } work;

static void unary_row(void *context, float *const *data, int64_t n)
{
    const work *w = context;
    w->v->unary[w->kind](data[0], data[1], n);
}

static void binary_row(void *context, float *const *data, int64_t n)
{
    const work *w = context;
    w->v->binary[w->kind](data[0], data[1], data[2], n);
}

static void apply(const ex_call *call, int32_t kind)
{
    ex_loop l;
    work w = { ex_kernels_current()->vector, kind };
    ex_loop_over(&l, 1 + call->inputs, (const ex_operand *[]){ &call->out[0], &call->in[0], &call->in[call->inputs - 1] });
    ex_loop_rows(&l, call->team, 1, call->inputs == 1 ? unary_row : binary_row, &w);
}

static void forward_relu(const ex_call *call) { apply(call, EX_RELU); }
static void forward_relu6(const ex_call *call) { apply(call, EX_RELU6); }
static void forward_relu_grad(const ex_call *call) { apply(call, EX_RELU_GRAD); }
static void forward_relu6_grad(const ex_call *call) { apply(call, EX_RELU6_GRAD); }

static ex_status infer(const ex_signature *s)
{
    char got[96], expected[96];
    s->out[0] = s->in[0];
    if (s->in[0].dtype != EX_FLOAT32) return ex_fail("input: got %s, expected float32", ex_dtype_name(s->in[0].dtype));
    if (s->inputs == 1 || ex_shape_same(&s->in[0], &s->in[1])) return EX_OK;
    return ex_fail("gradient: got %s %s, expected %s float32", ex_shape_text(got, sizeof got, s->in[1].ndim, s->in[1].dim),
                   ex_dtype_name(s->in[1].dtype), ex_shape_text(expected, sizeof expected, s->in[0].ndim, s->in[0].dim));
}

static ex_status gradient_relu(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? b->node(b, "relu_grad", 2, (int32_t[]){ node->out[0], dout[0] }, 0, NULL, &din[0]) : EX_OK;
}

static ex_status gradient_relu6(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? b->node(b, "relu6_grad", 2, (int32_t[]){ node->out[0], dout[0] }, 0, NULL, &din[0]) : EX_OK;
}

static const char *kernel(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op relu = {
    .name = "relu", .about = "relu(x): max(x, 0)", .min_inputs = 1, .max_inputs = 1, .outputs = 1, .flags = EX_OP_BY_IMAGE,
    .in_place = 1, .infer = infer, .forward = forward_relu, .gradient = gradient_relu, .kernel = kernel };
static const ex_op relu_grad = {
    .name = "relu_grad", .about = "relu_grad(y, dy): dy where y > 0", .min_inputs = 2, .max_inputs = 2, .outputs = 1,
    .flags = EX_OP_BY_IMAGE, .in_place = 3, .infer = infer, .forward = forward_relu_grad, .kernel = kernel };
static const ex_op relu6 = {
    .name = "relu6", .about = "relu6(x): min(max(x, 0), 6)", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .flags = EX_OP_BY_IMAGE, .in_place = 1, .infer = infer, .forward = forward_relu6, .gradient = gradient_relu6, .kernel = kernel };
static const ex_op relu6_grad = {
    .name = "relu6_grad", .about = "relu6_grad(y, dy): dy where 0 < y < 6", .min_inputs = 2, .max_inputs = 2, .outputs = 1,
    .flags = EX_OP_BY_IMAGE, .in_place = 3, .infer = infer, .forward = forward_relu6_grad, .kernel = kernel };

const ex_op *const ex_ops_activation[] = { &relu, &relu_grad, &relu6, &relu6_grad, NULL };
