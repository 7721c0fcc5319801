/* cost.c: what a graph costs: parameters, multiply-accumulates of convolutions and linear layers, activation memory, all
 * for one image. Pruned networks are extracted graphs, so their cost is the same sum. Latency is measured, not summed. */
#include <string.h>
#include "graph.h"
#include "../base/error.h"
#include "../base/memory.h"

static double node_macs(const ex_graph *g, const ex_node *n)
{
    if (!n->op->macs) return 0;
    ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
    if (n->inputs > EX_MAX_IN) return 0;    /* n-ary sums multiply nothing */
    const ex_signature s = ex_node_signature(g, n, in, out);
    return n->op->macs(&s);
}

ex_status ex_graph_node_at(const ex_graph *g, int32_t node, ex_node_info *info)
{
    if (node < 0 || node >= g->nodes) return ex_fail("no node %d: the graph has %d", node, g->nodes);
    const ex_node *n = &g->node[node];
    *info = (ex_node_info){ .name = n->name, .op = n->op->name, .inputs = n->inputs, .outputs = n->outputs,
                            .attrs = n->attrs, .macs = node_macs(g, n) };
    return EX_OK;
}

ex_status ex_graph_cost(const ex_graph *g, ex_cost *cost)
{
    memset(cost, 0, sizeof *cost);
    for (int32_t v = 0; v < g->values; v++) {
        const ex_value *value = &g->value[v];
        double count = (double)ex_shape_count(&value->shape);
        if (value->kind == EX_VALUE_PARAMETER) cost->parameters += count;
        if (value->kind == EX_VALUE_RESULT) cost->activation_bytes += count * (double)ex_dtype_size(value->shape.dtype);
    }
    for (int32_t i = 0; i < g->nodes; i++) cost->macs += node_macs(g, &g->node[i]);
    return EX_OK;
}
