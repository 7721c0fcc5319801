/* update.c: what optimisers write, as torch.optim does it. lr, scale and t are scalars; scale multiplies the gradient
 * first (clipping). Parameter, gradient and state share one memory layout, so the loops are flat; other strides work.
 *
 *     sgd    g = scale g + weight_decay p;  v = momentum v + g;  p -= lr (nesterov ? g + momentum v : v)
 *     adam   decoupled: p *= 1 - lr weight_decay, else g = scale g + weight_decay p;  m, v: moving means of g, g^2
 *            p -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps),  t = 1 at the first step
 *     global_norm(g1, ..., gk) = sqrt(sum of squares), in double;  clip_scale(norm; max) = min(1, max / (norm + 1e-6))
 *
 * A velocity of zeros makes the first step equal to torch's, which starts it as g. */
#include <math.h>
#include "loop.h"
#include "../base/error.h"
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

static void forward_sgd(const ex_call *call)
{
    stepping s = { .v = ex_kernels_current()->vector, .velocity = call->inputs > 4 };
    s.sgd = (ex_sgd_numbers){ (float)ex_operand_number(&call->in[2], 0), (float)ex_operand_number(&call->in[3], 0),
                              (float)call->attr[SGD_MOMENTUM][0], (float)call->attr[SGD_DECAY][0], call->attr[SGD_NESTEROV][0] != 0 };
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

static void forward_adam(const ex_call *call)
{
    const ex_numbers *a = call->attr;
    double lr = ex_operand_number(&call->in[2], 0), t = ex_operand_number(&call->in[4], 0), decay = a[ADAM_DECAY][0];
    int decoupled = a[ADAM_DECOUPLED][0] != 0;
    stepping s = { .v = ex_kernels_current()->vector };
    s.adam = (ex_adam_numbers){
        .rate = (float)(lr / (1 - pow(a[ADAM_BETA1][0], t))), .root = (float)(1 / sqrt(1 - pow(a[ADAM_BETA2][0], t))),
        .scale = (float)ex_operand_number(&call->in[3], 0), .beta1 = (float)a[ADAM_BETA1][0], .beta2 = (float)a[ADAM_BETA2][0],
        .rest1 = (float)(1 - a[ADAM_BETA1][0]), .rest2 = (float)(1 - a[ADAM_BETA2][0]),
        .eps = (float)a[ADAM_EPS][0], .weight_decay = decoupled ? 0.0f : (float)decay, .keep = decoupled ? (float)(1 - lr * decay) : 1.0f };
    ex_loop l;
    ex_loop_over(&l, 4, (const ex_operand *[]){ &call->in[0], &call->in[5], &call->in[6], &call->in[1] });
    ex_loop_rows(&l, call->team, 3, adam_row, &s);
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

typedef struct squares { const ex_vector_kernels *v; double part[EX_LOOP_SUMS]; } squares;

static void square_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    squares *s = context;
    const float *x = (const float *)data[0];
    double sum = 0;
    if (stride[0] == 1) sum = s->v->square_sum(x, n);
    else for (int64_t i = 0; i < n; i++) sum += (double)x[i * stride[0]] * x[i * stride[0]];
    s->part[part] += sum;
}

static void forward_norm(const ex_call *call)
{
    double total = 0;
    for (int32_t i = 0; i < call->inputs; i++) {
        squares s = { .v = ex_kernels_current()->vector };
        ex_loop l;
        const ex_operand *g = &call->in[i];
        ex_loop_over(&l, 1, &g);
        ex_loop_run(&l, call->team, ex_loop_sum_step(l.count, 1), square_body, &s);
        for (int32_t p = 0; p < EX_LOOP_SUMS; p++) total += s.part[p];
    }
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
static const ex_op global_norm = {
    .name = "global_norm", .about = "global_norm(g1, ..., gk): the length of all gradients together", .min_inputs = 1,
    .max_inputs = INT32_MAX, .outputs = 1, .flags = EX_OP_NARY, .infer = infer_norm, .forward = forward_norm, .kernel = kernel_vector };
static const ex_op clip_scale = {
    .name = "clip_scale", .about = "clip_scale(norm; max): min(1, max / (norm + 1e-6))", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = max_attr, .infer = infer_clip, .forward = forward_clip };

const ex_op *const ex_ops_update[] = { &sgd, &adam, &global_norm, &clip_scale, NULL };
