/* extract.c: copies of graphs, whole or in part. Extraction by outputs is what pruning is: the part that the kept exits
 * need, and nothing of what only served the others. Leaves share their tensors with the graph they came from. */
#include <string.h>
#include "graph.h"
#include "../base/error.h"
#include "../base/memory.h"

int32_t *ex_graph_new_map(const ex_graph *g)
{
    int32_t *map = ex_alloc(sizeof *map * (size_t)(g->values + 1));
    for (int32_t v = 0; map && v < g->values; v++) map[v] = EX_NONE;
    return map;
}

int32_t *ex_graph_uses(const ex_graph *g)
{
    int32_t *uses = ex_alloc_zero(sizeof *uses * (size_t)(g->values + 1));
    if (!uses) return NULL;
    for (int32_t v = 0; v < g->values; v++) uses[v] = g->value[v].root != 0;
    for (int32_t n = 0; n < g->nodes; n++)
        for (int32_t i = 0; i < g->node[n].inputs; i++) uses[g->node[n].in[i]]++;
    return uses;
}

ex_status ex_graph_copy_leaf(ex_graph *to, const ex_graph *from, int32_t v, int32_t *map)
{
    const ex_value *value = &from->value[v];
    const ex_shape *s = &value->shape;
    int32_t now = value->kind == EX_VALUE_INPUT ? ex_graph_input(to, value->name, s->dtype, s->ndim, s->dim)
                                                : ex_graph_leaf(to, value->name, value->kind, value->tensor);
    if (now == EX_NONE) return EX_FAILED;
    to->value[now].trainable = value->trainable;
    to->value[now].root = value->root;
    map[v] = now;
    return EX_OK;
}

ex_status ex_graph_copy_node(ex_graph *to, const ex_graph *from, int32_t n, int32_t *map)
{
    const ex_node *node = &from->node[n];
    int32_t few[EX_MAX_IN] = { 0 }, *in = node->inputs <= EX_MAX_IN ? few : ex_alloc(sizeof *in * (size_t)node->inputs);
    if (!in) return EX_FAILED;
    for (int32_t i = 0; i < node->inputs; i++) in[i] = map[node->in[i]];
    int32_t now = ex_graph_add(to, node->name, node->op, node->inputs, in, (const ex_numbers *)node->attr, node->attr_count);
    if (in != few) ex_free(in);
    if (now == EX_NONE) return EX_FAILED;
    to->node[now].late = from->node[n].late;
    to->node[now].cut = from->node[n].cut;
    for (int32_t k = 0; k < node->outputs; k++) {
        int32_t v = node->out[k], copy = to->node[now].out[k];
        map[v] = copy;
        to->value[copy].root = from->value[v].root;
        to->value[copy].layout = from->value[v].layout;
        if (strcmp(to->value[copy].name, from->value[v].name) && ex_graph_rename(to, copy, from->value[v].name)) return EX_FAILED;
    }
    return EX_OK;
}

void ex_graph_replace(ex_graph *to, const ex_graph *from, int32_t old, int32_t now, int32_t *map)
{
    map[old] = now;
    to->value[now].root |= from->value[old].root;
    const char *name = from->value[old].name;
    if (ex_graph_find(to, name) == EX_NONE && to->value[now].node != EX_NONE) ex_graph_rename(to, now, name);
}

char *ex_graph_constants(const ex_graph *g)
{
    char *constant = ex_alloc_zero((size_t)g->nodes + 1);
    for (int32_t n = 0; constant && n < g->nodes; n++) {
        const ex_node *node = &g->node[n];
        constant[n] = node->inputs > 0 && !node->op->writes && !(node->op->flags & (EX_OP_RANDOM | EX_OP_LUA));
        for (int32_t i = 0; i < node->inputs; i++) {
            const ex_value *v = &g->value[node->in[i]];
            constant[n] &= v->node != EX_NONE ? constant[v->node] : v->kind != EX_VALUE_INPUT;
        }
    }
    return constant;
}

/* Marks what value v needs, backwards through the node list. */
static void mark(const ex_graph *g, char *value, char *node)
{
    for (int32_t n = g->nodes - 1; n >= 0; n--) {
        for (int32_t k = 0; k < g->node[n].outputs; k++) node[n] |= value[g->node[n].out[k]];
        for (int32_t i = 0; node[n] && i < g->node[n].inputs; i++) value[g->node[n].in[i]] = 1;
    }
}

ex_graph *ex_graph_extract(const ex_graph *g, int32_t outputs, const int32_t *output)
{
    ex_graph *out = NULL;
    int32_t *map = ex_graph_new_map(g);
    char *value = ex_alloc_zero((size_t)g->values + 1), *node = ex_alloc_zero((size_t)g->nodes + 1);
    if (!map || !value || !node) goto done;
    for (int32_t i = 0; i < outputs; i++) {
        if (output[i] < 0 || output[i] >= g->values) { ex_fail("extract: output %d is no value of this graph", i + 1); goto done; }
        value[output[i]] = 1;
    }
    mark(g, value, node);
    if (!(out = ex_graph_new())) goto done;
    ex_status status = EX_OK;
    for (int32_t v = 0; v < g->values && !status; v++)
        if (value[v] && g->value[v].kind != EX_VALUE_RESULT) status = ex_graph_copy_leaf(out, g, v, map);
    for (int32_t n = 0; n < g->nodes && !status; n++)
        if (node[n]) status = ex_graph_copy_node(out, g, n, map);
    if (status) { ex_graph_free(out); out = NULL; }
done:
    ex_free(map);
    ex_free(value);
    ex_free(node);
    return out;
}
