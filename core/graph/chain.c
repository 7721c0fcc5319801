/* chain.c: which nodes of a plan run as chains: one after another on a few images at a time, each thread on images of its own,
 * so that what one node writes is still in the core's cache when the next one reads it, and what only they know is never
 * there for the whole batch. A chain ends where something needs a sum over all images first (batch statistics, the sums
 * of a normalisation's gradient) or does not run by image (op.h: ex_pieces). Nodes move: one that cannot join waits until
 * after the chain, and one that only a member reads comes with it. What must not come early (ex_node.late) follows a member
 * only while nothing waits.
 * How a batch is cut follows from shapes alone, never from threads, since sums over images belong to parts. */
#include "plan.h"
#include "../base/error.h"
#include "../base/memory.h"

/* PIECE_BYTES: the most that a step reads and writes of a piece, two thirds of a core's L2 cache. LEAST_PARTS, for balance; where
 * sums over images are kept for each part, EX_PART_IMAGES in one, so that they are added up seldom, and at most MOST_PARTS. */
enum { LEAST_PARTS = 16, MOST_PARTS = 64, PIECE_BYTES = 640 << 10 };

typedef enum where { WAITING, DONE, MEMBER, LATER } where;

typedef struct forming {
    const ex_plan *p;
    char *where;                            /* of each node */
    int32_t *readers;                       /* of each value */
    int32_t *member, members, *later, laters;
} forming;

static int is_batched(const ex_graph *g, int32_t value) { return ex_value_is_batched(&g->value[value]); }

/* Whether what the step reads beside images is large (op.h). Operators with pieces say so themselves (../ops/conv_pieces.c). */
static int reads_large_filter(const ex_graph *g, const ex_node *n)
{
    double filter = 0, image = 0;
    for (int32_t i = 0; i < n->inputs + n->outputs; i++) {
        const int32_t v = i < n->inputs ? n->in[i] : n->out[i - n->inputs];
        const double bytes = (double)ex_shape_count(&g->value[v].shape) * (double)ex_dtype_size(g->value[v].shape.dtype);
        *(is_batched(g, v) ? &image : &filter) += bytes;
    }
    return !n->op->pieces && ex_filter_is_large(filter, image);
}

int ex_chain_admits(const ex_graph *g, const ex_node *n)
{
    const ex_op *op = n->op;
    int batched = 0;
    if (!(op->pieces || op->flags & EX_OP_BY_IMAGE) || op->flags & EX_OP_LUA || n->inputs > EX_MAX_IN) return 0;
    for (int32_t i = 0; i < n->inputs; i++) batched |= is_batched(g, n->in[i]);
    for (int32_t k = 0; k < n->outputs; k++)
        if (!is_batched(g, n->out[k]) && !(op->pieces && op->pieces->end)) return 0;
    if (!batched || !op->pieces) return batched && !reads_large_filter(g, n);
    ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
    const ex_signature s = ex_node_signature(g, n, in, out);
    return op->pieces->shared(&s, LEAST_PARTS) != SIZE_MAX;
}

static int made_by(const forming *f, int32_t value, where w)
{
    const int32_t maker = f->p->graph->value[value].node;
    return maker != EX_NONE && f->where[maker] == (char)w;
}

/* Whether it reads an image that a member makes, and no sum that one makes. */
static int follows(const forming *f, const ex_node *n)
{
    int touches = 0;
    for (int32_t i = 0; i < n->inputs; i++) {
        if (!made_by(f, n->in[i], MEMBER)) continue;
        if (!is_batched(f->p->graph, n->in[i])) return 0;
        touches = 1;
    }
    return touches;
}

/* Whether a node that waits can come before the one that reads it: it is its only reader, and all it needs is there. */
static int can_come(const forming *f, int32_t maker)
{
    const ex_node *m = &f->p->graph->node[maker];
    if (!ex_chain_admits(f->p->graph, m) || m->cut || m->outputs != 1 || f->readers[m->out[0]] != 1 || f->p->graph->value[m->out[0]].root) return 0;
    for (int32_t i = 0; i < m->inputs; i++)
        if (made_by(f, m->in[i], LATER) || (made_by(f, m->in[i], MEMBER) && !is_batched(f->p->graph, m->in[i]))) return 0;
    return 1;
}

static void join(forming *f, int32_t n)
{
    f->where[n] = MEMBER;
    f->member[f->members++] = n;
}

/* Takes the node into the chain, with what only it reads, or gives 0. */
static int take(forming *f, int32_t n)
{
    const ex_graph *g = f->p->graph;
    const ex_node *node = &g->node[n];
    if (!ex_chain_admits(f->p->graph, node) || !follows(f, node) || node->cut || (node->late && f->laters)) return 0;
    for (int32_t i = 0; i < node->inputs; i++)
        if (made_by(f, node->in[i], LATER) && !can_come(f, g->value[node->in[i]].node)) return 0;
    for (int32_t i = 0; i < node->inputs; i++)
        if (made_by(f, node->in[i], LATER)) join(f, g->value[node->in[i]].node);
    join(f, n);
    return 1;
}

/* -- Pieces --------------------------------------------------------------------------------------------------------- */

/* Bytes of one image that the step reads and writes. */
static double step_bytes(const ex_plan *p, const ex_node *n)
{
    double bytes = 0;
    for (int32_t i = 0; i < n->inputs; i++)
        if (is_batched(p->graph, n->in[i])) bytes += (double)ex_plan_value_bytes(p, n->in[i]);
    for (int32_t k = 0; k < n->outputs; k++)
        if (is_batched(p->graph, n->out[k])) bytes += (double)ex_plan_value_bytes(p, n->out[k]);
    return bytes / p->batch;
}

static void size_pieces(const ex_plan *p, ex_chain *c, const int32_t *node)
{
    double most = 1;
    for (int32_t i = c->from; i < c->to; i++) {
        const ex_node *n = &p->graph->node[node[i]];
        const double bytes = step_bytes(p, n);
        if (bytes > most) most = bytes;
        c->sums |= n->op->pieces && n->op->pieces->end;
    }
    int32_t parts = p->batch / EX_PART_IMAGES;
    parts = parts < LEAST_PARTS ? LEAST_PARTS : parts > MOST_PARTS ? MOST_PARTS : parts;
    const int32_t largest = c->sums ? (p->batch + parts - 1) / parts : p->batch / LEAST_PARTS;
    c->images = PIECE_BYTES / most < 1 ? 1 : PIECE_BYTES / most > largest ? largest : (int32_t)(PIECE_BYTES / most);
    c->parts = !c->sums ? (p->batch + c->images - 1) / c->images : parts;
}

/* -- All ------------------------------------------------------------------------------------------------------------- */

/* One chain, or one node, from the front of node[0..count): its members go to the front, the others follow in their order. */
static int32_t form(forming *f, int32_t *node, int32_t count)
{
    f->members = f->laters = 0;
    join(f, node[0]);
    const int starts = ex_chain_admits(f->p->graph, &f->p->graph->node[node[0]]);
    for (int32_t i = 1; i < count; i++) {
        if (starts && take(f, node[i])) continue;
        f->where[node[i]] = LATER;
        f->later[f->laters++] = node[i];
    }
    int32_t at = 0;
    for (int32_t i = 0; i < f->members; i++) node[at++] = f->member[i];
    for (int32_t i = 0; i < f->laters; i++)
        if (f->where[f->later[i]] == LATER) node[at++] = f->later[i];
    for (int32_t i = 0; i < count; i++) f->where[node[i]] = i < f->members ? DONE : WAITING;
    return f->members;
}

static void count_readers(const ex_graph *g, int32_t *readers)
{
    for (int32_t n = 0; n < g->nodes; n++)
        for (int32_t i = 0; i < g->node[n].inputs; i++) readers[g->node[n].in[i]]++;
}

ex_status ex_plan_chain(ex_plan *p, int32_t *node, int32_t count)
{
    const size_t nodes = (size_t)p->graph->nodes + 1;
    if (p->batch < EX_CHAIN_BATCH) return EX_OK;
    forming f = { .p = p, .where = ex_alloc_zero(nodes), .readers = ex_alloc_zero(sizeof(int32_t) * ((size_t)p->graph->values + 1)),
                  .member = ex_alloc(sizeof(int32_t) * nodes), .later = ex_alloc(sizeof(int32_t) * nodes) };
    p->chain = ex_alloc_zero(sizeof *p->chain * nodes);
    const int ok = f.where && f.readers && f.member && f.later && p->chain;
    if (ok) count_readers(p->graph, f.readers);
    for (int32_t at = 0, members; ok && at < count; at += members) {
        members = form(&f, node + at, count - at);
        if (members < 2) continue;
        ex_chain *c = &p->chain[p->chains++];
        *c = (ex_chain){ .from = at, .to = at + members };
        size_pieces(p, c, node);
    }
    ex_free(f.where);
    ex_free(f.readers);
    ex_free(f.member);
    ex_free(f.later);
    return ok ? EX_OK : EX_FAILED;
}
