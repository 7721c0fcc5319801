/* plan.c: compiles a graph into a plan: runs the passes, orders the nodes, places the values, prepares every call; binds
 * inputs, reads outputs, describes itself. What happens in a run is run.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "plan.h"
#include "passes/passes.h"
#include "../base/error.h"
#include "../base/memory.h"

/* -- Passes ------------------------------------------------------------------------------------------------- */

typedef struct pass_line {
    const char *name;
    ex_pass run;                            /* NULL: mark does the work, or what comes after the passes asks for it by name */
    int inference, training;                /* which purposes it serves */
    void (*mark)(ex_graph *g, int32_t batch, int32_t most, int packed);     /* changes attributes alone, in place: to be fast for so
                                               many images, at most so many in a run, weights packed once or not */
    ex_pass_placed placed;                  /* as run, but it asks where a plan like this one would lay the values */
} pass_line;

/* In the order in which they run. */
static const pass_line pass_table[] = {
    { "dead", ex_pass_dead, 1, 1, NULL, NULL },
    { "fold_bn", ex_pass_fold_bn, 1, 0, NULL, NULL },
    { "fuse_bn", ex_pass_fuse_bn, 0, 1, NULL, NULL },
    { "concat_stats", ex_pass_concat_stats, 0, 1, NULL, NULL },
    { "merge", ex_pass_merge, 1, 1, NULL, NULL },
    { "dead", ex_pass_dead, 1, 1, NULL, NULL },   /* what nobody reads would keep its makers from being fused */
    { "fuse_stats", ex_pass_fuse_stats, 0, 1, NULL, NULL },
    { "fuse_conv", ex_pass_fuse_conv, 1, 1, NULL, NULL },
    { "fold_affine", ex_pass_fold_affine, 1, 0, NULL, NULL },
    { "winograd", NULL, 1, 1, ex_pass_winograd, NULL },
    { "pack_conv", ex_pass_pack_conv, 1, 0, NULL, NULL },
    { "fuse_norm", ex_pass_fuse_norm, 0, 1, NULL, NULL },
    { "fuse_pool", ex_pass_fuse_pool, 0, 1, NULL, NULL },
    { "fuse_update", ex_pass_fuse_update, 0, 1, NULL, NULL },
    { "dead", ex_pass_dead, 1, 1, NULL, NULL },
    { "recompute", ex_pass_recompute, 0, 1, NULL, NULL },
    { "cut", NULL, 0, 1, NULL, ex_pass_cut },
    { "remake", NULL, 0, 1, NULL, ex_pass_remake },
    { "chain", NULL, 1, 1, NULL, NULL },
    { "pixels", NULL, 1, 1, NULL, NULL },
    { "parts", NULL, 1, 1, NULL, NULL },
    { "in_place", NULL, 1, 1, NULL, NULL },
};
enum { PASSES = sizeof pass_table / sizeof *pass_table };

static int is_off(const char *switches, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = switches; s && (s = strchr(s, '-')); s++)
        if (!strncmp(s + 1, name, n) && (!s[n + 1] || s[n + 1] == ',')) return 1;
    return 0;
}

/* The names of all passes, each once: "dead, fold_bn, ...". */
static const char *pass_names(char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < PASSES; i++) {
        int seen = 0;
        for (int k = 0; k < i; k++) seen |= !strcmp(pass_table[k].name, pass_table[i].name);
        if (!seen && at < size) at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", pass_table[i].name);
    }
    return out;
}

/* "-fold_bn,-in_place": every entry must name a pass. `source`: where it was written. */
static ex_status check_switches(const char *source, const char *switches)
{
    const char *known[PASSES];
    for (int i = 0; i < PASSES; i++) known[i] = pass_table[i].name;
    for (const char *s = switches; s && *s;) {
        const char *end = strchr(s, ',');
        int n = (int)(end ? end - s : (ptrdiff_t)strlen(s)), found = 0;
        char name[64];
        snprintf(name, sizeof name, "%.*s", n > 0 ? n - 1 : 0, s + 1);
        for (int i = 0; i < PASSES; i++) found |= *s == '-' && !strcmp(name, known[i]);
        if (!found) {
            const char *near = ex_nearest(name, known, PASSES);
            char names[320];
            return ex_fail("%s: '%.*s' switches nothing off%s%s%s write -NAME with one of %s", source, n, s, near ? "; did you mean -" : ";",
                           near ? near : "", near ? "? Else" : "", pass_names(names, sizeof names));
        }
        s = end ? end + 1 : s + n;
    }
    return EX_OK;
}

static void follow(int32_t *value, int32_t n, const int32_t *map)
{
    for (int32_t i = 0; i < n; i++) value[i] = map[value[i]];
}

/* p->graph = pass(p->graph), or placed(p->graph); outputs and guards follow. */
static ex_status apply(ex_plan *p, ex_pass pass, ex_pass_placed placed)
{
    int32_t *map = ex_graph_new_map(p->graph);
    ex_graph *next = !map ? NULL : pass ? pass(p->graph, map) : placed(p->graph, map, p);
    if (next) {
        follow(p->output, p->outputs, map);
        follow(p->guard, p->guards, map);
        ex_graph_free(p->graph);
        p->graph = next;
    }
    ex_free(map);
    return next ? EX_OK : EX_FAILED;
}

/* A private copy of the graph with the roots marked, then the passes. */
static ex_status transform(ex_plan *p, const ex_graph *g, const char *switches)
{
    int32_t *map = ex_graph_new_map(g);
    p->graph = map ? ex_pass_copy(g, map) : NULL;
    if (p->graph) {
        follow(p->output, p->outputs, map);
        follow(p->guard, p->guards, map);
    }
    ex_free(map);
    if (!p->graph) return EX_FAILED;
    for (int32_t v = 0; v < p->graph->values; v++) p->graph->value[v].root = 0;
    for (int32_t i = 0; i < p->outputs; i++) p->graph->value[p->output[i]].root = 1;
    for (int32_t i = 0; i < p->guards; i++) p->graph->value[p->guard[i]].root = 1;
    for (int i = 0; i < PASSES; i++) {
        const pass_line *line = &pass_table[i];
        int serves = p->training ? line->training : line->inference;
        const int chains = p->batch >= EX_CHAIN_BATCH && p->use_chains;
        if (!serves || is_off(switches, line->name) || (line->run == ex_pass_recompute && !chains)) continue;
        if ((line->run || line->placed) && apply(p, line->run, line->placed)) return EX_FAILED;
        /* inference: the same bits for any batch */
        if (line->mark) line->mark(p->graph, p->training ? p->batch : 1, p->batch, !p->training);
    }
    return apply(p, ex_pass_dense, NULL);
}

/* -- Operands ------------------------------------------------------------------------------------------------- */

static void fill_operands(ex_plan *p)
{
    for (int32_t v = 0; v < p->graph->values; v++) {
        const ex_value *value = &p->graph->value[v];
        const ex_place *at = &p->place[v];
        const ex_tensor *tensor = p->graph->value[at->group].tensor;
        ex_operand *o = &p->operand[v];
        *o = (ex_operand){ .dtype = value->shape.dtype, .ndim = value->shape.ndim };
        memcpy(o->dim, value->shape.dim, sizeof o->dim);
        memcpy(o->stride, at->stride, sizeof o->stride);
        const ex_place *group = &p->place[at->group];
        char *from = tensor ? tensor->data : p->arena + (group->chain == EX_NONE ? group->offset : group->whole);
        o->data = from + at->start * (ptrdiff_t)ex_dtype_size(value->shape.dtype);
    }
}

static ex_status prepare_steps(ex_plan *p)
{
    size_t room = 1;
    for (int32_t s = 0; s < p->steps; s++) room += (size_t)(p->step[s].node->inputs + p->step[s].node->outputs);
    p->operand = ex_alloc_zero(sizeof *p->operand * (size_t)(p->graph->values + 1));
    p->step_operands = ex_alloc_zero(sizeof *p->step_operands * room);
    if (!p->operand || !p->step_operands) return EX_FAILED;
    ex_operand *next = p->step_operands;
    for (int32_t s = 0; s < p->steps; s++) {
        p->step[s].in = next;
        next += p->step[s].node->inputs;
        p->step[s].out = next;
        next += p->step[s].node->outputs;
    }
    fill_operands(p);
    return EX_OK;
}

static ex_status take_arena(ex_plan *p)
{
    enum { LEAST = 64 };
    p->arena = ex_alloc_zero(p->arena_bytes ? p->arena_bytes : LEAST);
    return p->arena ? EX_OK : EX_FAILED;
}

static ex_status prepare_slots(ex_plan *p)
{
    p->slot = ex_alloc_zero(sizeof *p->slot * (size_t)(p->graph->values + 1));
    if (!p->slot) return EX_FAILED;
    for (int32_t v = 0; v < p->graph->values; v++)
        if (p->graph->value[v].kind == EX_VALUE_INPUT) p->slot[p->slots++].value = v;
    return EX_OK;
}

/* -- Life ------------------------------------------------------------------------------------------------------ */

static ex_status check_values(const char *what, const ex_graph *g, int32_t n, const int32_t *value)
{
    for (int32_t i = 0; i < n; i++)
        if (value[i] < 0 || value[i] >= g->values) return ex_fail("plan: %s %d is no value of the graph", what, i + 1);
    return EX_OK;
}

static ex_status check_guards(const ex_graph *g, int32_t n, const int32_t *value)
{
    for (int32_t i = 0; i < n; i++) {
        const ex_value *v = &g->value[value[i]];
        if (v->shape.ndim != 0 || v->shape.dtype != EX_FLOAT32) return ex_fail("plan: guard '%s' must be a float32 scalar", v->name);
    }
    return EX_OK;
}

static int32_t *copy_list(const int32_t *from, int32_t n)
{
    int32_t *to = ex_alloc(sizeof *to * (size_t)(n + 1));
    if (to && n) memcpy(to, from, sizeof *to * (size_t)n);
    return to;
}

ex_plan *ex_plan_new(const ex_graph *g, int32_t outputs, const int32_t *output, int32_t guards, const int32_t *guard,
                     const ex_plan_options *options, ex_team *team)
{
    const char *switches = options->passes ? options->passes : getenv("EXEUNT_PASSES");
    if (options->batch < 1) { ex_fail("plan: the largest batch is %d, expected at least 1", options->batch); return NULL; }
    if (check_switches(options->passes ? "passes" : "EXEUNT_PASSES", switches) ||
        check_values("output", g, outputs, output) || check_values("guard", g, guards, guard) ||
        check_guards(g, guards, guard)) return NULL;
    ex_plan *p = ex_alloc_zero(sizeof *p);
    if (!p) return NULL;
    p->batch = options->batch;
    p->training = options->training;
    p->isa = ex_isa_name();
    p->team = team;
    p->outputs = outputs;
    p->guards = guards;
    p->output = copy_list(output, outputs);
    p->guard = copy_list(guard, guards);
    p->constants_version = -1;
    p->use_chains = !is_off(switches, "chain");
    p->use_in_place = !is_off(switches, "in_place");
    p->use_parts = !is_off(switches, "parts");
    p->use_pixels = !is_off(switches, "pixels");
    if (!p->output || !p->guard || transform(p, g, switches) || ex_plan_schedule(p) || ex_plan_place(p) ||
        take_arena(p) || prepare_steps(p) || prepare_slots(p)) {
        ex_plan_free(p);
        return NULL;
    }
    return p;
}

void ex_plan_free(ex_plan *p)
{
    if (!p) return;
    for (int32_t i = 0; i < p->slots; i++) ex_tensor_free(p->slot[i].tensor);
    ex_free(p->slot);
    ex_free(p->step_operands);
    ex_free(p->operand);
    ex_free(p->arena);
    ex_free(p->place);
    ex_free(p->live);
    ex_free(p->step);
    ex_free(p->chain);
    ex_free(p->thread_seconds);
    ex_free(p->output);
    ex_free(p->guard);
    ex_graph_free(p->graph);
    ex_free(p);
}

/* -- Inputs and outputs ------------------------------------------------------------------------------------------ */

int32_t ex_plan_slot(const ex_plan *p, const char *input)
{
    int32_t v = ex_graph_find(p->graph, input);
    for (int32_t i = 0; v != EX_NONE && i < p->slots; i++)
        if (p->slot[i].value == v) return i;
    return EX_NONE;
}

static ex_status wrong_shape(const char *what, const char *name, const ex_tensor *t, int32_t ndim, const int32_t *dim)
{
    char got[160], expected[160];
    return ex_fail("%s '%s' has shape %s, expected %s", what, name, ex_shape_text(got, sizeof got, t->ndim, t->dim),
                   ex_shape_text(expected, sizeof expected, ndim, dim));
}

ex_status ex_plan_bind(ex_plan *p, int32_t slot, ex_tensor *tensor)
{
    if (slot < 0 || slot >= p->slots) return ex_fail("plan: no input slot %d: there are %d", slot, p->slots);
    ex_slot *s = &p->slot[slot];
    const ex_value *v = &p->graph->value[s->value];
    if (!tensor) return ex_fail("input '%s': no tensor given", v->name);
    int fits = tensor->ndim == v->shape.ndim, batched = ex_value_is_batched(v);
    for (int32_t i = batched; fits && i < v->shape.ndim; i++) fits = tensor->dim[i] == v->shape.dim[i];
    if (!fits) return wrong_shape("input", v->name, tensor, v->shape.ndim, v->shape.dim);
    ex_tensor *view = ex_tensor_view(tensor);
    if (!view) return EX_FAILED;
    ex_tensor_free(s->tensor);
    s->tensor = view;
    s->direct = tensor->dtype == v->shape.dtype;
    for (int32_t i = 0; i < v->shape.ndim; i++)
        if (tensor->dim[i] != 1 && tensor->stride[i] != p->place[s->value].stride[i]) s->direct = 0;
    for (int32_t w = 0; w < p->graph->values; w++)     /* the input and its aliases */
        if (p->place[w].group == s->value)
            p->operand[w].data = (s->direct ? (char *)tensor->data : p->arena + p->place[s->value].offset)
                               + p->place[w].start * (ptrdiff_t)ex_dtype_size(v->shape.dtype);
    p->stale = 1;
    return EX_OK;
}

ex_status ex_plan_output(const ex_plan *p, int32_t i, ex_tensor *out)
{
    if (i < 0 || i >= p->outputs) return ex_fail("plan: no output %d: there are %d", i, p->outputs);
    if (!p->done) return ex_fail("plan: nothing to read: the last run did not end, or there was none");
    const ex_operand *o = &p->operand[p->output[i]];
    int32_t dim[EX_MAX_DIMS];
    memcpy(dim, o->dim, sizeof dim);
    if (o->ndim && ex_value_is_batched(&p->graph->value[p->output[i]])) dim[0] = p->n;
    if (out->ndim != o->ndim || memcmp(out->dim, dim, sizeof *dim * (size_t)o->ndim))
        return wrong_shape("the tensor for output", p->graph->value[p->output[i]].name, out, o->ndim, dim);
    ex_strided_copy(out->data, out->dtype, out->stride, o->data, o->dtype, o->stride, o->ndim, dim);
    ex_tensor_touch(out);
    return EX_OK;
}

/* -- Looking ------------------------------------------------------------------------------------------------------ */

static double step_macs(const ex_plan *p, const ex_node *n)
{
    ex_node_info info;
    return ex_graph_node_at(p->graph, (int32_t)(n - p->graph->node), &info) ? 0 : info.macs;
}

static const char *kernel_of(const ex_plan *p, const ex_step *s)
{
    const ex_node *n = s->node;
    if (s->alias) return "alias";
    if (n->op->flags & EX_OP_LUA) return "lua";
    if (!n->op->kernel) return "simple";
    ex_shape in[EX_MAX_IN], out[EX_MAX_OUT];
    const ex_signature sig = ex_node_signature(p->graph, n, in, out);
    return n->op->kernel(&sig);
}

/* Of what only a chain knows: of a piece of each thread. A part of another value: its own share. */
static size_t result_bytes(const ex_plan *p, int32_t value)
{
    const int32_t group = p->place[value].group;
    const ex_place *at = &p->place[group];
    const size_t bytes = ex_plan_value_bytes(p, value), all = ex_plan_value_bytes(p, group);
    return at->chain == EX_NONE ? bytes : (size_t)((double)at->bytes * (double)bytes / (double)all) * (size_t)ex_team_size(p->team);
}

ex_status ex_plan_describe(const ex_plan *p, ex_plan_info *info)
{
    *info = (ex_plan_info){ .nodes = p->steps, .batch = p->batch, .threads = ex_team_size(p->team),
                            .arena_bytes = (double)p->arena_bytes, .sum_bytes = (double)p->sum_bytes,
                            .runs = p->runs, .peak_bytes = p->steps ? (double)p->live[p->peak] : 0, .peak = p->peak };
    for (int32_t s = 0; s < p->steps; s++) info->macs += step_macs(p, p->step[s].node);
    return EX_OK;
}

ex_status ex_plan_node(const ex_plan *p, int32_t i, ex_plan_node_info *info)
{
    if (i < 0 || i >= p->steps) return ex_fail("plan: no node %d: there are %d", i, p->steps);
    const ex_step *s = &p->step[i];
    const ex_node *n = s->node;
    *info = (ex_plan_node_info){ .name = n->name, .op = n->op->name, .kernel = kernel_of(p, s), .macs = step_macs(p, n),
                                 .scratch = (double)s->scratch_bytes, .seconds = s->seconds, .commit = s->commit, .constant = s->constant };
    info->chain = s->chain == EX_NONE ? 0 : s->chain + 1;
    info->live = (double)p->live[i];
    info->at_peak = n->outputs && !s->alias && ex_plan_is_there(p, n->out[0], p->peak);
    info->in_pieces = n->outputs && p->place[p->place[n->out[0]].group].chain != EX_NONE;
    if (info->chain) info->scratch = (double)(s->shared_bytes + s->piece_bytes * (size_t)ex_team_size(p->team));
    for (int32_t k = 0; k < n->outputs && !s->alias; k++) info->bytes += (double)result_bytes(p, n->out[k]);
    for (int32_t k = 0; k < n->inputs && !s->alias; k++) info->traffic += (double)ex_plan_value_bytes(p, n->in[k]);
    for (int32_t k = 0; k < n->outputs && !s->alias; k++) info->traffic += (double)ex_plan_value_bytes(p, n->out[k]);
    if (n->outputs) {
        const ex_shape *shape = &p->graph->value[n->out[0]].shape;
        info->dtype = shape->dtype;
        info->ndim = shape->ndim;
        memcpy(info->dim, shape->dim, sizeof info->dim);
    }
    return EX_OK;
}

ex_status ex_plan_profile(ex_plan *p, int32_t on)
{
    if (on && !p->thread_seconds) {
        const size_t threads = (size_t)ex_team_size(p->team);
        p->thread_seconds = ex_alloc_zero(sizeof(double) * threads * (size_t)(p->steps + 1));
        if (!p->thread_seconds) return EX_FAILED;
    }
    p->profile = on != 0;
    for (int32_t s = 0; s < p->steps; s++) p->step[s].seconds = 0;
    return EX_OK;
}
