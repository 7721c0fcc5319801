/* channels.c: see channels.h. */
#include <math.h>
#include <string.h>
#include "channels.h"
#include "norm.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

/* -- Maps ------------------------------------------------------------------------------------------------------- */

typedef enum map_kind { SCALE, AFFINE, NORM_GRAD } map_kind;

typedef struct map {
    map_kind kind;
    const ex_vector_kernels *v;
    const ex_norm_kernels *norm;
    int64_t channels;
    ptrdiff_t step[3];                      /* between channels of y, x, dy */
    const float *center, *scale, *offset, *other;
    double act;
} map;

static void map_channels(const map *m, float *const *p, const ptrdiff_t *s, int64_t pixels, int64_t c, int64_t channels)
{
    switch (m->kind) {
    case SCALE: m->v->scale_rows(p[0], s[0], p[1], s[1], m->scale + c, pixels, channels); break;
    case AFFINE: {
        ex_norm_numbers k = { .center = m->center + c, .scale = m->scale + c, .offset = m->offset + c };
        ex_norm_set_act(&k, m->act);
        m->norm->forward(p[0], s[0], p[1], &(ex_window){ 1, 1, 0, s[1] }, NULL, 0, &k, pixels, channels);
        break;
    }
    case NORM_GRAD: {                       /* without limits scale and offset say nothing */
        ex_norm_numbers k = { .center = m->center + c, .scale = m->scale + c, .offset = m->offset + c, .a = m->scale + c,
                              .b = m->other + c, .shift = m->offset + c, .low = NAN, .high = NAN };
        m->norm->grad_input(p[0], &(ex_window){ 1, 1, 0, s[0] }, p[1], &(ex_window){ 1, 1, 0, s[1] }, p[2], s[2], &k, pixels, channels);
        break;
    }
    }
}

static void map_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t pixels)
{
    (void)part;
    const map *m = context;
    if (m->step[0] == 1 && m->step[1] == 1 && m->step[2] == 1) {
        map_channels(m, (float *const *)data, stride, pixels, 0, m->channels);
        return;
    }
    for (int64_t c = 0; c < m->channels; c++) {
        float *at[3];
        for (int i = 0; i < 3; i++) at[i] = (float *)data[i] + c * m->step[i];
        map_channels(m, at, stride, pixels, c, 1);
    }
}

static void run_map(map *m, const ex_operand *y, const ex_operand *x, const ex_operand *dy, ex_team *team)
{
    ex_loop l;
    ex_loop_over_pixels(&l, 3, (const ex_operand *[]){ y, x, dy });
    m->v = ex_kernels_current()->vector;
    m->norm = ex_kernels_current()->norm;
    m->channels = y->dim[1];
    m->step[0] = y->stride[1];
    m->step[1] = x->stride[1];
    m->step[2] = dy->stride[1];
    int64_t pixels = EX_LOOP_PART / m->channels;
    ex_loop_run_back(&l, team, pixels ? pixels : 1, map_body, m);
}

void ex_channels_scale(const ex_operand *y, const ex_operand *x, const float *scale, ex_team *team)
{
    run_map(&(map){ .kind = SCALE, .scale = scale }, y, x, x, team);
}

void ex_channels_affine(const ex_operand *y, const ex_operand *x, const float *center, const float *scale, const float *offset,
                        double act, ex_team *team)
{
    run_map(&(map){ .kind = AFFINE, .center = center, .scale = scale, .offset = offset, .act = act }, y, x, x, team);
}

void ex_channels_norm_grad(const ex_operand *dx, const ex_operand *x, const ex_operand *dy, const float *center, const float *a,
                           const float *b, const float *offset, ex_team *team)
{
    run_map(&(map){ .kind = NORM_GRAD, .center = center, .scale = a, .other = b, .offset = offset }, dx, x, dy, team);
}

/* -- Sums ------------------------------------------------------------------------------------------------------- */

typedef enum sum_kind { SUM, MOMENTS, PRODUCTS } sum_kind;

typedef struct sums {
    sum_kind kind;
    const ex_vector_kernels *v;
    int64_t channels;
    ptrdiff_t step[2];                      /* between channels of x, dy */
    const float *center;
    double *partial;                        /* part, then 2 x C */
} sums;

static void sum_channels(const sums *s, double *to, float *const *p, const ptrdiff_t *stride, int64_t pixels, int64_t c,
                         int64_t channels)
{
    double *second = to + s->channels;
    switch (s->kind) {
    case SUM: s->v->sum_rows(to + c, p[0], stride[0], pixels, channels); break;
    case MOMENTS: s->v->moment_rows(to + c, second + c, p[0], stride[0], s->center + c, pixels, channels); break;
    case PRODUCTS:
        s->v->product_rows(to + c, second + c, p[0], stride[0], p[1], stride[1], s->center + c, pixels, channels);
        break;
    }
}

static void sum_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t pixels)
{
    const sums *s = context;
    double *to = s->partial + part * 2 * s->channels;
    if (s->step[0] == 1 && s->step[1] == 1) {
        sum_channels(s, to, (float *const *)data, stride, pixels, 0, s->channels);
        return;
    }
    for (int64_t c = 0; c < s->channels; c++) {
        float *at[2] = { (float *)data[0] + c * s->step[0], (float *)data[1] + c * s->step[1] };
        sum_channels(s, to, at, stride, pixels, c, 1);
    }
}

size_t ex_channels_sum_bytes(int64_t channels) { return (size_t)channels * 2 * EX_LOOP_SUMS * sizeof(double); }

static void run_sums(double *out, sums *s, const ex_operand *x, const ex_operand *dy, ex_team *team)
{
    ex_loop l;
    ex_loop_over_pixels(&l, 2, (const ex_operand *[]){ x, dy });
    s->v = ex_kernels_current()->vector;
    s->channels = x->dim[1];
    s->step[0] = x->stride[1];
    s->step[1] = dy->stride[1];
    int64_t step = ex_loop_sum_step(l.count, s->channels), parts = (l.count + step - 1) / step, width = 2 * s->channels;
    memset(s->partial, 0, (size_t)(parts * width) * sizeof(double));
    ex_loop_run(&l, team, step, sum_body, s);
    memset(out, 0, (size_t)width * sizeof(double));
    for (int64_t p = 0; p < parts; p++)
        for (int64_t c = 0; c < width; c++) out[c] += s->partial[p * width + c];
}

void ex_channels_sum(double *out, const ex_operand *x, void *scratch, ex_team *team)
{
    run_sums(out, &(sums){ .kind = SUM, .partial = scratch }, x, x, team);
}

void ex_channels_moments(double *out, const ex_operand *x, const float *center, void *scratch, ex_team *team)
{
    run_sums(out, &(sums){ .kind = MOMENTS, .center = center, .partial = scratch }, x, x, team);
}

void ex_channels_products(double *out, const ex_operand *x, const ex_operand *dy, const float *center, void *scratch, ex_team *team)
{
    run_sums(out, &(sums){ .kind = PRODUCTS, .center = center, .partial = scratch }, x, dy, team);
}

/* -- Shapes ------------------------------------------------------------------------------------------------------ */

ex_status ex_expect_channels(const char *what, const ex_shape *s)
{
    char text[96];
    if (s->dtype == EX_FLOAT32 && (s->ndim == 4 || s->ndim == 2)) return EX_OK;
    return ex_fail("%s must be (N, C, H, W) or (N, C) in float32, got %s %s", what,
                   ex_shape_text(text, sizeof text, s->ndim, s->dim), ex_dtype_name(s->dtype));
}

ex_status ex_expect_per_channel(const char *what, const ex_shape *s, int32_t channels)
{
    char text[96];
    if (s->dtype == EX_FLOAT32 && s->ndim == 1 && s->dim[0] == channels) return EX_OK;
    return ex_fail("%s: got %s %s, expected (%d) float32: one number per channel", what,
                   ex_shape_text(text, sizeof text, s->ndim, s->dim), ex_dtype_name(s->dtype), channels);
}
