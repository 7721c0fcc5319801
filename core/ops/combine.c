/* combine.c: weighted sums of values of one shape, y = w_1 x_1 + ... + w_E x_E, from left to right: the joint loss of E
 * exits (scalars) and their vote (logits). The weights are a value, so that a schedule can change them between runs.
 *
 *     dx_i = w_i dy  (scale_by)        dw_i = sum dy x_i  (weighted_sum_grad_weights, in double) */
#include "loop.h"
#include "../base/error.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { INDEX };
static const ex_attr_spec index_attr[] = { { .name = "index", .count = 1, .required = 1 }, { 0 } };

static ex_status expect_weights(const ex_shape *w, int32_t terms)
{
    char text[96];
    if (w->dtype == EX_FLOAT32 && w->ndim == 1 && w->dim[0] == terms) return EX_OK;
    return ex_fail("weights: got %s %s, expected (%d) float32, one per term", ex_shape_text(text, sizeof text, w->ndim, w->dim),
                   ex_dtype_name(w->dtype), terms);
}

/* The inputs from 1 on have one shape, float32. */
static ex_status expect_terms(const ex_signature *s)
{
    char got[96], expected[96];
    const ex_shape *first = &s->in[1];
    if (first->dtype != EX_FLOAT32) return ex_fail("term 1: got %s, expected float32", ex_dtype_name(first->dtype));
    for (int32_t i = 2; i < s->inputs; i++)
        if (!ex_shape_same(&s->in[i], first))
            return ex_fail("term %d: got %s, expected %s as term 1", i, ex_shape_text(got, sizeof got, s->in[i].ndim, s->in[i].dim),
                           ex_shape_text(expected, sizeof expected, first->ndim, first->dim));
    return EX_OK;
}

/* -- weighted_sum ----------------------------------------------------------------------------------------------------------------- */

enum { BLOCK = 4096 };                      /* floats at a time: they stay in the first cache */

typedef struct weighing { const ex_vector_kernels *v; int32_t terms, first; float weight[EX_LOOP_OPERANDS]; } weighing;

static void weigh_row(void *context, float *const *data, int64_t n)
{
    const weighing *w = context;
    for (int64_t from = 0; from < n; from += BLOCK) {
        int64_t m = n - from < BLOCK ? n - from : BLOCK;
        for (int32_t k = 1; k <= w->terms; k++) {
            if (w->first && k == 1) w->v->scale(data[0] + from, data[1] + from, w->weight[1], m);
            else w->v->scale_add(data[0] + from, data[k] + from, w->weight[k], m);
        }
    }
}

static void forward_weighted_sum(const ex_call *call)
{
    for (int32_t from = 1; from < call->inputs;) {
        const ex_operand *operand[EX_LOOP_OPERANDS] = { &call->out[0] };
        weighing w = { .v = ex_kernels_current()->vector, .first = from == 1 };
        for (; from < call->inputs && w.terms < EX_LOOP_OPERANDS - 1; from++) {
            operand[++w.terms] = &call->in[from];
            w.weight[w.terms] = (float)ex_operand_number(&call->in[0], from - 1);
        }
        ex_loop l;
        ex_loop_over(&l, w.terms + 1, operand);
        ex_loop_rows(&l, call->team, 1, weigh_row, &w);
    }
}

static ex_status infer_weighted_sum(const ex_signature *s)
{
    s->out[0] = s->in[1];
    return expect_terms(s) ? EX_FAILED : expect_weights(&s->in[0], s->inputs - 1);
}

static ex_status gradient_weighted_sum(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    int32_t in[EX_MAX_IN + 1];
    if (wanted[0]) {
        if (node->inputs > EX_MAX_IN) return ex_fail("got %d terms, expected up to %d where the weights are trained", node->inputs - 1, EX_MAX_IN - 1);
        in[0] = dout[0];
        for (int32_t i = 1; i < node->inputs; i++) in[i] = node->in[i];
        if (b->node(b, "weighted_sum_grad_weights", node->inputs, in, 0, NULL, &din[0])) return EX_FAILED;
    }
    for (int32_t i = 1; i < node->inputs; i++) {
        ex_attr index = { "index", 1, { i - 1 } };
        if (wanted[i] && b->node(b, "scale_by", 2, (int32_t[]){ dout[0], node->in[0] }, 1, &index, &din[i])) return EX_FAILED;
    }
    return EX_OK;
}

/* -- scale_by --------------------------------------------------------------------------------------------------------------------- */

static ex_status infer_scale_by(const ex_signature *s)
{
    const ex_shape *w = &s->in[1];
    s->out[0] = s->in[0];
    if (s->in[0].dtype != EX_FLOAT32) return ex_fail("input: got %s, expected float32", ex_dtype_name(s->in[0].dtype));
    if (ex_expect("weights", w, EX_FLOAT32, 1)) return EX_FAILED;
    if (s->attr[INDEX][0] >= 0 && s->attr[INDEX][0] < w->dim[0]) return EX_OK;
    return ex_fail("index: got %g, expected 0 to %d", s->attr[INDEX][0], w->dim[0] - 1);
}

static void scale_row(void *context, float *const *data, int64_t n)
{
    const weighing *w = context;
    w->v->scale(data[0], data[1], w->weight[0], n);
}

static void forward_scale_by(const ex_call *call)
{
    weighing w = { .v = ex_kernels_current()->vector };
    w.weight[0] = (float)ex_operand_number(&call->in[1], (int64_t)call->attr[INDEX][0]);
    ex_loop l;
    ex_loop_over(&l, 2, (const ex_operand *[]){ &call->out[0], &call->in[0] });
    ex_loop_rows(&l, call->team, 1, scale_row, &w);
}

/* -- weighted_sum_grad_weights ------------------------------------------------------------------------------------------------------ */

typedef struct dots { const ex_vector_kernels *v; double part[EX_LOOP_SUMS]; } dots;

static void dot_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    dots *d = context;
    const float *a = (const float *)data[0], *b = (const float *)data[1];
    if (stride[0] == 1 && stride[1] == 1) {
        d->part[part] += d->v->dot(a, b, n);
        return;
    }
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)a[i * stride[0]] * b[i * stride[1]];
    d->part[part] += sum;
}

static void forward_grad_weights(const ex_call *call)
{
    for (int32_t i = 1; i < call->inputs; i++) {
        dots d = { .v = ex_kernels_current()->vector };
        ex_loop l;
        double sum = 0;
        ex_loop_over(&l, 2, (const ex_operand *[]){ &call->in[0], &call->in[i] });
        ex_loop_run(&l, call->team, ex_loop_sum_step(l.count, 1), dot_body, &d);
        for (int32_t p = 0; p < EX_LOOP_SUMS; p++) sum += d.part[p];
        ((float *)call->out[0].data)[(i - 1) * call->out[0].stride[0]] = (float)sum;
    }
}

static ex_status infer_grad_weights(const ex_signature *s)
{
    char got[96], expected[96];
    s->out[0] = (ex_shape){ .dtype = EX_FLOAT32, .ndim = 1, .dim = { s->inputs - 1 } };
    if (expect_terms(s)) return EX_FAILED;
    if (ex_shape_same(&s->in[0], &s->in[1])) return EX_OK;
    return ex_fail("gradient: got %s, expected %s", ex_shape_text(got, sizeof got, s->in[0].ndim, s->in[0].dim),
                   ex_shape_text(expected, sizeof expected, s->in[1].ndim, s->in[1].dim));
}

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op weighted_sum = {
    .name = "weighted_sum", .about = "weighted_sum(w (E), x1, ..., xE): the sum of w_i x_i", .min_inputs = 2, .max_inputs = INT32_MAX,
    .outputs = 1, .flags = EX_OP_NARY, .in_place = 2, .infer = infer_weighted_sum, .forward = forward_weighted_sum,
    .gradient = gradient_weighted_sum, .kernel = kernel_vector };
static const ex_op scale_by = {
    .name = "scale_by", .about = "scale_by(x, w; index): w[index] x", .min_inputs = 2, .max_inputs = 2, .outputs = 1, .attr = index_attr,
    .in_place = 1, .infer = infer_scale_by, .forward = forward_scale_by, .kernel = kernel_vector };
static const ex_op grad_weights = {
    .name = "weighted_sum_grad_weights", .about = "weighted_sum_grad_weights(dy, x1, ..., xE): the sums of dy x_i, (E)", .min_inputs = 2,
    .max_inputs = INT32_MAX, .outputs = 1, .flags = EX_OP_NARY | EX_OP_SOLID, .infer = infer_grad_weights, .forward = forward_grad_weights,
    .kernel = kernel_vector };

const ex_op *const ex_ops_combine[] = { &weighted_sum, &scale_by, &grad_weights, NULL };
