/* norm.c: the loops of norm.h for one instruction set. One body serves every size of window: it is inlined with its rows
 * and columns as constants for 1 x 1 and 2 x 2, which unrolls it, and as variables for the rest. The curve is a constant too:
 * loops with limits know nothing of the others. */
#include <math.h>
#include "vector_parts.h"
#include "../norm.h"

/* The channels at hand: `rest` of them, or a whole vector where that is 0. */
EX_INLINE vf take(const float *p, ptrdiff_t rest) { return rest ? load_part(p, rest) : vf_load(p); }
EX_INLINE void give(float *p, vf v, ptrdiff_t rest)
{
    if (rest) store_part(p, v, rest);
    else vf_store(p, v);
}

typedef struct limits { vf low, high; } limits;
typedef struct factors { vf center, scale, offset; } factors;

EX_INLINE limits limits_of(const ex_norm_numbers *k) { return (limits){ vf_set1(k->low), vf_set1(k->high) }; }

EX_INLINE factors factors_of(const ex_norm_numbers *k, ptrdiff_t c, ptrdiff_t rest)
{
    return (factors){ take(k->center + c, rest), take(k->scale + c, rest), take(k->offset + c, rest) };
}

EX_INLINE vf limit(vf z, const limits *l)
{
    z = choose(at_most(z, l->low), l->low, z);
    return choose(at_most(l->high, z), l->high, z);
}

EX_INLINE vm within(vf v, const limits *l) { return between(v, l->low, l->high); }

/* v from z, and what of dy gets through to z. */
EX_INLINE vf bend(ex_norm_curve curve, vf z, const limits *l)
{
    return curve == EX_NORM_SILU ? vf_silu(z) : curve == EX_NORM_HARD_SWISH ? vf_hard_swish(z) : limit(z, l);
}

EX_INLINE vf through(ex_norm_curve curve, vf z, vf dy, const limits *l)
{
    return curve == EX_NORM_SILU ? dy * vf_silu_slope(z) : curve == EX_NORM_HARD_SWISH ? dy * hard_swish_slope(z) : keep(within(z, l), dy);
}

EX_INLINE vf normal(vf x, const factors *f) { return (x - f->center) * f->scale + f->offset; }

/* -- Forward -------------------------------------------------------------------------------------------------------- */

/* The largest z of the window at x, and, where `at` is given, the first x that makes it. Limits may wait: what they make
 * equal gets no gradient. */
EX_INLINE vf largest(int rows, int columns, const float *x, const ex_window *w, const factors *f, ptrdiff_t rest, vf *at)
{
    vf first = take(x, rest), best = normal(first, f);
    if (at) *at = first;
    for (int32_t r = 0; r < rows; r++)
        for (int32_t k = r == 0; k < columns; k++) {
            vf a = take(x + r * w->row + k * w->column, rest), z = normal(a, f);
            vm wins = beats(z, best);
            best = choose(wins, z, best);
            if (at) *at = choose(wins, a, *at);
        }
    return best;
}

/* Maps go over `vectors` vectors of channels at a time. Where those are all channels their numbers stay in registers for a
 * stretch of windows; else they are read again for each window, so that memory is gone through as it lies: from one channel block
 * of a far stretch to the next it comes a third slower. Sums go over SUM_GROUP windows at a time for the same reason.
 * STRETCH, FAR, floats: of a stretch, and how far ahead is asked for. SUMMED: windows whose sums are added in float, of CHUNK
 * channels in the first cache. */
enum { STRETCH = 2304, FAR = 1024, SUM_GROUP = 4, SUMMED = 64, CHUNK = 32 * VL };

/* The hardware follows no stream past the end of its page. */
EX_INLINE void ahead(const float *p) { __builtin_prefetch(p + FAR); }

/* Windows of a stretch. */
static inline ptrdiff_t stretch(ptrdiff_t channels) { return channels <= 2 * VL ? STRETCH / channels : 1; }

#define EACH_STRETCH(windows, channels, block) \
    for (ptrdiff_t from = 0, step = stretch(channels); from < (windows); from += step) { \
        ptrdiff_t to = from + step < (windows) ? from + step : (windows), c = 0; \
        for (; c + 2 * VL <= (channels); c += 2 * VL) block(2, 0); \
        for (; c + VL <= (channels); c += VL) block(1, 0); \
        if (c < (channels)) block(1, (channels) - c); \
    }

typedef struct forward_in {
    float *y;
    const float *x, *shortcut;
    const ex_window *w;
    ptrdiff_t y_pixel, shortcut_pixel;
} forward_in;

EX_INLINE void forward_block(ex_norm_curve curve, int rows, int columns, int add, int vectors, const forward_in *in, const ex_norm_numbers *k,
                             ptrdiff_t from, ptrdiff_t to, ptrdiff_t c, ptrdiff_t rest)
{
    limits l = limits_of(k);
    factors f[2];
    for (int v = 0; v < vectors; v++) f[v] = factors_of(k, c + v * VL, rest);
    for (ptrdiff_t p = from; p < to; p++)
        for (int v = 0; v < vectors; v++) {
            ptrdiff_t at = c + v * VL;
            if (rows == 1) ahead(in->x + p * columns * in->w->column + at);
            if (add) ahead(in->shortcut + p * in->shortcut_pixel + at);
            vf z = largest(rows, columns, in->x + p * columns * in->w->column + at, in->w, &f[v], rest, NULL);
            if (add) z += take(in->shortcut + p * in->shortcut_pixel + at, rest);
            give(in->y + p * in->y_pixel + at, bend(curve, z, &l), rest);
        }
}

EX_INLINE void forward_windows(ex_norm_curve curve, int rows, int columns, int add, const forward_in *in, const ex_norm_numbers *k,
                               ptrdiff_t windows, ptrdiff_t channels)
{
#define BLOCK(vectors, rest) forward_block(curve, rows, columns, add, vectors, in, k, from, to, c, rest)
    EACH_STRETCH(windows, channels, BLOCK)
#undef BLOCK
}

static void forward(float *y, ptrdiff_t y_pixel, const float *x, const ex_window *w, const float *shortcut,
                    ptrdiff_t shortcut_pixel, const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels)
{
    forward_in in = { NULL, x, shortcut, w, y_pixel, shortcut_pixel };
    in.y = y;
    if (k->curve == EX_NORM_SILU) forward_windows(EX_NORM_SILU, 1, 1, 0, &in, k, windows, channels);
    else if (k->curve == EX_NORM_HARD_SWISH) forward_windows(EX_NORM_HARD_SWISH, 1, 1, 0, &in, k, windows, channels);
    else if (shortcut) forward_windows(EX_NORM_LIMITS, 1, 1, 1, &in, k, windows, channels);
    else if (w->rows == 1 && w->columns == 1) forward_windows(EX_NORM_LIMITS, 1, 1, 0, &in, k, windows, channels);
    else if (w->rows == 2 && w->columns == 2) forward_windows(EX_NORM_LIMITS, 2, 2, 0, &in, k, windows, channels);
    else forward_windows(EX_NORM_LIMITS, w->rows, w->columns, 0, &in, k, windows, channels);
}

/* -- Sums of the gradient ------------------------------------------------------------------------------------------- */

/* `group` for all windows and channels, a vector of channels of SUM_GROUP windows or of one; s and t: that vector's sums. */
#define EACH_SUM(sum, product, windows, channels, group) \
    for (ptrdiff_t from = 0; from < (windows); from += SUMMED) \
        for (ptrdiff_t first = 0; first < (channels); first += CHUNK) { \
            const ptrdiff_t to = from + SUMMED < (windows) ? from + SUMMED : (windows); \
            const ptrdiff_t left = (channels) - first < CHUNK ? (channels) - first : CHUNK, whole = left / VL, rest = left % VL; \
            vf s[CHUNK / VL], t[CHUNK / VL]; \
            ptrdiff_t p = from; \
            for (ptrdiff_t v = 0; v < whole + (rest > 0); v++) s[v] = t[v] = (vf){ 0 }; \
            for (; p + SUM_GROUP <= to; p += SUM_GROUP) { \
                for (ptrdiff_t v = 0; v < whole; v++) group(SUM_GROUP, &s[v], &t[v], p, first + v * VL, 0); \
                if (rest) group(SUM_GROUP, &s[whole], &t[whole], p, first + whole * VL, rest); \
            } \
            for (; p < to; p++) { \
                for (ptrdiff_t v = 0; v < whole; v++) group(1, &s[v], &t[v], p, first + v * VL, 0); \
                if (rest) group(1, &s[whole], &t[whole], p, first + whole * VL, rest); \
            } \
            flush((sum) + first, s, (int)whole, 0); \
            flush((product) + first, t, (int)whole, 0); \
            if (rest) flush((sum) + first + whole * VL, s + whole, 1, rest); \
            if (rest) flush((product) + first + whole * VL, t + whole, 1, rest); \
        }

typedef struct sums_in {                    /* a block of channels of a row of windows */
    const float *x, *dy;
    const ex_window *w;
    ptrdiff_t dy_pixel;
} sums_in;

EX_INLINE void sums_vector(ex_norm_curve curve, int rows, int columns, vf *s, vf *t, const sums_in *in, const factors *f, const limits *l,
                           ptrdiff_t p, ptrdiff_t c, ptrdiff_t rest)
{
    vf dy = loaded(take(in->dy + p * in->dy_pixel + c, rest)), at;
    ahead(in->dy + p * in->dy_pixel + c);
    if (rows == 1) ahead(in->x + p * columns * in->w->column + c);
    vf z = largest(rows, columns, in->x + p * columns * in->w->column + c, in->w, f, rest, &at), d = through(curve, z, dy, l);
    *s += d;
    *t += d * (at - f->center);
}

/* `count` windows of a vector of channels. */
EX_INLINE void sums_group(ex_norm_curve curve, int rows, int columns, int count, vf *s, vf *t, const sums_in *in, const ex_norm_numbers *k,
                          ptrdiff_t p, ptrdiff_t c, ptrdiff_t rest)
{
    const limits l = limits_of(k);
    const factors f = factors_of(k, c, rest);
    vf a = *s, b = *t;
    for (int i = 0; i < count; i++) sums_vector(curve, rows, columns, &a, &b, in, &f, &l, p + i, c, rest);
    *s = a;
    *t = b;
}

EX_INLINE void sums_windows(ex_norm_curve curve, int rows, int columns, double *sum, double *product, const sums_in *in,
                            const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels)
{
#define GROUP_OF(count, s, t, p, c, rest) sums_group(curve, rows, columns, count, s, t, in, k, p, c, rest)
    EACH_SUM(sum, product, windows, channels, GROUP_OF)
#undef GROUP_OF
}

static void grad_sums(double *sum, double *product, const float *x, const ex_window *w, const float *dy, ptrdiff_t dy_pixel,
                      const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels)
{
    sums_in in = { x, dy, w, dy_pixel };
    if (k->curve == EX_NORM_SILU) sums_windows(EX_NORM_SILU, 1, 1, sum, product, &in, k, windows, channels);
    else if (k->curve == EX_NORM_HARD_SWISH) sums_windows(EX_NORM_HARD_SWISH, 1, 1, sum, product, &in, k, windows, channels);
    else if (w->rows == 1 && w->columns == 1) sums_windows(EX_NORM_LIMITS, 1, 1, sum, product, &in, k, windows, channels);
    else if (w->rows == 2 && w->columns == 2) sums_windows(EX_NORM_LIMITS, 2, 2, sum, product, &in, k, windows, channels);
    else sums_windows(EX_NORM_LIMITS, w->rows, w->columns, sum, product, &in, k, windows, channels);
}

/* -- Gradient of x -------------------------------------------------------------------------------------------------- */

typedef struct grad_factors { vf a, b, shift; } grad_factors;

/* Up to four taps, held in registers: who wins is known after one look at each. */
EX_INLINE void input_small(ex_norm_curve curve, int rows, int columns, float *dx, const ex_window *to, const float *x, const ex_window *w, vf dy,
                           const factors *f, const grad_factors *g, const limits *l, ptrdiff_t rest)
{
    vf t[4], best = { 0 };
    vm wins[4];
    for (int i = 0; i < rows * columns; i++) {
        t[i] = take(x + i / columns * w->row + i % columns * w->column, rest) - f->center;
        vf z = t[i] * f->scale + f->offset;
        wins[i] = i ? beats(z, best) : every_lane();
        best = i ? choose(wins[i], z, best) : z;
    }
    vf d = through(curve, best, dy, l) * g->a;
    for (int i = rows * columns - 1; i >= 0; i--) {
        vm hit = wins[i];
        for (int later = i + 1; later < rows * columns; later++) hit = hit & opposite(wins[later]);
        give(dx + i / columns * to->row + i % columns * to->column, add_where(hit, t[i] * g->b + g->shift, d), rest);
    }
}

EX_INLINE void input_large(int rows, int columns, float *dx, const ex_window *to, const float *x, const ex_window *w, vf dy,
                           const factors *f, const grad_factors *g, const limits *l, ptrdiff_t rest)
{
    vf z = largest(rows, columns, x, w, f, rest, NULL), d = keep(within(z, l), dy) * g->a;
    vm open = every_lane(), none = is_nan(z);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t k = 0; k < columns; k++) {
            vf a = take(x + r * w->row + k * w->column, rest), own = normal(a, f);
            vm hit = open & (equals(own, z) | (none & is_nan(own)));
            open = open & opposite(hit);
            give(dx + r * to->row + k * to->column, add_where(hit, (a - f->center) * g->b + g->shift, d), rest);
        }
}

EX_INLINE void input_window(ex_norm_curve curve, int rows, int columns, int small, float *dx, const ex_window *to, const float *x,
                            const ex_window *w, vf dy, const factors *f, const grad_factors *g, const limits *l, ptrdiff_t rest)
{
    if (small) input_small(curve, rows, columns, dx, to, x, w, dy, f, g, l, rest);
    else input_large(rows, columns, dx, to, x, w, dy, f, g, l, rest);
}

typedef struct input_in {
    float *dx;
    const float *x, *dy;
    const ex_window *to, *w;
    ptrdiff_t dy_pixel;
} input_in;

EX_INLINE void input_block(ex_norm_curve curve, int rows, int columns, int small, int vectors, const input_in *in,
                           const ex_norm_numbers *k, ptrdiff_t from, ptrdiff_t to, ptrdiff_t c, ptrdiff_t rest)
{
    limits l = limits_of(k);
    factors f[2];
    grad_factors g[2];
    for (int v = 0; v < vectors; v++) {
        ptrdiff_t at = c + v * VL;
        f[v] = factors_of(k, at, rest);
        g[v] = (grad_factors){ take(k->a + at, rest), take(k->b + at, rest), take(k->shift + at, rest) };
    }
    for (ptrdiff_t p = from; p < to; p++)
        for (int v = 0; v < vectors; v++) {
            ptrdiff_t at = c + v * VL, first = p * columns;
            ahead(in->dy + p * in->dy_pixel + at);
            if (rows == 1) ahead(in->x + first * in->w->column + at);
            input_window(curve, rows, columns, small, in->dx + first * in->to->column + at, in->to, in->x + first * in->w->column + at,
                         in->w, loaded(take(in->dy + p * in->dy_pixel + at, rest)), &f[v], &g[v], &l, rest);
        }
}

EX_INLINE void input_windows(ex_norm_curve curve, int rows, int columns, int small, const input_in *in, const ex_norm_numbers *k,
                             ptrdiff_t windows, ptrdiff_t channels)
{
#define BLOCK(vectors, rest) input_block(curve, rows, columns, small, vectors, in, k, from, to, c, rest)
    EACH_STRETCH(windows, channels, BLOCK)
#undef BLOCK
}

static void grad_input(float *dx, const ex_window *to, const float *x, const ex_window *w, const float *dy, ptrdiff_t dy_pixel,
                       const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels)
{
    input_in in = { NULL, x, dy, to, w, dy_pixel };
    in.dx = dx;
    if (k->curve == EX_NORM_SILU) input_windows(EX_NORM_SILU, 1, 1, 1, &in, k, windows, channels);
    else if (k->curve == EX_NORM_HARD_SWISH) input_windows(EX_NORM_HARD_SWISH, 1, 1, 1, &in, k, windows, channels);
    else if (w->rows == 1 && w->columns == 1) input_windows(EX_NORM_LIMITS, 1, 1, 1, &in, k, windows, channels);
    else if (w->rows == 2 && w->columns == 2) input_windows(EX_NORM_LIMITS, 2, 2, 1, &in, k, windows, channels);
    else input_windows(EX_NORM_LIMITS, w->rows, w->columns, 0, &in, k, windows, channels);
}

/* -- Through a sum -------------------------------------------------------------------------------------------------- */

typedef struct add_in {
    float *dz;
    const float *x, *y, *dy, *more;
    ptrdiff_t dz_pixel, x_pixel, y_pixel, dy_pixel, more_pixel;
} add_in;

EX_INLINE void add_vector(int two, vf *s, vf *t, const add_in *in, vf center, const limits *l, ptrdiff_t p, ptrdiff_t c,
                          ptrdiff_t rest)
{
    vf d = loaded(take(in->dy + p * in->dy_pixel + c, rest)), x = loaded(take(in->x + p * in->x_pixel + c, rest));
    ahead(in->dy + p * in->dy_pixel + c);
    ahead(in->x + p * in->x_pixel + c);
    ahead(in->y + p * in->y_pixel + c);
    if (two) ahead(in->more + p * in->more_pixel + c);
    if (two) d += take(in->more + p * in->more_pixel + c, rest);
    d = keep(within(take(in->y + p * in->y_pixel + c, rest), l), d);
    give(in->dz + p * in->dz_pixel + c, d, rest);
    *s += d;
    *t += d * (x - center);
}

EX_INLINE void add_group(int two, int count, vf *s, vf *t, const add_in *in, const ex_norm_numbers *k, ptrdiff_t p, ptrdiff_t c, ptrdiff_t rest)
{
    const limits l = limits_of(k);
    const vf center = take(k->center + c, rest);
    vf a = *s, b = *t;
    for (int i = 0; i < count; i++) add_vector(two, &a, &b, in, center, &l, p + i, c, rest);
    *s = a;
    *t = b;
}

EX_INLINE void add_pixels(int two, double *sum, double *product, const add_in *in, const ex_norm_numbers *k, ptrdiff_t pixels,
                          ptrdiff_t channels)
{
#define GROUP_OF(count, s, t, p, c, rest) add_group(two, count, s, t, in, k, p, c, rest)
    EACH_SUM(sum, product, pixels, channels, GROUP_OF)
#undef GROUP_OF
}

static void add_grad(double *sum, double *product, float *dz, ptrdiff_t dz_pixel, const float *x, ptrdiff_t x_pixel,
                     const float *y, ptrdiff_t y_pixel, const float *dy, ptrdiff_t dy_pixel, const float *more, ptrdiff_t more_pixel,
                     const ex_norm_numbers *k, ptrdiff_t pixels, ptrdiff_t channels)
{
    add_in in = { NULL, x, y, dy, more, dz_pixel, x_pixel, y_pixel, dy_pixel, more_pixel };
    in.dz = dz;
    if (more) add_pixels(1, sum, product, &in, k, pixels, channels);
    else add_pixels(0, sum, product, &in, k, pixels, channels);
}

const ex_norm_kernels EX_SUFFIXED(ex_norm_kernels) = {
    .forward = forward, .grad_sums = grad_sums, .grad_input = grad_input, .add_grad = add_grad,
};
