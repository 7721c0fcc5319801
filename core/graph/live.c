/* live.c: how many bytes of a plan's arena are in use while each of its steps runs, and at which step that is most. Every step of
 * a chain counts what any of them touches, since images pass through it in any order. */
#include "plan.h"
#include "../base/memory.h"

/* bytes that are in use from step `first` to step `last`: change[s] is what step s has more than the one before it. */
static void add(size_t *change, size_t bytes, int32_t first, int32_t last)
{
    change[first] += bytes;
    change[last + 1] -= bytes;              /* wraps around, and back in the sums */
}

static void add_values(const ex_plan *p, size_t *change)
{
    for (int32_t v = 0; v < p->graph->values; v++) {
        const ex_place *at = &p->place[v];
        if (at->group != v || p->graph->value[v].tensor || at->first < 0) continue;
        const size_t threads = at->chain == EX_NONE ? 1 : p->chain[at->chain].sums ? 0 : (size_t)ex_team_size(p->team);
        add(change, at->bytes * threads, at->first, at->last < p->steps ? at->last : p->steps - 1);
    }
}

ex_status ex_plan_measure(ex_plan *p)
{
    size_t *change = ex_alloc_zero(sizeof *change * ((size_t)p->steps + 2));
    if (!change) return EX_FAILED;
    add_values(p, change);
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_step *step = &p->step[s];
        add(change, step->scratch_bytes, s, s);
        if (step->chain != EX_NONE) add(change, step->shared_bytes, p->chain[step->chain].from, p->chain[step->chain].to - 1);
    }
    if (p->chains) add(change, p->thread_bytes * (size_t)ex_team_size(p->team), 0, p->steps ? p->steps - 1 : 0);
    for (int32_t s = 1; s < p->steps; s++) change[s] += change[s - 1];
    for (int32_t s = 1; s < p->steps; s++)
        if (change[s] > change[p->peak]) p->peak = s;
    p->live = change;
    return EX_OK;
}

int ex_plan_lives_at(const ex_plan *p, int32_t value, int32_t step)
{
    const ex_place *at = &p->place[p->place[value].group];
    const int in_arena = !p->graph->value[p->place[value].group].tensor && at->chain == EX_NONE && at->first >= 0;
    return in_arena && at->first <= step && step <= at->last;
}

/* Something may lie where it was: results are written over what dies. */
int ex_plan_is_there(const ex_plan *p, int32_t value, int32_t step)
{
    const ex_chain *chain = p->step[step].chain == EX_NONE ? NULL : &p->chain[p->step[step].chain];
    const int32_t from = chain ? chain->from : step, to = chain ? chain->to - 1 : step;
    int made = 0, read = p->graph->value[value].root;
    if (!ex_plan_lives_at(p, value, step)) return 0;
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_node *n = p->step[s].node;
        for (int32_t k = 0; k < n->outputs; k++) made |= n->out[k] == value && s <= to;
        for (int32_t i = 0; i < n->inputs; i++) read |= n->in[i] == value && s >= from;
    }
    return made && read;
}
