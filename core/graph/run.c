/* run.c: one run of a plan. Inputs in, nodes in order, guards checked, then the commit group: nothing that a run writes to
 * state is written before the whole step is known to be good, so an interrupt or a NaN leaves no trace. A run stops
 * at an operator written in Lua and is resumed after it. After a NaN the same step is replayed with a check after
 * each node, to name the one that made it. */
#include <math.h>
#include <string.h>
#include "plan.h"
#include "../base/error.h"

/* -- Before the first node ------------------------------------------------------------------------------------ */

static void refresh(ex_plan *p, int32_t n)
{
    if (p->n == n && !p->stale) return;
    p->n = n;
    p->stale = 0;
    for (int32_t v = 0; v < p->graph->values; v++)
        if (ex_value_is_batched(&p->graph->value[v])) p->operand[v].dim[0] = n;
    for (int32_t s = 0; s < p->steps; s++) {
        const ex_node *node = p->step[s].node;
        for (int32_t i = 0; i < node->inputs; i++) p->step[s].in[i] = p->operand[node->in[i]];
        for (int32_t k = 0; k < node->outputs; k++) p->step[s].out[k] = p->operand[node->out[k]];
    }
}

static ex_status check_inputs(const ex_plan *p, int32_t n)
{
    if (strcmp(p->isa, ex_isa_name()))
        return ex_fail("plan: compiled for the %s kernels, those in use are %s since: compile it again", p->isa, ex_isa_name());
    if (n < 1 || n > p->batch) return ex_fail("plan: a run of %d images, expected 1 to %d", n, p->batch);
    for (int32_t i = 0; i < p->slots; i++) {
        const ex_value *v = &p->graph->value[p->slot[i].value];
        if (!p->slot[i].tensor) return ex_fail("plan: input '%s' is not bound", v->name);
        if (ex_value_is_batched(v) && p->slot[i].tensor->dim[0] < n)
            return ex_fail("input '%s' holds %d images, the run wants %d", v->name, p->slot[i].tensor->dim[0], n);
    }
    return EX_OK;
}

static void take_inputs(ex_plan *p)
{
    for (int32_t i = 0; i < p->slots; i++) {
        const ex_slot *s = &p->slot[i];
        const ex_operand *o = &p->operand[s->value];
        if (s->direct) continue;
        ex_strided_copy(o->data, o->dtype, o->stride, s->tensor->data, s->tensor->dtype, s->tensor->stride, o->ndim, o->dim);
    }
}

static double leaves_version(const ex_plan *p)
{
    double sum = 0;
    for (int32_t v = 0; v < p->graph->values; v++)
        if (p->graph->value[v].tensor) sum += p->graph->value[v].tensor->storage->version;
    return sum;
}

/* -- Finite or not ------------------------------------------------------------------------------------------------ */

static int finite_along(const char *data, const ex_operand *o, int32_t axis)
{
    if (axis == o->ndim) return isfinite(*(const float *)(const void *)data) != 0;
    for (int32_t i = 0; i < o->dim[axis]; i++)
        if (!finite_along(data + o->stride[axis] * i * (ptrdiff_t)sizeof(float), o, axis + 1)) return 0;
    return 1;
}

static int is_finite(const ex_operand *o) { return o->dtype != EX_FLOAT32 || finite_along(o->data, o, 0); }

/* Whether a guard is not finite; keeps which one and its value: a replay writes over the memory that it lies in. */
static int bad_guard(ex_plan *p)
{
    for (int32_t i = 0; i < p->guards; i++) {
        float got = *(const float *)p->operand[p->guard[i]].data;
        if (isfinite(got)) continue;
        p->bad = p->graph->value[p->guard[i]].name;
        p->bad_value = got;
        return 1;
    }
    return 0;
}

/* -- The loop -------------------------------------------------------------------------------------------------------- */

static void call_node(const ex_plan *p, const ex_step *s)
{
    const ex_node *node = s->node;
    if (s->alias) return;
    ex_call call = { .name = node->name, .inputs = node->inputs, .outputs = node->outputs, .n = p->n, .in = s->in, .out = s->out,
                     .attr = (const ex_numbers *)node->attr, .attr_count = node->attr_count, .team = p->team,
                     .scratch = p->arena + s->scratch_offset, .seed = (uint64_t)p->seed, .step = (uint32_t)p->at };
    node->op->forward(&call);
}

static void timed_node(const ex_plan *p, ex_step *s)
{
    if (!p->profile) { call_node(p, s); return; }
    double from = ex_clock();
    call_node(p, s);
    s->seconds += ex_clock() - from;
}

/* What a replay found: the first leaf, input or node whose numbers are not finite. */
static ex_status blame(ex_plan *p, const char *kind, const char *name, const char *op)
{
    const char *value = isnan(p->bad_value) ? "nan" : p->bad_value < 0 ? "-inf" : "inf";
    p->checking = 0;
    return ex_fail_as(EX_NOT_FINITE, "step %.0f: '%s' is %s: the first value that is not finite is %s '%s'%s%s%s; nothing was changed",
                      p->at, p->bad, value, kind, name, op ? " (" : "", op ? op : "", op ? ")" : "");
}

/* The first `outputs` of the step's results. */
static ex_status check_step(ex_plan *p, const ex_step *s, const ex_operand *out, int32_t outputs)
{
    for (int32_t k = 0; k < outputs; k++)
        if (!is_finite(&out[k])) return blame(p, "made by", s->node->name, s->node->op->name);
    return EX_OK;
}

static ex_status check_leaves(ex_plan *p)
{
    for (int32_t v = 0; v < p->graph->values; v++) {
        const ex_value *value = &p->graph->value[v];
        static const char *const kind[] = { "in the input", "in the parameter", "in the buffer" };
        if (value->kind != EX_VALUE_RESULT && !is_finite(&p->operand[v])) return blame(p, kind[value->kind], value->name, NULL);
    }
    return EX_OK;
}

static void commit(ex_plan *p)
{
    for (int32_t s = p->commit_from; s < p->steps; s++) {
        const ex_node *node = p->step[s].node;
        timed_node(p, &p->step[s]);
        for (int32_t i = 0; i < node->inputs; i++)
            if (ex_op_writes(node->op, i)) ex_tensor_touch(p->graph->value[node->in[i]].tensor);
    }
}

static ex_status go_on(ex_plan *p)
{
    for (; p->cursor < p->commit_from; p->cursor++) {
        ex_step *s = &p->step[p->cursor];
        if (ex_interrupted()) return ex_fail_as(EX_INTERRUPTED, "interrupted");
        const ex_chain *chain = s->chain == EX_NONE ? NULL : &p->chain[s->chain];
        if (chain && p->cursor == chain->from && ex_chain_serves(p, chain)) {
            ex_status status = ex_chain_run(p, chain, p->checking ? check_step : NULL);
            if (status) return status;
            p->cursor = chain->to - 1;
            continue;
        }
        if ((s->node->op->flags & EX_OP_LUA) && !p->paused) {
            p->paused = 1;
            p->paused_at = p->profile ? ex_clock() : 0;
            return EX_PAUSED;
        }
        if (!p->paused) timed_node(p, s);
        else if (p->profile) s->seconds += ex_clock() - p->paused_at;
        p->paused = 0;
        ex_status status = p->checking ? check_step(p, s, s->out, s->node->outputs) : EX_OK;
        if (status) return status;
    }
    const int bad = bad_guard(p);
    if (bad && p->checking) return blame(p, "the guard", p->bad, NULL);
    if (bad) {                              /* the same step again, looking; results may lie where inputs were copied to */
        p->checking = 1;
        p->cursor = 0;
        take_inputs(p);
        ex_status status = check_leaves(p);
        return status ? status : go_on(p);
    }
    commit(p);
    p->done = 1;
    p->runs++;
    return EX_OK;
}

static ex_status ended(ex_plan *p, ex_status status)
{
    if (status != EX_PAUSED) p->checking = p->paused = 0;
    return status;
}

ex_status ex_plan_run(ex_plan *p, int32_t n, double seed, double step)
{
    if (check_inputs(p, n)) return EX_FAILED;
    refresh(p, n);
    p->done = p->paused = p->checking = 0;
    p->seed = seed;
    p->at = step;
    take_inputs(p);
    double version = leaves_version(p);
    p->cursor = version == p->constants_version ? p->constants : 0;
    p->constants_version = -1;              /* until this run has passed them */
    ex_status status = ended(p, go_on(p));
    if (p->cursor >= p->constants) p->constants_version = version;
    return status;
}

/* -- Operators written in Lua ------------------------------------------------------------------------------------------ */

static void show_operand(ex_operand_info *to, const ex_operand *from)
{
    *to = (ex_operand_info){ .data = from->data, .dtype = from->dtype, .ndim = from->ndim, .count = 1 };
    memcpy(to->dim, from->dim, sizeof to->dim);
    for (int32_t i = 0; i < from->ndim; i++) to->count *= from->dim[i];
}

ex_status ex_plan_paused(const ex_plan *p, ex_pause *pause)
{
    if (!p->paused) return ex_fail("plan: no operator written in Lua is waiting");
    const ex_step *s = &p->step[p->cursor];
    const ex_node *node = s->node;
    memset(pause, 0, sizeof *pause);
    pause->name = node->name;
    pause->op = node->op->name;
    pause->inputs = node->inputs;
    pause->outputs = node->outputs;
    pause->attrs = node->attrs;
    pause->n = p->n;
    for (int32_t i = 0; i < node->inputs; i++) show_operand(&pause->input[i], &s->in[i]);
    for (int32_t k = 0; k < node->outputs; k++) show_operand(&pause->output[k], &s->out[k]);
    for (int32_t i = 0; i < node->attrs; i++) {
        pause->attr[i].name = node->op->attr[i].name;
        pause->attr[i].count = node->attr_count[i];
        memcpy(pause->attr[i].value, node->attr[i], sizeof pause->attr[i].value);
    }
    return EX_OK;
}

ex_status ex_plan_resume(ex_plan *p, int32_t ok)
{
    if (!p->paused) return ex_fail("plan: no operator written in Lua is waiting");
    if (!ok) {
        p->paused = p->checking = 0;
        return ex_fail("%s: the step was given up; nothing was changed", p->step[p->cursor].node->name);
    }
    return ended(p, go_on(p));
}
