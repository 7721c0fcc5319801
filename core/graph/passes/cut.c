/* cut.c: in training, a chain (../chain.c) that is open where a plan needs most memory becomes two:
 *
 *     [grad(c) -> dc -> grad(b) -> db -> grad(a)], wgrad(c), wgrad(b)   ->   [grad(c) -> dc], wgrad(c), [grad(b) -> db], wgrad(b), ...
 *
 * A chain holds for as long as it runs all that any of its steps reads or makes for the whole batch, here the gradients of each
 * layer's result for weights' gradients that follow it. Of all nodes at which the chain at the peak can begin anew the one that leaves
 * the smallest arena is taken, as long as that frees a WORTH-th of it. Values hold the same bits; sums over images agree to rounding, since
 * chains tell how they are cut. */
#include "passes.h"
#include "../plan.h"
#include "../../base/memory.h"

/* LEAST: smaller arenas stay as they are, since time counts more there. */
enum { LEAST = 256 << 20, WORTH = 32 };

/* The arena of the graph as it is marked now, or SIZE_MAX. */
static size_t arena_of(ex_graph *g, const ex_plan *as)
{
    ex_plan *p = ex_pass_trial(g, as);
    const size_t bytes = p ? p->arena_bytes : SIZE_MAX;
    ex_pass_end_trial(p);
    return bytes;
}

/* Marks the best node of the chain at the peak of *p, the plan of g: whether there is one. */
static int cut_once(ex_graph *g, const ex_plan *p, const ex_plan *as)
{
    const int32_t c = p->step[p->peak].chain;
    size_t least = p->arena_bytes - p->arena_bytes / WORTH;
    int32_t best = EX_NONE;
    for (int32_t s = c == EX_NONE ? 0 : p->chain[c].from + 1; c != EX_NONE && s < p->chain[c].to; s++) {
        const int32_t n = (int32_t)(p->step[s].node - g->node);
        g->node[n].cut = 1;
        const size_t bytes = arena_of(g, as);
        g->node[n].cut = 0;
        if (bytes > least) continue;
        least = bytes;
        best = n;
    }
    if (best != EX_NONE) g->node[best].cut = 1;
    return best != EX_NONE;
}

ex_graph *ex_pass_cut_from(size_t least, const ex_graph *g, int32_t *map, const ex_plan *as)
{
    ex_graph *out = ex_pass_copy(g, map);
    for (int more = out != NULL; more;) {
        ex_plan *p = ex_pass_trial(out, as);
        more = p && p->arena_bytes >= least && cut_once(out, p, as);
        if (!p) {
            ex_graph_free(out);
            out = NULL;
        }
        ex_pass_end_trial(p);
    }
    return out;
}

ex_graph *ex_pass_cut(const ex_graph *g, int32_t *map, const ex_plan *as) { return ex_pass_cut_from(LEAST, g, map, as); }
