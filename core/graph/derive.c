/* derive.c: graphs that follow from a graph: its training form (batch norms on batch statistics, dropout that drops),
 * and the gradient, appended node by node by the operators' own rules, only towards what is asked for. A value that
 * several nodes read gets one n-ary sum of their contributions, in the order of the consumers. */
#include <stdio.h>
#include <string.h>
#include "graph.h"
#include "../base/error.h"
#include "../base/memory.h"

/* -- The builder ---------------------------------------------------------------------------------------------- */

static ex_status build_node(ex_builder *base, const char *op, int32_t inputs, const int32_t *input, int32_t attrs,
                            const ex_attr *attr, int32_t *output)
{
    ex_graph_builder *b = (ex_graph_builder *)base;
    char name[512];
    ex_graph_fresh_name(b->graph, name, sizeof name, b->owner, op);
    int32_t n = ex_graph_node(b->graph, name, op, inputs, input, attrs, attr);
    if (n == EX_NONE) return EX_FAILED;
    const ex_node *node = &b->graph->node[n];
    for (int32_t k = 0; output && k < node->outputs; k++) output[k] = node->out[k];
    return EX_OK;
}

static const ex_shape *build_shape(ex_builder *base, int32_t value)
{
    return &((ex_graph_builder *)base)->graph->value[value].shape;
}

ex_graph_builder ex_graph_builder_for(ex_graph *g, const char *owner)
{
    return (ex_graph_builder){ .base = { .node = build_node, .shape = build_shape }, .graph = g, .owner = owner };
}

/* What a rule sees of a node. The graph's arrays move when the rule appends, so everything is copied out first. */
typedef struct ref_room {
    ex_node_ref ref;
    char owner[400];
    const char *in_name[EX_MAX_IN];
    int32_t *in, *out;
} ref_room;

static ex_status make_ref(ref_room *r, const ex_graph *g, const ex_node *n, const int32_t *map)
{
    r->in = ex_alloc(sizeof(int32_t) * (size_t)(n->inputs + n->outputs + 1));
    if (!r->in) return EX_FAILED;
    r->out = r->in + n->inputs;
    for (int32_t i = 0; i < n->inputs; i++) {
        r->in[i] = map ? map[n->in[i]] : n->in[i];
        if (i < EX_MAX_IN) r->in_name[i] = g->value[n->in[i]].name;
    }
    for (int32_t k = 0; k < n->outputs; k++) r->out[k] = n->out[k];
    strncpy(r->owner, n->name, sizeof r->owner - 1);
    r->owner[sizeof r->owner - 1] = 0;
    r->ref = (ex_node_ref){ .name = r->owner, .op = n->op->name, .inputs = n->inputs, .outputs = n->outputs, .in = r->in,
                            .out = r->out, .attr = (const ex_numbers *)n->attr, .attr_count = n->attr_count, .in_name = r->in_name };
    return EX_OK;
}

/* -- Training form ---------------------------------------------------------------------------------------------- */

static ex_status train_node(ex_graph *to, const ex_graph *from, int32_t n, int32_t *map)
{
    const ex_node *node = &from->node[n];
    if (!node->op->training) return ex_graph_copy_node(to, from, n, map);
    int32_t trains[EX_MAX_IN] = { 0 }, out[EX_MAX_OUT];
    for (int32_t i = 0; i < node->inputs && i < EX_MAX_IN; i++) trains[i] = from->value[node->in[i]].trainable;
    for (int32_t k = 0; k < EX_MAX_OUT; k++) out[k] = EX_NONE;
    ref_room room;
    if (make_ref(&room, from, node, map)) return EX_FAILED;
    ex_graph_builder b = ex_graph_builder_for(to, room.owner);
    ex_status status = node->op->training(&b.base, &room.ref, trains, out);
    ex_free(room.in);
    if (status) return status;
    if (out[0] == EX_NONE) return ex_graph_copy_node(to, from, n, map);
    for (int32_t k = 0; k < node->outputs; k++) ex_graph_replace(to, from, node->out[k], out[k], map);
    return EX_OK;
}

ex_graph *ex_graph_training(const ex_graph *g)
{
    int32_t *map = ex_graph_new_map(g);
    ex_graph *out = map ? ex_graph_new() : NULL;
    ex_status status = out ? EX_OK : EX_FAILED;
    for (int32_t v = 0; v < g->values && !status; v++)
        if (g->value[v].kind != EX_VALUE_RESULT) status = ex_graph_copy_leaf(out, g, v, map);
    for (int32_t n = 0; n < g->nodes && !status; n++) status = train_node(out, g, n, map);
    ex_free(map);
    if (!status) return out;
    ex_graph_free(out);
    return NULL;
}

/* -- Gradient ------------------------------------------------------------------------------------------------------ */

/* The contributions to one value's gradient, as they are found: last consumer first. */
typedef struct contribution { int32_t value, gradient, next; } contribution;

typedef struct backward {
    ex_graph *g;
    unsigned char *reaches;                          /* value depends on something that is asked for */
    int32_t *first, *total;                 /* by value: list of contributions; the finished sum */
    contribution *list;
    int32_t count, room;
} backward;

static ex_status contribute(backward *w, int32_t value, int32_t gradient)
{
    if (w->count == w->room) {
        int32_t room = w->room ? 2 * w->room : 64;
        contribution *grown = ex_realloc(w->list, sizeof *grown * (size_t)room);
        if (!grown) return EX_FAILED;
        w->list = grown;
        w->room = room;
    }
    w->list[w->count] = (contribution){ value, gradient, w->first[value] };
    w->first[value] = w->count++;
    return EX_OK;
}

/* The gradient towards a value once all its consumers are done: EX_NONE, the one contribution, or a sum. */
static ex_status total_of(backward *w, int32_t value, int32_t *total)
{
    *total = w->total[value];
    if (*total != EX_NONE || w->first[value] == EX_NONE) return EX_OK;
    int32_t n = 0;
    for (int32_t c = w->first[value]; c != EX_NONE; c = w->list[c].next) n++;
    int32_t *in = ex_alloc(sizeof *in * (size_t)n);
    if (!in) return EX_FAILED;
    n = 0;                                  /* the list runs from the first consumer to the last */
    for (int32_t c = w->first[value]; c != EX_NONE; c = w->list[c].next) in[n++] = w->list[c].gradient;
    ex_status status = EX_OK;
    if (n == 1) *total = in[0];
    else {
        char name[400];
        snprintf(name, sizeof name, "%s", w->g->value[value].name);
        ex_graph_builder b = ex_graph_builder_for(w->g, name);
        status = b.base.node(&b.base, "add_n", n, in, 0, NULL, total);
    }
    ex_free(in);
    w->total[value] = *total;
    return status;
}

static ex_status differentiate(backward *w, int32_t n)
{
    const ex_node *node = &w->g->node[n];
    int32_t dout[EX_MAX_OUT], outputs = node->outputs, inputs = node->inputs, any = 0;
    for (int32_t k = 0; k < outputs; k++) {
        if (total_of(w, w->g->node[n].out[k], &dout[k])) return EX_FAILED;
        any |= dout[k] != EX_NONE;
    }
    node = &w->g->node[n];
    int32_t *wanted = ex_alloc_zero(sizeof *wanted * (size_t)(2 * inputs + 1)), *din = wanted + inputs, asked = 0;
    if (!wanted) return EX_FAILED;
    for (int32_t i = 0; i < inputs; i++) {
        asked |= wanted[i] = w->reaches[node->in[i]];
        din[i] = EX_NONE;
    }
    ex_status status = EX_OK;
    if (any && asked && !node->op->gradient && !(node->op->flags & EX_OP_STOPS))
        status = ex_fail("%s: %s: the operator has no gradient rule, and a parameter below it is to be trained", node->name, node->op->name);
    else if (any && asked && node->op->gradient) {
        ref_room room;
        status = make_ref(&room, w->g, node, NULL);
        if (!status) {
            ex_graph_builder b = ex_graph_builder_for(w->g, room.owner);
            status = node->op->gradient(&b.base, &room.ref, dout, wanted, din);
            for (int32_t i = 0; i < inputs && !status; i++)
                if (wanted[i] && din[i] != EX_NONE) status = contribute(w, room.in[i], din[i]);
            ex_free(room.in);
        }
    }
    ex_free(wanted);
    return status;
}

/* d loss / d loss: a scalar 1, one leaf for the graph. */
static int32_t one(ex_graph *g)
{
    int32_t v = ex_graph_find(g, "gradient/one");
    if (v != EX_NONE) return v;
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 0, NULL);
    if (!t || ex_tensor_fill(t, 1)) { ex_tensor_free(t); return EX_NONE; }
    v = ex_graph_leaf(g, "gradient/one", EX_VALUE_BUFFER, t);
    ex_tensor_free(t);
    return v;
}

static ex_status check_request(const ex_graph *g, int32_t loss, int32_t n, const int32_t *of)
{
    if (loss < 0 || loss >= g->values) return ex_fail("gradient: the loss is no value of this graph");
    const ex_value *v = &g->value[loss];
    if (v->shape.dtype != EX_FLOAT32 || v->shape.ndim != 0) {
        char text[128];
        return ex_fail("gradient: '%s' has shape %s, expected a float32 scalar", v->name, ex_shape_text(text, sizeof text, v->shape.ndim, v->shape.dim));
    }
    for (int32_t i = 0; i < n; i++)
        if (of[i] < 0 || of[i] >= g->values) return ex_fail("gradient: request %d is no value of this graph", i + 1);
    return EX_OK;
}

ex_status ex_graph_gradient(ex_graph *g, int32_t loss, int32_t n, const int32_t *of, int32_t *out)
{
    if (check_request(g, loss, n, of)) return EX_FAILED;
    int32_t seed = one(g), nodes = g->nodes;
    if (seed == EX_NONE) return EX_FAILED;
    backward w = { .g = g, .reaches = ex_alloc_zero((size_t)g->values),
                   .first = ex_graph_new_map(g), .total = ex_graph_new_map(g) };
    ex_status status = w.reaches && w.first && w.total ? EX_OK : EX_FAILED;
    for (int32_t i = 0; i < n && !status; i++) w.reaches[of[i]] = 1;
    for (int32_t k = 0; k < nodes && !status; k++)
        for (int32_t i = 0; i < g->node[k].inputs; i++)
            for (int32_t o = 0; w.reaches[g->node[k].in[i]] && o < g->node[k].outputs; o++) w.reaches[g->node[k].out[o]] = 1;
    if (!status && w.reaches[loss]) status = contribute(&w, loss, seed);
    for (int32_t k = nodes - 1; k >= 0 && !status; k--) status = differentiate(&w, k);
    for (int32_t i = 0; i < n && !status; i++) status = total_of(&w, of[i], &out[i]);
    ex_free(w.reaches);
    ex_free(w.first);
    ex_free(w.total);
    ex_free(w.list);
    return status;
}
