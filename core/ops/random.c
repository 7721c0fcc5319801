/* random.c: dropout and stochastic depth. In a network's graph both are the identity; in training each element (dropout) or
 * each sample as a whole (stochastic depth) is zero with probability p and divided by 1 - p otherwise. The draw is a function
 * of (seed, stream, step, sample, element), the element counted in logical order, 0 for a sample as a whole, so that neither
 * layout nor threads matter and the gradient draws the same again: no mask is kept. */
#include <string.h>
#include "loop.h"
#include "../base/error.h"
#include "../base/random.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { P, STREAM };                         /* dropout and stochastic_depth have p alone */
static const ex_attr_spec dropout_attr[] = { { .name = "p", .count = 1, .value = { 0.5 } }, { 0 } };
static const ex_attr_spec train_attr[] = { { .name = "p", .count = 1, .value = { 0.5 } },
    { .name = "stream", .count = 1 }, { 0 } };

static ex_status infer_dropout(const ex_signature *s)
{
    char text[96];
    s->out[0] = s->in[0];
    if (!(s->attr[P][0] >= 0 && s->attr[P][0] <= 1)) return ex_fail("p: got %g, expected 0 to 1", s->attr[P][0]);
    if (s->in[0].dtype == EX_FLOAT32 && s->in[0].ndim) return EX_OK;
    return ex_fail("input: got %s %s, expected samples in float32", ex_shape_text(text, sizeof text, s->in[0].ndim, s->in[0].dim),
                   ex_dtype_name(s->in[0].dtype));
}

static void forward_dropout(const ex_call *call)
{
    if (call->out[0].data != call->in[0].data) ex_operand_copy(&call->out[0], &call->in[0], call->team);
}

static ex_status gradient_dropout(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    (void)b;
    (void)node;
    if (wanted[0]) din[0] = dout[0];
    return EX_OK;
}

static ex_status train_node(ex_builder *b, const char *op, int32_t x, double p, double stream, int32_t *out)
{
    ex_attr attr[] = { { "p", 1, { p } }, { "stream", 1, { stream } } };
    return b->node(b, op, 1, &x, 2, attr, out);
}

static ex_status training_form(ex_builder *b, const ex_node_ref *node, const char *op, int32_t *out)
{
    if (node->attr[P][0] == 0) return EX_OK;
    return train_node(b, op, node->in[0], node->attr[P][0], ex_hash_name(node->name), &out[0]);
}

static ex_status training_dropout(ex_builder *b, const ex_node_ref *node, const int32_t *trains, int32_t *out)
{
    (void)trains;
    return training_form(b, node, "dropout_train", out);
}

static ex_status training_depth(ex_builder *b, const ex_node_ref *node, const int32_t *trains, int32_t *out)
{
    (void)trains;
    return training_form(b, node, "stochastic_depth_train", out);
}

static ex_status gradient_train(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? train_node(b, node->op, dout[0], node->attr[P][0], node->attr[STREAM][0], &din[0]) : EX_OK;
}

/* -- Dropout's draw ---------------------------------------------------------------------------------------------------------------- */

enum { DRAWS = 1 << 12, AT_ONCE = 64 };     /* of four numbers each: in a part, and drawn before they are used */

typedef struct dropping {
    const ex_call *call;
    int64_t elements, draws;                /* of a sample */
    int dense;                              /* both sides run on inside a sample */
    float p, scale;
    uint32_t stream;
} dropping;

static ptrdiff_t offset_of(const ex_operand *o, int64_t element)
{
    ptrdiff_t at = 0;
    for (int32_t i = o->ndim - 1; i > 0; i--) {
        at += element % o->dim[i] * o->stride[i];
        element /= o->dim[i];
    }
    return at;
}

/* Draws [quad, quad + draws) of a sample. */
static void drop_some(const dropping *d, int64_t sample, int64_t quad, int64_t draws)
{
    const ex_operand *x = &d->call->in[0], *y = &d->call->out[0];
    const ex_vector_kernels *v = ex_kernels_current()->vector;
    const float *from = (const float *)x->data + sample * x->stride[0];
    float *to = (float *)y->data + sample * y->stride[0];
    const int64_t first = quad * 4, count = draws * 4 < d->elements - first ? draws * 4 : d->elements - first;
    uint32_t word[AT_ONCE * 4];
    v->random_words(word, d->call->seed, d->stream, d->call->step, (uint32_t)sample, (uint32_t)quad, draws);
    if (d->dense) v->drop(to + first, from + first, word, d->p, d->scale, count);
    else
        for (int64_t i = 0; i < count; i++)
            v->drop(to + offset_of(y, first + i), from + offset_of(x, first + i), word + i, d->p, d->scale, 1);
}

static void drop_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const dropping *d = context;
    const int64_t all = d->draws * d->call->in[0].dim[0], limit = (part + 1) * (int64_t)DRAWS, end = limit < all ? limit : all;
    for (int64_t draw = part * (int64_t)DRAWS; draw < end;) {
        const int64_t quad = draw % d->draws;
        int64_t some = d->draws - quad < end - draw ? d->draws - quad : end - draw;
        if (some > AT_ONCE) some = AT_ONCE;
        drop_some(d, draw / d->draws, quad, some);
        draw += some;
    }
}

static int dense_sample(const ex_operand *o)
{
    ptrdiff_t step = 1;
    for (int32_t i = o->ndim - 1; i > 0; i--) {
        if (o->dim[i] != 1 && o->stride[i] != step) return 0;
        step *= o->dim[i];
    }
    return 1;
}

static dropping dropping_of(const ex_call *call)
{
    double p = call->attr[P][0];
    return (dropping){ .call = call, .p = (float)p, .scale = p < 1 ? (float)(1 / (1 - p)) : 0.0f, .stream = (uint32_t)call->attr[STREAM][0] };
}

static void forward_train(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    dropping d = dropping_of(call);
    d.elements = ex_operand_count(x) / x->dim[0];
    d.dense = dense_sample(x) && dense_sample(&call->out[0]);
    d.draws = (d.elements + 3) / 4;
    ex_team_run(call->team, (int32_t)((d.draws * x->dim[0] + DRAWS - 1) / DRAWS), drop_part, &d);
}

/* -- Stochastic depth's draw: the first number of (seed, stream, step, sample, 0) --------------------------------------------- */

typedef struct depth { const ex_vector_kernels *v; float factor; } depth;

static void depth_row(void *context, float *const *data, int64_t n)
{
    const depth *k = context;
    if (k->factor == 0) memset(data[0], 0, (size_t)n * sizeof *data[0]);    /* 0 times infinity is no zero */
    else k->v->scale(data[0], data[1], k->factor, n);
}

static void depth_samples(void *context, int32_t sample, int32_t thread)
{
    (void)thread;
    const dropping *d = context;
    ex_operand x = d->call->in[0], y = d->call->out[0];
    uint32_t word[4];
    ex_random4(word, d->call->seed, d->stream, d->call->step, (uint32_t)sample, 0);
    float factor = ex_unit_float(word[0]) < d->p ? 0.0f : d->scale;
    x.dim[0] = y.dim[0] = 1;
    x.data = (float *)x.data + sample * x.stride[0];
    y.data = (float *)y.data + sample * y.stride[0];
    ex_loop l;
    ex_loop_over(&l, 2, (const ex_operand *[]){ &y, &x });
    ex_loop_rows_walk(&l, 0, l.count, 1, depth_row, &(depth){ ex_kernels_current()->vector, factor });
}

static void forward_depth_train(const ex_call *call)
{
    dropping d = dropping_of(call);
    ex_team_run(call->team, call->in[0].dim[0], depth_samples, &d);
}

static const ex_op dropout = {
    .name = "dropout", .about = "dropout(x; p): x; in training, zeros with probability p", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = dropout_attr, .flags = EX_OP_VIEW, .in_place = 1, .infer = infer_dropout, .forward = forward_dropout, .gradient = gradient_dropout,
    .training = training_dropout };
static const ex_op dropout_train = {
    .name = "dropout_train", .about = "dropout_train(x; p, stream): zeros with probability p, x / (1 - p) otherwise", .min_inputs = 1,
    .max_inputs = 1, .outputs = 1, .attr = train_attr, .flags = EX_OP_RANDOM, .in_place = 1, .infer = infer_dropout,
    .forward = forward_train, .gradient = gradient_train };
static const ex_op stochastic_depth = {
    .name = "stochastic_depth", .about = "stochastic_depth(x; p): x; in training, whole samples are zero with probability p",
    .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = dropout_attr, .flags = EX_OP_VIEW, .in_place = 1, .infer = infer_dropout,
    .forward = forward_dropout, .gradient = gradient_dropout, .training = training_depth };
static const ex_op stochastic_depth_train = {
    .name = "stochastic_depth_train", .about = "stochastic_depth_train(x; p, stream): by sample, zeros with probability p, else x / (1 - p)",
    .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = train_attr, .flags = EX_OP_RANDOM, .in_place = 1, .infer = infer_dropout,
    .forward = forward_depth_train, .gradient = gradient_train };

const ex_op *const ex_ops_random[] = { &dropout, &dropout_train, &stochastic_depth, &stochastic_depth_train, NULL };
