/* pool.c: pooling over images x (N, C, H, W), channel by channel, with PyTorch's sizes:
 *
 *     out = floor or ceil((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1
 *
 * where ceil_mode never starts a window outside image and left padding. Taps outside the image never count in a maximum
 * (NaN wins it); the average divides by the window with its padding unless count_include_pad is 0. A maximum's gradient
 * goes to the first of equal taps; with act 1 (x is a relu's result) or 2 (a relu6's) it goes through that activation too.
 * Windows are clipped to the image, so no padded copy is made. Forward work is split
 * over output rows, gradients over images: windows may overlap. */
#include <math.h>
#include <string.h>
#include "loop.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { KERNEL, STRIDE, PADDING, DILATION, CEIL, ACT };                /* max_pool2d; its gradient has the activation too */
enum { AVG_CEIL = 3, AVG_INCLUDE, AVG_SIZE };                         /* avg_pool2d; its gradient has the size too */
static const ex_attr_spec max_attr[] = { { .name = "kernel", .count = 2, .required = 1 }, { .name = "stride", .count = 2 },
    { .name = "padding", .count = 2 }, { .name = "dilation", .count = 2, .value = { 1, 1 } }, { .name = "ceil_mode", .count = 1 }, { 0 } };
static const ex_attr_spec max_grad_attr[] = { { .name = "kernel", .count = 2, .required = 1 }, { .name = "stride", .count = 2 },
    { .name = "padding", .count = 2 }, { .name = "dilation", .count = 2, .value = { 1, 1 } }, { .name = "ceil_mode", .count = 1 },
    { .name = "act", .count = 1 }, { 0 } };
static const ex_attr_spec avg_attr[] = { { .name = "kernel", .count = 2, .required = 1 }, { .name = "stride", .count = 2 },
    { .name = "padding", .count = 2 }, { .name = "ceil_mode", .count = 1 },
    { .name = "count_include_pad", .count = 1, .value = { 1 } }, { 0 } };
static const ex_attr_spec avg_grad_attr[] = { { .name = "kernel", .count = 2, .required = 1 }, { .name = "stride", .count = 2 },
    { .name = "padding", .count = 2 }, { .name = "ceil_mode", .count = 1 },
    { .name = "count_include_pad", .count = 1, .value = { 1 } }, { .name = "size", .count = 2, .required = 1 }, { 0 } };
static const ex_attr_spec size_attr[] = { { .name = "size", .count = 2, .required = 1 }, { 0 } };

/* -- Geometry ------------------------------------------------------------------------------------------------------- */

typedef struct geometry { int32_t kernel[2], stride[2], padding[2], dilation[2], ceil; } geometry;

static geometry geometry_of(const ex_numbers *attr, int average)
{
    geometry g;
    for (int i = 0; i < 2; i++) {
        g.kernel[i] = (int32_t)attr[KERNEL][i];
        g.stride[i] = attr[STRIDE][i] > 0 ? (int32_t)attr[STRIDE][i] : g.kernel[i];
        g.padding[i] = (int32_t)attr[PADDING][i];
        g.dilation[i] = average ? 1 : (int32_t)attr[DILATION][i];
    }
    g.ceil = attr[average ? AVG_CEIL : CEIL][0] != 0;
    return g;
}

static ex_status check_geometry(const geometry *g)
{
    for (int i = 0; i < 2; i++) {
        if (g->kernel[i] < 1) return ex_fail("kernel: got %d, expected 1 or more", g->kernel[i]);
        if (g->dilation[i] < 1) return ex_fail("dilation: got %d, expected 1 or more", g->dilation[i]);
        if (g->padding[i] < 0 || g->padding[i] > g->kernel[i] / 2)
            return ex_fail("padding: got %d, expected 0 to %d, half the kernel", g->padding[i], g->kernel[i] / 2);
    }
    return EX_OK;
}

static int64_t pooled(const geometry *g, int i, int64_t size)
{
    int64_t room = size + 2 * (int64_t)g->padding[i] - (int64_t)g->dilation[i] * (g->kernel[i] - 1) - 1;
    if (room < 0) return 0;
    int64_t out = (room + (g->ceil ? g->stride[i] - 1 : 0)) / g->stride[i] + 1;
    if (g->ceil && (out - 1) * g->stride[i] >= size + g->padding[i]) out--;
    return out;
}

static ex_status infer_pool(const ex_signature *s, int average)
{
    if (ex_expect_images("input", &s->in[0])) return EX_FAILED;
    geometry g = geometry_of(s->attr, average);
    if (check_geometry(&g)) return EX_FAILED;
    s->out[0] = s->in[0];
    for (int i = 0; i < 2; i++) {
        int64_t size = pooled(&g, i, s->in[0].dim[2 + i]);
        if (size < 1)
            return ex_fail("input of %d x %d pixels is smaller than the %d x %d window (dilation %d x %d, padding %d x %d)",
                           s->in[0].dim[2], s->in[0].dim[3], g.kernel[0], g.kernel[1], g.dilation[0], g.dilation[1],
                           g.padding[0], g.padding[1]);
        s->out[0].dim[2 + i] = (int32_t)size;
    }
    return EX_OK;
}

static ex_status infer_max(const ex_signature *s) { return infer_pool(s, 0); }
static ex_status infer_avg(const ex_signature *s) { return infer_pool(s, 1); }

/* The gradient towards an input of `shape` has what the rule makes of that shape as its own. */
static ex_status expect_pooled(const ex_signature *s, const ex_shape *shape, const ex_shape *dy, int average)
{
    char got[96], expected[96];
    ex_shape y;
    ex_signature forward = *s;
    forward.in = shape;
    forward.out = &y;
    if (infer_pool(&forward, average)) return EX_FAILED;
    if (ex_shape_same(&y, dy)) return EX_OK;
    return ex_fail("gradient: got %s, expected %s", ex_shape_text(got, sizeof got, dy->ndim, dy->dim),
                   ex_shape_text(expected, sizeof expected, y.ndim, y.dim));
}

static ex_status infer_max_grad(const ex_signature *s)
{
    double act = s->attr[ACT][0];
    s->out[0] = s->in[0];
    if (act != 0 && act != 1 && act != 2) return ex_fail("act: got %g, expected 0, 1 or 2", act);
    return expect_pooled(s, &s->in[0], &s->in[1], 0) || expect_pooled(s, &s->in[0], &s->in[2], 0) ? EX_FAILED : EX_OK;
}

static ex_status infer_avg_grad(const ex_signature *s)
{
    if (ex_expect_images("gradient", &s->in[0])) return EX_FAILED;
    s->out[0] = s->in[0];
    for (int i = 0; i < 2; i++) s->out[0].dim[2 + i] = (int32_t)s->attr[AVG_SIZE][i];
    ex_shape x = s->out[0];
    return expect_pooled(s, &x, &s->in[0], 1);
}

/* -- Windows ----------------------------------------------------------------------------------------------------------- */

typedef struct taps { int32_t first, count, pixel, area; } taps;  /* along one axis: taps inside, the first one's pixel, the divisor */

static taps taps_of(const geometry *g, int axis, int32_t out, int32_t size)
{
    int32_t d = g->dilation[axis], start = out * g->stride[axis] - g->padding[axis], end = start + d * (g->kernel[axis] - 1) + 1;
    int32_t limit = size + g->padding[axis];
    taps t = { 0, 0, 0, (end < limit ? end : limit) - start };
    t.first = start < 0 ? (-start + d - 1) / d : 0;
    int32_t last = start >= size ? -1 : (size - 1 - start) / d;
    if (last > g->kernel[axis] - 1) last = g->kernel[axis] - 1;
    t.count = last - t.first + 1 > 0 ? last - t.first + 1 : 0;
    t.pixel = t.count ? start + t.first * d : 0;
    return t;
}

static ex_window window_of(const geometry *g, const ex_operand *x, const taps *v, const taps *h)
{
    return (ex_window){ v->count, h->count, g->dilation[0] * x->stride[2], g->dilation[1] * x->stride[3] };
}

static float *pixel(const ex_operand *x, int32_t n, int32_t row, int32_t column)
{
    return (float *)x->data + n * x->stride[0] + row * x->stride[2] + column * x->stride[3];
}

typedef struct pooling {
    geometry g;
    const ex_pool_kernels *k;
    const ex_operand *x, *y, *dy, *dx;
    int average, include, dense;            /* dense: channels contiguous in all */
    int32_t lines;                          /* output rows (forward) or images (gradient) of a part */
    ex_limits limits;                       /* of the activation (maximum's gradient) */
} pooling;

/* Channels in one call of a kernel: all of them, or one by one where they are not contiguous. */
static int32_t channel_step(const pooling *p, int32_t channels) { return p->dense ? channels : 1; }

static float average_factor(const pooling *p, const taps *v, const taps *h)
{
    int32_t area = p->include ? v->area * h->area : v->count * h->count;
    return area ? 1.0f / (float)area : 0.0f;
}

static void pool_pixel(const pooling *p, int32_t n, int32_t oy, int32_t ox)
{
    const ex_operand *x = p->x, *y = p->y;
    taps v = taps_of(&p->g, 0, oy, x->dim[2]), h = taps_of(&p->g, 1, ox, x->dim[3]);
    ex_window w = window_of(&p->g, x, &v, &h);
    int32_t step = channel_step(p, x->dim[1]);
    for (int32_t c = 0; c < x->dim[1]; c += step) {
        const float *from = pixel(x, n, v.pixel, h.pixel) + c * x->stride[1];
        float *to = pixel(y, n, oy, ox) + c * y->stride[1];
        if (p->average) p->k->sum_window(to, from, &w, average_factor(p, &v, &h), step);
        else p->k->max_window(to, from, &w, step);
    }
}

static int is_2x2(const pooling *p)
{
    const geometry *g = &p->g;
    return !p->average && p->dense && g->kernel[0] == 2 && g->kernel[1] == 2 && g->stride[0] == 2 && g->stride[1] == 2 &&
           !g->padding[0] && !g->padding[1] && g->dilation[0] == 1 && g->dilation[1] == 1;
}

static void pool_lines(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const pooling *p = context;
    const ex_operand *x = p->x, *y = p->y;
    int32_t rows = y->dim[2], end = (part + 1) * p->lines;
    for (int32_t line = part * p->lines; line < end && line < y->dim[0] * rows; line++) {
        int32_t n = line / rows, oy = line % rows, ox = 0;
        if (is_2x2(p) && 2 * oy + 1 < x->dim[2]) {
            ox = x->dim[3] / 2;             /* windows wholly inside */
            p->k->max_2x2(pixel(y, n, oy, 0), y->stride[3], pixel(x, n, 2 * oy, 0), pixel(x, n, 2 * oy + 1, 0), x->stride[3], ox,
                          x->dim[1]);
        }
        for (; ox < y->dim[3]; ox++) pool_pixel(p, n, oy, ox);
    }
}

static void pool(const ex_call *call, int average)
{
    const ex_operand *x = &call->in[0], *y = &call->out[0];
    pooling p = { .g = geometry_of(call->attr, average), .k = ex_kernels_current()->pool, .x = x, .y = y, .average = average,
                  .include = average && call->attr[AVG_INCLUDE][0] != 0, .dense = x->stride[1] == 1 && y->stride[1] == 1, .lines = 1 };
    int64_t width = (int64_t)y->dim[3] * y->dim[1], lines = y->dim[0] * (int64_t)y->dim[2];
    if (width < EX_LOOP_PART) p.lines = (int32_t)(EX_LOOP_PART / width);
    ex_team_run(call->team, (int32_t)((lines + p.lines - 1) / p.lines), pool_lines, &p);
}

static void forward_max(const ex_call *call) { pool(call, 0); }
static void forward_avg(const ex_call *call) { pool(call, 1); }

/* -- Gradients ----------------------------------------------------------------------------------------------------------- */

static void zero_pixels(const ex_operand *x, int32_t n, int32_t row, int32_t first, int32_t count)
{
    int32_t channels = x->dim[1];
    float *at = pixel(x, n, row, first);
    if (x->stride[1] == 1 && x->stride[3] == channels) {
        memset(at, 0, (size_t)count * (size_t)channels * sizeof *at);
        return;
    }
    for (int32_t i = 0; i < count; i++)
        for (int32_t c = 0; c < channels; c++) at[i * x->stride[3] + c * x->stride[1]] = 0;
}

static void grad_pixel(const pooling *p, int32_t n, int32_t oy, int32_t ox)
{
    const ex_operand *dx = p->dx, *dy = p->dy;
    taps v = taps_of(&p->g, 0, oy, dx->dim[2]), h = taps_of(&p->g, 1, ox, dx->dim[3]);
    ex_window to = window_of(&p->g, dx, &v, &h);
    int32_t step = channel_step(p, dx->dim[1]);
    for (int32_t c = 0; c < dx->dim[1]; c += step) {
        float *at = pixel(dx, n, v.pixel, h.pixel) + c * dx->stride[1];
        const float *d = pixel(dy, n, oy, ox) + c * dy->stride[1];
        if (p->average) {
            p->k->sum_window_grad(at, &to, d, average_factor(p, &v, &h), step);
        } else {
            ex_window from = window_of(&p->g, p->x, &v, &h);
            p->k->max_window_grad(at, &to, pixel(p->x, n, v.pixel, h.pixel) + c * p->x->stride[1], &from,
                                  pixel(p->y, n, oy, ox) + c * p->y->stride[1], d, p->limits, step);
        }
    }
}

/* Windows of 2x2 at stride 2 do not overlap: each gradient is written once, and what no window covers is cleared. */
static void grad_image_2x2(const pooling *p, int32_t n)
{
    const ex_operand *x = p->x, *dx = p->dx, *dy = p->dy;
    int32_t rows = x->dim[2] / 2, columns = x->dim[3] / 2, height = x->dim[2], width = x->dim[3];
    for (int32_t oy = 0; oy < rows; oy++) {
        p->k->max_2x2_grad(pixel(dx, n, 2 * oy, 0), pixel(dx, n, 2 * oy + 1, 0), dx->stride[3], pixel(x, n, 2 * oy, 0),
                           pixel(x, n, 2 * oy + 1, 0), x->stride[3], pixel(dy, n, oy, 0), dy->stride[3], p->limits, columns, x->dim[1]);
        for (int32_t r = 2 * oy; r < 2 * oy + 2; r++) zero_pixels(dx, n, r, 2 * columns, width - 2 * columns);
    }
    if (height > 2 * rows) zero_pixels(dx, n, height - 1, 0, width);
    for (int32_t oy = 0; oy < dy->dim[2]; oy++)    /* clipped windows of ceil_mode */
        for (int32_t ox = oy < rows ? columns : 0; ox < dy->dim[3]; ox++) grad_pixel(p, n, oy, ox);
}

static void grad_images(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const pooling *p = context;
    const ex_operand *dx = p->dx, *dy = p->dy;
    for (int32_t n = part * p->lines; n < (part + 1) * p->lines && n < dx->dim[0]; n++) {
        if (is_2x2(p)) { grad_image_2x2(p, n); continue; }
        for (int32_t r = 0; r < dx->dim[2]; r++) zero_pixels(dx, n, r, 0, dx->dim[3]);
        for (int32_t oy = 0; oy < dy->dim[2]; oy++)
            for (int32_t ox = 0; ox < dy->dim[3]; ox++) grad_pixel(p, n, oy, ox);
    }
}

static void pool_grad(const ex_call *call, pooling *p)
{
    p->k = ex_kernels_current()->pool;
    p->dx = &call->out[0];
    p->dense = p->dx->stride[1] == 1 && p->dy->stride[1] == 1 && (p->average || (p->x->stride[1] == 1 && p->y->stride[1] == 1));
    int64_t width = (int64_t)p->dx->dim[3] * p->dx->dim[2] * p->dx->dim[1];
    p->lines = width < EX_LOOP_PART ? (int32_t)(EX_LOOP_PART / width) : 1;
    ex_team_run(call->team, (p->dx->dim[0] + p->lines - 1) / p->lines, grad_images, p);
}

static void forward_max_grad(const ex_call *call)
{
    double act = call->attr[ACT][0];
    pool_grad(call, &(pooling){ .g = geometry_of(call->attr, 0), .x = &call->in[0], .y = &call->in[1], .dy = &call->in[2],
                                .limits = { act == 0 ? NAN : 0.0f, act == 2 ? 6.0f : NAN } });
}

static void forward_avg_grad(const ex_call *call)
{
    pool_grad(call, &(pooling){ .g = geometry_of(call->attr, 1), .dy = &call->in[0], .average = 1,
                                .include = call->attr[AVG_INCLUDE][0] != 0 });
}

static void copy_attr(ex_attr *to, const ex_attr_spec *spec, const ex_node_ref *node, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        to[i].name = spec[i].name;
        to[i].count = spec[i].count;
        memcpy(to[i].value, node->attr[i], sizeof *node->attr);
    }
}

static ex_status gradient_max(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    ex_attr attr[5];
    if (!wanted[0]) return EX_OK;
    copy_attr(attr, max_attr, node, 5);
    return b->node(b, "max_pool2d_grad", 3, (int32_t[]){ node->in[0], node->out[0], dout[0] }, 5, attr, &din[0]);
}

static ex_attr size_of(ex_builder *b, int32_t x)
{
    const ex_shape *s = b->shape(b, x);
    return (ex_attr){ "size", 2, { s->dim[2], s->dim[3] } };
}

static ex_status gradient_avg(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    ex_attr attr[6];
    if (!wanted[0]) return EX_OK;
    copy_attr(attr, avg_attr, node, 5);
    attr[AVG_SIZE] = size_of(b, node->in[0]);
    return b->node(b, "avg_pool2d_grad", 1, &dout[0], 6, attr, &din[0]);
}

/* -- The whole image: y[n][c] = sum over pixels / (H W), summed in double ------------------------------------------------- */

enum { BLOCK = 256 };                       /* channels at a time */

typedef struct global { const ex_operand *image, *vector; const ex_vector_kernels *v; int32_t images; } global;

static int merged_rows(const ex_operand *x) { return x->stride[2] == x->stride[3] * x->dim[3]; }

static void average_block(const global *g, int32_t n, int32_t from, int32_t channels)
{
    const ex_operand *x = g->image, *y = g->vector;
    double sum[BLOCK] = { 0 }, area = (double)x->dim[2] * x->dim[3];
    int32_t rows = merged_rows(x) ? 1 : x->dim[2];
    int64_t pixels = (int64_t)x->dim[2] * x->dim[3] / rows;
    for (int32_t r = 0; r < rows; r++) {
        const float *at = pixel(x, n, r, 0) + from * x->stride[1];
        if (x->stride[1] == 1) g->v->sum_rows(sum, at, x->stride[3], pixels, channels);
        else for (int32_t c = 0; c < channels; c++) g->v->sum_rows(sum + c, at + c * x->stride[1], x->stride[3], pixels, 1);
    }
    float *out = (float *)y->data + n * y->stride[0] + from * y->stride[1];
    for (int32_t c = 0; c < channels; c++) out[c * y->stride[1]] = (float)(sum[c] / area);
}

static void spread_block(const global *g, int32_t n, int32_t from, int32_t channels)
{
    const ex_operand *dx = g->image, *dy = g->vector;
    float value[BLOCK];
    const float *in = (const float *)dy->data + n * dy->stride[0] + from * dy->stride[1];
    float factor = 1.0f / ((float)dx->dim[2] * (float)dx->dim[3]);
    for (int32_t c = 0; c < channels; c++) value[c] = in[c * dy->stride[1]] * factor;
    int32_t rows = merged_rows(dx) ? 1 : dx->dim[2];
    int64_t pixels = (int64_t)dx->dim[2] * dx->dim[3] / rows;
    for (int32_t r = 0; r < rows; r++) {
        float *at = pixel(dx, n, r, 0) + from * dx->stride[1];
        if (dx->stride[1] == 1) g->v->fill_rows(at, dx->stride[3], value, pixels, channels);
        else for (int32_t c = 0; c < channels; c++) g->v->fill_rows(at + c * dx->stride[1], dx->stride[3], value + c, pixels, 1);
    }
}

static void global_images(const global *g, int32_t part, void (*block)(const global *g, int32_t n, int32_t from, int32_t channels))
{
    int32_t channels = g->image->dim[1];
    for (int32_t n = part * g->images; n < (part + 1) * g->images && n < g->image->dim[0]; n++)
        for (int32_t c = 0; c < channels; c += BLOCK) block(g, n, c, channels - c < BLOCK ? channels - c : BLOCK);
}

static void average_images(void *context, int32_t part, int32_t thread) { (void)thread; global_images(context, part, average_block); }
static void spread_images(void *context, int32_t part, int32_t thread) { (void)thread; global_images(context, part, spread_block); }

static void run_global(const ex_operand *image, const ex_operand *vector, ex_team *team, void (*work)(void *, int32_t, int32_t))
{
    int64_t width = (int64_t)image->dim[1] * image->dim[2] * image->dim[3];
    global g = { image, vector, ex_kernels_current()->vector, width < EX_LOOP_PART ? (int32_t)(EX_LOOP_PART / width) : 1 };
    ex_team_run(team, (image->dim[0] + g.images - 1) / g.images, work, &g);
}

static void forward_global(const ex_call *call) { run_global(&call->in[0], &call->out[0], call->team, average_images); }
static void forward_global_grad(const ex_call *call) { run_global(&call->out[0], &call->in[0], call->team, spread_images); }

static ex_status infer_global(const ex_signature *s)
{
    if (ex_expect_images("input", &s->in[0])) return EX_FAILED;
    s->out[0] = s->in[0];
    s->out[0].ndim = 2;
    return EX_OK;
}

static ex_status infer_global_grad(const ex_signature *s)
{
    if (ex_expect("gradient", &s->in[0], EX_FLOAT32, 2)) return EX_FAILED;
    s->out[0] = s->in[0];
    s->out[0].ndim = 4;
    for (int i = 0; i < 2; i++) {
        s->out[0].dim[2 + i] = (int32_t)s->attr[0][i];
        if (s->out[0].dim[2 + i] < 1) return ex_fail("size: got %g, expected 1 or more", s->attr[0][i]);
    }
    return EX_OK;
}

static ex_status gradient_global(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    if (!wanted[0]) return EX_OK;
    ex_attr size = size_of(b, node->in[0]);
    return b->node(b, "global_avg_pool_grad", 1, &dout[0], 1, &size, &din[0]);
}

/* -- The family --------------------------------------------------------------------------------------------------------- */

static const char *kernel_max(const ex_signature *s)
{
    pooling p = { .g = geometry_of(s->attr, 0), .dense = 1 };
    return is_2x2(&p) ? "vector 2x2" : "vector";
}

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op max_pool = {
    .name = "max_pool2d", .about = "max_pool2d(x; kernel, stride = kernel, padding, dilation, ceil_mode)", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = max_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_max, .forward = forward_max, .gradient = gradient_max, .kernel = kernel_max };
static const ex_op max_pool_grad = {
    .name = "max_pool2d_grad", .about = "max_pool2d_grad(x, y, dy; as max_pool2d, act): the first maximum of a window takes its gradient",
    .min_inputs = 3, .max_inputs = 3, .outputs = 1, .attr = max_grad_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_max_grad, .forward = forward_max_grad,
    .kernel = kernel_max };
static const ex_op avg_pool = {
    .name = "avg_pool2d", .about = "avg_pool2d(x; kernel, stride = kernel, padding, ceil_mode, count_include_pad)", .min_inputs = 1,
    .max_inputs = 1, .outputs = 1, .attr = avg_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_avg, .forward = forward_avg, .gradient = gradient_avg,
    .kernel = kernel_vector };
static const ex_op avg_pool_grad = {
    .name = "avg_pool2d_grad", .about = "avg_pool2d_grad(dy; as avg_pool2d, size = H, W of x)", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = avg_grad_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_avg_grad, .forward = forward_avg_grad, .kernel = kernel_vector };
static const ex_op global_avg = {
    .name = "global_avg_pool", .about = "global_avg_pool(x (N, C, H, W)): the mean of each channel, (N, C)", .min_inputs = 1,
    .max_inputs = 1, .outputs = 1, .flags = EX_OP_BY_IMAGE, .infer = infer_global, .forward = forward_global, .gradient = gradient_global,
    .kernel = kernel_vector };
static const ex_op global_avg_grad = {
    .name = "global_avg_pool_grad", .about = "global_avg_pool_grad(dy (N, C); size = H, W of x)", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = size_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_global_grad, .forward = forward_global_grad, .kernel = kernel_vector };

const ex_op *const ex_ops_pool[] = { &max_pool, &max_pool_grad, &avg_pool, &avg_pool_grad, &global_avg, &global_avg_grad, NULL };
