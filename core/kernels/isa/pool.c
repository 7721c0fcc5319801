/* pool.c: the loops of pool.h for one instruction set. */
#include <math.h>
#include "vector_parts.h"
#include "../pool.h"

/* -- One window ------------------------------------------------------------------------------------------------------ */

static void max_window(float *y, const float *x, const ex_window *w, ptrdiff_t channels)
{
#define VECTOR(load, store) \
    vf m = vf_set1(-INFINITY); \
    for (int32_t r = 0; r < w->rows; r++) \
        for (int32_t k = 0; k < w->columns; k++) m = larger(m, load(x + r * w->row + k * w->column + c)); \
    store(y + c, m);
    EACH_CHANNEL(VECTOR);
#undef VECTOR
}

static void max_window_grad(float *dx, const ex_window *dx_window, const float *x, const ex_window *x_window, const float *y,
                            const float *dy, ex_limits limits, ptrdiff_t channels)
{
    vf low = vf_set1(limits.low), high = vf_set1(limits.high);
#define VECTOR(load, store) \
    vf m = load(y + c), d = keep(between(m, low, high), load(dy + c)); \
    vm open = every_lane(); \
    for (int32_t r = 0; r < x_window->rows; r++) \
        for (int32_t k = 0; k < x_window->columns; k++) { \
            vf a = load(x + r * x_window->row + k * x_window->column + c); \
            float *to = dx + r * dx_window->row + k * dx_window->column + c; \
            vm hit = (equals(a, m) | (is_nan(a) & is_nan(m))) & open; \
            store(to, load(to) + keep(hit, d)); \
            open &= opposite(hit); \
        }
    EACH_CHANNEL(VECTOR);
#undef VECTOR
}

static void sum_window(float *y, const float *x, const ex_window *w, float factor, ptrdiff_t channels)
{
#define VECTOR(load, store) \
    vf s = { 0 }; \
    for (int32_t r = 0; r < w->rows; r++) \
        for (int32_t k = 0; k < w->columns; k++) s += load(x + r * w->row + k * w->column + c); \
    store(y + c, s * factor);
    EACH_CHANNEL(VECTOR);
#undef VECTOR
}

static void sum_window_grad(float *dx, const ex_window *w, const float *dy, float factor, ptrdiff_t channels)
{
#define VECTOR(load, store) \
    vf d = load(dy + c) * factor; \
    for (int32_t r = 0; r < w->rows; r++) \
        for (int32_t k = 0; k < w->columns; k++) { \
            float *to = dx + r * w->row + k * w->column + c; \
            store(to, load(to) + d); \
        }
    EACH_CHANNEL(VECTOR);
#undef VECTOR
}

/* -- Rows of 2 x 2 windows -------------------------------------------------------------------------------------------- */

/* a: the largest of the four taps; gives who was it, the first of equal ones. */
typedef struct winners { vf value; vm first, second, third, fourth; } winners;

EX_INLINE winners winners_of(vf a, vf b, vf e, vf f)
{
    winners w;
    vm second = beats(b, a);
    w.value = choose(second, b, a);
    vm third = beats(e, w.value);
    w.value = choose(third, e, w.value);
    w.fourth = beats(f, w.value);
    w.value = choose(w.fourth, f, w.value);
    w.third = third & opposite(w.fourth);
    w.second = second & opposite(third | w.fourth);
    w.first = opposite(second | third | w.fourth);
    return w;
}

/* Windows that are done. Fewer channels than half a vector, pixels side by side: several windows share one. The vectors
 * `lower` and `upper` hold two or more whole windows' pixels of one image row; taps come from them by permutation. */
#if defined(__AVX512F__)
typedef struct packing {
    ptrdiff_t windows, outputs, upper;      /* of one vector; floats; floats in `upper` */
    __m512i left, right;                    /* from pixels to the taps of windows */
    __m512i lower_back, upper_back;         /* from the left and right taps to pixels */
} packing;

/* Of c channels: the place of output i's left tap in two vectors of pixels; and for pixel number i its place in a vector
 * of left taps with one of right taps behind it. */
#define LEFT(c, i) (((i) / (c) * 2 * (c) + (i) % (c)) % (2 * VL))
#define BACK(c, i) ((i) % (2 * (c)) < (c) ? (i) / (2 * (c)) * (c) + (i) % (c) : VL + (i) / (2 * (c)) * (c) + (i) % (c))
#define FOUR(of, c, i) of((c), (i)), of((c), (i) + 1), of((c), (i) + 2), of((c), (i) + 3)
#define SIXTEEN(of, c, i) FOUR(of, (c), (i)), FOUR(of, (c), (i) + 4), FOUR(of, (c), (i) + 8), FOUR(of, (c), (i) + 12)
#define ALL(of, i) { 0 }, { SIXTEEN(of, 1, (i)) }, { SIXTEEN(of, 2, (i)) }, { SIXTEEN(of, 3, (i)) }, { SIXTEEN(of, 4, (i)) }, { SIXTEEN(of, 5, (i)) }, \
    { SIXTEEN(of, 6, (i)) }, { SIXTEEN(of, 7, (i)) }, { SIXTEEN(of, 8, (i)) }
static const int8_t left_places[VL / 2 + 1][VL] = { ALL(LEFT, 0) };
static const int8_t back_places[2][VL / 2 + 1][VL] = { { ALL(BACK, 0) }, { ALL(BACK, VL) } };

static inline __m512i places(const int8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }

static packing packing_for(ptrdiff_t c)
{
    ptrdiff_t n = VL / c;
    __m512i left = places(left_places[c]);
    return (packing){ n, n * c, 2 * n * c - VL, left, _mm512_add_epi32(left, _mm512_set1_epi32((int32_t)c)), places(back_places[0][c]),
                      places(back_places[1][c]) };
}

static inline vf pick(vf lower, vf upper, __m512i from) { return (vf)_mm512_permutex2var_ps((__m512)lower, from, (__m512)upper); }
static int is_packed(ptrdiff_t channels, ptrdiff_t pixel, ptrdiff_t other) { return 2 * channels <= VL && pixel == channels && other == channels; }

static ptrdiff_t packed_max(float *y, const float *x0, const float *x1, ptrdiff_t pixels, ptrdiff_t channels)
{
    packing k = packing_for(channels);
    ptrdiff_t p = 0;
    for (; p + k.windows <= pixels; p += k.windows, x0 += 2 * k.outputs, x1 += 2 * k.outputs, y += k.outputs) {
        vf low0 = vf_load(x0), up0 = load_part(x0 + VL, k.upper), low1 = vf_load(x1), up1 = load_part(x1 + VL, k.upper);
        vf top = larger(pick(low0, up0, k.left), pick(low0, up0, k.right));
        store_part(y, larger(larger(top, pick(low1, up1, k.left)), pick(low1, up1, k.right)), k.outputs);
    }
    return p;
}

static ptrdiff_t packed_max_grad(float *dx0, float *dx1, const float *x0, const float *x1, const float *dy, ex_limits limits,
                                 ptrdiff_t pixels, ptrdiff_t channels)
{
    packing k = packing_for(channels);
    vf low = vf_set1(limits.low), high = vf_set1(limits.high);
    ptrdiff_t p = 0;
    for (; p + k.windows <= pixels; p += k.windows) {
        ptrdiff_t at = 2 * p * channels;
        vf low0 = vf_load(x0 + at), up0 = load_part(x0 + at + VL, k.upper), low1 = vf_load(x1 + at), up1 = load_part(x1 + at + VL, k.upper);
        vf d = loaded(load_part(dy + p * channels, k.outputs));
        winners w = winners_of(pick(low0, up0, k.left), pick(low0, up0, k.right), pick(low1, up1, k.left), pick(low1, up1, k.right));
        d = keep(between(w.value, low, high), d);
        vf a = keep(w.first, d), b = keep(w.second, d), e = keep(w.third, d), f = keep(w.fourth, d);
        vf_store(dx0 + at, pick(a, b, k.lower_back));
        store_part(dx0 + at + VL, pick(a, b, k.upper_back), k.upper);
        vf_store(dx1 + at, pick(e, f, k.lower_back));
        store_part(dx1 + at + VL, pick(e, f, k.upper_back), k.upper);
    }
    return p;
}
#endif

static void max_2x2(float *y, ptrdiff_t y_pixel, const float *x0, const float *x1, ptrdiff_t x_pixel, ptrdiff_t pixels,
                    ptrdiff_t channels)
{
    ptrdiff_t from = 0;
#if defined(__AVX512F__)
    if (is_packed(channels, y_pixel, x_pixel)) from = packed_max(y, x0, x1, pixels, channels);
#endif
#define VECTOR(load, store) \
    const float *a = x0 + 2 * p * x_pixel + c, *b = x1 + 2 * p * x_pixel + c; \
    store(y + p * y_pixel + c, larger(larger(larger(load(a), load(a + x_pixel)), load(b)), load(b + x_pixel)));
    for (ptrdiff_t p = from; p < pixels; p++) EACH_CHANNEL(VECTOR);
#undef VECTOR
}

static void max_2x2_grad(float *dx0, float *dx1, ptrdiff_t dx_pixel, const float *x0, const float *x1, ptrdiff_t x_pixel,
                         const float *dy, ptrdiff_t dy_pixel, ex_limits limits, ptrdiff_t pixels, ptrdiff_t channels)
{
    vf low = vf_set1(limits.low), high = vf_set1(limits.high);
    ptrdiff_t from = 0;
#if defined(__AVX512F__)
    if (dy_pixel == channels && is_packed(channels, dx_pixel, x_pixel))
        from = packed_max_grad(dx0, dx1, x0, x1, dy, limits, pixels, channels);
#endif
#define VECTOR(load, store) \
    const float *xa = x0 + 2 * p * x_pixel + c, *xb = x1 + 2 * p * x_pixel + c; \
    float *da = dx0 + 2 * p * dx_pixel + c, *db = dx1 + 2 * p * dx_pixel + c; \
    vf d = loaded(load(dy + p * dy_pixel + c)); \
    winners w = winners_of(load(xa), load(xa + x_pixel), load(xb), load(xb + x_pixel)); \
    d = keep(between(w.value, low, high), d); \
    store(da, keep(w.first, d)); \
    store(da + dx_pixel, keep(w.second, d)); \
    store(db, keep(w.third, d)); \
    store(db + dx_pixel, keep(w.fourth, d));
    for (ptrdiff_t p = from; p < pixels; p++) EACH_CHANNEL(VECTOR);
#undef VECTOR
}

const ex_pool_kernels EX_SUFFIXED(ex_pool_kernels) = {
    .max_window = max_window, .max_window_grad = max_window_grad, .sum_window = sum_window, .sum_window_grad = sum_window_grad,
    .max_2x2 = max_2x2, .max_2x2_grad = max_2x2_grad,
};
