/* activation.c: element by element, any shape; a NaN passes through:
 *
 *     relu(x) = max(x, 0)    relu6(x) = min(max(x, 0), 6)                gradients from the result y: x need not be kept
 *     silu(x) = x sigmoid(x)    hard_sigmoid(x) = min(max(x + 3, 0), 6) / 6    hard_swish(x) = x hard_sigmoid(x)
 *                                                                        gradients from x: silu and hard_swish fall and rise
 *
 * At an edge the gradient is 0, but for hard_swish, whose inner slope x / 3 + 1/2 reaches both of its edges. */
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

static ex_status infer(const ex_signature *s)
{
    char got[96], expected[96];
    s->out[0] = s->in[0];
    if (s->in[0].dtype != EX_FLOAT32) return ex_fail("input: got %s, expected float32", ex_dtype_name(s->in[0].dtype));
    if (s->inputs == 1 || ex_shape_same(&s->in[0], &s->in[1])) return EX_OK;
    return ex_fail("gradient: got %s %s, expected %s float32", ex_shape_text(got, sizeof got, s->in[1].ndim, s->in[1].dim),
                   ex_dtype_name(s->in[1].dtype), ex_shape_text(expected, sizeof expected, s->in[0].ndim, s->in[0].dim));
}

static ex_status append(ex_builder *b, const char *op, int32_t value, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? b->node(b, op, 2, (int32_t[]){ value, dout[0] }, 0, NULL, &din[0]) : EX_OK;
}

static const char *kernel(const ex_signature *s) { (void)s; return "vector"; }

/* An activation and its gradient operator, which reads `from`: node->in[0] or node->out[0]. */
#define ACTIVATION(id, kind, from, text, grad_text) \
    static void forward_##id(const ex_call *call) { apply(call, kind); } \
    static void forward_##id##_grad(const ex_call *call) { apply(call, kind##_GRAD); } \
    static ex_status gradient_##id(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din) \
    { \
        return append(b, #id "_grad", from, dout, wanted, din); \
    } \
    static const ex_op id = { .name = #id, .about = (text), .min_inputs = 1, .max_inputs = 1, .outputs = 1, .flags = EX_OP_BY_IMAGE, \
        .in_place = 1, .infer = infer, .forward = forward_##id, .gradient = gradient_##id, .kernel = kernel }; \
    static const ex_op id##_grad = { .name = #id "_grad", .about = (grad_text), .min_inputs = 2, .max_inputs = 2, .outputs = 1, \
        .flags = EX_OP_BY_IMAGE, .in_place = 3, .infer = infer, .forward = forward_##id##_grad, .kernel = kernel };

ACTIVATION(relu, EX_RELU, node->out[0], "relu(x): max(x, 0)", "relu_grad(y, dy): dy where y > 0")
ACTIVATION(relu6, EX_RELU6, node->out[0], "relu6(x): min(max(x, 0), 6)", "relu6_grad(y, dy): dy where 0 < y < 6")
ACTIVATION(silu, EX_SILU, node->in[0], "silu(x): x / (1 + exp(-x))", "silu_grad(x, dy): dy s (1 + x (1 - s)), s = sigmoid(x)")
ACTIVATION(hard_sigmoid, EX_HARD_SIGMOID, node->in[0], "hard_sigmoid(x): min(max(x + 3, 0), 6) / 6",
           "hard_sigmoid_grad(x, dy): dy / 6 where -3 < x < 3")
ACTIVATION(hard_swish, EX_HARD_SWISH, node->in[0], "hard_swish(x): x min(max(x + 3, 0), 6) / 6",
           "hard_swish_grad(x, dy): 0 where x < -3, dy where x > 3, else dy (x / 3 + 1/2)")

const ex_op *const ex_ops_activation[] = { &relu, &relu_grad, &relu6, &relu6_grad, &silu, &silu_grad, &hard_sigmoid, &hard_sigmoid_grad,
                                           &hard_swish, &hard_swish_grad, NULL };
