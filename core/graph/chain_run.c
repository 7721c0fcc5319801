/* chain_run.c: runs a chain: begin of every step, then its parts on the team, each part's pieces in order through all steps,
 * then end of every step. While a NaN is looked for, the parts run in order on one thread with a check after each step. */
#include "plan.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../ops/loop.h"

typedef struct run {
    ex_plan *p;
    const ex_chain *c;
    int32_t parts;
    ex_status (*check)(ex_plan *p, const ex_step *s, const ex_operand *out, int32_t outputs);    /* NULL: not now */
} run;

static int32_t parts_of(const ex_plan *p, const ex_chain *c)
{
    return !c->sums ? (p->n + c->images - 1) / c->images : p->n < c->parts ? p->n : c->parts;
}

int ex_chain_serves(const ex_plan *p, const ex_chain *c)
{
    const int32_t threads = ex_team_size(p->team);
    return c->sums || parts_of(p, c) >= threads || p->n > c->images * threads;
}

static char *share(const run *r, int32_t thread) { return r->p->arena + r->p->thread_offset + (size_t)thread * r->p->thread_bytes; }

/* The images [first, first + n) of an operand; of a value that only the chain knows: the thread's piece, its part of it. */
static ex_operand cut(const run *r, int32_t value, const ex_operand *whole, int32_t thread, int32_t first, int32_t n)
{
    const ex_plan *p = r->p;
    ex_operand o = *whole;
    if (!ex_value_is_batched(&p->graph->value[value])) return o;
    const ex_place *at = &p->place[p->place[value].group];
    const ptrdiff_t size = (ptrdiff_t)ex_dtype_size(o.dtype), start = p->place[value].start * size;
    o.dim[0] = n;
    if (at->staged == r->c - p->chain) o.data = share(r, thread) + at->stage + start;
    else if (at->chain != EX_NONE) o.data = share(r, thread) + at->offset + start;
    else o.data = (char *)o.data + first * o.stride[0] * size;
    return o;
}

/* What the step made in a piece of its own goes to where the batch lies. */
static void unstage(const run *r, const ex_step *s, const ex_operand *out, int32_t first)
{
    const ex_plan *p = r->p;
    for (int32_t k = 0; k < s->node->outputs; k++) {
        if (p->place[p->place[s->node->out[k]].group].staged != r->c - p->chain) continue;
        const ex_operand *whole = &s->out[k];
        ex_stream_floats((float *)whole->data + first * whole->stride[0], out[k].data, out[k].dim[0] * whole->stride[0]);
    }
}

static ex_call call_of(const run *r, const ex_step *s)
{
    const ex_plan *p = r->p;
    const ex_node *node = s->node;
    return (ex_call){ .name = node->name, .inputs = node->inputs, .outputs = node->outputs, .n = p->n, .in = s->in, .out = s->out,
                      .attr = (const ex_numbers *)node->attr, .attr_count = node->attr_count, .team = p->team,
                      .scratch = p->arena + s->scratch_offset, .seed = (uint64_t)p->seed, .step = (uint32_t)p->at,
                      .shared = p->arena + s->shared_offset, .parts = r->parts };
}

/* How many of the step's results are images: those come first, and sums over all of them are not there yet. */
static int32_t images_made(const run *r, const ex_step *s)
{
    int32_t k = 0;
    while (k < s->node->outputs && ex_value_is_batched(&r->p->graph->value[s->node->out[k]])) k++;
    return k;
}

static ex_status run_step(const run *r, const ex_step *s, int32_t thread, int32_t part, int32_t first, int32_t n, int more)
{
    const ex_node *node = s->node;
    ex_operand in[EX_MAX_IN], out[EX_MAX_OUT];
    ex_call call = call_of(r, s);
    for (int32_t i = 0; i < node->inputs; i++) in[i] = cut(r, node->in[i], &s->in[i], thread, first, n);
    for (int32_t k = 0; k < node->outputs; k++) out[k] = cut(r, node->out[k], &s->out[k], thread, first, n);
    call.n = n;
    call.in = in;
    call.out = out;
    call.team = NULL;
    call.part = part;
    call.more = more;
    call.scratch = share(r, thread) + s->piece_offset;
    if (node->op->pieces) node->op->pieces->piece(&call);
    else node->op->forward(&call);
    unstage(r, s, out, first);
    return r->check ? r->check(r->p, s, out, images_made(r, s)) : EX_OK;
}

static ex_status run_piece(const run *r, int32_t thread, int32_t part, int32_t first, int32_t n, int more)
{
    ex_plan *p = r->p;
    double from = p->profile ? ex_clock() : 0;
    for (int32_t i = r->c->from; i < r->c->to; i++) {
        if (p->step[i].alias) continue;
        ex_status status = run_step(r, &p->step[i], thread, part, first, n, more);
        if (status) return status;
        if (!p->profile) continue;
        const double now = ex_clock();
        p->thread_seconds[(size_t)thread * (size_t)p->steps + (size_t)i] += now - from;
        from = now;
    }
    return EX_OK;
}

static ex_status run_part(const run *r, int32_t part, int32_t thread)
{
    const int32_t n = r->p->n, first = (int32_t)((int64_t)n * part / r->parts), end = (int32_t)((int64_t)n * (part + 1) / r->parts);
    ex_status status = EX_OK;
    for (int32_t i = first; i < end && !status; i += r->c->images)
        status = run_piece(r, thread, part, i, end - i < r->c->images ? end - i : r->c->images, i > first);
    return status;
}

/* Every other chain goes from the last part to the first: after a pass over more than the caches hold, its end is what they
 * still hold. */
static void team_part(void *context, int32_t part, int32_t thread)
{
    const run *r = context;
    run_part(r, (r->c - r->p->chain) & 1 ? r->parts - 1 - part : part, thread);
}

/* begin or end of every step. */
static void frame(const run *r, int end)
{
    for (int32_t i = r->c->from; i < r->c->to; i++) {
        ex_step *s = &r->p->step[i];
        const ex_pieces *pieces = s->node->op->pieces;
        void (*work)(const ex_call *call) = !pieces || s->alias ? NULL : end ? pieces->end : pieces->begin;
        if (!work) continue;
        const double from = r->p->profile ? ex_clock() : 0;
        const ex_call call = call_of(r, s);
        work(&call);
        if (r->p->profile) s->seconds += ex_clock() - from;
    }
}

/* Each thread's time in each step, as a share of the time that all of them took. */
static void count_seconds(ex_plan *p, const ex_chain *c)
{
    const int32_t threads = ex_team_size(p->team);
    for (int32_t i = c->from; i < c->to; i++)
        for (int32_t t = 0; t < threads; t++) {
            double *seconds = &p->thread_seconds[(size_t)t * (size_t)p->steps + (size_t)i];
            p->step[i].seconds += *seconds / threads;
            *seconds = 0;
        }
}

ex_status ex_chain_run(ex_plan *p, const ex_chain *c, ex_status (*check)(ex_plan *p, const ex_step *s, const ex_operand *out, int32_t outputs))
{
    run r = { p, c, parts_of(p, c), check };
    ex_status status = EX_OK;
    frame(&r, 0);
    if (check) for (int32_t part = 0; part < r.parts && !status; part++) status = run_part(&r, part, 0);
    else ex_team_run(p->team, r.parts, team_part, &r);
    if (p->profile) count_seconds(p, c);
    if (status) return status;
    frame(&r, 1);
    for (int32_t i = c->from; i < c->to && check && !status; i++)
        if (p->step[i].node->op->pieces && p->step[i].node->op->pieces->end) status = check(p, &p->step[i], p->step[i].out, p->step[i].node->outputs);
    return status;
}
