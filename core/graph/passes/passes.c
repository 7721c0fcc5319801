/* passes.c: the frame that all passes share: copy the leaves, then let the pass say for each node what becomes of it. */
#include <string.h>
#include "passes.h"
#include "../plan.h"
#include "../../base/error.h"
#include "../../base/memory.h"

ex_graph *ex_pass_begin(const ex_graph *g, int32_t *map)
{
    ex_graph *out = ex_graph_new();
    for (int32_t v = 0; v < g->values; v++) map[v] = EX_NONE;
    for (int32_t v = 0; out && v < g->values; v++)
        if (g->value[v].kind != EX_VALUE_RESULT && ex_graph_copy_leaf(out, g, v, map)) {
            ex_graph_free(out);
            out = NULL;
        }
    return out;
}

const ex_node *ex_pass_maker(const ex_graph *g, int32_t value, const char *op)
{
    int32_t n = g->value[value].node;
    return n != EX_NONE && !strcmp(g->node[n].op->name, op) ? &g->node[n] : NULL;
}

ex_status ex_pass_node(ex_graph *to, const char *owner, const char *op, int32_t inputs, const int32_t *in, int32_t attrs,
                       const ex_attr *attr, int32_t *out)
{
    ex_graph_builder b = ex_graph_builder_for(to, owner);
    return b.base.node(&b.base, op, inputs, in, attrs, attr, out);
}

ex_attr ex_pass_eps(const ex_node *bn)
{
    ex_attr eps = { .name = "eps", .count = 1 };
    for (int32_t i = 0; i < bn->attrs; i++)
        if (!strcmp(bn->op->attr[i].name, "eps")) eps.value[0] = bn->attr[i][0];
    return eps;
}

ex_graph *ex_pass_each(const ex_graph *g, int32_t *map, void *context,
                       ex_status (*node)(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context))
{
    ex_graph *out = ex_pass_begin(g, map);
    for (int32_t n = 0; out && n < g->nodes; n++)
        if (node(out, g, n, map, context)) {
            ex_graph_free(out);
            return NULL;
        }
    return out;
}

static ex_status copy_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    (void)context;
    return ex_graph_copy_node(out, g, n, map);
}

ex_graph *ex_pass_copy(const ex_graph *g, int32_t *map) { return ex_pass_each(g, map, NULL, copy_node); }

ex_plan *ex_pass_trial(ex_graph *g, const ex_plan *as)
{
    ex_plan *p = ex_alloc_zero(sizeof *p);
    if (!p) return NULL;
    *p = (ex_plan){ .graph = g, .batch = as->batch, .training = as->training, .use_chains = as->use_chains,
                    .use_in_place = as->use_in_place, .use_parts = as->use_parts, .use_pixels = as->use_pixels };
    if (!ex_plan_schedule(p) && !ex_plan_place(p)) return p;
    ex_pass_end_trial(p);
    return NULL;
}

void ex_pass_end_trial(ex_plan *p)
{
    if (p) p->graph = NULL;                 /* borrowed */
    ex_plan_free(p);
}
