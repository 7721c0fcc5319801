/* scale_channels.c: each channel of each image times a number of its own, as squeeze-and-excitation does:
 *
 *     y[n,c,h,w] = x[n,c,h,w] s[n,c]        x (N, C, H, W), s (N, C) or (N, C, 1, 1)
 *     dx[n,c,h,w] = dy[n,c,h,w] s[n,c]      ds[n,c] = sum over h, w of dy[n,c,h,w] x[n,c,h,w]
 *
 * The gradient makes both at once, an image after the other: dy is still in the caches where dx follows ds. Sums are float
 * inside a run of pixels, double across. Nothing else broadcasts here: that is `mul`. */
#include "loop.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { BLOCK = 256 };                       /* channels at a time */

/* -- Shape rules ------------------------------------------------------------------------------------------------ */

static ex_status expect_scale(const ex_shape *x, const ex_shape *s)
{
    char got[96], expected[96];
    int fits = s->dtype == EX_FLOAT32 && (s->ndim == 2 || s->ndim == 4) && s->dim[0] == x->dim[0] && s->dim[1] == x->dim[1];
    for (int32_t i = 2; fits && i < s->ndim; i++) fits = s->dim[i] == 1;
    if (fits) return EX_OK;
    return ex_fail("scale: got %s %s, expected %s float32, or that with two axes of 1 more",
                   ex_shape_text(got, sizeof got, s->ndim, s->dim), ex_dtype_name(s->dtype), ex_shape_text(expected, sizeof expected, 2, x->dim));
}

static ex_status infer(const ex_signature *s)
{
    if (ex_expect_images("input", &s->in[0])) return EX_FAILED;
    s->out[0] = s->in[0];
    return expect_scale(&s->in[0], &s->in[1]);
}

static ex_status infer_grad(const ex_signature *s)
{
    char got[96], expected[96];
    if (infer(s)) return EX_FAILED;
    s->out[1] = s->in[1];
    if (ex_shape_same(&s->in[2], &s->in[0])) return EX_OK;
    return ex_fail("gradient: got %s %s, expected %s float32", ex_shape_text(got, sizeof got, s->in[2].ndim, s->in[2].dim),
                   ex_dtype_name(s->in[2].dtype), ex_shape_text(expected, sizeof expected, s->in[0].ndim, s->in[0].dim));
}

/* -- Images --------------------------------------------------------------------------------------------------------- */

typedef struct scaling {
    const ex_operand *y, *x, *s, *ds, *other;       /* y = x s; with sums, ds = sum of x other */
    const ex_vector_kernels *v;
    int32_t images;                         /* of a part */
    int sums, dense, rows;                        /* channels side by side everywhere; runs of pixels in an image */
} scaling;

static float *at(const ex_operand *o, int32_t n, int32_t row, int32_t c)
{
    return (float *)o->data + n * o->stride[0] + c * o->stride[1] + (o->ndim == 4 ? row * o->stride[2] : 0);
}

/* Channels from..from + channels of image n, one by one where they are not neighbours. */
static void image_block(const scaling *k, int32_t n, int32_t from, int32_t channels)
{
    const ex_operand *x = k->x, *y = k->y;
    int64_t pixels = (int64_t)x->dim[2] * x->dim[3] / k->rows;
    int32_t step = k->dense ? channels : 1;
    for (int32_t c = from; c < from + channels; c += step) {
        if (k->sums) {
            double sum[BLOCK] = { 0 };
            for (int32_t r = 0; r < k->rows; r++)
                k->v->dot_rows(sum, at(x, n, r, c), x->stride[3], at(k->other, n, r, c), k->other->stride[3], pixels, step);
            for (int32_t i = 0; i < step; i++) *at(k->ds, n, 0, c + i) = (float)sum[i];
        }
        for (int32_t r = 0; r < k->rows; r++)
            k->v->scale_rows(at(y, n, r, c), y->stride[3], at(x, n, r, c), x->stride[3], at(k->s, n, 0, c), pixels, step);
    }
}

static void images(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const scaling *k = context;
    int32_t channels = k->x->dim[1];
    for (int32_t n = part * k->images; n < (part + 1) * k->images && n < k->x->dim[0]; n++)
        for (int32_t c = 0; c < channels; c += BLOCK) image_block(k, n, c, channels - c < BLOCK ? channels - c : BLOCK);
}

static int one_run(const ex_operand *o) { return o->stride[2] == o->stride[3] * o->dim[3]; }

static void run(scaling *k, ex_team *team)
{
    const ex_operand *all[] = { k->y, k->x, k->s, k->ds, k->other };
    int64_t width = (int64_t)k->x->dim[1] * k->x->dim[2] * k->x->dim[3];
    k->v = ex_kernels_current()->vector;
    k->images = width < EX_LOOP_PART ? (int32_t)(EX_LOOP_PART / width) : 1;
    k->dense = 1;
    for (int i = 0; i < 5; i++) k->dense &= all[i]->stride[1] == 1;
    k->rows = one_run(k->y) && one_run(k->x) && one_run(k->other) ? 1 : k->x->dim[2];
    ex_team_run(team, (k->x->dim[0] + k->images - 1) / k->images, images, k);
}

static void forward(const ex_call *call)
{
    run(&(scaling){ .y = &call->out[0], .x = &call->in[0], .s = &call->in[1], .ds = &call->in[1], .other = &call->in[0] }, call->team);
}

static void forward_grad(const ex_call *call)
{
    run(&(scaling){ .y = &call->out[0], .x = &call->in[2], .s = &call->in[1], .ds = &call->out[1], .other = &call->in[0],
                    .sums = 1 }, call->team);
}

static ex_status gradient(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    const int32_t *in = node->in;
    if (!wanted[1]) return wanted[0] ? b->node(b, "scale_channels", 2, (int32_t[]){ dout[0], in[1] }, 0, NULL, &din[0]) : EX_OK;
    int32_t made[2];
    if (b->node(b, "scale_channels_grad", 3, (int32_t[]){ in[0], in[1], dout[0] }, 0, NULL, made)) return EX_FAILED;
    for (int i = 0; i < 2; i++) din[i] = wanted[i] ? made[i] : EX_NONE;
    return EX_OK;
}

/* -- The family --------------------------------------------------------------------------------------------------------- */

static const char *kernel(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op scale_channels = {
    .name = "scale_channels", .about = "scale_channels(x (N, C, H, W), s (N, C)): x times s, channel by channel of each image",
    .min_inputs = 2, .max_inputs = 2, .outputs = 1, .flags = EX_OP_BY_IMAGE, .in_place = 1, .infer = infer, .forward = forward,
    .gradient = gradient, .kernel = kernel };
static const ex_op scale_channels_grad = {
    .name = "scale_channels_grad", .about = "scale_channels_grad(x, s, dy): dy s, and the sums of dy x over each image's pixels",
    .min_inputs = 3, .max_inputs = 3, .outputs = 2, .flags = EX_OP_BY_IMAGE, .in_place = 4, .infer = infer_grad, .forward = forward_grad,
    .kernel = kernel };

const ex_op *const ex_ops_scale_channels[] = { &scale_channels, &scale_channels_grad, NULL };
