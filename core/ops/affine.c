/* affine.c: a batch norm at inference, x (N, C, H, W) or (N, C), with what follows it in one pass over memory (the pass
 * fold_affine makes these):
 *
 *     scale = gamma / sqrt(var + eps)                  batch_norm_scale: reads parameters alone, so it runs only after a change
 *     y = act((x - center) scale + offset)             affine_act: center the mean, offset beta; act 0: none, 1: relu, 2: relu6,
 *                                                      3: silu, 4: hard_swish
 *
 * Roots and divisions of a thousand channels cost more than the few pixels of a late map. It has no gradient: training
 * takes statistics of the batch (norm.c, norm_act.c). */
#include "channels.h"
#include "norm.h"
#include "../base/error.h"

static const ex_attr_spec eps_attr[] = { { .name = "eps", .count = 1, .value = { 1e-5 } }, { 0 } };
static const ex_attr_spec act_attr[] = { { .name = "act", .count = 1, .value = { 0 } }, { 0 } };

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

/* -- Shape rules ------------------------------------------------------------------------------------------------ */

static ex_status infer_scale(const ex_signature *s)
{
    if (ex_expect("gamma", &s->in[0], EX_FLOAT32, 1)) return EX_FAILED;
    s->out[0] = s->in[0];
    return ex_expect_per_channel("var", &s->in[1], s->in[0].dim[0]);
}

static ex_status infer_affine(const ex_signature *s)
{
    s->out[0] = s->in[0];
    if (ex_expect_norm_inputs(s, 1, 4, (const char *[]){ "input", "center", "scale", "offset" })) return EX_FAILED;
    return ex_expect_norm_act(s->attr[0][0]);
}

/* -- Forward ------------------------------------------------------------------------------------------------------ */

static void forward_scale(const ex_call *call)
{
    for (int64_t c = 0; c < call->in[0].dim[0]; c++)
        ex_operand_set(&call->out[0], c, ex_operand_number(&call->in[0], c) * ex_norm_inverse(&call->in[1], c, call->attr[0][0]));
}

static size_t scratch_affine(const ex_signature *s, int32_t batch, int32_t threads)
{
    (void)batch;
    (void)threads;
    return (size_t)s->in[0].dim[1] * 3 * sizeof(float);
}

/* A vector's numbers where they lie, or side by side at `copy`. */
static const float *numbers(const ex_operand *o, float *copy)
{
    if (o->stride[0] == 1) return o->data;
    for (int64_t c = 0; c < o->dim[0]; c++) copy[c] = (float)ex_operand_number(o, c);
    return copy;
}

static void forward_affine(const ex_call *call)
{
    const ex_operand *in = call->in;
    const int64_t channels = in[0].dim[1];
    float *copy = call->scratch;
    const float *center = numbers(&in[1], copy), *scale = numbers(&in[2], copy + channels), *offset = numbers(&in[3], copy + 2 * channels);
    ex_channels_affine(&call->out[0], &in[0], center, scale, offset, call->attr[0][0], call->team);
}

/* -- The family ------------------------------------------------------------------------------------------------------ */

static const ex_op scale = {
    .name = "batch_norm_scale", .about = "batch_norm_scale(gamma, var; eps): what a batch norm with running statistics multiplies by",
    .min_inputs = 2, .max_inputs = 2, .outputs = 1, .attr = eps_attr, .infer = infer_scale, .forward = forward_scale };
static const ex_op affine = {
    .name = "affine_act", .about = "affine_act(x, center, scale, offset; act): act((x - center) scale + offset), by channel",
    .min_inputs = 4, .max_inputs = 4, .outputs = 1, .attr = act_attr, .flags = EX_OP_BY_IMAGE, .in_place = 1, .infer = infer_affine,
    .forward = forward_affine, .scratch = scratch_affine, .kernel = kernel_vector };

const ex_op *const ex_ops_affine[] = { &scale, &affine, NULL };
