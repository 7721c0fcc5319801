/* random.c: dropout. In a network's graph it is the identity; in training each element is zero with probability p and
 * divided by 1 - p otherwise. The draw is a function of (seed, stream, step, sample, element), the element counted in
 * logical order, so that neither layout nor threads matter and the gradient draws the same again: no mask is kept. */
#include "loop.h"
#include "../base/error.h"
#include "../base/random.h"
#include "../base/team.h"
#include "../tensor/tensor.h"

enum { P, STREAM };                         /* dropout has p alone */
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

static ex_status train_node(ex_builder *b, int32_t x, double p, double stream, int32_t *out)
{
    ex_attr attr[] = { { "p", 1, { p } }, { "stream", 1, { stream } } };
    return b->node(b, "dropout_train", 1, &x, 2, attr, out);
}

static ex_status training_dropout(ex_builder *b, const ex_node_ref *node, const int32_t *trains, int32_t *out)
{
    (void)trains;
    if (node->attr[P][0] == 0) return EX_OK;
    return train_node(b, node->in[0], node->attr[P][0], ex_hash_name(node->name), &out[0]);
}

static ex_status gradient_train(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    return wanted[0] ? train_node(b, dout[0], node->attr[P][0], node->attr[STREAM][0], &din[0]) : EX_OK;
}

/* -- The draw ---------------------------------------------------------------------------------------------------------------- */

enum { DRAWS = 1 << 12 };                   /* of four numbers each, in a part */

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

static void drop_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const dropping *d = context;
    const ex_operand *x = &d->call->in[0], *y = &d->call->out[0];
    int64_t end = (part + 1) * (int64_t)DRAWS, all = d->draws * x->dim[0];
    for (int64_t draw = part * (int64_t)DRAWS; draw < end && draw < all; draw++) {
        int64_t sample = draw / d->draws, quad = draw % d->draws;
        const float *from = (const float *)x->data + sample * x->stride[0];
        float *to = (float *)y->data + sample * y->stride[0];
        uint32_t word[4];
        ex_random4(word, d->call->seed, d->stream, d->call->step, (uint32_t)sample, (uint32_t)quad);
        for (int64_t k = 0; k < 4 && quad * 4 + k < d->elements; k++) {
            int64_t e = quad * 4 + k;
            ptrdiff_t in = d->dense ? e : offset_of(x, e), out = d->dense ? e : offset_of(y, e);
            to[out] = ex_unit_float(word[k]) < d->p ? 0.0f : from[in] * d->scale;
        }
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

static void forward_train(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    double p = call->attr[P][0];
    dropping d = { .call = call, .elements = ex_operand_count(x) / x->dim[0], .dense = dense_sample(x) && dense_sample(&call->out[0]),
                   .p = (float)p, .scale = p < 1 ? (float)(1 / (1 - p)) : 0.0f, .stream = (uint32_t)call->attr[STREAM][0] };
    d.draws = (d.elements + 3) / 4;
    ex_team_run(call->team, (int32_t)((d.draws * x->dim[0] + DRAWS - 1) / DRAWS), drop_part, &d);
}

static const ex_op dropout = {
    .name = "dropout", .about = "dropout(x; p): x; in training, zeros with probability p", .min_inputs = 1, .max_inputs = 1, .outputs = 1,
    .attr = dropout_attr, .flags = EX_OP_VIEW, .in_place = 1, .infer = infer_dropout, .forward = forward_dropout, .gradient = gradient_dropout,
    .training = training_dropout };
static const ex_op dropout_train = {
    .name = "dropout_train", .about = "dropout_train(x; p, stream): zeros with probability p, x / (1 - p) otherwise", .min_inputs = 1,
    .max_inputs = 1, .outputs = 1, .attr = train_attr, .flags = EX_OP_RANDOM, .in_place = 1, .infer = infer_dropout,
    .forward = forward_train, .gradient = gradient_train };

const ex_op *const ex_ops_random[] = { &dropout, &dropout_train, NULL };
