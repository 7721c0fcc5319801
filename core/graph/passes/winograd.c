/* winograd.c: lets nodes take their kernel of fewer multiplications and more rounding (ex_op.faster) where it is faster for
 * the batch given. It adds and drops no node: it sets an attribute, in place, so that the plan records what will run. */
#include "passes.h"

void ex_pass_winograd(ex_graph *g, int32_t batch)
{
    for (int32_t i = 0; i < g->nodes; i++) {
        ex_node *n = &g->node[i];
        if (!n->op->faster || n->inputs > EX_MAX_IN) continue;
        ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
        for (int32_t k = 0; k < n->inputs; k++) in[k] = g->value[n->in[k]].shape;
        for (int32_t k = 0; k < n->outputs; k++) out[k] = g->value[n->out[k]].shape;
        const ex_signature s = { .inputs = n->inputs, .outputs = n->outputs, .in = in, .out = out,
                                 .attr = (const ex_numbers *)n->attr, .attr_count = n->attr_count };
        const int32_t attribute = n->op->faster(&s, batch);
        if (attribute != EX_NONE) n->attr[attribute][0] = 1;
    }
}
