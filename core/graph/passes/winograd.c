/* winograd.c: lets nodes take their kernel of fewer multiplications and more rounding (ex_op.faster) where it is faster for
 * the batch given. It adds and drops no node: it sets an attribute, in place, so that the plan records what will run. */
#include "passes.h"

void ex_pass_winograd(ex_graph *g, int32_t batch, int packed)
{
    for (int32_t i = 0; i < g->nodes; i++) {
        ex_node *n = &g->node[i];
        if (!n->op->faster || n->inputs > EX_MAX_IN) continue;
        ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
        const ex_signature s = ex_node_signature(g, n, in, out);
        const int32_t attribute = n->op->faster(&s, batch, packed);
        if (attribute != EX_NONE) n->attr[attribute][0] = 1;
    }
}
