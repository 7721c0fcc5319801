/* memory.c: where the values of a plan lie. Strides follow the layout rules; views become aliases where the memory order
 * allows, and so do concat and slice (parts.c); results are written over an input that dies there; what is left is placed in one
 * arena by lifetimes, largest first, or first what stays to the end, each at the lowest offset where nothing that lives at the same
 * time is in the way. */
#include <stdlib.h>
#include <string.h>
#include "plan.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/team.h"

/* STREAM_BYTES: about a last cache: of less, the end is still there when the next chain goes backwards. */
enum { ALIGN = 64, STREAM_BYTES = 32 << 20 };

static size_t round_up(size_t bytes) { return (bytes + ALIGN - 1) / ALIGN * ALIGN; }

/* -- Strides ------------------------------------------------------------------------------------------------- */

static void strides_in_order(ptrdiff_t *stride, const int32_t *dim, int32_t ndim, const int32_t *order)
{
    ptrdiff_t step = 1;
    for (int32_t k = ndim - 1; k >= 0; k--) {
        int32_t axis = order ? order[k] : k;
        stride[axis] = step;
        step *= dim[axis] == EX_BATCH ? 1 : dim[axis];
    }
}

static void natural_strides(const ex_value *v, ptrdiff_t *stride)
{
    static const int32_t image[4] = { 0, 2, 3, 1 }, weight[4] = { 2, 3, 1, 0 };
    const int32_t *order = NULL;
    if (v->shape.ndim == 4 && v->layout == EX_LAYOUT_NATURAL) order = ex_value_is_batched(v) ? image : weight;
    strides_in_order(stride, v->shape.dim, v->shape.ndim, order);
}

/* Whether the strides run through the elements in logical order without gaps (axes of one element do not matter). */
static int runs_densely(const ex_shape *s, const ptrdiff_t *stride)
{
    ptrdiff_t expected = 1;
    for (int32_t k = s->ndim - 1; k >= 0; k--) {
        if (s->dim[k] == 1) continue;
        if (stride[k] != expected) return 0;
        expected *= s->dim[k] == EX_BATCH ? 1 : s->dim[k];
    }
    return 1;
}

size_t ex_plan_value_bytes(const ex_plan *p, int32_t value)
{
    const ex_value *v = &p->graph->value[value];
    size_t count = (size_t)ex_shape_count(&v->shape);
    return count * ex_dtype_size(v->shape.dtype) * (size_t)(ex_value_is_batched(v) ? p->batch : 1);
}

/* With the gaps between its pixels (pixels.c), of a value that has a place of its own. */
static size_t room(const ex_plan *p, int32_t value)
{
    const ex_value *v = &p->graph->value[value];
    const size_t dense = ex_plan_value_bytes(p, value);
    if (!ex_value_is_batched(v) || v->tensor) return dense;
    const size_t apart = (size_t)p->place[value].stride[0] * ex_dtype_size(v->shape.dtype) * (size_t)p->batch;
    return p->place[value].group == value && apart > dense ? apart : dense;
}

/* -- Groups --------------------------------------------------------------------------------------------------- */

static int has_gaps(const ex_plan *p, int32_t value)
{
    ptrdiff_t stride[EX_MAX_DIMS];
    const ex_value *v = &p->graph->value[value];
    natural_strides(v, stride);
    return memcmp(stride, p->place[value].stride, sizeof *stride * (size_t)v->shape.ndim) != 0;
}

static int can_alias(const ex_plan *p, const ex_node *n)
{
    if (!(n->op->flags & EX_OP_VIEW)) return 0;
    const ex_value *in = &p->graph->value[n->in[0]], *out = &p->graph->value[n->out[0]];
    if (in->shape.dtype != out->shape.dtype || ex_value_is_batched(in) != ex_value_is_batched(out)) return 0;
    if (in->tensor && out->root) return 0;  /* an output must not change when state is written */
    if (p->place[n->out[0]].solid && in->kind == EX_VALUE_RESULT && has_gaps(p, n->in[0])) return 0;
    const int dense = runs_densely(&in->shape, p->place[n->in[0]].stride);
    if (ex_shape_same(&in->shape, &out->shape)) return out->layout == EX_LAYOUT_DENSE ? dense : in->layout == EX_LAYOUT_NATURAL;
    ptrdiff_t stride[EX_MAX_DIMS];
    natural_strides(out, stride);
    return dense && runs_densely(&out->shape, stride);
}

/* What an operator that says so reads and makes, and all that one written in Lua does. */
static void find_solid(ex_plan *p)
{
    for (int32_t n = 0; n < p->graph->nodes; n++) {
        const ex_node *node = &p->graph->node[n];
        if (!(node->op->flags & (EX_OP_SOLID | EX_OP_LUA))) continue;
        for (int32_t i = 0; i < node->inputs; i++) p->place[node->in[i]].solid = 1;
        for (int32_t k = 0; k < node->outputs; k++) p->place[node->out[k]].solid = 1;
    }
}

static void init_places(ex_plan *p, int parts, int pixels)
{
    const ex_graph *g = p->graph;
    for (int32_t v = 0; v < g->values; v++) {
        ex_place *at = &p->place[v];
        at->group = v;
        at->first = at->last = -1;
        if (g->value[v].tensor) memcpy(at->stride, g->value[v].tensor->stride, sizeof at->stride);
        else natural_strides(&g->value[v], at->stride);
    }
    find_solid(p);
    if (pixels) ex_pixels_part(p);
    if (parts) ex_parts_join(p);
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_node *n = p->step[s].node;
        if (!n->outputs) continue;
        if (parts) p->step[s].alias = ex_parts_alias(p, n);
        if (p->step[s].alias || !can_alias(p, n)) continue;
        ex_place *in = &p->place[n->in[0]], *out = &p->place[n->out[0]];
        p->step[s].alias = 1;
        out->group = in->group;
        out->start = in->start;
        if (ex_shape_same(&g->value[n->in[0]].shape, &g->value[n->out[0]].shape)) memcpy(out->stride, in->stride, sizeof out->stride);
    }
}

/* First write and last read of each group. Inputs are there from the start; roots stay to the end, and so do constants that
 * a step reads which is none: what is read by constants alone is made anew whenever they run. */
static void lifetimes(ex_plan *p)
{
    const ex_graph *g = p->graph;
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_node *n = p->step[s].node;
        for (int32_t i = 0; i < n->inputs; i++) {
            ex_place *at = &p->place[p->place[n->in[i]].group];
            if (at->last < s) at->last = s;
        }
        for (int32_t k = 0; k < n->outputs; k++) {
            ex_place *at = &p->place[p->place[n->out[k]].group];
            if (at->first < 0) at->first = s;
            if (at->last < s) at->last = s;
        }
    }
    for (int32_t s = p->constants; s < p->steps; s++)
        for (int32_t i = 0; i < p->step[s].node->inputs; i++) {
            ex_place *at = &p->place[p->place[p->step[s].node->in[i]].group];
            if (at->first >= 0 && at->first < p->constants) at->last = p->steps;
        }
    for (int32_t v = 0; v < g->values; v++) {
        ex_place *at = &p->place[p->place[v].group];
        if (g->value[v].root) at->last = p->steps;
        if (g->value[v].kind == EX_VALUE_INPUT) at->first = 0;
    }
}

static int same_place_fits(const ex_plan *p, int32_t in, int32_t out, int32_t s)
{
    const ex_value *a = &p->graph->value[in], *b = &p->graph->value[out];
    const ex_place *from = &p->place[p->place[in].group], *to = &p->place[out];
    if (to->group != out || p->place[in].start || p->graph->value[p->place[in].group].kind != EX_VALUE_RESULT) return 0;
    if (from->last != s || from->first == s || p->step[s].constant || from->chain != to->chain) return 0;
    return ex_shape_same(&a->shape, &b->shape) && !memcmp(p->place[in].stride, to->stride, sizeof(ptrdiff_t) * (size_t)a->shape.ndim);
}

/* How often the node reads a value of the group: an input read twice in different ways cannot be overwritten. */
static int reads(const ex_plan *p, const ex_node *n, int32_t group)
{
    int count = 0;
    for (int32_t i = 0; i < n->inputs; i++) count += p->place[n->in[i]].group == group;
    return count;
}

static void share_in_place(ex_plan *p)
{
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_node *n = p->step[s].node;
        if (p->step[s].alias || !n->outputs) continue;
        for (int32_t i = 0; i < n->inputs && i < 32; i++) {
            if (!(n->op->in_place >> i & 1) || !same_place_fits(p, n->in[i], n->out[0], s)) continue;
            int32_t group = p->place[n->in[i]].group, old = n->out[0];
            if (reads(p, n, group) != 1) continue;
            p->place[group].last = p->place[old].last;
            for (int32_t v = 0; v < p->graph->values; v++)
                if (p->place[v].group == old) p->place[v].group = group;
            break;
        }
    }
}

/* -- The arena -------------------------------------------------------------------------------------------------- */

/* stays: 1: it is made in the step, and state writes read it. */
typedef struct block { size_t bytes, offset; int32_t first, last; size_t *result; int32_t stays; } block;

static int larger_first(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? x->first - y->first : (x->result > y->result) - (x->result < y->result);
}

/* What stays to the end in the order in which it comes, then the others: gradients pile up without gaps. */
static int staying_first(const void *a, const void *b)
{
    const block *x = a, *y = b;
    if (x->stays != y->stays) return y->stays - x->stays;
    return x->stays && x->first != y->first ? x->first - y->first : larger_first(a, b);
}

/* placed: room for `count`, kept by offset. */
static size_t pack(block *blocks, int32_t count, block **placed, int (*order)(const void *a, const void *b))
{
    size_t total = 0;
    qsort(blocks, (size_t)count, sizeof *blocks, order);
    for (int32_t i = 0; i < count; i++) {
        block *b = &blocks[i];
        size_t at = 0;
        for (int32_t j = 0; j < i; j++) {
            const block *other = placed[j];
            if (other->first > b->last || b->first > other->last) continue;
            if (at + b->bytes <= other->offset) break;
            if (other->offset + other->bytes > at) at = other->offset + other->bytes;
        }
        b->offset = *b->result = at;
        int32_t to = i;
        for (; to > 0 && placed[to - 1]->offset > at; to--) placed[to] = placed[to - 1];
        placed[to] = b;
        if (at + b->bytes > total) total = at + b->bytes;
    }
    return total;
}

/* In the better of two orders. */
static size_t pack_best(const ex_plan *p, block *blocks, int32_t count, block **placed)
{
    for (int32_t i = 0; i < count; i++) blocks[i].stays = blocks[i].last >= p->commit_from && blocks[i].first > 0;
    const size_t larger = pack(blocks, count, placed, larger_first), staying = pack(blocks, count, placed, staying_first);
    return larger < staying ? pack(blocks, count, placed, larger_first) : staying;
}

static size_t scratch_of(const ex_plan *p, const ex_node *n)
{
    if (!n->op->scratch || n->inputs > EX_MAX_IN) return 0;
    ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
    const ex_signature s = ex_node_signature(p->graph, n, in, out);
    return n->op->scratch(&s, p->batch, ex_team_size(p->team));
}

/* -- Chains: what only a chain knows has room for a piece of each thread ------------------------------------------------ */

/* A group belongs to a chain if all steps that touch it do, and it is neither leaf nor root. */
static void find_local_groups(ex_plan *p)
{
    enum { UNSEEN = -2 };
    const ex_graph *g = p->graph;
    for (int32_t v = 0; v < g->values; v++) p->place[v].chain = UNSEEN;
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_node *n = p->step[s].node;
        for (int32_t i = 0; i < n->inputs + n->outputs; i++) {
            ex_place *at = &p->place[p->place[i < n->inputs ? n->in[i] : n->out[i - n->inputs]].group];
            at->chain = at->chain == UNSEEN || at->chain == p->step[s].chain ? p->step[s].chain : EX_NONE;
        }
    }
    for (int32_t v = 0; v < g->values; v++) {
        const ex_value *value = &g->value[v];
        ex_place *at = &p->place[p->place[v].group];
        if (value->root || value->kind != EX_VALUE_RESULT || !ex_value_is_batched(value) || at->chain == UNSEEN) at->chain = EX_NONE;
    }
}

/* What a chain touches beside that is there while it runs: images of the batch pass through it in any order. */
static void extend_lifetimes(ex_plan *p)
{
    for (int32_t c = 0; c < p->chains; c++)
        for (int32_t s = p->chain[c].from; s < p->chain[c].to; s++) {
            const ex_node *n = p->step[s].node;
            for (int32_t i = 0; i < n->inputs + n->outputs; i++) {
                ex_place *at = &p->place[p->place[i < n->inputs ? n->in[i] : n->out[i - n->inputs]].group];
                if (at->chain != EX_NONE || at->first < 0) continue;
                if (at->first > p->chain[c].from) at->first = p->chain[c].from;
                if (at->last < p->chain[c].to - 1) at->last = p->chain[c].to - 1;
            }
        }
}

/* A large value that one step of a chain makes, in memory that nothing of the chain read before, is written past the caches. */
static int32_t staged_by(const ex_plan *p, int32_t v)
{
    const ex_place *at = &p->place[v];
    const ex_value *value = &p->graph->value[v];
    if (at->chain != EX_NONE || value->tensor || value->kind != EX_VALUE_RESULT || !ex_value_is_batched(value) || at->first < 0) return EX_NONE;
    if (value->shape.dtype != EX_FLOAT32 || ex_plan_value_bytes(p, v) < STREAM_BYTES || at->stride[0] < ex_shape_count(&value->shape)) return EX_NONE;
    const int32_t c = p->step[at->first].chain;
    int32_t writers = 0;
    for (int32_t s = 0; c != EX_NONE && s < p->steps; s++)
        for (int32_t k = 0; k < p->step[s].node->outputs; k++)
            writers += !p->step[s].alias && p->place[p->step[s].node->out[k]].group == v;
    return writers == 1 ? c : EX_NONE;
}

/* The last step of the chain that reads or makes the group. */
static int32_t last_in_chain(const ex_plan *p, const ex_chain *c, int32_t group)
{
    int32_t last = c->from;
    for (int32_t s = c->from; s < c->to; s++) {
        const ex_node *n = p->step[s].node;
        for (int32_t i = 0; i < n->inputs + n->outputs; i++)
            if (p->place[i < n->inputs ? n->in[i] : n->out[i - n->inputs]].group == group) last = s;
    }
    return last;
}

static void size_step(ex_plan *p, const ex_chain *c, ex_step *s)
{
    const ex_pieces *pieces = s->node->op->pieces;
    ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
    const ex_signature sig = ex_node_signature(p->graph, s->node, in, out);
    s->shared_bytes = pieces ? pieces->shared(&sig, c->parts) : 0;
    if (pieces) s->piece_bytes = pieces->scratch ? round_up(pieces->scratch(&sig, c->images)) : 0;
    else s->piece_bytes = s->node->op->scratch ? round_up(s->node->op->scratch(&sig, c->images, 1)) : 0;
}

/* Places the chain's values and the scratch of its pieces among each other. */
static void place_chain(ex_plan *p, int32_t number, block *blocks, block **placed)
{
    ex_chain *c = &p->chain[number];
    int32_t count = 0;
    for (int32_t v = 0; v < p->graph->values; v++) {
        ex_place *at = &p->place[v];
        if (at->group == v && at->staged == number) {
            at->stage_bytes = round_up(room(p, v) / (size_t)p->batch * (size_t)c->images);
            blocks[count++] = (block){ at->stage_bytes, 0, at->first, last_in_chain(p, c, v), &at->stage, 0 };
        }
        if (at->group != v || at->chain != number) continue;
        at->bytes = round_up(room(p, v) / (size_t)p->batch * (size_t)c->images);
        blocks[count++] = (block){ at->bytes, 0, at->first, at->last, &at->offset, 0 };
    }
    for (int32_t i = c->from; i < c->to; i++) {
        ex_step *s = &p->step[i];
        if (s->alias) continue;
        size_step(p, c, s);
        if (s->piece_bytes) blocks[count++] = (block){ s->piece_bytes, 0, i, i, &s->piece_offset, 0 };
    }
    const size_t bytes = pack(blocks, count, placed, larger_first) + EX_TEAM_GAP;
    if (p->thread_bytes < bytes) p->thread_bytes = bytes;
}

/* The chains' blocks in the arena: of all threads, the same ones for all chains, so that a core finds them in its cache; and what
 * each step shares. */
static int32_t collect_chains(ex_plan *p, block *blocks)
{
    int32_t count = 0;
    if (p->chains) blocks[count++] = (block){ p->thread_bytes * (size_t)ex_team_size(p->team), 0, 0, p->steps - 1, &p->thread_offset, 0 };
    for (int32_t k = 0; k < p->chains; k++) {
        ex_chain *c = &p->chain[k];
        for (int32_t i = c->from; i < c->to; i++) {
            ex_step *s = &p->step[i];
            if (s->shared_bytes) blocks[count++] = (block){ round_up(s->shared_bytes), 0, c->from, c->to - 1, &s->shared_offset, 0 };
        }
    }
    return count;
}

static int32_t collect(ex_plan *p, block *blocks)
{
    int32_t count = 0;
    for (int32_t v = 0; v < p->graph->values; v++) {
        ex_place *at = &p->place[v];
        if (at->group != v || p->graph->value[v].tensor) continue;
        if (at->chain != EX_NONE) {
            const size_t all = at->bytes * (size_t)ex_team_size(p->team);
            if (!p->chain[at->chain].sums) blocks[count++] = (block){ all, 0, at->first, at->last, &at->whole, 0 };
            continue;
        }
        at->bytes = room(p, v);
        if (at->first >= 0) blocks[count++] = (block){ round_up(at->bytes), 0, at->first, at->last, &at->offset, 0 };
    }
    for (int32_t v = 0; v < p->graph->values; v++)
        if (!p->graph->value[v].tensor) p->sum_bytes += round_up(room(p, v));
    for (int32_t s = 0; s < p->steps; s++) {
        ex_step *step = &p->step[s];
        const int pieces = step->chain != EX_NONE && p->chain[step->chain].sums;   /* never as a whole */
        step->scratch_bytes = step->alias || pieces ? 0 : scratch_of(p, step->node);
        if (step->scratch_bytes) blocks[count++] = (block){ round_up(step->scratch_bytes), 0, s, s, &step->scratch_offset, 0 };
    }
    return count;
}

ex_status ex_plan_place(ex_plan *p)
{
    size_t most = (size_t)p->graph->values + 2 * (size_t)p->steps + (size_t)p->chains + 1;
    p->place = ex_alloc_zero(sizeof *p->place * most);
    block *blocks = ex_alloc_zero(sizeof *blocks * most), **placed = ex_alloc_zero(sizeof *placed * most);
    if (p->place && blocks && placed) {
        init_places(p, p->use_parts, p->use_pixels);
        lifetimes(p);
        find_local_groups(p);
        if (p->use_in_place) share_in_place(p);
        for (int32_t v = 0; v < p->graph->values; v++) p->place[v].staged = p->place[v].group == v ? staged_by(p, v) : EX_NONE;
        for (int32_t c = 0; c < p->chains; c++) place_chain(p, c, blocks, placed);
        extend_lifetimes(p);
        const int32_t count = collect(p, blocks);
        p->arena_bytes = pack_best(p, blocks, count + collect_chains(p, blocks + count), placed);
    }
    const ex_status status = p->place && blocks && placed ? ex_plan_measure(p) : EX_FAILED;
    ex_free(blocks);
    ex_free(placed);
    return status;
}
