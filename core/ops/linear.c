/* linear.c: fully connected layers and matrix products.
 *
 *     linear             x (N,I), w (O,I), [bias (O)] -> y (N,O) = x w^T + bias
 *     linear_grad_input  dy (N,O), w (O,I) -> dx (N,I) = dy w
 *     linear_grad_weight x (N,I), dy (N,O) -> dw (O,I) = dy^T x
 *     linear_fused       made by passes of a plan: activation(linear(x, w, [bias])); it has no gradient
 *     matmul             a, b of one or two axes each, as torch.matmul: (m,k)(k,n), (m,k)(k), (k)(k,n), (k)(k)
 *
 * A linear layer is a 1x1 convolution whose pixels are the samples, and runs on the convolution's kernels: they are
 * faster than BLIS at the small products of classifiers, and a sample's bits do not depend on the batch. matmul is
 * BLIS's. Batched products of three axes and more are refused. */
#include "op.h"
#include "../base/error.h"
#include "../kernels/gemm.h"
#include "../kernels/kernels.h"

/* -- Linear: shapes --------------------------------------------------------------------------------------------- */

static void set_shape(ex_shape *out, int32_t ndim, int32_t a, int32_t b)
{
    *out = (ex_shape){ .dtype = EX_FLOAT32, .ndim = ndim, .dim = { a, b } };
}

static ex_status infer_linear(const ex_signature *s)
{
    if (ex_expect("input", &s->in[0], EX_FLOAT32, 2) || ex_expect("weight", &s->in[1], EX_FLOAT32, 2)) return EX_FAILED;
    const int32_t *x = s->in[0].dim, *w = s->in[1].dim;
    if (x[1] != w[1]) return ex_fail("input has %d features, weight expects %d", x[1], w[1]);
    if (w[0] == EX_BATCH) return ex_fail("weight must not depend on the batch");
    if (s->inputs > 2) {
        if (ex_expect("bias", &s->in[2], EX_FLOAT32, 1)) return EX_FAILED;
        if (s->in[2].dim[0] != w[0]) return ex_fail("bias has %d numbers, weight makes %d features", s->in[2].dim[0], w[0]);
    }
    set_shape(&s->out[0], 2, x[0], w[0]);
    return EX_OK;
}

enum { ACTIVATION };                        /* of linear_fused: ex_conv_activation */
static const ex_attr_spec fused_attr[] = { { .name = "activation", .count = 1 }, { 0 } };

static ex_status infer_fused(const ex_signature *s)
{
    const double activation = s->attr[ACTIVATION][0];
    if (!(activation >= 0 && activation < EX_CONV_ACTIVATION_COUNT && activation == (int32_t)activation))
        return ex_fail("activation: got %g, expected a whole number from 0 to %d", activation, EX_CONV_ACTIVATION_COUNT - 1);
    return infer_linear(s);
}

static ex_status infer_input(const ex_signature *s)
{
    if (ex_expect("gradient", &s->in[0], EX_FLOAT32, 2) || ex_expect("weight", &s->in[1], EX_FLOAT32, 2)) return EX_FAILED;
    const int32_t *dy = s->in[0].dim, *w = s->in[1].dim;
    if (dy[1] != w[0]) return ex_fail("gradient has %d features, weight makes %d", dy[1], w[0]);
    set_shape(&s->out[0], 2, dy[0], w[1]);
    return EX_OK;
}

static ex_status infer_weight(const ex_signature *s)
{
    if (ex_expect("input", &s->in[0], EX_FLOAT32, 2) || ex_expect("gradient", &s->in[1], EX_FLOAT32, 2)) return EX_FAILED;
    const int32_t *x = s->in[0].dim, *dy = s->in[1].dim;
    if (x[0] != dy[0]) return ex_fail("input has %d samples, gradient has %d", x[0], dy[0]);
    set_shape(&s->out[0], 2, dy[1], x[1]);
    return EX_OK;
}

/* -- Linear: cost ------------------------------------------------------------------------------------------------- */

/* The convolution of `n` pixels that maps `from` features to `to`. */
static ex_conv_shape pixels(int32_t n, int32_t from, int32_t to)
{
    return (ex_conv_shape){ .n = 1, .ci = from, .h = 1, .w = n, .co = to, .oh = 1, .ow = n, .kh = 1, .kw = 1, .groups = 1,
                            .stride = { 1, 1 }, .dilation = { 1, 1 } };
}

static int32_t samples(const ex_shape *s, int32_t batch) { return s->dim[0] == EX_BATCH ? batch : s->dim[0]; }

static size_t scratch_linear(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = pixels(samples(&s->in[0], batch), s->in[0].dim[1], s->out[0].dim[1]);
    return ex_kernels_current()->conv->scratch(EX_CONV_FORWARD, &g, threads);
}

static size_t scratch_input(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = pixels(samples(&s->in[0], batch), s->out[0].dim[1], s->in[0].dim[1]);
    return ex_kernels_current()->conv->scratch(EX_CONV_GRAD_INPUT, &g, threads);
}

/* dw lies along the input's features, so that these take the part of the output channels. */
static size_t scratch_weight(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = pixels(samples(&s->in[0], batch), s->in[1].dim[1], s->in[0].dim[1]);
    return ex_kernels_current()->conv->scratch(EX_CONV_GRAD_WEIGHT, &g, threads);
}

static double macs_linear(const ex_signature *s) { return (double)s->in[1].dim[0] * s->in[1].dim[1]; }
static double macs_weight(const ex_signature *s) { return (double)s->in[0].dim[1] * s->in[1].dim[1]; }
static const char *kernel_direct(const ex_signature *s) { (void)s; return "direct"; }

/* -- Linear: work ------------------------------------------------------------------------------------------------ */

static ex_conv_image image(const ex_operand *o) { return (ex_conv_image){ o->data, 0, o->stride[0] * o->dim[0], o->stride[0] }; }

/* Whether features are neighbours, as the convolution's kernels want it. Views of tensors may be strided: BLIS's case. */
static int direct(const ex_operand *a, const ex_operand *b)
{
    return (a->stride[1] == 1 || a->dim[1] == 1) && (b->stride[1] == 1 || b->dim[1] == 1);
}

static ex_matrix matrix(const ex_operand *o) { return (ex_matrix){ o->data, o->stride[0], o->stride[1] }; }
static ex_matrix transposed(const ex_operand *o) { return (ex_matrix){ o->data, o->stride[1], o->stride[0] }; }
static ex_conv_filter filter(const ex_operand *o) { return (ex_conv_filter){ o->data, o->stride[0], o->stride[1], 0, 0, NULL }; }

static void add_bias(const ex_operand *y, const ex_operand *bias)
{
    float *to = y->data;
    const float *b = bias->data;
    for (int32_t i = 0; i < y->dim[0]; i++)
        for (int32_t j = 0; j < y->dim[1]; j++) to[i * y->stride[0] + j * y->stride[1]] += b[j * bias->stride[0]];
}

/* Where BLIS has made the sums. */
static void activate(const ex_operand *y, ex_conv_activation activation)
{
    static const ex_unary_kind kind[EX_CONV_ACTIVATION_COUNT] = { EX_UNARY_KIND_COUNT, EX_RELU, EX_RELU6, EX_SILU, EX_HARD_SWISH };
    const ex_vector_kernels *v = ex_kernels_current()->vector;
    float *to = y->data;
    const int32_t together = y->stride[1] == 1 ? y->dim[1] : 1;
    for (int32_t i = 0; activation && i < y->dim[0]; i++)
        for (int32_t j = 0; j < y->dim[1]; j += together) {
            float *at = &to[i * y->stride[0] + j * y->stride[1]];
            v->unary[kind[activation]](at, at, together);
        }
}

static void run_linear(const ex_call *c, ex_conv_activation activation)
{
    const ex_operand *x = &c->in[0], *w = &c->in[1], *bias = c->inputs > 2 ? &c->in[2] : NULL, *y = &c->out[0];
    const ex_conv_shape g = pixels(x->dim[0], x->dim[1], w->dim[0]);
    if (!direct(x, y)) {
        ex_gemm(matrix(y), matrix(x), transposed(w), x->dim[0], w->dim[0], x->dim[1], c->team);
        if (bias) add_bias(y, bias);
        activate(y, activation);
        return;
    }
    ex_conv_epilogue e = { .activation = activation };
    if (bias) {
        e.bias = bias->data;
        e.bias_step = bias->stride[0];
    }
    ex_kernels_current()->conv->forward(image(y), image(x), filter(w), &e, &g, c->team, c->scratch);
}

static void linear_forward(const ex_call *c) { run_linear(c, EX_CONV_LINEAR); }
static void forward_fused(const ex_call *c) { run_linear(c, (ex_conv_activation)c->attr[ACTIVATION][0]); }

static void linear_input(const ex_call *c)
{
    const ex_operand *dy = &c->in[0], *w = &c->in[1], *dx = &c->out[0];
    const ex_conv_shape g = pixels(dy->dim[0], w->dim[1], w->dim[0]);
    if (direct(dy, dx)) ex_kernels_current()->conv->grad_input(image(dx), image(dy), filter(w), &g, c->team, c->scratch);
    else ex_gemm(matrix(dx), matrix(dy), matrix(w), dy->dim[0], w->dim[1], w->dim[0], c->team);
}

static void linear_weight(const ex_call *c)
{
    const ex_operand *x = &c->in[0], *dy = &c->in[1], *dw = &c->out[0];
    const ex_conv_shape g = pixels(x->dim[0], dy->dim[1], x->dim[1]);
    const ex_conv_filter to = { dw->data, dw->stride[1], dw->stride[0], 0, 0, NULL };
    if (direct(x, dy)) ex_kernels_current()->conv->grad_weight(to, image(dy), image(x), &g, c->team, c->scratch);
    else ex_gemm(matrix(dw), transposed(dy), matrix(x), dy->dim[1], x->dim[1], x->dim[0], c->team);
}

static ex_status gradient_linear(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted,
                                 int32_t *din)
{
    if (wanted[0] && b->node(b, "linear_grad_input", 2, (int32_t[]){ dout[0], node->in[1] }, 0, NULL, &din[0])) return EX_FAILED;
    if (wanted[1] && b->node(b, "linear_grad_weight", 2, (int32_t[]){ node->in[0], dout[0] }, 0, NULL, &din[1])) return EX_FAILED;
    if (node->inputs > 2 && wanted[2] && b->node(b, "channel_sum", 1, dout, 0, NULL, &din[2])) return EX_FAILED;
    return EX_OK;
}

/* -- matmul ------------------------------------------------------------------------------------------------------- */

static ex_status infer_matmul(const ex_signature *s)
{
    for (int32_t i = 0; i < 2; i++)
        if (s->in[i].dtype != EX_FLOAT32 || s->in[i].ndim < 1 || s->in[i].ndim > 2)
            return ex_expect(i ? "second matrix" : "first matrix", &s->in[i], EX_FLOAT32, 2);
    const ex_shape *a = &s->in[0], *b = &s->in[1];
    if (a->dim[a->ndim - 1] != b->dim[0])
        return ex_fail("first matrix has %d columns, second has %d rows", a->dim[a->ndim - 1], b->dim[0]);
    if (a->ndim == 2) set_shape(&s->out[0], b->ndim, a->dim[0], b->dim[1]);
    else set_shape(&s->out[0], b->ndim - 1, b->dim[1], 0);
    return EX_OK;
}

static double macs_matmul(const ex_signature *s)
{
    const ex_shape *b = &s->in[1];
    const double k = b->dim[0] == EX_BATCH ? 1 : b->dim[0];
    return k * (double)ex_shape_count(&s->out[0]);
}

static const char *kernel_blis(const ex_signature *s) { (void)s; return "blis"; }

/* A vector is one row on the left, one column on the right. */
static void matmul(const ex_call *c)
{
    const ex_operand *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
    const int32_t wide = b->ndim == 2, tall = a->ndim == 2;
    const ex_matrix left = { a->data, tall ? a->stride[0] : 0, a->stride[tall] };
    const ex_matrix right = { b->data, b->stride[0], wide ? b->stride[1] : 0 };
    const ex_matrix out = { y->data, tall ? y->stride[0] : 1, wide ? y->stride[tall] : 1 };
    ex_gemm(out, left, right, tall ? a->dim[0] : 1, wide ? b->dim[1] : 1, b->dim[0], c->team);
}

/* The outer product of two vectors, as a node. */
static ex_status outer(ex_builder *b, int32_t column, int32_t row, int32_t *out)
{
    int32_t in[2];
    const ex_shape *m = b->shape(b, column), *n = b->shape(b, row);
    const ex_attr tall = { "shape", 2, { m->dim[0] == EX_BATCH ? -1 : m->dim[0], 1 } };
    if (n->dim[0] == EX_BATCH) return ex_fail("gradient of a product whose second axis would be the batch");
    const ex_attr wide = { "shape", 2, { 1, n->dim[0] } };
    if (b->node(b, "reshape", 1, &column, 1, &tall, &in[0]) || b->node(b, "reshape", 1, &row, 1, &wide, &in[1])) return EX_FAILED;
    return b->node(b, "matmul", 2, in, 0, NULL, out);
}

/* (m,k)(k,n): da = dy b^T, db = a^T dy. (m,k)(k): da = dy b^T as an outer product, db = dy a. (k)(k,n): da = b dy,
 * db = a dy^T. (k)(k): each is the other, scaled by dy. */
static ex_status gradient_matmul(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted,
                                 int32_t *din)
{
    const int32_t x = node->in[0], y = node->in[1], d = dout[0];
    const int32_t tall = b->shape(b, x)->ndim == 2, wide = b->shape(b, y)->ndim == 2;
    if (wanted[0]) {
        ex_status failed;
        if (tall && wide) failed = b->node(b, "linear", 2, (int32_t[]){ d, y }, 0, NULL, &din[0]);
        else if (tall) failed = outer(b, d, y, &din[0]);
        else failed = b->node(b, wide ? "matmul" : "mul", 2, (int32_t[]){ y, d }, 0, NULL, &din[0]);
        if (failed) return EX_FAILED;
    }
    if (!wanted[1]) return EX_OK;
    if (tall && wide) return b->node(b, "linear_grad_weight", 2, (int32_t[]){ d, x }, 0, NULL, &din[1]);
    if (tall) return b->node(b, "matmul", 2, (int32_t[]){ d, x }, 0, NULL, &din[1]);
    if (wide) return outer(b, x, d, &din[1]);
    return b->node(b, "mul", 2, (int32_t[]){ x, d }, 0, NULL, &din[1]);
}

/* -- The family ---------------------------------------------------------------------------------------------------- */

static const ex_op linear_op = {
    .name = "linear", .about = "fully connected: x (N,I) times weights (O,I), and an optional bias (O)", .min_inputs = 2,
    .max_inputs = 3, .outputs = 1, .infer = infer_linear, .forward = linear_forward, .gradient = gradient_linear,
    .macs = macs_linear, .scratch = scratch_linear, .kernel = kernel_direct,
};
static const ex_op linear_fused = {
    .name = "linear_fused", .about = "made by plans: linear, then 0 nothing, 1 relu, 2 relu6, 3 silu or 4 hard_swish", .min_inputs = 2,
    .max_inputs = 3, .outputs = 1, .attr = fused_attr, .infer = infer_fused, .forward = forward_fused,
    .macs = macs_linear, .scratch = scratch_linear, .kernel = kernel_direct,
};
static const ex_op linear_grad_input = {
    .name = "linear_grad_input", .about = "the gradient of linear towards its input", .min_inputs = 2, .max_inputs = 2,
    .outputs = 1, .infer = infer_input, .forward = linear_input, .macs = macs_linear, .scratch = scratch_input,
    .kernel = kernel_direct,
};
static const ex_op linear_grad_weight = {
    .name = "linear_grad_weight", .about = "the gradient of linear towards its weights", .min_inputs = 2, .max_inputs = 2,
    .outputs = 1, .infer = infer_weight, .forward = linear_weight, .macs = macs_weight, .scratch = scratch_weight,
    .kernel = kernel_direct,
};
static const ex_op matmul_op = {
    .name = "matmul", .about = "the product of matrices or vectors, as torch.matmul of one or two axes", .min_inputs = 2,
    .max_inputs = 2, .outputs = 1, .flags = EX_OP_SOLID, .infer = infer_matmul, .forward = matmul, .gradient = gradient_matmul,
    .macs = macs_matmul, .kernel = kernel_blis,
};

const ex_op *const ex_ops_linear[] = { &linear_op, &linear_fused, &linear_grad_input, &linear_grad_weight, &matmul_op, NULL };
