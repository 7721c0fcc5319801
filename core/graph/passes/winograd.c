/* winograd.c: lets nodes take their kernel of fewer multiplications and more rounding (ex_op.faster) where it is faster for
 * the batch given; the numbers depend on no other one. It adds and drops no node: it sets an attribute, in place, so that the plan
 * records what will run. */
#include "passes.h"

/* The parameters of a larger network are in no cache when their turn in a run comes: others have passed since. */
static const double near_bytes = 16 << 20;

static double parameter_bytes(const ex_graph *g)
{
    double bytes = 0;
    for (int32_t v = 0; v < g->values; v++)
        if (g->value[v].kind == EX_VALUE_PARAMETER) bytes += (double)ex_shape_count(&g->value[v].shape) * (double)sizeof(float);
    return bytes;
}

void ex_pass_winograd(ex_graph *g, int32_t batch, int32_t most, int packed)
{
    const ex_usage use = { .batch = batch, .most = most, .packed = packed, .far = packed && parameter_bytes(g) > near_bytes };
    for (int32_t i = 0; i < g->nodes; i++) {
        ex_node *n = &g->node[i];
        if (!n->op->faster || n->inputs > EX_MAX_IN) continue;
        ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
        const ex_signature s = ex_node_signature(g, n, in, out);
        double value = 0;
        const int32_t attribute = n->op->faster(&s, &use, &value);
        if (attribute != EX_NONE) n->attr[attribute][0] = value;
    }
}
