/* loop.c: see loop.h. */
#include <string.h>
#include "loop.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

int64_t ex_operand_count(const ex_operand *o)
{
    int64_t n = 1;
    for (int32_t i = 0; i < o->ndim; i++) n *= o->dim[i];
    return n;
}

double ex_operand_number(const ex_operand *o, int64_t i)
{
    ptrdiff_t at = o->ndim ? i * o->stride[o->ndim - 1] : 0;
    return o->dtype == EX_INT32 ? ((const int32_t *)o->data)[at] : ((const float *)o->data)[at];
}

/* -- Building a walk -------------------------------------------------------------------------------------- */

/* Outer axes have the larger strides in operand 0; equal ones stay in order. */
static void sort_axes(ex_loop *l)
{
    for (int32_t i = 1; i < l->ndim; i++)
        for (int32_t j = i; j > 0 && l->stride[0][j - 1] < l->stride[0][j]; j--) {
            int64_t d = l->dim[j];
            l->dim[j] = l->dim[j - 1];
            l->dim[j - 1] = d;
            for (int32_t k = 0; k < l->operands; k++) {
                ptrdiff_t s = l->stride[k][j];
                l->stride[k][j] = l->stride[k][j - 1];
                l->stride[k][j - 1] = s;
            }
        }
}

static int joins(const ex_loop *l, int32_t outer, int32_t inner)
{
    for (int32_t k = 0; k < l->operands; k++)
        if (l->stride[k][outer] != l->stride[k][inner] * l->dim[inner]) return 0;
    return 1;
}

static void move_axis(ex_loop *l, int32_t to, int32_t from)
{
    l->dim[to] = l->dim[from];
    for (int32_t k = 0; k < l->operands; k++) l->stride[k][to] = l->stride[k][from];
}

static void join_axes(ex_loop *l)
{
    int32_t n = 0;
    for (int32_t i = 0; i < l->ndim; i++) {
        if (l->dim[i] == 1) continue;
        if (n && joins(l, n - 1, i)) {
            int64_t d = l->dim[n - 1] * l->dim[i];
            move_axis(l, n - 1, i);
            l->dim[n - 1] = d;
        } else {
            move_axis(l, n++, i);
        }
    }
    if (!n) {                               /* one element */
        l->dim[n] = 1;
        for (int32_t k = 0; k < l->operands; k++) l->stride[k][n] = 1;
        n = 1;
    }
    l->ndim = n;
}

/* `skip`: an axis of operand[0] left out, or EX_NONE. */
static void build(ex_loop *l, int32_t operands, const ex_operand *const *operand, int32_t skip)
{
    const ex_operand *first = operand[0];
    l->operands = operands;
    l->ndim = 0;
    l->count = 1;
    for (int32_t i = 0; i < first->ndim; i++) {
        if (i == skip) continue;
        l->dim[l->ndim] = first->dim[i];
        l->count *= first->dim[i];
        for (int32_t k = 0; k < operands; k++) {
            const ex_operand *o = operand[k];
            int32_t axis = i - (first->ndim - o->ndim);
            l->stride[k][l->ndim] = axis < 0 || (o->dim[axis] == 1 && first->dim[i] != 1) ? 0 : o->stride[axis];
        }
        l->ndim++;
    }
    for (int32_t k = 0; k < operands; k++) {
        l->data[k] = operand[k]->data;
        l->size[k] = ex_dtype_size(operand[k]->dtype);
    }
    sort_axes(l);
    join_axes(l);
}

void ex_loop_over(ex_loop *l, int32_t operands, const ex_operand *const *operand) { build(l, operands, operand, EX_NONE); }
void ex_loop_over_pixels(ex_loop *l, int32_t operands, const ex_operand *const *operand) { build(l, operands, operand, 1); }
void ex_loop_over_rows(ex_loop *l, int32_t operands, const ex_operand *const *operand) { build(l, operands, operand, operand[0]->ndim - 1); }

/* -- Walking ---------------------------------------------------------------------------------------------------- */

void ex_loop_walk(const ex_loop *l, int64_t begin, int64_t end, int32_t part, ex_loop_body *body, void *context)
{
    if (begin >= end) return;
    int32_t inner = l->ndim - 1;
    int64_t index[EX_MAX_DIMS], left = begin;
    ptrdiff_t stride[EX_LOOP_OPERANDS] = { 0 };
    char *data[EX_LOOP_OPERANDS] = { NULL };
    for (int32_t i = inner; i >= 0; i--) {
        index[i] = left % l->dim[i];
        left /= l->dim[i];
    }
    for (int32_t k = 0; k < l->operands; k++) stride[k] = l->stride[k][inner];
    while (begin < end) {
        int64_t n = l->dim[inner] - index[inner];
        if (n > end - begin) n = end - begin;
        for (int32_t k = 0; k < l->operands; k++) {
            ptrdiff_t at = 0;
            for (int32_t i = 0; i <= inner; i++) at += index[i] * l->stride[k][i];
            data[k] = l->data[k] + at * (ptrdiff_t)l->size[k];
        }
        body(context, part, data, stride, n);
        begin += n;
        index[inner] = 0;
        for (int32_t i = inner - 1; i >= 0 && ++index[i] == l->dim[i]; i--) index[i] = 0;
    }
}

typedef struct run {
    const ex_loop *l;
    int64_t step;
    ex_loop_body *body;
    void *context;
    int32_t back;                           /* the last part, where parts are taken from there to 0 */
} run;

static void run_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const run *r = context;
    if (r->back) part = r->back - part;
    int64_t begin = part * r->step, end = begin + r->step < r->l->count ? begin + r->step : r->l->count;
    ex_loop_walk(r->l, begin, end, part, r->body, r->context);
}

void ex_loop_run(const ex_loop *l, ex_team *team, int64_t step, ex_loop_body *body, void *context)
{
    run r = { l, step, body, context, 0 };
    ex_team_run(team, (int32_t)((l->count + step - 1) / step), run_part, &r);
}

void ex_loop_run_back(const ex_loop *l, ex_team *team, int64_t step, ex_loop_body *body, void *context)
{
    int32_t parts = (int32_t)((l->count + step - 1) / step);
    run r = { l, step, body, context, parts - 1 };
    ex_team_run(team, parts, run_part, &r);
}

int64_t ex_loop_sum_step(int64_t count, int64_t width)
{
    int64_t parts = (count * width + EX_LOOP_PART - 1) / EX_LOOP_PART;
    if (parts > EX_LOOP_SUMS) parts = EX_LOOP_SUMS;
    if (parts < 1) parts = 1;
    int64_t step = (count + parts - 1) / parts;
    return step ? step : 1;
}

/* -- Contiguous rows ---------------------------------------------------------------------------------------------- */

typedef struct rows {
    int32_t operands, written;
    ex_loop_row *row;
    void *context;
} rows;

enum { BUFFER = 512 };

static void gathered(const rows *r, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    float buffer[EX_LOOP_OPERANDS][BUFFER];
    float *at[EX_LOOP_OPERANDS];
    for (int64_t from = 0; from < n; from += BUFFER) {
        int64_t m = n - from < BUFFER ? n - from : BUFFER;
        for (int32_t k = 0; k < r->operands; k++) {
            float *x = (float *)data[k] + from * stride[k];
            at[k] = stride[k] == 1 ? x : buffer[k];
            if (stride[k] == 1) continue;
            for (int64_t i = 0; i < m; i++) buffer[k][i] = x[i * stride[k]];
        }
        r->row(r->context, at, m);
        for (int32_t k = 0; k < r->written; k++) {
            if (at[k] != buffer[k]) continue;
            float *x = (float *)data[k] + from * stride[k];
            for (int64_t i = 0; i < m; i++) x[i * stride[k]] = buffer[k][i];
        }
    }
}

static void rows_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    (void)part;
    const rows *r = context;
    for (int32_t k = 0; k < r->operands; k++)
        if (stride[k] != 1) { gathered(r, data, stride, n); return; }
    r->row(r->context, (float *const *)data, n);
}

void ex_loop_rows(const ex_loop *l, ex_team *team, int32_t written, ex_loop_row *row, void *context)
{
    rows r = { l->operands, written, row, context };
    ex_loop_run(l, team, EX_LOOP_PART, rows_body, &r);
}

void ex_loop_rows_walk(const ex_loop *l, int64_t begin, int64_t end, int32_t written, ex_loop_row *row, void *context)
{
    rows r = { l->operands, written, row, context };
    ex_loop_walk(l, begin, end, 0, rows_body, &r);
}

/* -- Operands ------------------------------------------------------------------------------------------------------ */

ex_operand ex_operand_permute(const ex_operand *o, const int32_t *order)
{
    ex_operand p = *o;
    for (int32_t i = 0; i < o->ndim; i++) {
        p.dim[i] = o->dim[order[i]];
        p.stride[i] = o->stride[order[i]];
    }
    return p;
}

ex_operand ex_operand_dense(const ex_operand *like, void *data)
{
    ex_operand o = *like;
    o.data = data;
    ptrdiff_t step = 1;
    for (int32_t i = o.ndim - 1; i >= 0; i--) {
        o.stride[i] = step;
        step *= o.dim[i];
    }
    return o;
}

/* -- Copies -------------------------------------------------------------------------------------------------------- */

typedef struct copying {
    const ex_operand *out, *in;
    int32_t rows;                           /* of the first axis, for one part */
    int to_planes;                          /* copy_planes: out has the planes, in the pixels; else the reverse */
} copying;

static void copy_flat(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    (void)part;
    (void)stride;
    memcpy(data[0], data[1], (size_t)n * *(const size_t *)context);
}

static void copy_rows(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const copying *c = context;
    ex_operand out = *c->out, in = *c->in;
    int32_t from = part * c->rows, left = out.dim[0] - from;
    out.dim[0] = left < c->rows ? left : c->rows;
    out.data = (char *)out.data + from * out.stride[0] * (ptrdiff_t)ex_dtype_size(out.dtype);
    in.data = (char *)in.data + from * in.stride[0] * (ptrdiff_t)ex_dtype_size(in.dtype);
    ex_strided_copy(out.data, out.dtype, out.stride, in.data, in.dtype, in.stride, out.ndim, out.dim);
}

/* Is o (N, C, P): planes of contiguous pixels (planes = 1), or contiguous channels pixel by pixel (planes = 0)? */
static int plane_form(const ex_operand *o, int planes)
{
    if (o->stride[2] != o->stride[3] * o->dim[3]) return 0;
    return planes ? o->stride[3] == 1 : o->stride[1] == 1;
}

static void copy_planes(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const copying *c = context;
    const ex_operand *o = c->out, *i = c->in;
    const ex_vector_kernels *v = ex_kernels_current()->vector;
    ptrdiff_t pixels = (ptrdiff_t)o->dim[2] * o->dim[3];
    for (int32_t n = part * c->rows; n < (part + 1) * c->rows && n < o->dim[0]; n++) {
        float *out = (float *)o->data + n * o->stride[0];
        const float *in = (const float *)i->data + n * i->stride[0];
        if (c->to_planes) v->transpose(out, o->stride[1], in, i->stride[3], pixels, o->dim[1]);
        else v->transpose(out, o->stride[3], in, i->stride[1], o->dim[1], pixels);
    }
}

void ex_operand_copy(const ex_operand *out, const ex_operand *in, ex_team *team)
{
    int64_t count = ex_operand_count(out);
    if (!count) return;
    ex_loop l;
    ex_loop_over(&l, 2, (const ex_operand *[]){ out, in });
    if (out->dtype == in->dtype && l.stride[0][l.ndim - 1] == 1 && l.stride[1][l.ndim - 1] == 1 && l.dim[l.ndim - 1] >= 16) {
        ex_loop_run(&l, team, EX_LOOP_PART, copy_flat, &l.size[0]);
        return;
    }
    if (!out->ndim) {
        ex_strided_copy(out->data, out->dtype, out->stride, in->data, in->dtype, in->stride, 0, out->dim);
        return;
    }
    int64_t share = EX_LOOP_PART * (int64_t)out->dim[0] / count;
    copying c = { out, in, share < 1 ? 1 : share > out->dim[0] ? out->dim[0] : (int32_t)share, 0 };
    int32_t parts = (out->dim[0] + c.rows - 1) / c.rows;
    int floats = out->ndim == 4 && out->dtype == EX_FLOAT32 && in->dtype == EX_FLOAT32;
    c.to_planes = floats && plane_form(out, 1) && plane_form(in, 0);
    int turns = c.to_planes || (floats && plane_form(out, 0) && plane_form(in, 1));
    ex_team_run(team, parts, turns ? copy_planes : copy_rows, &c);
}

void ex_stream_floats(float *out, const float *in, int64_t n) { ex_kernels_current()->vector->stream(out, in, (ptrdiff_t)n); }
