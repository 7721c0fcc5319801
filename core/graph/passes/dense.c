/* dense.c: an operator written in Lua that is not elementwise sees row-major operands in the logical order. Where a value
 * lies otherwise, a copy is put before it, and one after it for those who read its result. Values whose two orders
 * are the same (one channel, or one pixel) need none; elementwise operators take batches as they come. Values without a
 * batch may be leaves, or stand for leaves, which lie in any order: they are always copied, and where such a leaf is
 * row-major the plan makes an alias of the copy. */
#include "passes.h"
#include "../../base/memory.h"

static int orders_agree(const ex_shape *s)
{
    if (s->ndim != 4) return 1;
    return s->dim[0] == EX_BATCH && (s->dim[1] == 1 || s->dim[2] * s->dim[3] == 1);
}

/* Elementwise on batches, which lie alike. */
static int takes_any_order(const ex_graph *g, const ex_node *node)
{
    return (node->op->flags & EX_OP_ELEMENTWISE) && ex_value_is_batched(&g->value[node->in[0]]);
}

static ex_status copy_value(ex_graph *out, const char *owner, int32_t value, int32_t layout, int32_t *copy)
{
    if (ex_pass_node(out, owner, "copy", 1, &value, 0, NULL, copy)) return EX_FAILED;
    out->value[*copy].layout = layout;
    return EX_OK;
}

static ex_status dense_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    (void)context;
    const ex_node *node = &g->node[n];
    if (!(node->op->flags & EX_OP_LUA) || takes_any_order(g, node)) return ex_graph_copy_node(out, g, n, map);
    int32_t in[EX_MAX_IN];
    for (int32_t i = 0; i < node->inputs; i++) {
        in[i] = map[node->in[i]];
        const ex_value *v = &out->value[in[i]];
        int copied = ex_value_is_batched(v) ? !orders_agree(&v->shape) : v->shape.ndim > 0;
        if (copied && copy_value(out, node->name, in[i], EX_LAYOUT_DENSE, &in[i])) return EX_FAILED;
    }
    char fresh[512], *name = ex_strdup(node->name);
    ex_graph_fresh_name(out, fresh, sizeof fresh, node->name, "lua");
    int32_t now = ex_graph_add(out, fresh, node->op, node->inputs, in, (const ex_numbers *)node->attr, node->attr_count);
    if (now == EX_NONE || !name) { ex_free(name); return EX_FAILED; }
    ex_free(out->node[now].name);           /* the node keeps its name: errors inside it are told by it */
    out->node[now].name = name;
    for (int32_t k = 0; k < node->outputs; k++) {
        int32_t v = out->node[now].out[k], plain = v;
        out->value[v].layout = EX_LAYOUT_DENSE;
        if (!orders_agree(&out->value[v].shape) && copy_value(out, node->name, v, EX_LAYOUT_NATURAL, &plain)) return EX_FAILED;
        ex_graph_replace(out, g, node->out[k], plain, map);
    }
    return EX_OK;
}

ex_graph *ex_pass_dense(const ex_graph *g, int32_t *map)
{
    return ex_pass_each(g, map, NULL, dense_node);
}
