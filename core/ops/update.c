/* update.c: what optimisers write, as torch.optim does it. lr, scale and t are scalars; scale multiplies the gradient
 * first (clipping). Parameter, gradient and state share one memory layout, so the loops are flat; other strides work.
 *
 *     sgd    g = scale g + weight_decay p;  v = momentum v + g;  p -= lr (nesterov ? g + momentum v : v)
 *     adam   decoupled: p *= 1 - lr weight_decay, else g = scale g + weight_decay p;  m, v: moving means of g, g^2
 *            p -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps),  t = 1 at the first step
 *     sgd_group, sgd_plain_group (without velocity), adam_group: the same for many parameters at once; the work is cut
 *     as if they lay one after the other, so that many small ones are one part (the pass fuse_update makes these)
 *     global_norm(g1, ..., gk) = sqrt(sum of squares), in double;  clip_scale(norm; max) = min(1, max / (norm + 1e-6))
 *
 * A velocity of zeros makes the first step equal to torch's, which starts it as g. */
#include <math.h>
#include "loop.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { SGD_MOMENTUM, SGD_NESTEROV, SGD_DECAY };
enum { ADAM_BETA1, ADAM_BETA2, ADAM_EPS, ADAM_DECAY, ADAM_DECOUPLED };
static const ex_attr_spec sgd_attr[] = { { .name = "momentum", .count = 1 }, { .name = "nesterov", .count = 1 },
    { .name = "weight_decay", .count = 1 }, { 0 } };
static const ex_attr_spec adam_attr[] = { { .name = "beta1", .count = 1, .value = { 0.9 } },
    { .name = "beta2", .count = 1, .value = { 0.999 } }, { .name = "eps", .count = 1, .value = { 1e-8 } },
    { .name = "weight_decay", .count = 1 }, { .name = "decoupled", .count = 1 }, { 0 } };
static const ex_attr_spec max_attr[] = { { .name = "max", .count = 1, .required = 1 }, { 0 } };

static ex_status expect_like(const char *what, const ex_shape *s, const ex_shape *p)
{
    char got[96], expected[96];
    if (ex_shape_same(s, p)) return EX_OK;
    return ex_fail("%s: got %s %s, expected the parameter's %s %s", what, ex_shape_text(got, sizeof got, s->ndim, s->dim),
                   ex_dtype_name(s->dtype), ex_shape_text(expected, sizeof expected, p->ndim, p->dim), ex_dtype_name(p->dtype));
}

static ex_status expect_scalar(const char *what, const ex_shape *s)
{
    char text[96];
    if (s->dtype == EX_FLOAT32 && s->ndim <= 1 && ex_shape_count(s) == 1 && !(s->ndim && s->dim[0] == EX_BATCH)) return EX_OK;
    return ex_fail("%s: got %s %s, expected one float32", what, ex_shape_text(text, sizeof text, s->ndim, s->dim), ex_dtype_name(s->dtype));
}

static ex_status expect_parameter(const ex_signature *s)
{
    if (s->in[0].dtype != EX_FLOAT32) return ex_fail("parameter: got %s, expected float32", ex_dtype_name(s->in[0].dtype));
    if (expect_like("gradient", &s->in[1], &s->in[0]) || expect_scalar("lr", &s->in[2]) || expect_scalar("scale", &s->in[3])) return EX_FAILED;
    return EX_OK;
}

/* -- sgd ------------------------------------------------------------------------------------------------------------------------- */

static ex_status infer_sgd(const ex_signature *s)
{
    if (expect_parameter(s)) return EX_FAILED;
    if (s->inputs > 4) return expect_like("velocity", &s->in[4], &s->in[0]);
    if (s->attr[SGD_MOMENTUM][0] == 0 && s->attr[SGD_NESTEROV][0] == 0) return EX_OK;
    return ex_fail("momentum: got %g without a velocity, expected a fifth input", s->attr[SGD_MOMENTUM][0]);
}

typedef struct stepping { const ex_vector_kernels *v; ex_sgd_numbers sgd; ex_adam_numbers adam; int32_t velocity; } stepping;

static void sgd_row(void *context, float *const *data, int64_t n)
{
    const stepping *s = context;
    s->v->sgd(data[0], s->velocity ? data[1] : NULL, data[1 + s->velocity], &s->sgd, n);
}

static ex_sgd_numbers sgd_numbers(const ex_call *call, const ex_operand *lr, const ex_operand *scale)
{
    return (ex_sgd_numbers){ (float)ex_operand_number(lr, 0), (float)ex_operand_number(scale, 0), (float)call->attr[SGD_MOMENTUM][0],
                             (float)call->attr[SGD_DECAY][0], call->attr[SGD_NESTEROV][0] != 0 };
}

static void forward_sgd(const ex_call *call)
{
    stepping s = { .v = ex_kernels_current()->vector, .sgd = sgd_numbers(call, &call->in[2], &call->in[3]), .velocity = call->inputs > 4 };
    const ex_operand *with[] = { &call->in[0], &call->in[4], &call->in[1] }, *without[] = { &call->in[0], &call->in[1] };
    ex_loop l;
    ex_loop_over(&l, 2 + s.velocity, s.velocity ? with : without);
    ex_loop_rows(&l, call->team, 1 + s.velocity, sgd_row, &s);
}

/* -- adam ------------------------------------------------------------------------------------------------------------------------ */

static ex_status infer_adam(const ex_signature *s)
{
    if (expect_parameter(s) || expect_scalar("t", &s->in[4])) return EX_FAILED;
    return expect_like("first moment", &s->in[5], &s->in[0]) || expect_like("second moment", &s->in[6], &s->in[0]) ? EX_FAILED : EX_OK;
}

static void adam_row(void *context, float *const *data, int64_t n)
{
    const stepping *s = context;
    s->v->adam(data[0], data[1], data[2], data[3], &s->adam, n);
}

static ex_adam_numbers adam_numbers(const ex_numbers *a, double lr, double scale, double t)
{
    double decay = a[ADAM_DECAY][0];
    int decoupled = a[ADAM_DECOUPLED][0] != 0;
    return (ex_adam_numbers){
        .rate = (float)(lr / (1 - pow(a[ADAM_BETA1][0], t))), .root = (float)(1 / sqrt(1 - pow(a[ADAM_BETA2][0], t))),
        .scale = (float)scale, .beta1 = (float)a[ADAM_BETA1][0], .beta2 = (float)a[ADAM_BETA2][0],
        .rest1 = (float)(1 - a[ADAM_BETA1][0]), .rest2 = (float)(1 - a[ADAM_BETA2][0]),
        .eps = (float)a[ADAM_EPS][0], .weight_decay = decoupled ? 0.0f : (float)decay, .keep = decoupled ? (float)(1 - lr * decay) : 1.0f };
}

static void forward_adam(const ex_call *call)
{
    const ex_operand *in = call->in;
    stepping s = { .v = ex_kernels_current()->vector };
    s.adam = adam_numbers(call->attr, ex_operand_number(&in[2], 0), ex_operand_number(&in[3], 0), ex_operand_number(&in[4], 0));
    ex_loop l;
    ex_loop_over(&l, 4, (const ex_operand *[]){ &in[0], &in[5], &in[6], &in[1] });
    ex_loop_rows(&l, call->team, 3, adam_row, &s);
}

/* -- Groups: (lr, scale, [t], then for each parameter p, g, [velocity | m, v]) --------------------------------------------- */

static ex_status infer_group(const ex_signature *s, int32_t first, int32_t period)
{
    static const char *const what[] = { "lr", "scale", "t" };
    for (int32_t i = 0; i < first; i++)
        if (expect_scalar(what[i], &s->in[i])) return EX_FAILED;
    if ((s->inputs - first) % period) return ex_fail("got %d inputs, expected %d and %d for each parameter", s->inputs, first, period);
    for (int32_t i = first; i < s->inputs; i += period) {
        if (s->in[i].dtype != EX_FLOAT32) return ex_fail("parameter: got %s, expected float32", ex_dtype_name(s->in[i].dtype));
        for (int32_t k = 1; k < period; k++)
            if (expect_like(k == 1 ? "gradient" : "state", &s->in[i + k], &s->in[i])) return EX_FAILED;
    }
    return EX_OK;
}

static ex_status infer_sgd_group(const ex_signature *s) { return infer_group(s, 2, 3); }
static ex_status infer_adam_group(const ex_signature *s) { return infer_group(s, 3, 4); }

static ex_status infer_sgd_plain_group(const ex_signature *s)
{
    if (s->attr[SGD_MOMENTUM][0] == 0 && s->attr[SGD_NESTEROV][0] == 0) return infer_group(s, 2, 2);
    return ex_fail("momentum: got %g without velocities", s->attr[SGD_MOMENTUM][0]);
}

typedef struct grouped {
    const ex_call *call;
    ex_loop_row *row;
    stepping s;
    int32_t first, period;
} grouped;

/* The elements [begin, end) of all parameters, one after the other. A loop has what is written first, the gradient last. */
static void group_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    grouped *w = context;
    int64_t begin = (int64_t)part * EX_LOOP_PART, end = begin + EX_LOOP_PART, at = 0;
    for (int32_t i = w->first; i < w->call->inputs && at < end; i += w->period) {
        const ex_operand *p = &w->call->in[i], *o[EX_LOOP_OPERANDS] = { p };
        int64_t count = ex_operand_count(p), from = begin > at ? begin - at : 0, to = end - at < count ? end - at : count;
        at += count;
        if (from >= to) continue;
        for (int32_t k = 1; k < w->period; k++) o[k] = p + (k + 1 < w->period ? k + 1 : 1);
        ex_loop l;
        ex_loop_over(&l, w->period, o);
        ex_loop_rows_walk(&l, from, to, w->period - 1, w->row, &w->s);
    }
}

/* `first`, then every `period` inputs: elements in all. */
static int64_t count_all(const ex_call *call, int32_t first, int32_t period)
{
    int64_t count = 0;
    for (int32_t i = first; i < call->inputs; i += period) count += ex_operand_count(&call->in[i]);
    return count;
}

static void run_group(grouped *w)
{
    int64_t count = count_all(w->call, w->first, w->period);
    w->s.v = ex_kernels_current()->vector;
    ex_team_run(w->call->team, (int32_t)((count + EX_LOOP_PART - 1) / EX_LOOP_PART), group_part, w);
}

static void sgd_group_of(const ex_call *call, int32_t velocity)
{
    grouped w = { call, sgd_row, { .sgd = sgd_numbers(call, &call->in[0], &call->in[1]), .velocity = velocity }, 2, 2 + velocity };
    run_group(&w);
}

static void forward_sgd_group(const ex_call *call) { sgd_group_of(call, 1); }
static void forward_sgd_plain_group(const ex_call *call) { sgd_group_of(call, 0); }

static void forward_adam_group(const ex_call *call)
{
    const ex_operand *in = call->in;
    grouped w = { .call = call, .row = adam_row, .first = 3, .period = 4 };
    w.s.adam = adam_numbers(call->attr, ex_operand_number(&in[0], 0), ex_operand_number(&in[1], 0), ex_operand_number(&in[2], 0));
    run_group(&w);
}

/* -- Norms ------------------------------------------------------------------------------------------------------------------------- */

static const ex_shape scalar_shape = { .dtype = EX_FLOAT32 };

static ex_status infer_norm(const ex_signature *s)
{
    s->out[0] = scalar_shape;
    for (int32_t i = 0; i < s->inputs; i++)
        if (s->in[i].dtype != EX_FLOAT32) return ex_fail("gradient %d: got %s, expected float32", i + 1, ex_dtype_name(s->in[i].dtype));
    return EX_OK;
}

enum { SQUARE_PARTS = 64 };                 /* the most parts of a norm */

typedef struct squares { const ex_vector_kernels *v; const ex_call *call; int64_t step; double part[SQUARE_PARTS]; } squares;

static void square_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    squares *s = context;
    const float *x = (const float *)data[0];
    double sum = 0;
    if (stride[0] == 1) sum = s->v->square_sum(x, n);
    else for (int64_t i = 0; i < n; i++) sum += (double)x[i * stride[0]] * x[i * stride[0]];
    s->part[part] += sum;
}

/* The elements of all gradients one after the other, `step` to a part. */
static void square_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    squares *s = context;
    int64_t begin = part * s->step, end = begin + s->step, at = 0;
    for (int32_t i = 0; i < s->call->inputs && at < end; i++) {
        const ex_operand *g = &s->call->in[i];
        int64_t count = ex_operand_count(g), from = begin > at ? begin - at : 0, to = end - at < count ? end - at : count;
        at += count;
        if (from >= to) continue;
        ex_loop l;
        ex_loop_over(&l, 1, &g);
        ex_loop_walk(&l, from, to, part, square_body, s);
    }
}

static void forward_norm(const ex_call *call)
{
    squares s = { .v = ex_kernels_current()->vector, .call = call };
    int64_t count = count_all(call, 0, 1);
    double total = 0;
    s.step = (count + SQUARE_PARTS - 1) / SQUARE_PARTS > EX_LOOP_PART ? (count + SQUARE_PARTS - 1) / SQUARE_PARTS : EX_LOOP_PART;
    ex_team_run(call->team, (int32_t)((count + s.step - 1) / s.step), square_part, &s);
    for (int32_t p = 0; p < SQUARE_PARTS; p++) total += s.part[p];
    *(float *)call->out[0].data = (float)sqrt(total);
}

static ex_status infer_clip(const ex_signature *s)
{
    s->out[0] = scalar_shape;
    if (!(s->attr[0][0] > 0)) return ex_fail("max: got %g, expected more than 0", s->attr[0][0]);
    return expect_scalar("norm", &s->in[0]);
}

static void forward_clip(const ex_call *call)
{
    double scale = call->attr[0][0] / (ex_operand_number(&call->in[0], 0) + 1e-6);
    *(float *)call->out[0].data = (float)(scale > 1 ? 1 : scale);
}

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op sgd = {
    .name = "sgd", .about = "sgd(p, g, lr, scale, [velocity]; momentum, nesterov, weight_decay): one step of p", .min_inputs = 4,
    .max_inputs = 5, .attr = sgd_attr, .writes = 1 | 1 << 4, .infer = infer_sgd, .forward = forward_sgd, .kernel = kernel_vector };
static const ex_op adam = {
    .name = "adam", .about = "adam(p, g, lr, scale, t, m, v; beta1, beta2, eps, weight_decay, decoupled): one step of p", .min_inputs = 7,
    .max_inputs = 7, .attr = adam_attr, .writes = 1 | 1 << 5 | 1 << 6, .infer = infer_adam, .forward = forward_adam,
    .kernel = kernel_vector };
static const ex_op sgd_group = {
    .name = "sgd_group", .about = "sgd_group(lr, scale, p1, g1, velocity1, p2, ...; as sgd): one step of all p", .min_inputs = 5,
    .max_inputs = INT32_MAX, .attr = sgd_attr, .flags = EX_OP_NARY, .writes = 1 << 2 | 1 << 4, .period = 3, .infer = infer_sgd_group,
    .forward = forward_sgd_group, .kernel = kernel_vector };
static const ex_op sgd_plain_group = {
    .name = "sgd_plain_group", .about = "sgd_plain_group(lr, scale, p1, g1, p2, ...; as sgd): the same without velocities",
    .min_inputs = 4, .max_inputs = INT32_MAX, .attr = sgd_attr, .flags = EX_OP_NARY, .writes = 1 << 2, .period = 2,
    .infer = infer_sgd_plain_group, .forward = forward_sgd_plain_group, .kernel = kernel_vector };
static const ex_op adam_group = {
    .name = "adam_group", .about = "adam_group(lr, scale, t, p1, g1, m1, v1, p2, ...; as adam): one step of all p", .min_inputs = 7,
    .max_inputs = INT32_MAX, .attr = adam_attr, .flags = EX_OP_NARY, .writes = 1 << 3 | 1 << 5 | 1 << 6, .period = 4,
    .infer = infer_adam_group, .forward = forward_adam_group, .kernel = kernel_vector };
static const ex_op global_norm = {
    .name = "global_norm", .about = "global_norm(g1, ..., gk): the length of all gradients together", .min_inputs = 1,
    .max_inputs = INT32_MAX, .outputs = 1, .flags = EX_OP_NARY | EX_OP_SOLID, .infer = infer_norm, .forward = forward_norm, .kernel = kernel_vector };
static const ex_op clip_scale = {
    .name = "clip_scale", .about = "clip_scale(norm; max): min(1, max / (norm + 1e-6))", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = max_attr, .infer = infer_clip, .forward = forward_clip };

const ex_op *const ex_ops_update[] = { &sgd, &adam, &sgd_group, &sgd_plain_group, &adam_group, &global_norm, &clip_scale, NULL };
