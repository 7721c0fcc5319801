/* norm.c: batch normalisation over x (N, C, H, W) or (N, C), per channel c, m = N H W numbers each.
 *
 *     y = (x - mean) * inv * gamma + beta,   inv = 1 / sqrt(var + eps)
 *
 * A network's graph holds batch_norm, which uses the running statistics. Its training form is three nodes: batch_stats
 * (one pass, sums about a shift, combined in double), normalise, and running_update for each running value. Backward:
 *
 *     dbeta = sum dy    dgamma = sum dy (x - mean) inv
 *     dmean = -gamma inv dbeta    dvar = -gamma inv^2 dgamma / 2         (normalise_grad_stats)
 *     dx    = dy gamma inv  +  dmean / m + dvar 2 (x - mean) / m         (normalise_grad_input + batch_stats_grad)
 *
 * and batch_norm_grad_input is that whole dx in one pass. It keeps no statistics of its own and refuses other ranks. */
#include "channels.h"
#include "moments.h"
#include "norm.h"
#include "../base/error.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { EPS, MOMENTUM };                     /* attributes of batch_norm; EPS is the first of every operator here */
static const ex_attr_spec batch_norm_attr[] = { { .name = "eps", .count = 1, .value = { 1e-5 } },
                                                { .name = "momentum", .count = 1, .value = { 0.1 } }, { 0 } };
static const ex_attr_spec eps_attr[] = { { .name = "eps", .count = 1, .value = { 1e-5 } }, { 0 } };
static const ex_attr_spec momentum_attr[] = { { .name = "momentum", .count = 1, .value = { 0.1 } }, { 0 } };

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

/* -- Shape rules ------------------------------------------------------------------------------------------------ */

ex_status ex_expect_norm_inputs(const ex_signature *s, int32_t first, int32_t last, const char *const *what)
{
    if (ex_expect_channels(what[0], &s->in[0])) return EX_FAILED;
    for (int32_t i = first; i < last; i++)
        if (ex_expect_per_channel(what[i], &s->in[i], s->in[0].dim[1])) return EX_FAILED;
    return EX_OK;
}

static ex_status expect_like(const ex_shape *x, const ex_shape *dy)
{
    char a[96], b[96];
    if (ex_shape_same(x, dy)) return EX_OK;
    return ex_fail("gradient: got %s, expected the input's shape %s", ex_shape_text(a, sizeof a, dy->ndim, dy->dim),
                   ex_shape_text(b, sizeof b, x->ndim, x->dim));
}

ex_status ex_expect_norm_act(double act)
{
    if (act >= EX_ACT_NONE && act < EX_ACT_COUNT && act == (int32_t)act) return EX_OK;
    return ex_fail("act: got %g, expected a whole number from 0 to %d", act, EX_ACT_COUNT - 1);
}

void ex_norm_set_act(ex_norm_numbers *n, double act)
{
    n->low = act == EX_ACT_RELU || act == EX_ACT_RELU6 ? 0.0f : NAN;
    n->high = act == EX_ACT_RELU6 ? 6.0f : NAN;
    n->curve = act == EX_ACT_SILU ? EX_NORM_SILU : act == EX_ACT_HARD_SWISH ? EX_NORM_HARD_SWISH : EX_NORM_LIMITS;
}

ex_shape ex_per_channel(int32_t channels) { return (ex_shape){ .dtype = EX_FLOAT32, .ndim = 1, .dim = { channels } }; }

static ex_status infer_batch_norm(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return ex_expect_norm_inputs(s, 1, s->inputs, (const char *[]){ "input", "gamma", "beta", "mean", "var" });
}

static ex_status infer_normalise(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return ex_expect_norm_inputs(s, 1, s->inputs, (const char *[]){ "input", "mean", "var", "gamma", "beta" });
}

static ex_status infer_batch_stats(const ex_signature *s)
{
    if (ex_expect_channels("input", &s->in[0])) return EX_FAILED;
    for (int32_t i = 0; i < 3; i++) s->out[i] = ex_per_channel(s->in[0].dim[1]);
    return EX_OK;
}

static ex_status infer_stats_grad(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return ex_expect_norm_inputs(s, 1, s->inputs, (const char *[]){ "input", "mean", "dmean", "dvar" });
}

static ex_status infer_grad_affine(const ex_signature *s)
{
    if (ex_expect_norm_inputs(s, 2, s->inputs, (const char *[]){ "input", "gradient", "mean", "var" })) return EX_FAILED;
    for (int32_t i = 0; i < 2; i++) s->out[i] = ex_per_channel(s->in[0].dim[1]);
    return expect_like(&s->in[0], &s->in[1]);
}

static ex_status infer_grad_stats(const ex_signature *s)
{
    static const char *const what[] = { "dgamma", "dbeta", "gamma", "var" };
    if (ex_expect(what[0], &s->in[0], EX_FLOAT32, 1)) return EX_FAILED;
    for (int32_t i = 1; i < 4; i++)
        if (ex_expect_per_channel(what[i], &s->in[i], s->in[0].dim[0])) return EX_FAILED;
    s->out[0] = s->out[1] = s->in[0];
    return EX_OK;
}

static ex_status infer_grad_input(const ex_signature *s)
{
    s->out[0] = s->in[0];
    return ex_expect_norm_inputs(s, 1, s->inputs, (const char *[]){ "gradient", "var", "gamma" });
}

static ex_status infer_batch_norm_grad(const ex_signature *s)
{
    s->out[0] = s->in[0];
    if (ex_expect_norm_inputs(s, 2, s->inputs, (const char *[]){ "input", "gradient", "mean", "var", "gamma", "dgamma", "dbeta" })) return EX_FAILED;
    return expect_like(&s->in[0], &s->in[1]);
}

static ex_status infer_running(const ex_signature *s)
{
    if (ex_expect("running value", &s->in[0], EX_FLOAT32, 1)) return EX_FAILED;
    return ex_expect_per_channel("new value", &s->in[1], s->in[0].dim[0]);
}

/* -- Numbers per channel ------------------------------------------------------------------------------------------ */

enum { COEFFICIENTS = 4 };                  /* float vectors of C numbers in scratch, before the doubles */

static int64_t pixels_of(const ex_operand *x) { return ex_operand_count(x) / x->dim[1]; }

static size_t coefficient_bytes(int64_t channels) { return ex_round_up((size_t)channels * COEFFICIENTS * sizeof(float)); }
static float *coefficient(const ex_call *call, int64_t channels, int i) { return (float *)call->scratch + i * channels; }

static size_t shared_map(const ex_signature *s, int32_t parts)
{
    (void)parts;
    return coefficient_bytes(s->in[0].dim[1]);
}

static size_t scratch_map(const ex_signature *s, int32_t batch, int32_t threads)
{
    (void)batch;
    (void)threads;
    return coefficient_bytes(s->in[0].dim[1]);
}

/* Coefficients, 2 x C doubles of results, then the parts' sums. */
static size_t scratch_sum(const ex_signature *s, int32_t batch, int32_t threads)
{
    int64_t channels = s->in[0].dim[1];
    return scratch_map(s, batch, threads) + ex_round_up((size_t)channels * 2 * sizeof(double)) + ex_channels_sum_bytes(channels);
}

static double *results(const ex_call *call, int64_t channels)
{
    return (double *)((char *)call->scratch + coefficient_bytes(channels));
}

static void *partials(const ex_call *call, int64_t channels)
{
    return (char *)results(call, channels) + ex_round_up((size_t)channels * 2 * sizeof(double));
}

/* -- Forward ------------------------------------------------------------------------------------------------------- */

/* center, scale and offset at `memory`. */
static void affine_numbers(const ex_call *call, float *memory, const ex_operand *mean, const ex_operand *var, const ex_operand *gamma,
                           const ex_operand *beta)
{
    int64_t channels = call->in[0].dim[1];
    for (int64_t c = 0; c < channels; c++) {
        memory[c] = (float)ex_operand_number(mean, c);
        memory[channels + c] = (float)(ex_operand_number(gamma, c) * ex_norm_inverse(var, c, call->attr[EPS][0]));
        memory[2 * channels + c] = (float)ex_operand_number(beta, c);
    }
}

static void affine(const ex_call *call, const float *memory)
{
    int64_t channels = call->in[0].dim[1];
    ex_channels_affine(&call->out[0], &call->in[0], memory, memory + channels, memory + 2 * channels, EX_ACT_NONE, call->team);
}

static void batch_norm_numbers(const ex_call *call, float *memory)
{
    affine_numbers(call, memory, &call->in[3], &call->in[4], &call->in[1], &call->in[2]);
}

static void normalise_numbers(const ex_call *call, float *memory)
{
    affine_numbers(call, memory, &call->in[1], &call->in[2], &call->in[3], &call->in[4]);
}

/* A map over images whose numbers per channel are made first: as a whole, and in pieces. */
#define MAP(id, apply) \
    static void forward_##id(const ex_call *call) { id##_numbers(call, call->scratch); apply(call, call->scratch); } \
    static void begin_##id(const ex_call *call) { id##_numbers(call, call->shared); } \
    static void piece_##id(const ex_call *call) { apply(call, call->shared); } \
    static const ex_pieces id##_pieces = { .shared = shared_map, .begin = begin_##id, .piece = piece_##id };
MAP(batch_norm, affine)
MAP(normalise, affine)

/* The shift is the first pixel. With one number per channel the unbiased variance is 0. */
static void forward_batch_stats(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    int64_t channels = x->dim[1];
    double m = (double)pixels_of(x), *sum = results(call, channels);
    float *center = coefficient(call, channels, 0);
    for (int64_t c = 0; c < channels; c++) center[c] = ((const float *)x->data)[c * x->stride[1]];
    ex_channels_moments(sum, x, center, partials(call, channels), call->team);
    for (int64_t c = 0; c < channels; c++) {
        double shift = sum[c] / m, var = sum[channels + c] / m - shift * shift;
        if (var < 0) var = 0;
        ex_operand_set(&call->out[0], c, center[c] + shift);
        ex_operand_set(&call->out[1], c, var);
        ex_operand_set(&call->out[2], c, m > 1 ? var * m / (m - 1) : 0);
    }
}

static void forward_stats_grad(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    int64_t channels = x->dim[1];
    double m = (double)pixels_of(x);
    float *center = coefficient(call, channels, 0), *scale = coefficient(call, channels, 1), *offset = coefficient(call, channels, 2);
    for (int64_t c = 0; c < channels; c++) {
        center[c] = (float)ex_operand_number(&call->in[1], c);
        scale[c] = (float)(ex_operand_number(&call->in[3], c) * 2 / m);
        offset[c] = (float)(ex_operand_number(&call->in[2], c) / m);
    }
    ex_channels_affine(&call->out[0], x, center, scale, offset, EX_ACT_NONE, call->team);
}

static void forward_grad_affine(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    int64_t channels = x->dim[1];
    double *sum = results(call, channels);
    float *center = coefficient(call, channels, 0);
    for (int64_t c = 0; c < channels; c++) center[c] = (float)ex_operand_number(&call->in[2], c);
    ex_channels_products(sum, x, &call->in[1], center, partials(call, channels), call->team);
    for (int64_t c = 0; c < channels; c++) {
        ex_operand_set(&call->out[0], c, sum[channels + c] * ex_norm_inverse(&call->in[3], c, call->attr[EPS][0]));
        ex_operand_set(&call->out[1], c, sum[c]);
    }
}

/* -- Sums in pieces ------------------------------------------------------------------------------------------------- */

static size_t shared_moments(const ex_signature *s, int32_t parts) { return ex_moments_bytes(s->in[0].dim[1], parts); }

/* About the piece's first pixel. */
static void piece_batch_stats(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    int64_t channels = x->dim[1];
    double m = (double)pixels_of(x), *mean = results(call, channels), *square = mean + channels;
    float *center = coefficient(call, channels, 0);
    for (int64_t c = 0; c < channels; c++) center[c] = ((const float *)x->data)[c * x->stride[1]];
    ex_channels_moments(mean, x, center, partials(call, channels), NULL);
    for (int64_t c = 0; c < channels; c++) {
        const double shift = mean[c] / m;
        square[c] -= shift * mean[c];
        mean[c] = center[c] + shift;
    }
    ex_moments_add(call->shared, call, (int32_t)channels, mean, m);
}

static void end_batch_stats(const ex_call *call) { ex_moments_give(call, call->in[0].dim[1], call->shared, call->out); }

/* The mean of each channel in float, then 2 x C doubles of each part. */
static size_t shared_affine(const ex_signature *s, int32_t parts)
{
    int64_t channels = s->in[0].dim[1];
    return coefficient_bytes(channels) + (size_t)parts * 2 * (size_t)channels * sizeof(double);
}

static double *part_sums(const ex_call *call, int32_t part)
{
    int64_t channels = call->in[0].dim[1];
    return (double *)((char *)call->shared + coefficient_bytes(channels)) + part * 2 * channels;
}

static void begin_grad_affine(const ex_call *call)
{
    for (int64_t c = 0; c < call->in[0].dim[1]; c++) ((float *)call->shared)[c] = (float)ex_operand_number(&call->in[2], c);
}

static void piece_grad_affine(const ex_call *call)
{
    int64_t channels = call->in[0].dim[1];
    double *to = part_sums(call, call->part), *sum = results(call, channels);
    ex_channels_products(sum, &call->in[0], &call->in[1], call->shared, partials(call, channels), NULL);
    for (int64_t c = 0; c < 2 * channels; c++) to[c] = (call->more ? to[c] : 0) + sum[c];
}

static void end_grad_affine(const ex_call *call)
{
    int64_t channels = call->in[0].dim[1];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, product = 0;
        for (int32_t p = 0; p < call->parts; p++) {
            sum += part_sums(call, p)[c];
            product += part_sums(call, p)[channels + c];
        }
        ex_operand_set(&call->out[0], c, product * ex_norm_inverse(&call->in[3], c, call->attr[EPS][0]));
        ex_operand_set(&call->out[1], c, sum);
    }
}

static size_t scratch_piece(const ex_signature *s, int32_t images) { return scratch_sum(s, images, 1); }

static const ex_pieces batch_stats_pieces = { .shared = shared_moments, .scratch = scratch_piece, .piece = piece_batch_stats,
                                              .end = end_batch_stats };
static const ex_pieces grad_affine_pieces = { .shared = shared_affine, .scratch = scratch_piece, .begin = begin_grad_affine,
                                              .piece = piece_grad_affine, .end = end_grad_affine };

/* -- Other gradients -------------------------------------------------------------------------------------------------- */

static void forward_grad_stats(const ex_call *call)
{
    for (int64_t c = 0; c < call->in[0].dim[0]; c++) {
        double inv = ex_norm_inverse(&call->in[3], c, call->attr[EPS][0]), scale = ex_operand_number(&call->in[2], c) * inv;
        ex_operand_set(&call->out[0], c, -scale * ex_operand_number(&call->in[1], c));
        ex_operand_set(&call->out[1], c, -0.5 * scale * inv * ex_operand_number(&call->in[0], c));
    }
}

static void forward_grad_input(const ex_call *call)
{
    int64_t channels = call->in[0].dim[1];
    float *scale = coefficient(call, channels, 0);
    for (int64_t c = 0; c < channels; c++)
        scale[c] = (float)(ex_operand_number(&call->in[2], c) * ex_norm_inverse(&call->in[1], c, call->attr[EPS][0]));
    ex_channels_scale(&call->out[0], &call->in[0], scale, call->team);
}

static void batch_norm_grad_numbers(const ex_call *call, float *memory)
{
    const ex_operand *x = &call->in[0];
    int64_t channels = x->dim[1];
    double m = (double)pixels_of(x);
    for (int64_t c = 0; c < channels; c++) {
        double inv = ex_norm_inverse(&call->in[3], c, call->attr[EPS][0]), scale = ex_operand_number(&call->in[4], c) * inv;
        memory[c] = (float)ex_operand_number(&call->in[2], c);
        memory[channels + c] = (float)scale;
        memory[2 * channels + c] = (float)(-scale * inv * ex_operand_number(&call->in[5], c) / m);
        memory[3 * channels + c] = (float)(-scale * ex_operand_number(&call->in[6], c) / m);
    }
}

static void batch_norm_grad_apply(const ex_call *call, const float *memory)
{
    int64_t channels = call->in[0].dim[1];
    ex_channels_norm_grad(&call->out[0], &call->in[0], &call->in[1], memory, memory + channels, memory + 2 * channels,
                          memory + 3 * channels, call->team);
}
MAP(batch_norm_grad, batch_norm_grad_apply)

static void forward_running(const ex_call *call)
{
    double momentum = call->attr[0][0];
    for (int64_t c = 0; c < call->in[0].dim[0]; c++)
        ex_operand_set(&call->in[0], c, (1 - momentum) * ex_operand_number(&call->in[0], c) + momentum * ex_operand_number(&call->in[1], c));
}

/* -- Folding into the convolution or linear layer before it: w' = w gamma inv, b' = beta + (b - mean) gamma inv ------- */

static ex_status infer_fold(const ex_signature *s)
{
    static const char *const what[] = { "weight", "gamma", "beta", "mean", "var", "bias" };
    char text[96];
    const ex_shape *w = &s->in[0];
    if (w->dtype != EX_FLOAT32 || (w->ndim != 4 && w->ndim != 2))
        return ex_fail("weight must be (out, in, kH, kW) or (out, in) in float32, got %s %s",
                       ex_shape_text(text, sizeof text, w->ndim, w->dim), ex_dtype_name(w->dtype));
    for (int32_t i = 1; i < s->inputs; i++)
        if (ex_expect_per_channel(what[i], &s->in[i], w->dim[0])) return EX_FAILED;
    s->out[0] = *w;
    s->out[1] = ex_per_channel(w->dim[0]);
    return EX_OK;
}

static size_t scratch_fold(const ex_signature *s, int32_t batch, int32_t threads)
{
    (void)batch;
    (void)threads;
    return (size_t)s->in[0].dim[0] * sizeof(float);
}

static void multiply_row(void *context, float *const *data, int64_t n)
{
    const ex_vector_kernels *v = context;
    v->binary[EX_MUL](data[0], data[1], data[2], n);
}

static void forward_fold(const ex_call *call)
{
    const ex_operand *w = &call->in[0];
    float *scale = call->scratch;
    for (int64_t c = 0; c < w->dim[0]; c++) {
        double factor = ex_operand_number(&call->in[1], c) * ex_norm_inverse(&call->in[4], c, call->attr[EPS][0]);
        double bias = call->inputs > 5 ? ex_operand_number(&call->in[5], c) : 0;
        scale[c] = (float)factor;
        ex_operand_set(&call->out[1], c, ex_operand_number(&call->in[2], c) + (bias - ex_operand_number(&call->in[3], c)) * factor);
    }
    ex_operand factors = *w;                /* broadcast along the first axis */
    factors.data = scale;
    for (int32_t i = 0; i < w->ndim; i++) factors.stride[i] = i == 0;
    ex_loop l;
    ex_loop_over(&l, 3, (const ex_operand *[]){ &call->out[0], w, &factors });
    ex_loop_rows(&l, call->team, 1, multiply_row, (void *)ex_kernels_current()->vector);
}

/* -- Rules --------------------------------------------------------------------------------------------------------- */

static ex_attr eps_of(const ex_node_ref *node) { return (ex_attr){ "eps", 1, { node->attr[EPS][0] } }; }

/* Gradient rule of a normalisation whose inputs are x and, at the given places, mean, var, gamma, beta. */
static ex_status grad_through(ex_builder *b, const ex_node_ref *node, int32_t dy, const int32_t *wanted, int32_t *din,
                              int mean, int var, int gamma, int beta, int stats)
{
    ex_attr eps = eps_of(node);
    const int32_t *in = node->in;
    int wants_stats = stats && (wanted[mean] || wanted[var]);
    int32_t affine_out[2] = { EX_NONE, EX_NONE };
    if (wanted[gamma] || wanted[beta] || wants_stats)
        if (b->node(b, "normalise_grad_affine", 4, (int32_t[]){ in[0], dy, in[mean], in[var] }, 1, &eps, affine_out)) return EX_FAILED;
    if (wanted[gamma]) din[gamma] = affine_out[0];
    if (wanted[beta]) din[beta] = affine_out[1];
    if (wants_stats) {
        int32_t out[2];
        if (b->node(b, "normalise_grad_stats", 4, (int32_t[]){ affine_out[0], affine_out[1], in[gamma], in[var] }, 1, &eps, out))
            return EX_FAILED;
        if (wanted[mean]) din[mean] = out[0];
        if (wanted[var]) din[var] = out[1];
    }
    if (!wanted[0]) return EX_OK;
    return b->node(b, "normalise_grad_input", 3, (int32_t[]){ dy, in[var], in[gamma] }, 1, &eps, &din[0]);
}

/* The running statistics are constants. */
static ex_status gradient_batch_norm(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return grad_through(b, node, dout[0], wanted, din, 3, 4, 1, 2, 0);
}

static ex_status gradient_normalise(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return grad_through(b, node, dout[0], wanted, din, 1, 2, 3, 4, 1);
}

/* The unbiased variance only feeds the running one: nothing flows back from it. */
static ex_status gradient_batch_stats(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t dmean = dout[0], dvar = dout[1];
    if (!wanted[0] || (dmean == EX_NONE && dvar == EX_NONE)) return EX_OK;
    int32_t given = dmean == EX_NONE ? dvar : dmean, zero = EX_NONE;
    if (dmean == EX_NONE || dvar == EX_NONE)
        if (b->node(b, "sub", 2, (int32_t[]){ given, given }, 0, NULL, &zero)) return EX_FAILED;
    if (dmean == EX_NONE) dmean = zero;
    if (dvar == EX_NONE) dvar = zero;
    return b->node(b, "batch_stats_grad", 4, (int32_t[]){ node->in[0], node->out[0], dmean, dvar }, 0, NULL, &din[0]);
}

/* Batch statistics where gamma or beta trains; frozen, it stays in inference form. */
static ex_status training_batch_norm(ex_builder *b, const ex_node_ref *node, const int32_t *trains, int32_t *out)
{
    if (!trains[1] && !trains[2]) return EX_OK;
    const int32_t *in = node->in;
    int32_t stats[3], none[EX_MAX_OUT];
    ex_attr eps = eps_of(node), momentum = { "momentum", 1, { node->attr[MOMENTUM][0] } };
    if (b->node(b, "batch_stats", 1, in, 0, NULL, stats)) return EX_FAILED;
    if (b->node(b, "normalise", 5, (int32_t[]){ in[0], stats[0], stats[1], in[1], in[2] }, 1, &eps, out)) return EX_FAILED;
    if (b->node(b, "running_update", 2, (int32_t[]){ in[3], stats[0] }, 1, &momentum, none)) return EX_FAILED;
    return b->node(b, "running_update", 2, (int32_t[]){ in[4], stats[2] }, 1, &momentum, none);
}

/* -- The family ------------------------------------------------------------------------------------------------------ */

static const ex_op batch_norm = {
    .name = "batch_norm", .about = "batch_norm(x, gamma, beta, mean, var; eps, momentum): normalise with running statistics",
    .min_inputs = 5, .max_inputs = 5, .outputs = 1, .attr = batch_norm_attr, .in_place = 1, .infer = infer_batch_norm,
    .forward = forward_batch_norm, .gradient = gradient_batch_norm, .training = training_batch_norm, .scratch = scratch_map,
    .pieces = &batch_norm_pieces, .kernel = kernel_vector };
static const ex_op batch_stats = {
    .name = "batch_stats", .about = "batch_stats(x): mean, biased and unbiased variance of each channel",
    .min_inputs = 1, .max_inputs = 1, .outputs = 3, .infer = infer_batch_stats, .forward = forward_batch_stats,
    .gradient = gradient_batch_stats, .scratch = scratch_sum, .pieces = &batch_stats_pieces, .kernel = kernel_vector };
static const ex_op batch_stats_grad = {
    .name = "batch_stats_grad", .about = "batch_stats_grad(x, mean, dmean, dvar): dx through the statistics",
    .min_inputs = 4, .max_inputs = 4, .outputs = 1, .in_place = 1, .infer = infer_stats_grad, .forward = forward_stats_grad,
    .scratch = scratch_map, .kernel = kernel_vector };
static const ex_op normalise = {
    .name = "normalise", .about = "normalise(x, mean, var, gamma, beta; eps): batch norm with given statistics",
    .min_inputs = 5, .max_inputs = 5, .outputs = 1, .attr = eps_attr, .in_place = 1, .infer = infer_normalise,
    .forward = forward_normalise, .gradient = gradient_normalise, .scratch = scratch_map, .pieces = &normalise_pieces, .kernel = kernel_vector };
static const ex_op grad_affine = {
    .name = "normalise_grad_affine", .about = "normalise_grad_affine(x, dy, mean, var; eps): dgamma, dbeta",
    .min_inputs = 4, .max_inputs = 4, .outputs = 2, .attr = eps_attr, .infer = infer_grad_affine, .forward = forward_grad_affine,
    .scratch = scratch_sum, .pieces = &grad_affine_pieces, .kernel = kernel_vector };
static const ex_op grad_stats = {
    .name = "normalise_grad_stats", .about = "normalise_grad_stats(dgamma, dbeta, gamma, var; eps): dmean, dvar",
    .min_inputs = 4, .max_inputs = 4, .outputs = 2, .attr = eps_attr, .infer = infer_grad_stats, .forward = forward_grad_stats };
static const ex_op grad_input = {
    .name = "normalise_grad_input", .about = "normalise_grad_input(dy, var, gamma; eps): dx with the statistics held fixed",
    .min_inputs = 3, .max_inputs = 3, .outputs = 1, .attr = eps_attr, .in_place = 1, .infer = infer_grad_input,
    .forward = forward_grad_input, .scratch = scratch_map, .kernel = kernel_vector };
static const ex_op batch_norm_grad = {
    .name = "batch_norm_grad_input", .about = "batch_norm_grad_input(x, dy, mean, var, gamma, dgamma, dbeta; eps): the whole dx in one pass",
    .min_inputs = 7, .max_inputs = 7, .outputs = 1, .attr = eps_attr, .in_place = 3, .infer = infer_batch_norm_grad,
    .forward = forward_batch_norm_grad, .scratch = scratch_map, .pieces = &batch_norm_grad_pieces, .kernel = kernel_vector };
static const ex_op running_update = {
    .name = "running_update", .about = "running_update(running, value; momentum): running = (1 - momentum) running + momentum value",
    .min_inputs = 2, .max_inputs = 2, .attr = momentum_attr, .writes = 1, .infer = infer_running, .forward = forward_running };
static const ex_op fold = {
    .name = "fold_batch_norm", .about = "fold_batch_norm(w, gamma, beta, mean, var, [bias]; eps): weight and bias that include a batch norm",
    .min_inputs = 5, .max_inputs = 6, .outputs = 2, .attr = eps_attr, .infer = infer_fold, .forward = forward_fold,
    .scratch = scratch_fold };

const ex_op *const ex_ops_norm[] = { &batch_norm, &batch_stats, &batch_stats_grad, &normalise, &grad_affine, &grad_stats, &grad_input,
                                     &batch_norm_grad, &running_update, &fold, NULL };
