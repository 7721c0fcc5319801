/* pack_conv.c: at inference, where a convolution's weights depend on parameters alone, they are packed by a node of their own,
 * which like all such nodes runs only after a change, and not at every call:
 *
 *     conv2d or conv2d_fused (x, w, ...)  ->  conv2d_packed(x, conv2d_pack(w), ...)
 *
 * It runs after fuse_conv, and after winograd, whose mark says in what form the filter is read. Numbers keep their bits. Linear layers read their weights as they lie and need none. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

enum { OWN = 5 };                           /* stride, padding, dilation, groups, winograd: first in all these operators */

static int packable(const ex_graph *g, const ex_node *node, const char *constant)
{
    if (strcmp(node->op->name, "conv2d") && strcmp(node->op->name, "conv2d_fused")) return 0;
    const ex_value *w = &g->value[node->in[1]];
    return w->node != EX_NONE ? constant[w->node] : w->kind != EX_VALUE_INPUT;
}

static ex_attr own_attr(const ex_node *node, int32_t i)
{
    ex_attr a = { .name = node->op->attr[i].name, .count = node->attr_count[i] };
    memcpy(a.value, node->attr[i], sizeof a.value);
    return a;
}

static ex_status pack(ex_graph *out, const ex_graph *g, const ex_node *node, int32_t *map)
{
    const ex_shape *x = &g->value[node->in[0]].shape, *w = &g->value[node->in[1]].shape;
    ex_attr attr[EX_MAX_ATTRS];
    int32_t in[4], attrs = node->attrs;
    for (int32_t i = 0; i < attrs; i++) attr[i] = own_attr(node, i);
    for (int32_t i = 0; i < node->inputs; i++) in[i] = map[node->in[i]];
    const ex_attr after = attr[OWN];
    attr[OWN] = (ex_attr){ "size", 2, { x->dim[2], x->dim[3] } };
    if (ex_pass_node(out, node->name, "conv2d_pack", 1, &in[1], OWN + 1, attr, &in[1])) return EX_FAILED;
    attr[OWN] = after;
    attr[attrs++] = (ex_attr){ "kernel", 2, { w->dim[2], w->dim[3] } };
    attr[attrs++] = (ex_attr){ "channels", 1, { w->dim[0] } };
    int32_t now = ex_graph_node(out, node->name, "conv2d_packed", node->inputs, in, attrs, attr);
    if (now == EX_NONE) return EX_FAILED;
    ex_graph_replace(out, g, node->out[0], out->node[now].out[0], map);
    return EX_OK;
}

static ex_status pack_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *constant)
{
    const ex_node *node = &g->node[n];
    return packable(g, node, constant) ? pack(out, g, node, map) : ex_graph_copy_node(out, g, n, map);
}

ex_graph *ex_pass_pack_conv(const ex_graph *g, int32_t *map)
{
    char *constant = ex_graph_constants(g);
    ex_graph *out = constant ? ex_pass_each(g, map, constant, pack_node) : NULL;
    ex_free(constant);
    return out;
}
