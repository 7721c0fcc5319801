/* resize.c: bilinear and bicubic resizing of 8-bit planes, with antialiasing, in the manner of Pillow.
 *
 *     out[x] = sum_i w[x][i] in[first[x] + i],    centre = (x + 1/2) s,   s = in / out
 *     w[x][i] ~ k((first[x] + i + 1/2 - centre) / max(s, 1)),  sum_i w = 1
 *     bilinear: k(t) = 1 - |t| for |t| < 1      bicubic (Keys 1981, a = -1/2):
 *     k(t) = (a+2)|t|^3 - (a+3)t^2 + 1 for |t| < 1,   a|t|^3 - 5a t^2 + 8a|t| - 4a for |t| < 2
 *
 * Making smaller widens the kernel by s, so that every pixel counts. Columns first, then rows, with 8 bits between them;
 * weights are whole numbers of 2^-22 and sums are rounded, so the result is the same on every machine. An axis that keeps
 * its length is not filtered. It knows no cropping and keeps no aspect ratio. */
#include <math.h>
#include <string.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/team.h"
#include "../tensor/tensor.h"
#include "image.h"

enum { BITS = 22 };                         /* 32 less 8 of a pixel, 1 of the sign and 1 of bicubic's overshoot */

static const char *const names[EX_RESIZE_COUNT] = { "none", "bilinear", "bicubic" };

typedef struct axis {
    int32_t out, taps;                      /* taps: room for the weights of one output */
    int32_t *first, *count;                 /* (out): which inputs an output takes */
    int32_t *weight;                        /* (out, taps) */
} axis;

static double bilinear(double t) {
    t = fabs(t);
    return t < 1.0 ? 1.0 - t : 0.0;
}

static double bicubic(double t) {
    const double a = -0.5;
    t = fabs(t);
    if (t < 1.0) return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    return t < 2.0 ? (((t - 5.0) * t + 8.0) * t - 4.0) * a : 0.0;
}

/* The weights of one output; gives how many. */
static int32_t weigh(int32_t *weight, double *exact, int32_t first, int32_t count, double centre, double scale, int32_t resize) {
    double sum = 0.0;
    for (int32_t i = 0; i < count; i++) {
        double t = (first + i - centre + 0.5) * (1.0 / scale);
        exact[i] = resize == EX_RESIZE_BICUBIC ? bicubic(t) : bilinear(t);
        sum += exact[i];
    }
    for (int32_t i = 0; i < count; i++) weight[i] = (int32_t)lrint(exact[i] / sum * (1 << BITS));
    return count;
}

static void axis_free(axis *a) {
    ex_free(a->first);
    ex_free(a->weight);
}

static ex_status axis_make(axis *a, int32_t in, int32_t out, int32_t resize) {
    double step = (double)in / out, scale = step > 1.0 ? step : 1.0, reach = (resize == EX_RESIZE_BICUBIC ? 2.0 : 1.0) * scale;
    *a = (axis){ .out = out, .taps = (int32_t)ceil(reach) * 2 + 1 };
    a->first = ex_alloc(2 * (size_t)out * sizeof *a->first);
    a->weight = ex_alloc((size_t)out * (size_t)a->taps * sizeof *a->weight);
    double *exact = ex_alloc((size_t)a->taps * sizeof *exact);
    if (!a->first || !a->weight || !exact) {
        axis_free(a);
        ex_free(exact);
        return EX_FAILED;
    }
    a->count = a->first + out;
    for (int32_t x = 0; x < out; x++) {
        double centre = (x + 0.5) * step;
        int32_t from = (int32_t)(centre - reach + 0.5), to = (int32_t)(centre + reach + 0.5);
        from = from > 0 ? from : 0;
        to = to < in ? to : in;
        a->first[x] = from;
        a->count[x] = weigh(a->weight + (size_t)x * (size_t)a->taps, exact, from, to - from, centre, scale, resize);
    }
    ex_free(exact);
    return EX_OK;
}

static uint8_t clip(int32_t sum) {
    sum >>= BITS;
    return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

/* in (rows, iw) -> out (rows, a->out) */
static void across(uint8_t *out, const uint8_t *in, int32_t rows, int32_t iw, const axis *a) {
    for (int32_t y = 0; y < rows; y++, in += iw, out += a->out) {
        const int32_t *weight = a->weight;
        for (int32_t x = 0; x < a->out; x++, weight += a->taps) {
            const uint8_t *from = in + a->first[x];
            int32_t sum = 1 << (BITS - 1);
            for (int32_t i = 0; i < a->count[x]; i++) sum += weight[i] * from[i];
            out[x] = clip(sum);
        }
    }
}

/* in (ih, width) -> out (a->out, width); sum: room for a row */
static void down(uint8_t *out, const uint8_t *in, int32_t width, const axis *a, int32_t *sum) {
    for (int32_t y = 0; y < a->out; y++, out += width) {
        const int32_t *weight = a->weight + (size_t)y * (size_t)a->taps;
        for (int32_t x = 0; x < width; x++) sum[x] = 1 << (BITS - 1);
        for (int32_t i = 0; i < a->count[y]; i++) {
            const uint8_t *from = in + (size_t)(a->first[y] + i) * (size_t)width;
            for (int32_t x = 0; x < width; x++) sum[x] += weight[i] * from[x];
        }
        for (int32_t x = 0; x < width; x++) out[x] = clip(sum[x]);
    }
}

/* -- A size change, made ready once for many planes ------------------------------------------------------------- */

typedef struct change {
    int32_t oh, ow, ih, iw;
    axis x, y;
} change;

static void change_free(change *c) {
    axis_free(&c->x);
    axis_free(&c->y);
}

static ex_status change_make(change *c, int32_t oh, int32_t ow, int32_t ih, int32_t iw, int32_t resize) {
    *c = (change){ .oh = oh, .ow = ow, .ih = ih, .iw = iw };
    if (axis_make(&c->x, iw, ow, resize) == EX_OK && axis_make(&c->y, ih, oh, resize) == EX_OK) return EX_OK;
    change_free(c);
    return EX_FAILED;
}

/* Bytes that one plane needs between its passes: a row of sums, then (ih, ow) pixels. */
static size_t change_scratch(const change *c) { return (size_t)c->ow * sizeof(int32_t) + (size_t)c->ih * (size_t)c->ow; }

static void change_plane(const change *c, uint8_t *out, const uint8_t *in, void *scratch) {
    uint8_t *middle = (uint8_t *)scratch + (size_t)c->ow * sizeof(int32_t);
    int wide = c->ow != c->iw, high = c->oh != c->ih;
    if (wide) across(high ? middle : out, in, c->ih, c->iw, &c->x);
    if (high) down(out, wide ? middle : in, c->ow, &c->y, scratch);
    if (!wide && !high) memcpy(out, in, (size_t)c->oh * (size_t)c->ow);
}

ex_status ex_image_resize(uint8_t *out, const uint8_t *in, int32_t planes, int32_t oh, int32_t ow, int32_t ih, int32_t iw,
                          int32_t resize) {
    change c;
    if (change_make(&c, oh, ow, ih, iw, resize) != EX_OK) return EX_FAILED;
    void *scratch = ex_alloc(change_scratch(&c));
    for (int32_t p = 0; scratch && p < planes; p++)
        change_plane(&c, out + (size_t)p * (size_t)oh * (size_t)ow, in + (size_t)p * (size_t)ih * (size_t)iw, scratch);
    ex_free(scratch);
    change_free(&c);
    return scratch ? EX_OK : EX_FAILED;
}

/* -- The border: many images, on a team ---------------------------------------------------------------------------- */

typedef struct batch {
    const change *change;
    uint8_t *out;
    const uint8_t *in;
    int32_t channels;
    uint8_t *scratch;                       /* (threads, scratch_size) */
    size_t scratch_size;
} batch;

static void resize_part(void *context, int32_t part, int32_t thread) {
    const batch *b = context;
    const change *c = b->change;
    size_t from = (size_t)c->ih * (size_t)c->iw, to = (size_t)c->oh * (size_t)c->ow, first = (size_t)part * (size_t)b->channels;
    for (size_t p = first; p < first + (size_t)b->channels; p++)
        change_plane(c, b->out + p * to, b->in + p * from, b->scratch + (size_t)thread * b->scratch_size);
}

static ex_status check_tensors(const ex_tensor *out, const ex_tensor *in, int32_t resize) {
    char to[128], from[128];
    if (resize <= EX_RESIZE_NONE || resize >= EX_RESIZE_COUNT)
        return ex_fail("resize: method %d, expected %d (%s) or %d (%s)", resize, EX_RESIZE_BILINEAR, names[EX_RESIZE_BILINEAR],
                       EX_RESIZE_BICUBIC, names[EX_RESIZE_BICUBIC]);
    ex_shape_text(to, sizeof to, out->ndim, out->dim);
    ex_shape_text(from, sizeof from, in->ndim, in->dim);
    if (in->dtype != EX_UINT8 || out->dtype != EX_UINT8 || in->ndim != 4 || out->ndim != 4 || in->dim[0] != out->dim[0]
        || in->dim[1] != out->dim[1])
        return ex_fail("resize: %s %s to %s %s, expected uint8 (N, C, H, W) to uint8 (N, C, H', W')", ex_dtype_name(in->dtype), from,
                       ex_dtype_name(out->dtype), to);
    if (ex_tensor_count(in) == 0 || ex_tensor_count(out) == 0) return ex_fail("resize: %s to %s: there is no pixel", from, to);
    for (int i = 2; i < 4; i++)
        if (in->dim[i] > EX_IMAGE_SIDE_MAX || out->dim[i] > EX_IMAGE_SIDE_MAX)
            return ex_fail("resize: %s to %s, expected sides of at most %d", from, to, EX_IMAGE_SIDE_MAX);
    if (!ex_tensor_dense(in) || !ex_tensor_dense(out)) return ex_fail("resize: %s to %s: both must be dense", from, to);
    return EX_OK;
}

ex_status ex_tensor_resize(ex_tensor *out, const ex_tensor *in, int32_t resize, ex_team *team) {
    change c;
    if (check_tensors(out, in, resize) != EX_OK) return EX_FAILED;
    if (change_make(&c, out->dim[2], out->dim[3], in->dim[2], in->dim[3], resize) != EX_OK) return ex_error_at("resize");
    size_t size = (change_scratch(&c) + EX_TEAM_GAP + 63) / 64 * 64, threads = team ? (size_t)ex_team_size(team) : 1;
    batch b = { .change = &c, .out = (uint8_t *)out->data, .in = (const uint8_t *)in->data, .channels = in->dim[1],
                .scratch = ex_alloc(threads * size), .scratch_size = size };
    if (b.scratch) ex_team_run(team, in->dim[0], resize_part, &b);
    ex_status status = b.scratch ? EX_OK : ex_error_at("resize");
    ex_free(b.scratch);
    change_free(&c);
    if (status == EX_OK) ex_tensor_touch(out);
    return status;
}
