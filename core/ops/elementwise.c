/* elementwise.c: arithmetic, comparisons and functions, element by element.
 *
 * Binary operators broadcast as NumPy does and give float32. Operands of other types than float32 are computed in double,
 * so labels compare exactly. Comparisons give 1 or 0. No gradient flows through comparisons, casts between types, or
 * stop_gradient. Where maximum or minimum are tied, each side takes half the gradient, as in PyTorch. */
#include <math.h>
#include "broadcast.h"
#include "loop.h"
#include "../base/error.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { POW = EX_BINARY_KIND_COUNT };        /* without a vector kernel */
enum { LOG = EX_UNARY_KIND_COUNT, TANH };

typedef struct work { const ex_vector_kernels *v; int32_t kind; const int32_t *dtype; } work;

static ex_status expect_floats(const ex_signature *s)
{
    for (int32_t i = 0; i < s->inputs; i++)
        if (s->in[i].dtype != EX_FLOAT32) return ex_fail("input %d: got %s, expected float32", i + 1, ex_dtype_name(s->in[i].dtype));
    return EX_OK;
}

/* -- Binary ---------------------------------------------------------------------------------------------------------------- */

static double compute(int32_t kind, double a, double b)
{
    switch (kind) {
    case EX_ADD: return a + b;
    case EX_SUB: return a - b;
    case EX_MUL: return a * b;
    case EX_DIV: return a / b;
    case EX_MAXIMUM: return a != a || a > b ? a : b;
    case EX_MINIMUM: return a != a || a < b ? a : b;
    case EX_EQUAL: return a == b;
    case EX_LESS: return a < b;
    case EX_LESS_EQUAL: return a <= b;
    default: return pow(a, b);
    }
}

static double element(const char *data, int32_t dtype, ptrdiff_t i)
{
    if (dtype == EX_INT32) return ((const int32_t *)data)[i];
    if (dtype == EX_UINT8) return ((const uint8_t *)data)[i];
    return ((const float *)data)[i];
}

static void binary_mixed(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    (void)part;
    const work *w = context;
    for (int64_t i = 0; i < n; i++)
        ((float *)data[0])[i * stride[0]] = (float)compute(w->kind, element(data[1], w->dtype[0], i * stride[1]),
                                                           element(data[2], w->dtype[1], i * stride[2]));
}

static void binary_row(void *context, float *const *data, int64_t n)
{
    const work *w = context;
    if (w->kind == POW) for (int64_t i = 0; i < n; i++) data[0][i] = powf(data[1][i], data[2][i]);
    else w->v->binary[w->kind](data[0], data[1], data[2], n);
}

static void binary(const ex_call *call, int32_t kind)
{
    ex_loop l;
    int32_t dtype[2] = { call->in[0].dtype, call->in[1].dtype };
    work w = { ex_kernels_current()->vector, kind, dtype };
    ex_loop_over(&l, 3, (const ex_operand *[]){ &call->out[0], &call->in[0], &call->in[1] });
    if (dtype[0] == EX_FLOAT32 && dtype[1] == EX_FLOAT32) ex_loop_rows(&l, call->team, 1, binary_row, &w);
    else ex_loop_run(&l, call->team, EX_LOOP_PART, binary_mixed, &w);
}

static ex_status infer_binary(const ex_signature *s) { return ex_broadcast_shape(&s->out[0], &s->in[0], &s->in[1]); }

static ex_status node1(ex_builder *b, const char *op, int32_t x, int32_t *out) { return b->node(b, op, 1, &x, 0, NULL, out); }
static ex_status node2(ex_builder *b, const char *op, int32_t x, int32_t y, int32_t *out)
{
    return b->node(b, op, 2, (int32_t[]){ x, y }, 0, NULL, out);
}

/* The gradient of input i from one of the result's shape; only float32 inputs have one. */
static ex_status give(ex_builder *b, const ex_node_ref *node, int i, int32_t gradient, int32_t *din)
{
    ex_shape x = *b->shape(b, node->in[i]);
    return x.dtype == EX_FLOAT32 ? ex_broadcast_gradient(b, gradient, &x, &din[i]) : EX_OK;
}

static ex_status gradient_add(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    for (int i = 0; i < 2; i++)
        if (wanted[i] && give(b, node, i, dout[0], din)) return EX_FAILED;
    return EX_OK;
}

static ex_status gradient_sub(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t minus;
    if (wanted[0] && give(b, node, 0, dout[0], din)) return EX_FAILED;
    return wanted[1] && (node1(b, "neg", dout[0], &minus) || give(b, node, 1, minus, din)) ? EX_FAILED : EX_OK;
}

static ex_status gradient_mul(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t d;
    for (int i = 0; i < 2; i++)
        if (wanted[i] && (node2(b, "mul", dout[0], node->in[1 - i], &d) || give(b, node, i, d, din))) return EX_FAILED;
    return EX_OK;
}

/* d/da a/b = 1/b, d/db a/b = -y/b */
static ex_status gradient_div(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t d, t, minus;
    if (node2(b, "div", dout[0], node->in[1], &d)) return EX_FAILED;
    if (wanted[0] && give(b, node, 0, d, din)) return EX_FAILED;
    if (!wanted[1]) return EX_OK;
    if (node2(b, "mul", d, node->out[0], &t) || node1(b, "neg", t, &minus)) return EX_FAILED;
    return give(b, node, 1, minus, din);
}

static ex_status gradient_pow(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t d;
    const int32_t *in = node->in;
    if (wanted[0] && (b->node(b, "pow_grad_base", 3, (int32_t[]){ in[0], in[1], dout[0] }, 0, NULL, &d) || give(b, node, 0, d, din)))
        return EX_FAILED;
    if (wanted[1] && (b->node(b, "pow_grad_exponent", 3, (int32_t[]){ in[0], node->out[0], dout[0] }, 0, NULL, &d) ||
                      give(b, node, 1, d, din)))
        return EX_FAILED;
    return EX_OK;
}

/* Side i takes dy w, w = [i wins or ties] / ([i wins or ties] + [the other wins or ties]): 1, 1/2 or 0. */
static ex_status gradient_extreme(ex_builder *b, const ex_node_ref *node, int32_t dy, const int32_t *wanted, int32_t *din, int maximum)
{
    const int32_t *in = node->in;
    int32_t wins[2], both, share, d;
    if (node2(b, "less_equal", in[maximum], in[!maximum], &wins[0]) || node2(b, "less_equal", in[!maximum], in[maximum], &wins[1]) ||
        node2(b, "add", wins[0], wins[1], &both))
        return EX_FAILED;
    for (int i = 0; i < 2; i++)
        if (wanted[i] && (node2(b, "div", wins[i], both, &share) || node2(b, "mul", dy, share, &d) || give(b, node, i, d, din)))
            return EX_FAILED;
    return EX_OK;
}

static ex_status gradient_maximum(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return gradient_extreme(b, node, dout[0], wanted, din, 1);
}

static ex_status gradient_minimum(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return gradient_extreme(b, node, dout[0], wanted, din, 0);
}

/* -- pow's gradients: (a, b, dy) -> dy b a^(b-1); (a, y, dy) -> dy y log a -------------------------------------------------- */

static ex_status infer_pow_grad(const ex_signature *s)
{
    s->out[0] = s->in[2];
    return expect_floats(s);
}

static void base_row(void *context, float *const *data, int64_t n)
{
    (void)context;
    const float *a = data[1], *b = data[2], *dy = data[3];
    for (int64_t i = 0; i < n; i++) data[0][i] = b[i] == 0 ? 0 : dy[i] * b[i] * powf(a[i], b[i] - 1);
}

static void exponent_row(void *context, float *const *data, int64_t n)
{
    (void)context;
    const float *a = data[1], *y = data[2], *dy = data[3];
    for (int64_t i = 0; i < n; i++) data[0][i] = a[i] == 0 && y[i] <= 1 ? 0 : dy[i] * y[i] * logf(a[i]);
}

static void pow_grad(const ex_call *call, ex_loop_row *row)
{
    ex_loop l;
    ex_loop_over(&l, 4, (const ex_operand *[]){ &call->out[0], &call->in[0], &call->in[1], &call->in[2] });
    ex_loop_rows(&l, call->team, 1, row, NULL);
}

static void forward_pow_grad_base(const ex_call *call) { pow_grad(call, base_row); }
static void forward_pow_grad_exponent(const ex_call *call) { pow_grad(call, exponent_row); }

/* -- Unary -------------------------------------------------------------------------------------------------------------------- */

static void unary_row(void *context, float *const *data, int64_t n)
{
    const work *w = context;
    float *out = data[0];
    const float *x = data[1];
    switch (w->kind) {
    case LOG: for (int64_t i = 0; i < n; i++) out[i] = logf(x[i]); break;
    case TANH: for (int64_t i = 0; i < n; i++) out[i] = tanhf(x[i]); break;
    default: w->v->unary[w->kind](out, x, n);
    }
}

static void unary(const ex_call *call, int32_t kind)
{
    ex_loop l;
    work w = { ex_kernels_current()->vector, kind, NULL };
    ex_loop_over(&l, 2, (const ex_operand *[]){ &call->out[0], &call->in[0] });
    ex_loop_rows(&l, call->team, 1, unary_row, &w);
}

static ex_status infer_unary(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return expect_floats(s);
}

static ex_status gradient_neg(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    (void)node;
    return wanted[0] ? node1(b, "neg", dout[0], &din[0]) : EX_OK;
}

static ex_status gradient_exp(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? node2(b, "mul", dout[0], node->out[0], &din[0]) : EX_OK;
}

static ex_status gradient_log(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? node2(b, "div", dout[0], node->in[0], &din[0]) : EX_OK;
}

/* dy / (2 y) */
static ex_status gradient_sqrt(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t twice;
    if (!wanted[0]) return EX_OK;
    return node2(b, "add", node->out[0], node->out[0], &twice) || node2(b, "div", dout[0], twice, &din[0]) ? EX_FAILED : EX_OK;
}

/* dy ([-x < x] - [x < -x]) */
static ex_status gradient_abs(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t minus, above, below, sign;
    if (!wanted[0]) return EX_OK;
    if (node1(b, "neg", node->in[0], &minus) || node2(b, "less", minus, node->in[0], &above) ||
        node2(b, "less", node->in[0], minus, &below) || node2(b, "sub", above, below, &sign))
        return EX_FAILED;
    return node2(b, "mul", dout[0], sign, &din[0]);
}

/* dy - (dy y) y */
static ex_status gradient_tanh(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t t, u;
    if (!wanted[0]) return EX_OK;
    if (node2(b, "mul", dout[0], node->out[0], &t) || node2(b, "mul", t, node->out[0], &u)) return EX_FAILED;
    return node2(b, "sub", dout[0], u, &din[0]);
}

/* dy y - (dy y) y */
static ex_status gradient_sigmoid(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t t, u;
    if (!wanted[0]) return EX_OK;
    if (node2(b, "mul", dout[0], node->out[0], &t) || node2(b, "mul", t, node->out[0], &u)) return EX_FAILED;
    return node2(b, "sub", t, u, &din[0]);
}

static ex_status gradient_square(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t twice;
    if (!wanted[0]) return EX_OK;
    return node2(b, "add", node->in[0], node->in[0], &twice) || node2(b, "mul", dout[0], twice, &din[0]) ? EX_FAILED : EX_OK;
}

/* -- add_n: x1 + x2 + ... from left to right ---------------------------------------------------------------------------------- */

enum { BLOCK = 4096 };                      /* floats summed at a time: they stay in the first cache */

typedef struct adding { const ex_vector_kernels *v; int32_t inputs, first; } adding;

static void add_row(void *context, float *const *data, int64_t n)
{
    const adding *a = context;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t m = n - from < BLOCK ? n - from : BLOCK;
        float *out = data[0] + from;
        int32_t k = 1;
        if (a->first) { a->v->binary[EX_ADD](out, data[1] + from, data[2] + from, m); k = 3; }
        for (; k <= a->inputs; k++) a->v->binary[EX_ADD](out, out, data[k] + from, m);
    }
}

static void forward_add_n(const ex_call *call)
{
    if (call->inputs == 1) {
        if (call->out[0].data != call->in[0].data) ex_operand_copy(&call->out[0], &call->in[0], call->team);
        return;
    }
    for (int32_t from = 0; from < call->inputs;) {
        const ex_operand *operand[EX_LOOP_OPERANDS] = { &call->out[0] };
        adding a = { ex_kernels_current()->vector, 0, from == 0 };
        while (from < call->inputs && a.inputs < EX_LOOP_OPERANDS - 1) operand[++a.inputs] = &call->in[from++];
        ex_loop l;
        ex_loop_over(&l, a.inputs + 1, operand);
        ex_loop_rows(&l, call->team, 1, add_row, &a);
    }
}

static ex_status infer_add_n(const ex_signature *s)
{
    char got[96], expected[96];
    for (int32_t i = 1; i < s->inputs; i++)
        if (!ex_shape_same(&s->in[i], &s->in[0]))
            return ex_fail("input %d: got %s, expected %s as input 1", i + 1, ex_shape_text(got, sizeof got, s->in[i].ndim, s->in[i].dim),
                           ex_shape_text(expected, sizeof expected, s->in[0].ndim, s->in[0].dim));
    return infer_unary(s);
}

static ex_status gradient_add_n(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    (void)b;
    for (int32_t i = 0; i < node->inputs; i++)
        if (wanted[i]) din[i] = dout[0];
    return EX_OK;
}

/* -- cast, stop_gradient ------------------------------------------------------------------------------------------------------- */

enum { DTYPE };
static const ex_attr_spec cast_attr[] = { { .name = "dtype", .count = 1, .required = 1 }, { 0 } };

static ex_status infer_cast(const ex_signature *s)
{
    double dtype = s->attr[DTYPE][0];
    if (dtype < 0 || dtype >= EX_DTYPE_COUNT) return ex_fail("dtype: got %g, expected 0 to %d", dtype, EX_DTYPE_COUNT - 1);
    s->out[0] = s->in[0];
    s->out[0].dtype = (int32_t)dtype;
    return EX_OK;
}

static ex_status infer_same(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return EX_OK;
}

static void forward_copy(const ex_call *call)
{
    if (call->out[0].data != call->in[0].data) ex_operand_copy(&call->out[0], &call->in[0], call->team);
}

static ex_status gradient_cast(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int same = b->shape(b, node->in[0])->dtype == EX_FLOAT32 && b->shape(b, node->out[0])->dtype == EX_FLOAT32;
    if (wanted[0] && same) din[0] = dout[0];
    return EX_OK;
}

/* -- The family ------------------------------------------------------------------------------------------------------------------ */

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }
static const char *kernel_libm(const ex_signature *s) { (void)s; return "libm"; }

#define BINARY(id, kind, text, flow, rule, runs) \
    static void forward_##id(const ex_call *call) { binary(call, kind); } \
    static const ex_op op_##id = { .name = #id, .about = (text), .min_inputs = 2, .max_inputs = 2, .outputs = 1, \
        .flags = (flow) | EX_OP_BY_IMAGE, .in_place = 3, .infer = infer_binary, .forward = forward_##id, .gradient = (rule), .kernel = (runs) };
#define UNARY(id, kind, text, runs) \
    static void forward_##id(const ex_call *call) { unary(call, kind); } \
    static const ex_op op_##id = { .name = #id, .about = (text), .min_inputs = 1, .max_inputs = 1, .outputs = 1, \
        .flags = EX_OP_BY_IMAGE, .in_place = 1, .infer = infer_unary, .forward = forward_##id, .gradient = gradient_##id, .kernel = (runs) };

BINARY(add, EX_ADD, "add(a, b): a + b", 0, gradient_add, kernel_vector)
BINARY(sub, EX_SUB, "sub(a, b): a - b", 0, gradient_sub, kernel_vector)
BINARY(mul, EX_MUL, "mul(a, b): a * b", 0, gradient_mul, kernel_vector)
BINARY(div, EX_DIV, "div(a, b): a / b", 0, gradient_div, kernel_vector)
BINARY(pow, POW, "pow(a, b): a to the power of b", 0, gradient_pow, kernel_libm)
BINARY(maximum, EX_MAXIMUM, "maximum(a, b): the larger one", 0, gradient_maximum, kernel_vector)
BINARY(minimum, EX_MINIMUM, "minimum(a, b): the smaller one", 0, gradient_minimum, kernel_vector)
BINARY(equal, EX_EQUAL, "equal(a, b): 1 where a = b, else 0", EX_OP_STOPS, NULL, kernel_vector)
BINARY(less, EX_LESS, "less(a, b): 1 where a < b, else 0", EX_OP_STOPS, NULL, kernel_vector)
BINARY(less_equal, EX_LESS_EQUAL, "less_equal(a, b): 1 where a <= b, else 0", EX_OP_STOPS, NULL, kernel_vector)
UNARY(neg, EX_NEG, "neg(x): -x", kernel_vector)
UNARY(exp, EX_EXP, "exp(x)", kernel_vector)
UNARY(log, LOG, "log(x): the natural logarithm", kernel_libm)
UNARY(sqrt, EX_SQRT, "sqrt(x)", kernel_vector)
UNARY(abs, EX_ABS, "abs(x)", kernel_vector)
UNARY(tanh, TANH, "tanh(x)", kernel_libm)
UNARY(sigmoid, EX_SIGMOID, "sigmoid(x): 1 / (1 + exp(-x))", kernel_vector)
UNARY(square, EX_SQUARE, "square(x): x * x", kernel_vector)

static const ex_op pow_grad_base = {
    .name = "pow_grad_base", .about = "pow_grad_base(a, b, dy): dy b a^(b-1)", .min_inputs = 3, .max_inputs = 3, .outputs = 1,
    .infer = infer_pow_grad, .forward = forward_pow_grad_base, .kernel = kernel_libm };
static const ex_op pow_grad_exponent = {
    .name = "pow_grad_exponent", .about = "pow_grad_exponent(a, y, dy): dy y log a", .min_inputs = 3, .max_inputs = 3, .outputs = 1,
    .infer = infer_pow_grad, .forward = forward_pow_grad_exponent, .kernel = kernel_libm };
static const ex_op add_n = {
    .name = "add_n", .about = "add_n(x1, ..., xn): the sum of values of one shape", .min_inputs = 1, .max_inputs = INT32_MAX, .outputs = 1,
    .flags = EX_OP_NARY | EX_OP_BY_IMAGE, .in_place = 1, .infer = infer_add_n, .forward = forward_add_n, .gradient = gradient_add_n,
    .kernel = kernel_vector };
static const ex_op cast = {
    .name = "cast", .about = "cast(x; dtype): 0 float32, 1 int32, 2 uint8", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = cast_attr, .infer = infer_cast, .forward = forward_copy, .gradient = gradient_cast };
static const ex_op stop_gradient = {
    .name = "stop_gradient", .about = "stop_gradient(x): x, through which no gradient flows", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .flags = EX_OP_STOPS | EX_OP_VIEW | EX_OP_BY_IMAGE, .in_place = 1, .infer = infer_same, .forward = forward_copy };

const ex_op *const ex_ops_elementwise[] = {
    &op_add, &op_sub, &op_mul, &op_div, &op_pow, &op_maximum, &op_minimum, &op_equal, &op_less, &op_less_equal, &op_neg, &op_exp,
    &op_log, &op_sqrt, &op_abs, &op_tanh, &op_sigmoid, &op_square, &pow_grad_base, &pow_grad_exponent, &add_n, &cast, &stop_gradient,
    NULL };
