/* parts.c: values that are parts of another value's memory: channels [c, c + C) of its pixels, which then lie further apart, or
 * numbers [c, c + C) of a vector.
 *
 *     concat(x1, ..., xn)     each x is written where concat would copy it to, so that there is nothing to copy; a concat of
 *                             concats, as in a dense block, is one block of the final width
 *     slice(x)                is where it is in x
 *
 * Both along the channels of batches (N, C, H, W) or (N, C), in the layout of this engine; concat of vectors (C) too. A value
 * keeps a place of its own, and its numbers are copied, if it is no result (an input, a parameter), is a view or a slice, is
 * part of another concat or of this one already, or is made or read by an operator that wants memory without gaps (op.h:
 * EX_OP_SOLID, operators written in Lua).
 * Kernels take any distance between pixels, so no bit depends on this. Results are not put over a part: to add up a dense
 * block's gradients in one block of the final width was measured to be slower by 3 %, for the same memory. */
#include <string.h>
#include "plan.h"

static int is(const ex_node *n, const char *op) { return !strcmp(n->op->name, op); }

/* The axis along which values of this form have parts: EX_NONE without one. */
static int32_t channel_axis(const ex_value *v)
{
    if (v->layout != EX_LAYOUT_NATURAL) return EX_NONE;
    if (ex_value_is_batched(v)) return v->shape.ndim == 4 || v->shape.ndim == 2 ? 1 : EX_NONE;
    return v->shape.ndim == 1 ? 0 : EX_NONE;
}

static int32_t channels_of(const ex_plan *p, int32_t value)
{
    const ex_value *v = &p->graph->value[value];
    return v->shape.dim[channel_axis(v)];
}

/* The axis is the first attribute of both. */
static int is_along_channels(const ex_plan *p, const ex_node *n)
{
    const ex_value *v = &p->graph->value[n->out[0]];
    const double axis = n->attr[0][0];
    return channel_axis(v) != EX_NONE && (axis < 0 ? axis + v->shape.ndim : axis) == channel_axis(v);
}

static const ex_node *maker(const ex_plan *p, int32_t value)
{
    const ex_value *v = &p->graph->value[value];
    return v->node == EX_NONE ? NULL : &p->graph->node[v->node];
}

/* What `value` is another name of: the first of a row of views that change nothing (dropout in inference). */
static int32_t behind_views(const ex_plan *p, int32_t value)
{
    const ex_node *m = maker(p, value);
    while (m && (m->op->flags & EX_OP_VIEW) && !p->place[value].solid && p->graph->value[value].layout == EX_LAYOUT_NATURAL &&
           ex_shape_same(&p->graph->value[m->in[0]].shape, &p->graph->value[value].shape)) {
        value = m->in[0];
        m = maker(p, value);
    }
    return value;
}

/* A part of a vector has no gaps. */
static int can_join(const ex_plan *p, int32_t value)
{
    const ex_node *m = maker(p, value);
    const ex_value *v = &p->graph->value[value];
    return m && p->place[value].group == value && (v->shape.ndim == 1 || !p->place[value].solid) && v->layout == EX_LAYOUT_NATURAL &&
           !(m->op->flags & EX_OP_VIEW) && !is(m, "slice");
}

/* The place `channels` after that of `value`. */
static ex_place place_after(const ex_plan *p, int32_t value, int32_t channels)
{
    ex_place at = p->place[value];
    at.start += channels * at.stride[channel_axis(&p->graph->value[value])];
    return at;
}

static int lies_at(const ex_plan *p, int32_t value, const ex_place *at)
{
    const ex_place *own = &p->place[value];
    return own->group == at->group && own->start == at->start &&
           !memcmp(own->stride, at->stride, sizeof *at->stride * (size_t)p->graph->value[value].shape.ndim);
}

static void put(ex_plan *p, int32_t value, const ex_place *at)
{
    ex_place *own = &p->place[value];
    own->group = at->group;
    own->start = at->start;
    memcpy(own->stride, at->stride, sizeof own->stride);
}

/* Whether all inputs lie one after the other from where the first one is. */
static int lie_together(const ex_plan *p, const ex_node *n)
{
    const int32_t first = behind_views(p, n->in[0]);
    int32_t channels = 0;
    for (int32_t i = 0; i < n->inputs; i++) {
        const ex_place at = place_after(p, first, channels);
        const int32_t x = behind_views(p, n->in[i]);
        if (!lies_at(p, x, &at) || x == p->place[x].group) return 0;
        channels += channels_of(p, x);
    }
    return 1;
}

static void join(ex_plan *p, const ex_node *n)
{
    const int32_t whole = n->out[0];
    int32_t channels = 0;
    if (can_join(p, whole) && lie_together(p, n)) { put(p, whole, &p->place[behind_views(p, n->in[0])]); return; }
    for (int32_t i = 0; i < n->inputs; i++) {
        const ex_place at = place_after(p, whole, channels);
        const int32_t x = behind_views(p, n->in[i]);
        if (can_join(p, x)) put(p, x, &at);
        channels += channels_of(p, n->in[i]);
    }
}

/* From the last step to the first: a concat of concats comes before what it is made of. */
void ex_parts_join(ex_plan *p)
{
    for (int32_t s = p->steps - 1; s >= 0; s--) {
        const ex_node *n = p->step[s].node;
        if (is(n, "concat") && is_along_channels(p, n)) join(p, n);
    }
}

static int is_joined(const ex_plan *p, const ex_node *n)
{
    int32_t channels = 0;
    for (int32_t i = 0; i < n->inputs; i++) {
        const ex_place at = place_after(p, n->out[0], channels);
        if (!lies_at(p, n->in[i], &at)) return 0;
        channels += channels_of(p, n->in[i]);
    }
    return 1;
}

enum { START = 1, STEP = 3 };               /* of slice */

static int alias_slice(ex_plan *p, const ex_node *n)
{
    const ex_value *x = &p->graph->value[n->in[0]];
    if (n->attr[STEP][0] != 1 || !ex_value_is_batched(x) || x->layout != EX_LAYOUT_NATURAL || p->place[n->out[0]].solid) return 0;
    const ex_place at = place_after(p, n->in[0], (int32_t)n->attr[START][0]);
    put(p, n->out[0], &at);
    return 1;
}

int ex_parts_alias(ex_plan *p, const ex_node *n)
{
    if (is(n, "concat")) return is_along_channels(p, n) && is_joined(p, n);
    return is(n, "slice") && is_along_channels(p, n) && alias_slice(p, n);
}
