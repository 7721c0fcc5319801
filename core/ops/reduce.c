/* reduce.c: sums, means, extremes over axes, and the place of the maximum. Float32 in; sums are kept in double.
 *
 *     sum(x; axes = all, keepdim = 0)    mean: the same / count, where the batch counts as this run's n
 *     max, min: a NaN wins; equal extremes share the gradient evenly    argmax(x; axis): the first one, int32
 *     channel_sum(x (N, C, H, W) or (N, C)) -> (C)
 *
 * Work is split over results; where one number is left, a sum is split over the elements. */
#include <math.h>
#include <string.h>
#include "broadcast.h"
#include "channels.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { AXES, KEEPDIM };                     /* argmax: one axis */
enum { GRAD_AXES, GRAD_SHAPE };             /* sum_grad, mean_grad */
static const ex_attr_spec axes_attr[] = { { .name = "axes", .count = EX_MAX_DIMS, .variable = 1 }, { .name = "keepdim", .count = 1 }, { 0 } };
static const ex_attr_spec argmax_attr[] = { { .name = "axis", .count = 1, .required = 1 }, { .name = "keepdim", .count = 1 }, { 0 } };
static const ex_attr_spec grad_attr[] = { { .name = "axes", .count = EX_MAX_DIMS, .variable = 1 },
    { .name = "shape", .count = EX_MAX_DIMS, .variable = 1 }, { 0 } };

/* -- Axes --------------------------------------------------------------------------------------------------------------- */

/* Bit i: axis i goes. No axes: all. */
static ex_status take_axes(uint32_t *set, const double *axes, int32_t count, int32_t ndim)
{
    *set = count ? 0 : (1u << ndim) - 1;
    for (int32_t i = 0; i < count; i++) {
        int32_t axis = (int32_t)axes[i] < 0 ? (int32_t)axes[i] + ndim : (int32_t)axes[i];
        if (axis < 0 || axis >= ndim) return ex_fail("axis: got %g, expected less than the %d axes of the input", axes[i], ndim);
        if (*set >> axis & 1) return ex_fail("axis %d: got it twice, expected it once", axis);
        *set |= 1u << axis;
    }
    return EX_OK;
}

static ex_shape reduced_shape(const ex_shape *x, uint32_t set, int keepdim)
{
    ex_shape y = { .dtype = x->dtype };
    for (int32_t i = 0; i < x->ndim; i++) {
        if (!(set >> i & 1)) y.dim[y.ndim++] = x->dim[i];
        else if (keepdim) y.dim[y.ndim++] = 1;
    }
    return y;
}

static ex_status infer_reduce(const ex_signature *s)
{
    uint32_t set;
    if (s->in[0].dtype != EX_FLOAT32) return ex_fail("input: got %s, expected float32", ex_dtype_name(s->in[0].dtype));
    if (take_axes(&set, s->attr[AXES], s->attr_count[AXES], s->in[0].ndim)) return EX_FAILED;
    s->out[0] = reduced_shape(&s->in[0], set, s->attr[KEEPDIM][0] != 0);
    return EX_OK;
}

static ex_status infer_argmax(const ex_signature *s)
{
    if (infer_reduce(s)) return EX_FAILED;
    s->out[0].dtype = EX_INT32;
    return EX_OK;
}

/* -- Forward -------------------------------------------------------------------------------------------------------------- */

typedef enum reduce_kind { SUM, MEAN, MAX, MIN, ARGMAX } reduce_kind;
enum { BLOCK = 64 };                        /* results at a time */

typedef struct reducing {
    reduce_kind kind;
    ex_loop kept, gone;                     /* kept: out, x; gone: x alone */
    double count;
} reducing;

typedef struct inner {                      /* a block of results being filled while `gone` is walked */
    const reducing *r;
    double value[BLOCK];
    int32_t place[BLOCK];
    ptrdiff_t across;                       /* of x, between results */
    int32_t results;
    int64_t at;
} inner;

static void take(inner *s, int64_t j, double x, int64_t at)
{
    switch (s->r->kind) {
    case SUM: case MEAN: s->value[j] += x; return;
    case MIN: if (x < s->value[j] || x != x) s->value[j] = x; return;
    default:
        if (s->value[j] != s->value[j] || !(x > s->value[j] || x != x)) return;
        s->value[j] = x;
        s->place[j] = (int32_t)at;
    }
}

static void inner_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    (void)part;
    inner *s = context;
    const float *x = (const float *)data[0];
    for (int64_t i = 0; i < n; i++)
        for (int32_t j = 0; j < s->results; j++) take(s, j, x[i * stride[0] + j * s->across], s->at + i);
    s->at += n;
}

static void kept_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    const reducing *r = context;
    for (int64_t from = 0; from < n; from += BLOCK) {
        inner s = { .r = r, .across = stride[1], .results = n - from < BLOCK ? (int32_t)(n - from) : BLOCK };
        double start = r->kind == MIN ? INFINITY : r->kind >= MAX ? -INFINITY : 0;
        for (int32_t j = 0; j < s.results; j++) s.value[j] = start;
        ex_loop gone = r->gone;
        gone.data[0] = data[1] + from * stride[1] * (ptrdiff_t)sizeof(float);
        ex_loop_walk(&gone, 0, gone.count, part, inner_body, &s);
        for (int32_t j = 0; j < s.results; j++) {
            ptrdiff_t to = (from + j) * stride[0];
            if (r->kind == ARGMAX) ((int32_t *)data[0])[to] = s.place[j];
            else ((float *)data[0])[to] = (float)(r->kind == MEAN ? s.value[j] / r->count : s.value[j]);
        }
    }
}

/* x cut in two: the axes that stay, as a view of the result's shape, and those that go. */
static void split(reducing *r, const ex_operand *out, const ex_operand *x, uint32_t set)
{
    ex_operand kept = *x, gone = *x, result = *out;
    kept.ndim = gone.ndim = 0;
    for (int32_t i = 0; i < x->ndim; i++) {
        ex_operand *to = set >> i & 1 ? &gone : &kept;
        to->dim[to->ndim] = x->dim[i];
        to->stride[to->ndim++] = x->stride[i];
    }
    if (result.ndim != kept.ndim) {         /* keepdim: leave its ones out */
        result.ndim = 0;
        for (int32_t i = 0; i < x->ndim; i++) {
            if (set >> i & 1) continue;
            result.dim[result.ndim] = out->dim[i];
            result.stride[result.ndim++] = out->stride[i];
        }
    }
    ex_loop_over(&r->kept, 2, (const ex_operand *[]){ &result, &kept });
    ex_loop_over(&r->gone, 1, (const ex_operand *[]){ &gone });
    r->count = (double)r->gone.count;
}

typedef struct total { double part[EX_LOOP_SUMS]; } total;

static void total_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    total *t = context;
    const float *x = (const float *)data[0];
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i * stride[0]];
    t->part[part] += sum;
}

static void reduce(const ex_call *call, reduce_kind kind)
{
    reducing r = { .kind = kind };
    const ex_operand *x = &call->in[0];
    uint32_t set;
    int32_t axes = kind == ARGMAX ? 1 : call->attr_count[AXES];
    take_axes(&set, call->attr[AXES], axes, x->ndim);
    split(&r, &call->out[0], x, set);
    if (r.kept.count == 1 && kind <= MEAN) {
        total t = { { 0 } };
        double sum = 0;
        int64_t step = ex_loop_sum_step(r.gone.count, 1);
        ex_loop_run(&r.gone, call->team, step, total_body, &t);
        for (int32_t p = 0; p < EX_LOOP_SUMS; p++) sum += t.part[p];
        *(float *)call->out[0].data = (float)(kind == MEAN ? sum / r.count : sum);
        return;
    }
    int64_t step = EX_LOOP_PART / (r.gone.count ? r.gone.count : 1);
    ex_loop_run(&r.kept, call->team, step > BLOCK ? step : BLOCK, kept_body, &r);
}

static void forward_sum(const ex_call *call) { reduce(call, SUM); }
static void forward_mean(const ex_call *call) { reduce(call, MEAN); }
static void forward_max(const ex_call *call) { reduce(call, MAX); }
static void forward_min(const ex_call *call) { reduce(call, MIN); }
static void forward_argmax(const ex_call *call) { reduce(call, ARGMAX); }

/* -- Gradients: dx = dy spread over the axes that went, for a mean divided by their count ------------------------------------ */

static ex_status infer_grad(const ex_signature *s)
{
    ex_shape x = { .dtype = EX_FLOAT32, .ndim = s->attr_count[GRAD_SHAPE] }, flat, kept;
    char got[96], expected[96];
    uint32_t set;
    for (int32_t i = 0; i < x.ndim; i++) x.dim[i] = (int32_t)s->attr[GRAD_SHAPE][i];
    if (take_axes(&set, s->attr[GRAD_AXES], s->attr_count[GRAD_AXES], x.ndim)) return EX_FAILED;
    flat = reduced_shape(&x, set, 0);
    kept = reduced_shape(&x, set, 1);
    s->out[0] = x;
    if (ex_shape_same(&flat, &s->in[0]) || ex_shape_same(&kept, &s->in[0])) return EX_OK;
    return ex_fail("gradient: got %s, expected %s", ex_shape_text(got, sizeof got, s->in[0].ndim, s->in[0].dim),
                   ex_shape_text(expected, sizeof expected, flat.ndim, flat.dim));
}

static void scale_row(void *context, float *const *data, int64_t n)
{
    ex_kernels_current()->vector->scale(data[0], data[1], *(const float *)context, n);
}

static void spread(const ex_call *call, int mean)
{
    const ex_operand *dx = &call->out[0], *dy = &call->in[0];
    ex_operand view = *dx;
    uint32_t set;
    double count = 1;
    take_axes(&set, call->attr[GRAD_AXES], call->attr_count[GRAD_AXES], dx->ndim);
    view.data = dy->data;
    for (int32_t i = 0, own = 0; i < dx->ndim; i++) {
        int goes = set >> i & 1;
        if (goes) count *= dx->dim[i];
        view.stride[i] = goes ? 0 : dy->stride[own];
        own += !goes || dy->ndim == dx->ndim;
    }
    float factor = mean ? (float)(1 / count) : 1.0f;
    ex_loop l;
    ex_loop_over(&l, 2, (const ex_operand *[]){ dx, &view });
    ex_loop_rows(&l, call->team, 1, scale_row, &factor);
}

static void forward_sum_grad(const ex_call *call) { spread(call, 0); }
static void forward_mean_grad(const ex_call *call) { spread(call, 1); }

static ex_status spread_node(ex_builder *b, const ex_node_ref *node, const char *op, int32_t dy, int32_t *out)
{
    ex_shape x = *b->shape(b, node->in[0]);
    ex_attr attr[2] = { ex_shape_attr("shape", &x), { .name = "axes", .count = node->attr_count[AXES] } };
    memcpy(attr[1].value, node->attr[AXES], sizeof attr[1].value);
    return b->node(b, op, 1, &dy, attr[1].count ? 2 : 1, attr, out);
}

static ex_status gradient_sum(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? spread_node(b, node, "sum_grad", dout[0], &din[0]) : EX_OK;
}

static ex_status gradient_mean(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? spread_node(b, node, "mean_grad", dout[0], &din[0]) : EX_OK;
}

/* hit = [x = y]; dx = hit dy / (hits of that result) */
static ex_status gradient_extreme(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t y, hit, hits, all, share;
    ex_attr attr[2] = { { .name = "keepdim", .count = 1, .value = { 1 } }, { .name = "axes", .count = node->attr_count[AXES] } };
    memcpy(attr[1].value, node->attr[AXES], sizeof attr[1].value);
    if (!wanted[0]) return EX_OK;
    if (spread_node(b, node, "sum_grad", node->out[0], &y) ||
        b->node(b, "equal", 2, (int32_t[]){ node->in[0], y }, 0, NULL, &hit) ||
        b->node(b, "sum", 1, &hit, attr[1].count ? 2 : 1, attr, &hits) ||
        b->node(b, "div", 2, (int32_t[]){ hit, hits }, 0, NULL, &share) || spread_node(b, node, "sum_grad", dout[0], &all))
        return EX_FAILED;
    return b->node(b, "mul", 2, (int32_t[]){ all, share }, 0, NULL, &din[0]);
}

/* -- channel_sum --------------------------------------------------------------------------------------------------------------- */

static ex_status infer_channel_sum(const ex_signature *s)
{
    if (ex_expect_channels("input", &s->in[0])) return EX_FAILED;
    s->out[0] = (ex_shape){ .dtype = EX_FLOAT32, .ndim = 1, .dim = { s->in[0].dim[1] } };
    return EX_OK;
}

static size_t scratch_channel_sum(const ex_signature *s, int32_t batch, int32_t threads)
{
    (void)batch;
    (void)threads;
    return (size_t)s->in[0].dim[1] * 2 * sizeof(double) + ex_channels_sum_bytes(s->in[0].dim[1]);
}

static void forward_channel_sum(const ex_call *call)
{
    int64_t channels = call->in[0].dim[1];
    double *sum = call->scratch;
    ex_channels_sum(sum, &call->in[0], sum + 2 * channels, call->team);
    for (int64_t c = 0; c < channels; c++) ((float *)call->out[0].data)[c * call->out[0].stride[0]] = (float)sum[c];
}

/* In pieces: C doubles of each part, in whole lines of the cache. */
static size_t part_doubles(int64_t channels) { return ((size_t)channels + 7) / 8 * 8; }

static size_t shared_channel_sum(const ex_signature *s, int32_t parts)
{
    return part_doubles(s->in[0].dim[1]) * (size_t)parts * sizeof(double);
}

static size_t piece_scratch_channel_sum(const ex_signature *s, int32_t images) { return scratch_channel_sum(s, images, 1); }

static void piece_channel_sum(const ex_call *call)
{
    int64_t channels = call->in[0].dim[1];
    double *sum = call->scratch, *to = (double *)call->shared + (size_t)call->part * part_doubles(channels);
    ex_channels_sum(sum, &call->in[0], sum + 2 * channels, NULL);
    for (int64_t c = 0; c < channels; c++) to[c] = (call->more ? to[c] : 0) + sum[c];
}

static void end_channel_sum(const ex_call *call)
{
    int64_t channels = call->in[0].dim[1];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int32_t p = 0; p < call->parts; p++) sum += ((const double *)call->shared)[(size_t)p * part_doubles(channels) + (size_t)c];
        ((float *)call->out[0].data)[c * call->out[0].stride[0]] = (float)sum;
    }
}

static const ex_pieces channel_sum_pieces = { .shared = shared_channel_sum, .scratch = piece_scratch_channel_sum,
                                              .piece = piece_channel_sum, .end = end_channel_sum };

/* (C) repeated over pixels and batch. */
static ex_status gradient_channel_sum(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    ex_shape x = *b->shape(b, node->in[0]);
    ex_attr attr[2] = { ex_shape_attr("shape", &x), { "axes", x.ndim - 1, { 0, 2, 3 } } };
    return b->node(b, "sum_grad", 1, &dout[0], 2, attr, &din[0]);
}

/* -- The family ------------------------------------------------------------------------------------------------------------------ */

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op sum = {
    .name = "sum", .about = "sum(x; axes, keepdim)", .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = axes_attr,
    .flags = EX_OP_SOLID, .infer = infer_reduce, .forward = forward_sum, .gradient = gradient_sum };
static const ex_op mean = {
    .name = "mean", .about = "mean(x; axes, keepdim)", .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = axes_attr,
    .flags = EX_OP_SOLID, .infer = infer_reduce, .forward = forward_mean, .gradient = gradient_mean };
static const ex_op max = {
    .name = "max", .about = "max(x; axes, keepdim)", .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = axes_attr,
    .infer = infer_reduce, .forward = forward_max, .gradient = gradient_extreme };
static const ex_op min = {
    .name = "min", .about = "min(x; axes, keepdim)", .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = axes_attr,
    .infer = infer_reduce, .forward = forward_min, .gradient = gradient_extreme };
static const ex_op argmax = {
    .name = "argmax", .about = "argmax(x; axis, keepdim): the place of the first maximum, int32", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = argmax_attr, .flags = EX_OP_STOPS, .infer = infer_argmax, .forward = forward_argmax };
static const ex_op sum_grad = {
    .name = "sum_grad", .about = "sum_grad(dy; axes, shape of x): dy spread over the axes", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = grad_attr, .infer = infer_grad, .forward = forward_sum_grad };
static const ex_op mean_grad = {
    .name = "mean_grad", .about = "mean_grad(dy; axes, shape of x): dy / count spread over the axes", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = grad_attr, .infer = infer_grad, .forward = forward_mean_grad };
static const ex_op channel_sum = {
    .name = "channel_sum", .about = "channel_sum(x (N, C, H, W) or (N, C)): the sum of each channel, (C)", .min_inputs = 1,
    .max_inputs = 1, .outputs = 1, .infer = infer_channel_sum, .forward = forward_channel_sum, .gradient = gradient_channel_sum,
    .scratch = scratch_channel_sum, .pieces = &channel_sum_pieces, .kernel = kernel_vector };

const ex_op *const ex_ops_reduce[] = { &sum, &mean, &max, &min, &argmax, &sum_grad, &mean_grad, &channel_sum, NULL };
