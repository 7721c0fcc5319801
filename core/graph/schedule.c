/* schedule.c: in which order the nodes of a plan run. First those that depend on leaves alone (inference: they run again only
 * after a leaf has changed), then the others as they stand, then the commit group: every write of state. */
#include "plan.h"
#include "../base/error.h"
#include "../base/memory.h"

static ex_status check_writes(const ex_graph *g, const ex_node *node)
{
    for (int32_t i = 0; i < node->inputs; i++)
        if (ex_op_writes(node->op, i) && !g->value[node->in[i]].tensor)
            return ex_fail("%s: %s: '%s' is written, so it must be a parameter or a buffer", node->name, node->op->name, g->value[node->in[i]].name);
    return EX_OK;
}

static void append(ex_plan *p, int32_t n, int constant, int commit)
{
    p->step[p->steps++] = (ex_step){ .node = &p->graph->node[n], .constant = constant, .commit = commit, .chain = EX_NONE };
}

/* The nodes that are neither constants nor state writes, in chains where the plan has them. */
static ex_status append_nodes(ex_plan *p, const char *constant)
{
    const ex_graph *g = p->graph;
    int32_t *node = ex_alloc(sizeof *node * (size_t)(g->nodes + 1)), count = 0;
    if (!node) return EX_FAILED;
    for (int32_t n = 0; n < g->nodes; n++)
        if (!constant[n] && !g->node[n].op->writes) node[count++] = n;
    ex_status status = p->use_chains ? ex_plan_chain(p, node, count) : EX_OK;
    for (int32_t i = 0; i < count && !status; i++) append(p, node[i], 0, 0);
    ex_free(node);
    for (int32_t c = 0; c < p->chains; c++) {
        p->chain[c].from += p->constants;
        p->chain[c].to += p->constants;
        for (int32_t s = p->chain[c].from; s < p->chain[c].to; s++) p->step[s].chain = c;
    }
    return status;
}

ex_status ex_plan_schedule(ex_plan *p)
{
    const ex_graph *g = p->graph;
    char *constant = p->training ? ex_alloc_zero((size_t)g->nodes + 1) : ex_graph_constants(g);
    p->step = ex_alloc_zero(sizeof *p->step * (size_t)(g->nodes + 1));
    ex_status status = constant && p->step ? EX_OK : EX_FAILED;
    for (int32_t n = 0; n < g->nodes && !status; n++)
        if (constant[n]) append(p, n, 1, 0);
    p->constants = p->steps;
    if (!status) status = append_nodes(p, constant);
    p->commit_from = p->steps;
    for (int32_t n = 0; n < g->nodes && !status; n++)
        if (g->node[n].op->writes) {
            status = check_writes(g, &g->node[n]);
            append(p, n, 0, 1);
        }
    ex_free(constant);
    return status;
}
