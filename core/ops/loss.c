/* loss.c: softmax over the last axis, the cross-entropy of logits z (N, K) against labels y (N), and counts of hits.
 *
 *     loss = sum_n w[y_n] (log sum_k exp z_nk - z_n,y_n) / sum_n w[y_n]        (w = 1 without class weights)
 *     dz   = dloss w[y_n] / sum w  (softmax(z_n) - onehot(y_n))
 *
 * Exponents are taken about the largest logit; losses are summed in double, in sample order. A label outside 0..K-1
 * makes the loss NaN and never reads outside: loaders refuse such labels before. */
#include <math.h>
#include "loop.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

/* -- softmax, log_softmax --------------------------------------------------------------------------------------------------- */

typedef enum row_kind { SOFTMAX, LOG_SOFTMAX, SOFTMAX_GRAD, LOG_SOFTMAX_GRAD } row_kind;

typedef struct rows { row_kind kind; int64_t width; ptrdiff_t step[3]; } rows;   /* step: between the numbers of a row */

static float largest(const float *x, ptrdiff_t step, int64_t n)
{
    float m = x[0];
    for (int64_t k = 1; k < n; k++) m = x[k * step] > m ? x[k * step] : m;
    return m;
}

static double exponents(const float *x, ptrdiff_t step, int64_t n, float about)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += expf(x[k * step] - about);
    return sum;
}

static void softmax_row(float *y, const float *x, const rows *r)
{
    float m = largest(x, r->step[1], r->width);
    double sum = exponents(x, r->step[1], r->width, m);
    float factor = (float)(1 / sum), shift = (float)log(sum);
    for (int64_t k = 0; k < r->width; k++) {
        float d = x[k * r->step[1]] - m;
        y[k * r->step[0]] = r->kind == SOFTMAX ? expf(d) * factor : d - shift;
    }
}

/* softmax: dx = y (dy - sum dy y); log_softmax: dx = dy - exp(y) sum dy */
static void softmax_grad_row(float *dx, const float *y, const float *dy, const rows *r)
{
    double sum = 0;
    for (int64_t k = 0; k < r->width; k++) {
        double d = dy[k * r->step[2]];
        sum += r->kind == SOFTMAX_GRAD ? d * y[k * r->step[1]] : d;
    }
    for (int64_t k = 0; k < r->width; k++) {
        float a = y[k * r->step[1]], d = dy[k * r->step[2]];
        dx[k * r->step[0]] = r->kind == SOFTMAX_GRAD ? a * (d - (float)sum) : d - expf(a) * (float)sum;
    }
}

static void rows_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    (void)part;
    const rows *r = context;
    for (int64_t i = 0; i < n; i++) {
        float *out = (float *)data[0] + i * stride[0];
        const float *a = (const float *)data[1] + i * stride[1], *b = (const float *)data[2] + i * stride[2];
        if (r->kind <= LOG_SOFTMAX) softmax_row(out, a, r);
        else softmax_grad_row(out, a, b, r);
    }
}

/* An exponent costs as much as a dozen additions: parts are smaller. */
static int64_t rows_of_part(int64_t width)
{
    int64_t share = EX_LOOP_PART / 8 / width;
    return share ? share : 1;
}

static void run_rows(const ex_call *call, row_kind kind)
{
    const ex_operand *o[3] = { &call->out[0], &call->in[0], &call->in[call->inputs - 1] };
    int32_t last = o[0]->ndim - 1;
    rows r = { kind, o[0]->dim[last], { o[0]->stride[last], o[1]->stride[last], o[2]->stride[last] } };
    ex_loop l;
    ex_loop_over_rows(&l, 3, o);
    ex_loop_run(&l, call->team, rows_of_part(r.width), rows_body, &r);
}

static void forward_softmax(const ex_call *call) { run_rows(call, SOFTMAX); }
static void forward_log_softmax(const ex_call *call) { run_rows(call, LOG_SOFTMAX); }
static void forward_softmax_grad(const ex_call *call) { run_rows(call, SOFTMAX_GRAD); }
static void forward_log_softmax_grad(const ex_call *call) { run_rows(call, LOG_SOFTMAX_GRAD); }

static ex_status infer_rows(const ex_signature *s)
{
    char got[96], expected[96];
    s->out[0] = s->in[0];
    if (s->in[0].dtype != EX_FLOAT32 || s->in[0].ndim < 1 || (s->in[0].ndim == 1 && s->in[0].dim[0] == EX_BATCH))
        return ex_fail("input: got %s %s, expected float32 with classes as its last axis",
                       ex_shape_text(got, sizeof got, s->in[0].ndim, s->in[0].dim), ex_dtype_name(s->in[0].dtype));
    if (s->inputs == 1 || ex_shape_same(&s->in[0], &s->in[1])) return EX_OK;
    return ex_fail("gradient: got %s, expected %s", ex_shape_text(got, sizeof got, s->in[1].ndim, s->in[1].dim),
                   ex_shape_text(expected, sizeof expected, s->in[0].ndim, s->in[0].dim));
}

static ex_status gradient_softmax(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? b->node(b, "softmax_grad", 2, (int32_t[]){ node->out[0], dout[0] }, 0, NULL, &din[0]) : EX_OK;
}

static ex_status gradient_log_softmax(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? b->node(b, "log_softmax_grad", 2, (int32_t[]){ node->out[0], dout[0] }, 0, NULL, &din[0]) : EX_OK;
}

/* -- Cross-entropy ------------------------------------------------------------------------------------------------------------ */

static const ex_shape scalar_shape = { .dtype = EX_FLOAT32 };

/* z (N, K), y (N); class weights, where given, (K). */
static ex_status expect_logits(const ex_shape *z, const ex_shape *y, const ex_shape *weights)
{
    char text[96], labels[96];
    if (ex_expect("logits", z, EX_FLOAT32, 2) || ex_expect("labels", y, EX_INT32, 1)) return EX_FAILED;
    if (z->dim[0] != y->dim[0])
        return ex_fail("labels: got %s for logits of %s, expected one per row", ex_shape_text(labels, sizeof labels, 1, y->dim),
                       ex_shape_text(text, sizeof text, 2, z->dim));
    if (!weights || (weights->dtype == EX_FLOAT32 && weights->ndim == 1 && weights->dim[0] == z->dim[1])) return EX_OK;
    return ex_fail("class weights: got %s, expected (%d), one per class", ex_shape_text(text, sizeof text, weights->ndim, weights->dim),
                   z->dim[1]);
}

static ex_status infer_cross_entropy(const ex_signature *s)
{
    s->out[0] = scalar_shape;
    return expect_logits(&s->in[0], &s->in[1], s->inputs > 2 ? &s->in[2] : NULL);
}

static ex_status infer_cross_entropy_grad(const ex_signature *s)
{
    s->out[0] = s->in[0];
    if (ex_expect("gradient", &s->in[2], EX_FLOAT32, 0)) return EX_FAILED;
    return expect_logits(&s->in[0], &s->in[1], s->inputs > 3 ? &s->in[3] : NULL);
}

typedef struct entropy {
    const ex_operand *z, *y, *weights, *dz;
    int64_t rows;                           /* of a part */
    double factor;                          /* dloss / sum of weights */
    double *loss;                           /* of each sample, weighted */
} entropy;

static int32_t label_of(const ex_operand *y, int64_t n) { return ((const int32_t *)y->data)[n * y->stride[0]]; }
static int known(const entropy *e, int32_t label) { return label >= 0 && label < e->z->dim[1]; }

static double weight_of(const entropy *e, int32_t label)
{
    if (!known(e, label)) return NAN;
    return e->weights ? ((const float *)e->weights->data)[label * e->weights->stride[0]] : 1.0;
}

static double sum_of_weights(const entropy *e)
{
    double sum = 0;
    for (int32_t n = 0; n < e->z->dim[0]; n++) sum += weight_of(e, label_of(e->y, n));
    return sum;
}

static void loss_rows(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const entropy *e = context;
    ptrdiff_t step = e->z->stride[1];
    for (int64_t n = part * e->rows; n < (part + 1) * e->rows && n < e->z->dim[0]; n++) {
        const float *z = (const float *)e->z->data + n * e->z->stride[0];
        int32_t label = label_of(e->y, n);
        e->loss[n] = NAN;
        if (!known(e, label)) continue;
        float m = largest(z, step, e->z->dim[1]);
        e->loss[n] = weight_of(e, label) * ((double)m - z[label * step] + log(exponents(z, step, e->z->dim[1], m)));
    }
}

static void grad_rows(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const entropy *e = context;
    ptrdiff_t step = e->z->stride[1];
    int32_t classes = e->z->dim[1];
    for (int64_t n = part * e->rows; n < (part + 1) * e->rows && n < e->z->dim[0]; n++) {
        const float *z = (const float *)e->z->data + n * e->z->stride[0];
        float *dz = (float *)e->dz->data + n * e->dz->stride[0];
        int32_t label = label_of(e->y, n);
        double scale = e->factor * weight_of(e, label);
        float m = largest(z, step, classes), factor = (float)(scale / exponents(z, step, classes, m));
        for (int32_t k = 0; k < classes; k++)
            dz[k * e->dz->stride[1]] = expf(z[k * step] - m) * factor - (k == label ? (float)scale : 0.0f);
    }
}

static void run_entropy(entropy *e, ex_team *team, void (*work)(void *, int32_t, int32_t))
{
    e->rows = rows_of_part(e->z->dim[1]);
    ex_team_run(team, (int32_t)((e->z->dim[0] + e->rows - 1) / e->rows), work, e);
}

static void forward_cross_entropy(const ex_call *call)
{
    entropy e = { .z = &call->in[0], .y = &call->in[1], .weights = call->inputs > 2 ? &call->in[2] : NULL, .loss = call->scratch };
    double sum = 0;
    run_entropy(&e, call->team, loss_rows);
    for (int32_t n = 0; n < e.z->dim[0]; n++) sum += e.loss[n];
    *(float *)call->out[0].data = (float)(sum / sum_of_weights(&e));
}

static void forward_cross_entropy_grad(const ex_call *call)
{
    entropy e = { .z = &call->in[0], .y = &call->in[1], .weights = call->inputs > 3 ? &call->in[3] : NULL, .dz = &call->out[0] };
    e.factor = ex_operand_number(&call->in[2], 0) / sum_of_weights(&e);
    run_entropy(&e, call->team, grad_rows);
}

static size_t scratch_cross_entropy(const ex_signature *s, int32_t batch, int32_t threads)
{
    (void)threads;
    return (size_t)(s->in[0].dim[0] == EX_BATCH ? batch : s->in[0].dim[0]) * sizeof(double);
}

static ex_status gradient_cross_entropy(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    int32_t in[4] = { node->in[0], node->in[1], dout[0], node->inputs > 2 ? node->in[2] : EX_NONE };
    return b->node(b, "softmax_cross_entropy_grad", 1 + node->inputs, in, 0, NULL, &din[0]);
}

/* -- Hits ----------------------------------------------------------------------------------------------------------------------- */

enum { K };
static const ex_attr_spec hits_attr[] = { { .name = "k", .count = 1, .value = { 1 } }, { 0 } };

static ex_status infer_hits(const ex_signature *s)
{
    s->out[0] = scalar_shape;
    if (s->attr[K][0] < 1) return ex_fail("k: got %g, expected 1 or more", s->attr[K][0]);
    return expect_logits(&s->in[0], &s->in[1], NULL);
}

/* Classes ahead of the label: larger, or equal and of a lower index. A NaN is ahead of none, and a label's NaN is no hit. */
static int32_t rank_of(const ex_operand *z, int64_t n, int32_t label)
{
    const float *row = (const float *)z->data + n * z->stride[0];
    int32_t rank = 0;
    if (label < 0 || label >= z->dim[1]) return z->dim[1];
    float own = row[label * z->stride[1]];
    if (own != own) return z->dim[1];
    for (int32_t k = 0; k < z->dim[1]; k++) {
        float other = row[k * z->stride[1]];
        rank += other > own || (other == own && k < label);
    }
    return rank;
}

static void forward_hits(const ex_call *call)
{
    const ex_operand *z = &call->in[0], *y = &call->in[1];
    int32_t hits = 0, k = (int32_t)call->attr[K][0];
    if (k > z->dim[1]) k = z->dim[1];
    for (int32_t n = 0; n < z->dim[0]; n++) hits += rank_of(z, n, label_of(y, n)) < k;
    *(float *)call->out[0].data = (float)hits;
}

/* -- The family ------------------------------------------------------------------------------------------------------------------ */

static const ex_op softmax = {
    .name = "softmax", .about = "softmax(x): exp(x) / sum exp(x) over the last axis", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .in_place = 1, .infer = infer_rows, .forward = forward_softmax, .gradient = gradient_softmax };
static const ex_op softmax_grad = {
    .name = "softmax_grad", .about = "softmax_grad(y, dy)", .min_inputs = 2, .max_inputs = 2, .outputs = 1, .in_place = 3,
    .infer = infer_rows, .forward = forward_softmax_grad };
static const ex_op log_softmax = {
    .name = "log_softmax", .about = "log_softmax(x): x - log sum exp(x) over the last axis", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .in_place = 1, .infer = infer_rows, .forward = forward_log_softmax, .gradient = gradient_log_softmax };
static const ex_op log_softmax_grad = {
    .name = "log_softmax_grad", .about = "log_softmax_grad(y, dy)", .min_inputs = 2, .max_inputs = 2, .outputs = 1, .in_place = 3,
    .infer = infer_rows, .forward = forward_log_softmax_grad };
static const ex_op cross_entropy = {
    .name = "softmax_cross_entropy", .about = "softmax_cross_entropy(z (N, K), y (N), [class_weights (K)]): the (weighted) mean loss",
    .min_inputs = 2, .max_inputs = 3, .outputs = 1, .infer = infer_cross_entropy, .forward = forward_cross_entropy,
    .gradient = gradient_cross_entropy, .scratch = scratch_cross_entropy };
static const ex_op cross_entropy_grad = {
    .name = "softmax_cross_entropy_grad", .about = "softmax_cross_entropy_grad(z, y, dloss, [class_weights]): dz", .min_inputs = 3,
    .max_inputs = 4, .outputs = 1, .in_place = 1, .infer = infer_cross_entropy_grad, .forward = forward_cross_entropy_grad };
static const ex_op hits = {
    .name = "hits", .about = "hits(z (N, K), y (N); k = 1): how many labels are among the k largest logits", .min_inputs = 2,
    .max_inputs = 2, .outputs = 1, .attr = hits_attr, .flags = EX_OP_STOPS, .infer = infer_hits, .forward = forward_hits };

const ex_op *const ex_ops_loss[] = { &softmax, &softmax_grad, &log_softmax, &log_softmax_grad, &cross_entropy, &cross_entropy_grad,
                                     &hits, NULL };
