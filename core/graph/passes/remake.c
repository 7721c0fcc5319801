/* remake.c: in training, what lies idle where a plan needs most memory is dropped before and made again after, for those who read
 * it there:
 *
 *     z = normalise_act(x, ...); ...; grad(z)   ->   z = normalise_act(x, ...); ...; z' = normalise_act(x, ...); grad(z')
 *
 * Only what one pass over memory makes (CHEAP), out of what is there anyway, or can be made again itself. The pass lays the
 * graph out as a plan would, finds the step with most bytes in use, and takes from what is idle there the value that frees most for
 * what making it again moves; and so on, until nothing idle is left at the step that is then the worst. z' is put before the
 * chain (../chain.c) that reads it first. It holds the same bits; what others add up over images agrees to rounding where their chains
 * are others now (on ResNet-50 and EfficientNet-B5 to the bit). It is done twice, since the chains tell what the peak is; a round that
 * does not make the arena smaller is undone. Measured on those two, with four exits in batches of 64 and 32: a third less arena for
 * 2 % more time. */
#include <string.h>
#include "passes.h"
#include "../plan.h"
#include "../../base/memory.h"

/* LEAST: smaller arenas stay as they are, since time counts more there. DEEP: values in a row that are made again for one of them.
 * What is less than the peak / SMALL is not worth a node. */
enum { LEAST = 256 << 20, ROUNDS = 2, DEEP = 8, SMALL = 512 };

static const char *const CHEAP[] = { "normalise", "normalise_act", "relu", "relu6", "silu", "hard_swish", "scale_channels", "add" };

typedef struct remaking {
    const ex_plan *p;                       /* the graph, laid out */
    const ex_graph *g;
    size_t *live;                           /* by step: bytes in use, less what was dropped so far */
    int32_t peak;
    int32_t *from, *to;                     /* by node: its step, or the first and last one of its chain */
    int32_t *members;                       /* by value: how many lie in its memory */
    char *refused;                          /* by value: 1: to drop it makes the peak higher */
    int32_t *split, *again;                 /* by value: who reads it after step `split` reads what step `again` makes; EX_NONE: it stays */
    int32_t *before, *next, *last;          /* by value, for this peak: last touched before it, first after it, last of all */
    int32_t *place, *clone;                 /* by value: the old node before which it is made again; in the new graph */
} remaking;

static int is_cheap(const ex_node *n)
{
    for (size_t i = 0; i < sizeof CHEAP / sizeof *CHEAP; i++)
        if (!strcmp(n->op->name, CHEAP[i])) return 1;
    return 0;
}

/* -- The plan as it is ------------------------------------------------------------------------------------------------- */

static void find_times(remaking *r)
{
    const ex_plan *p = r->p;
    for (int32_t s = 0; s < p->steps; s++) {
        const int32_t n = (int32_t)(p->step[s].node - p->graph->node), c = p->step[s].chain;
        r->from[n] = c == EX_NONE ? s : p->chain[c].from;
        r->to[n] = c == EX_NONE ? s : p->chain[c].to - 1;
    }
    for (int32_t v = 0; v < p->graph->values; v++) r->members[p->place[v].group]++;
}

/* -- Who is idle ------------------------------------------------------------------------------------------------------- */

static void touch(remaking *r, int32_t v, int32_t from, int32_t to)
{
    if (r->last[v] < to) r->last[v] = to;
    if (to < r->peak) {
        if (r->before[v] < to) r->before[v] = to;
    } else if (from <= r->peak) {           /* busy */
        r->next[v] = r->peak;
    } else if (r->next[v] == EX_NONE || r->next[v] > from) {
        r->next[v] = from;
    }
}

/* When each value is touched next to the peak, also by what is made again. */
static void look(remaking *r)
{
    const ex_graph *g = r->g;
    for (int32_t v = 0; v < g->values; v++) r->before[v] = r->next[v] = r->last[v] = EX_NONE;
    for (int32_t n = 0; n < g->nodes; n++) {
        const ex_node *node = &g->node[n];
        for (int32_t i = 0; i < node->inputs; i++) touch(r, node->in[i], r->from[n], r->to[n]);
        for (int32_t k = 0; k < node->outputs; k++) touch(r, node->out[k], r->from[n], r->to[n]);
    }
    for (int32_t v = 0; v < g->values; v++) {
        if (r->split[v] == EX_NONE) continue;
        const ex_node *maker = &g->node[g->value[v].node];
        for (int32_t i = 0; i < maker->inputs; i++) touch(r, maker->in[i], r->again[v], r->again[v]);
    }
}

/* A result for each image: what is smaller is always there. */
static int is_image(const remaking *r, int32_t v)
{
    return r->g->value[v].kind == EX_VALUE_RESULT && ex_value_is_batched(&r->g->value[v]);
}

static int can_remake(const remaking *r, int32_t v, int32_t step, int deep);

/* Whether v can be read at this step: it is there, or is made again. */
static int can_have(const remaking *r, int32_t v, int32_t step, int deep)
{
    if (!is_image(r, v) || r->split[v] != EX_NONE || r->last[v] >= step) return 1;
    return deep < DEEP && can_remake(r, v, step, deep + 1);
}

static int can_remake(const remaking *r, int32_t v, int32_t step, int deep)
{
    const ex_value *value = &r->g->value[v];
    if (value->node == EX_NONE || value->root || r->split[v] != EX_NONE || r->before[v] == EX_NONE || r->next[v] == r->peak) return 0;
    const ex_node *maker = &r->g->node[value->node];
    if (!is_cheap(maker)) return 0;
    for (int32_t i = 0; i < maker->inputs; i++)
        if (!can_have(r, maker->in[i], step, deep)) return 0;
    return 1;
}

/* Whether its memory is free once it is dropped: what else lies there was read before, or by its maker, which wrote over it. */
static int has_memory(const remaking *r, int32_t v)
{
    const int32_t group = r->p->place[v].group, made = r->to[r->g->value[v].node];
    if (ex_plan_value_bytes(r->p, group) != ex_plan_value_bytes(r->p, v)) return 0;
    for (int32_t w = 0; r->members[group] > 1 && w < r->g->values; w++)
        if (w != v && r->p->place[w].group == group && r->last[w] > made) return 0;
    return 1;
}

/* Bytes that making it again at this step reads and writes. */
static double traffic(const remaking *r, int32_t v, int32_t step)
{
    const ex_node *maker = &r->g->node[r->g->value[v].node];
    double bytes = (double)ex_plan_value_bytes(r->p, v);
    for (int32_t i = 0; i < maker->inputs; i++) {
        const int32_t w = maker->in[i];
        bytes += (double)ex_plan_value_bytes(r->p, w);
        if (is_image(r, w) && r->split[w] == EX_NONE && r->last[w] < step) bytes += traffic(r, w, step);
    }
    return bytes;
}

/* The idle value that frees most for what it costs; of equals the one that is needed last. EX_NONE: none. */
static int32_t choose(const remaking *r)
{
    int32_t best = EX_NONE;
    double most = 0;
    for (int32_t v = 0; v < r->g->values; v++) {
        const size_t bytes = ex_plan_value_bytes(r->p, v);
        if (r->refused[v] || bytes < r->live[r->peak] / SMALL || r->next[v] == EX_NONE || !ex_plan_lives_at(r->p, v, r->peak)) continue;
        if (!is_image(r, v) || !can_remake(r, v, r->next[v], 0) || !has_memory(r, v)) continue;
        const double score = (double)bytes / traffic(r, v, r->next[v]);
        if (best != EX_NONE && (score < most || (score == most && r->next[v] <= r->next[best]))) continue;
        best = v;
        most = score;
    }
    return best;
}

/* -- Dropping ------------------------------------------------------------------------------------------------------------ */

/* Made again at `step` at the latest. */
static void drop(remaking *r, int32_t v, int32_t step)
{
    const size_t bytes = ex_plan_value_bytes(r->p, v);
    const int arena = ex_plan_lives_at(r->p, v, r->before[v]) && has_memory(r, v);
    int32_t back = r->next[v] != EX_NONE ? r->next[v] : step;
    if (r->split[v] == EX_NONE) {
        for (int32_t s = r->before[v] + 1; arena && s < back && s <= r->last[v]; s++) r->live[s] -= bytes;
        r->split[v] = r->peak;
        r->again[v] = back;
    }
    for (; r->again[v] > step; r->again[v]--) r->live[r->again[v] - 1] += arena ? bytes : 0;
    const ex_node *maker = &r->g->node[r->g->value[v].node];
    for (int32_t i = 0; i < maker->inputs; i++) {
        const int32_t w = maker->in[i], is_dropped = r->split[w] != EX_NONE;
        const int comes_late = is_dropped ? r->split[w] < r->again[v] && r->again[v] < r->again[w] : r->last[w] < r->again[v];
        if (is_image(r, w) && comes_late) drop(r, w, r->again[v]);
    }
}

static int32_t highest(const remaking *r)
{
    int32_t peak = 0;
    for (int32_t s = 1; s < r->p->steps; s++)
        if (r->live[s] > r->live[peak]) peak = s;
    return peak;
}

/* live, split and again as they are: to `kept`, or back from there. */
static void keep(remaking *r, char *kept, int back)
{
    void *const own[] = { r->live, r->split, r->again };
    const size_t values = sizeof *r->split * (size_t)r->g->values, bytes[] = { sizeof *r->live * (size_t)r->p->steps, values, values };
    for (int i = 0; i < 3; kept += bytes[i++]) memcpy(back ? own[i] : kept, back ? kept : own[i], bytes[i]);
}

/* How many values are dropped. What must be made again earlier for one of them can cost more than it frees: then it stays. */
static int32_t drop_all(remaking *r)
{
    int32_t count = 0;
    char *kept = ex_alloc(2 * sizeof(int32_t) * (size_t)r->g->values + sizeof(size_t) * (size_t)r->p->steps);
    while (kept) {
        r->peak = highest(r);
        look(r);
        const size_t most = r->live[r->peak];
        const int32_t v = choose(r);
        if (v == EX_NONE) break;
        keep(r, kept, 0);
        drop(r, v, r->next[v]);
        count++;
        if (r->live[highest(r)] <= most) continue;
        keep(r, kept, 1);
        r->refused[v] = 1;
        count--;
    }
    ex_free(kept);
    return count;
}

/* -- The new graph --------------------------------------------------------------------------------------------------------- */

static int reads_again(const remaking *r, int32_t v, int32_t step) { return r->split[v] != EX_NONE && step > r->split[v]; }

/* Before the first node of the first chain, or node alone, that reads it after the split. */
static void find_places(remaking *r)
{
    const ex_graph *g = r->g;
    for (int32_t n = 0; n < g->nodes; n++)
        for (int32_t i = 0; i < g->node[n].inputs; i++) {
            const int32_t v = g->node[n].in[i], first = (int32_t)(r->p->step[r->from[n]].node - g->node);
            if (reads_again(r, v, r->from[n]) && (r->place[v] == EX_NONE || r->place[v] > first)) r->place[v] = first;
        }
}

/* The copy of v's maker, after those of its inputs that are made again for it: its result, or EX_NONE. */
static int32_t add_again(ex_graph *out, remaking *r, int32_t v, const int32_t *map)
{
    if (r->clone[v] != EX_NONE) return r->clone[v];
    const ex_node *maker = &r->g->node[r->g->value[v].node];
    int32_t in[EX_MAX_IN];
    char name[512];
    for (int32_t i = 0; i < maker->inputs; i++) {
        const int32_t w = maker->in[i];
        in[i] = reads_again(r, w, r->again[v]) ? add_again(out, r, w, map) : map[w];
        if (in[i] == EX_NONE) return EX_NONE;
    }
    ex_graph_fresh_name(out, name, sizeof name, maker->name, "again");
    const int32_t n = ex_graph_add(out, name, maker->op, maker->inputs, in, (const ex_numbers *)maker->attr, maker->attr_count);
    if (n == EX_NONE) return EX_NONE;
    out->node[n].late = 1;
    r->clone[v] = out->node[n].out[0];
    return r->clone[v];
}

static ex_status write_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    remaking *r = context;
    const ex_node *node = &g->node[n];
    for (int32_t v = 0; v < g->values; v++)
        if (r->place[v] == n && add_again(out, r, v, map) == EX_NONE) return EX_FAILED;
    int32_t *was = ex_alloc(sizeof *was * (size_t)(node->inputs + 1));
    if (!was) return EX_FAILED;
    for (int32_t i = 0; i < node->inputs; i++) was[i] = map[node->in[i]];
    for (int32_t i = 0; i < node->inputs; i++)
        if (reads_again(r, node->in[i], r->from[n])) map[node->in[i]] = r->clone[node->in[i]];
    const ex_status status = ex_graph_copy_node(out, g, n, map);
    for (int32_t i = 0; i < node->inputs; i++) map[node->in[i]] = was[i];
    ex_free(was);
    return status;
}

/* -- All --------------------------------------------------------------------------------------------------------------------- */

static int32_t *none(int32_t n)
{
    int32_t *list = ex_alloc(sizeof *list * (size_t)(n + 1));
    for (int32_t i = 0; list && i < n; i++) list[i] = EX_NONE;
    return list;
}

static int begin(remaking *r)
{
    int32_t **const list[] = { &r->from, &r->to, &r->split, &r->again, &r->before, &r->next, &r->last, &r->place, &r->clone };
    int ok = 1;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) ok &= (*list[i] = none(i < 2 ? r->g->nodes : r->g->values)) != NULL;
    r->members = ex_alloc_zero(sizeof *r->members * (size_t)(r->g->values + 1));
    r->refused = ex_alloc_zero((size_t)r->g->values + 1);
    r->live = ex_alloc(sizeof *r->live * (size_t)(r->p->steps + 1));
    if (!ok || !r->members || !r->refused || !r->live) return 0;
    memcpy(r->live, r->p->live, sizeof *r->live * (size_t)r->p->steps);
    find_times(r);
    return 1;
}

static void end(remaking *r)
{
    int32_t *const list[] = { r->from, r->to, r->split, r->again, r->before, r->next, r->last, r->place, r->clone, r->members };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) ex_free(list[i]);
    ex_free(r->refused);
    ex_free(r->live);
}

/* The graph with what is dropped made again, or NULL where nothing is. */
static ex_graph *one_round(const ex_plan *p, int32_t *map)
{
    remaking r = { .p = p, .g = p->graph };
    ex_graph *out = NULL;
    if (begin(&r) && drop_all(&r)) {
        find_places(&r);
        out = ex_pass_each(p->graph, map, &r, write_node);
    }
    end(&r);
    return out;
}

/* As long as it makes the arena smaller: *p, which is of *out, becomes the plan of the graph after it. */
static ex_status more_rounds(ex_graph **out, int32_t *map, int32_t values, ex_plan **p, const ex_plan *as)
{
    for (int32_t round = 0; round < ROUNDS; round++) {
        int32_t *next = ex_graph_new_map(*out);
        ex_graph *g = next ? one_round(*p, next) : NULL;
        ex_plan *now = g ? ex_pass_trial(g, as) : NULL;
        const int better = now && now->arena_bytes < (*p)->arena_bytes;
        for (int32_t v = 0; better && v < values; v++) map[v] = map[v] == EX_NONE ? EX_NONE : next[map[v]];
        ex_free(next);
        ex_pass_end_trial(better ? *p : now);
        ex_graph_free(better ? *out : g);
        if (!better) return next ? EX_OK : EX_FAILED;
        *out = g;
        *p = now;
    }
    return EX_OK;
}

ex_graph *ex_pass_remake_from(size_t least, const ex_graph *g, int32_t *map, const ex_plan *as)
{
    ex_graph *out = ex_pass_copy(g, map);
    ex_plan *p = out ? ex_pass_trial(out, as) : NULL;
    ex_status status = p ? EX_OK : EX_FAILED;
    if (p && p->arena_bytes >= least) status = more_rounds(&out, map, g->values, &p, as);
    ex_pass_end_trial(p);
    if (!status) return out;
    ex_graph_free(out);
    return NULL;
}

ex_graph *ex_pass_remake(const ex_graph *g, int32_t *map, const ex_plan *as) { return ex_pass_remake_from(LEAST, g, map, as); }
