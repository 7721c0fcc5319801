/* vector.c: the loops of vector.h for one instruction set. Formulas stand there; here is how a loop is cut into vectors. */
#include <math.h>
#include "vector_parts.h"
#include "../vector.h"
#define EX_TEXT_(x) #x
#define EX_TEXT(x) EX_TEXT_(x)

static inline vf absolute(vf a) { return (vf)(((vi){ 0 } + INT32_MAX) & (vi)a); }

static inline vf root(vf a)
{
#if defined(__AVX512F__)
    return (vf)_mm512_sqrt_ps((__m512)a);
#elif defined(__AVX2__)
    return (vf)_mm256_sqrt_ps((__m256)a);
#else
    for (int i = 0; i < VL; i++) a[i] = sqrtf(a[i]);
    return a;
#endif
}

/* -- Flat --------------------------------------------------------------------------------------------------- */

#define MAP1(name, expression) \
    static void name(float *out, const float *x, ptrdiff_t n) \
    { \
        ptrdiff_t i = 0; \
        for (; i + VL <= n; i += VL) { vf a = vf_load(x + i); vf_store(out + i, expression); } \
        if (i < n) { vf a = load_part(x + i, n - i); store_part(out + i, expression, n - i); } \
    }
#define MAP2(name, expression) \
    static void name(float *out, const float *x, const float *y, ptrdiff_t n) \
    { \
        ptrdiff_t i = 0; \
        for (; i + VL <= n; i += VL) { vf a = vf_load(x + i), b = vf_load(y + i); vf_store(out + i, expression); } \
        if (i < n) { vf a = load_part(x + i, n - i), b = load_part(y + i, n - i); store_part(out + i, expression, n - i); } \
    }

MAP1(relu, keep(opposite(at_most(a, (vf){ 0 })), a))
MAP1(relu6, choose(at_most(vf_set1(6.0f), a), vf_set1(6.0f), keep(opposite(at_most(a, (vf){ 0 })), a)))
MAP1(negate, -a)
MAP1(absolute_value, absolute(a))
MAP1(square, a * a)
MAP1(square_root, root(a))
MAP1(exponential, vf_exp(a))
MAP1(sigmoid, vf_sigmoid(a))
MAP1(silu, vf_silu(a))
MAP1(hard_sigmoid, vf_hard_sigmoid(a))
MAP1(hard_swish, vf_hard_swish(a))
MAP2(add, a + b)
MAP2(subtract, a - b)
MAP2(multiply, a * b)
MAP2(divide, a / b)
MAP2(maximum, larger(a, b))
MAP2(minimum, smaller(a, b))
MAP2(equal, keep(equals(a, b), vf_set1(1.0f)))
MAP2(less, keep(above(b, a), vf_set1(1.0f)))
MAP2(less_equal, keep(at_most(a, b), vf_set1(1.0f)))
MAP2(relu_grad, keep(opposite(at_most(a, (vf){ 0 })), loaded(b)))
MAP2(relu6_grad, keep(between(a, (vf){ 0 }, vf_set1(6.0f)), loaded(b)))
MAP2(silu_grad, b * vf_silu_slope(a))
MAP2(hard_sigmoid_grad, keep(between(a, vf_set1(-3.0f), vf_set1(3.0f)), loaded(b) * (1.0f / 6.0f)))
MAP2(hard_swish_grad, b * hard_swish_slope(a))

static void scale(float *out, const float *x, float s, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) vf_store(out + i, s * vf_load(x + i));
    if (i < n) store_part(out + i, s * load_part(x + i, n - i), n - i);
}

static void scale_add(float *out, const float *x, float s, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) vf_store(out + i, vf_load(out + i) + s * vf_load(x + i));
    if (i < n) store_part(out + i, load_part(out + i, n - i) + s * load_part(x + i, n - i), n - i);
}

/* Products in double, in VL running sums. */
static double dot(const float *a, const float *b, ptrdiff_t n)
{
    double sum[VL] = { 0 }, total = 0;
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL)
        for (int k = 0; k < VL; k++) sum[k] += (double)a[i + k] * b[i + k];
    for (int k = 0; i < n; i++, k++) sum[k] += (double)a[i] * b[i];
    for (int k = 0; k < VL; k++) total += sum[k];
    return total;
}

static double square_sum(const float *x, ptrdiff_t n) { return dot(x, x, n); }

static inline vf sgd_step(vf *p, vf velocity, vf g, const ex_sgd_numbers *k)
{
    g = g * k->scale + *p * k->weight_decay;
    velocity = velocity * k->momentum + g;
    g = k->nesterov ? g + velocity * k->momentum : velocity;
    *p -= g * k->rate;
    return velocity;
}

static void sgd(float *p, float *velocity, const float *g, const ex_sgd_numbers *k, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) {
        vf w = vf_load(p + i), u = velocity ? vf_load(velocity + i) : (vf){ 0 };
        u = sgd_step(&w, u, vf_load(g + i), k);
        vf_store(p + i, w);
        if (velocity) vf_store(velocity + i, u);
    }
    if (i == n) return;
    vf w = load_part(p + i, n - i), u = velocity ? load_part(velocity + i, n - i) : (vf){ 0 };
    u = sgd_step(&w, u, load_part(g + i, n - i), k);
    store_part(p + i, w, n - i);
    if (velocity) store_part(velocity + i, u, n - i);
}

static inline void adam_step(vf *p, vf *m, vf *v, vf g, const ex_adam_numbers *k)
{
    vf w = *p * k->keep;
    g = g * k->scale + w * k->weight_decay;
    *m = *m * k->beta1 + g * k->rest1;
    *v = *v * k->beta2 + g * g * k->rest2;
    *p = w - k->rate * *m / (root(*v) * k->root + k->eps);
}

static void adam(float *p, float *m, float *v, const float *g, const ex_adam_numbers *k, ptrdiff_t n)
{
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) {
        vf w = vf_load(p + i), a = vf_load(m + i), b = vf_load(v + i);
        adam_step(&w, &a, &b, vf_load(g + i), k);
        vf_store(p + i, w);
        vf_store(m + i, a);
        vf_store(v + i, b);
    }
    if (i == n) return;
    vf w = load_part(p + i, n - i), a = load_part(m + i, n - i), b = load_part(v + i, n - i);
    adam_step(&w, &a, &b, load_part(g + i, n - i), k);
    store_part(p + i, w, n - i);
    store_part(m + i, a, n - i);
    store_part(v + i, b, n - i);
}

/* In squares of 16 x 16: both sides stay in the first cache. */
static void transpose(float *out, ptrdiff_t out_row, const float *in, ptrdiff_t in_row, ptrdiff_t rows, ptrdiff_t columns)
{
    enum { SQUARE = 16 };
    for (ptrdiff_t r = 0; r < rows; r += SQUARE)
        for (ptrdiff_t c = 0; c < columns; c += SQUARE) {
            ptrdiff_t r_end = r + SQUARE < rows ? r + SQUARE : rows, c_end = c + SQUARE < columns ? c + SQUARE : columns;
            for (ptrdiff_t j = c; j < c_end; j++)
                for (ptrdiff_t i = r; i < r_end; i++) out[j * out_row + i] = in[i * in_row + j];
        }
}

/* -- Random numbers ---------------------------------------------------------------------------------------------- */

enum { LANES = 2 * VL };                    /* blocks of Philox 4x32-10 side by side, so that one's multiplications hide another's */

static void random_words(uint32_t *word, uint64_t seed, uint32_t stream, uint32_t a, uint32_t b, uint32_t c, ptrdiff_t blocks)
{
    for (ptrdiff_t from = 0; from < blocks; from += LANES) {
        uint32_t w[4][LANES], key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) }, all[LANES][4];
        for (uint32_t i = 0; i < LANES; i++) {
            w[0][i] = a;
            w[1][i] = b;
            w[2][i] = c + (uint32_t)from + i;
            w[3][i] = stream;
        }
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < LANES; i++) {
                const uint64_t first = (uint64_t)w[0][i] * 0xD2511F53u, second = (uint64_t)w[2][i] * 0xCD9E8D57u;
                w[0][i] = (uint32_t)(second >> 32) ^ w[1][i] ^ key[0];
                w[1][i] = (uint32_t)second;
                w[2][i] = (uint32_t)(first >> 32) ^ w[3][i] ^ key[1];
                w[3][i] = (uint32_t)first;
            }
            key[0] += 0x9E3779B9u;
            key[1] += 0xBB67AE85u;
        }
        for (int i = 0; i < LANES; i++)
            for (int k = 0; k < 4; k++) all[i][k] = w[k][i];
        memcpy(word + 4 * from, all, sizeof *all * (size_t)(blocks - from < LANES ? blocks - from : LANES));
    }
}

static void drop(float *out, const float *x, const uint32_t *word, float p, float s, ptrdiff_t n)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float kept = x[i] * s;
        out[i] = (float)(int32_t)(word[i] >> 8) * 0x1p-24f < p ? 0.0f : kept;
    }
}

/* -- Rows of channels: maps -------------------------------------------------------------------------------------- */

static void fill_rows(float *y, ptrdiff_t y_pixel, const float *value, ptrdiff_t pixels, ptrdiff_t channels)
{
#define VECTOR(load, store) store(y + p * y_pixel + c, load(value + c));
    EACH_PIXEL(VECTOR)
#undef VECTOR
}

static void scale_rows(float *y, ptrdiff_t y_pixel, const float *x, ptrdiff_t x_pixel, const float *factor,
                       ptrdiff_t pixels, ptrdiff_t channels)
{
#define VECTOR(load, store) store(y + p * y_pixel + c, load(x + p * x_pixel + c) * load(factor + c));
    EACH_PIXEL(VECTOR)
#undef VECTOR
}

/* -- Rows of channels: sums ----------------------------------------------------------------------------------------- */

typedef struct sums_in {                    /* a block of channels of one run of pixels */
    const float *x, *dy, *center;
    ptrdiff_t x_pixel, dy_pixel;
} sums_in;

typedef enum sums_kind { SUM, DOT, MOMENT, PRODUCT } sums_kind;

/* s += first, t += second, for one vector of one pixel. */
static inline void sums_vector(sums_kind kind, vf *s, vf *t, const sums_in *in, ptrdiff_t p, ptrdiff_t c, ptrdiff_t rest)
{
    const float *x = in->x + p * in->x_pixel + c;
    vf a = rest ? load_part(x, rest) : vf_load(x);
    if (kind == SUM) { *s += a; return; }
    if (kind == DOT) {
        const float *y = in->dy + p * in->dy_pixel + c;
        *s += a * (rest ? load_part(y, rest) : vf_load(y));
        return;
    }
    a -= rest ? load_part(in->center + c, rest) : vf_load(in->center + c);
    if (kind == MOMENT) { *s += a; *t += a * a; return; }
    const float *dy = in->dy + p * in->dy_pixel + c;
    vf d = rest ? load_part(dy, rest) : vf_load(dy);
    *s += d;
    *t += d * a;
}

/* `vectors` vectors of channels, `ways` pixels at a time in sums of their own (independent chains of additions). */
static inline __attribute__((always_inline)) void sums_block(sums_kind kind, int vectors, int ways, double *sum, double *second,
                                                             const sums_in *in, ptrdiff_t pixels, ptrdiff_t rest)
{
    for (ptrdiff_t from = 0; from < pixels; from += RUN) {
        ptrdiff_t to = from + RUN < pixels ? from + RUN : pixels, p = from;
        vf s[4] = { { 0 } }, t[4] = { { 0 } };
        for (; p + ways <= to; p += ways)
            for (int w = 0; w < ways; w++)
                for (int v = 0; v < vectors; v++) sums_vector(kind, &s[w * vectors + v], &t[w * vectors + v], in, p + w, v * VL, rest);
        for (; p < to; p++)
            for (int v = 0; v < vectors; v++) sums_vector(kind, &s[v], &t[v], in, p, v * VL, rest);
        for (int w = 1; w < ways; w++)
            for (int v = 0; v < vectors; v++) {
                s[v] += s[w * vectors + v];
                t[v] += t[w * vectors + v];
            }
        flush(sum, s, vectors, rest);
        if (kind > DOT) flush(second, t, vectors, rest);
    }
}

static inline __attribute__((always_inline)) void sums(sums_kind kind, double *sum, double *second, sums_in in, ptrdiff_t pixels,
                                                       ptrdiff_t channels)
{
    ptrdiff_t c = 0;
    while (c < channels) {
        ptrdiff_t left = channels - c, step = left >= 4 * VL ? 4 * VL : left >= 2 * VL ? 2 * VL : VL;
        if (step == 4 * VL) sums_block(kind, 4, 1, sum + c, second + c, &in, pixels, 0);
        else if (step == 2 * VL) sums_block(kind, 2, 2, sum + c, second + c, &in, pixels, 0);
        else if (left >= VL) sums_block(kind, 1, 4, sum + c, second + c, &in, pixels, 0);
        else sums_block(kind, 1, 4, sum + c, second + c, &in, pixels, left);
        c += step;
        in.x += step;
        if (kind > DOT) in.center += step;
        if (kind == DOT || kind == PRODUCT) in.dy += step;
    }
}

static void sum_rows(double *sum, const float *x, ptrdiff_t x_pixel, ptrdiff_t pixels, ptrdiff_t channels)
{
    sums(SUM, sum, sum, (sums_in){ .x = x, .x_pixel = x_pixel }, pixels, channels);
}

static void dot_rows(double *sum, const float *x, ptrdiff_t x_pixel, const float *y, ptrdiff_t y_pixel, ptrdiff_t pixels,
                     ptrdiff_t channels)
{
    sums(DOT, sum, sum, (sums_in){ .x = x, .dy = y, .x_pixel = x_pixel, .dy_pixel = y_pixel }, pixels, channels);
}

static void moment_rows(double *sum, double *second, const float *x, ptrdiff_t x_pixel, const float *center, ptrdiff_t pixels,
                        ptrdiff_t channels)
{
    sums(MOMENT, sum, second, (sums_in){ .x = x, .x_pixel = x_pixel, .center = center }, pixels, channels);
}

static void product_rows(double *sum, double *product, const float *x, ptrdiff_t x_pixel, const float *dy, ptrdiff_t dy_pixel,
                         const float *center, ptrdiff_t pixels, ptrdiff_t channels)
{
    sums(PRODUCT, sum, product, (sums_in){ .x = x, .dy = dy, .center = center, .x_pixel = x_pixel, .dy_pixel = dy_pixel },
         pixels, channels);
}

/* -- Votes ---------------------------------------------------------------------------------------------------------- */

static int32_t vote_rank(double *out, const double *vote, const double *more, int32_t label, int32_t classes)
{
    double own = vote[label] + more[label];
    int64_t ahead = 0;
    if (out) {
        for (int32_t c = 0; c < classes; c++) out[c] = vote[c] + more[c];
        vote = out;
        for (int32_t c = 0; c < label; c++) ahead += vote[c] >= own;
        for (int32_t c = label + 1; c < classes; c++) ahead += vote[c] > own;
    } else {
        for (int32_t c = 0; c < label; c++) ahead += vote[c] + more[c] >= own;
        for (int32_t c = label + 1; c < classes; c++) ahead += vote[c] + more[c] > own;
    }
    return own != own ? classes : (int32_t)ahead;
}

static void stream(float *out, const float *x, ptrdiff_t n)
{
#if defined(__AVX512F__) || defined(__AVX2__)
    const ptrdiff_t whole = (uintptr_t)out % 64 ? 0 : n / VL * VL;
    for (ptrdiff_t i = 0; i < whole; i += VL) {
        const vf v = vf_load(x + i);
#if defined(__AVX512F__)
        _mm512_stream_ps(out + i, (__m512)v);
#else
        _mm256_stream_ps(out + i, (__m256)v);
#endif
    }
    _mm_sfence();
#else
    const ptrdiff_t whole = 0;
#endif
    memcpy(out + whole, x + whole, (size_t)(n - whole) * sizeof *out);
}

const ex_vector_kernels EX_SUFFIXED(ex_vector_kernels) = {
    .name = EX_TEXT(EX_ISA_SUFFIX),
    .unary = { relu, relu6, negate, absolute_value, square, square_root, exponential, sigmoid, silu, hard_sigmoid, hard_swish },
    .binary = { add, subtract, multiply, divide, maximum, minimum, equal, less, less_equal, relu_grad, relu6_grad, silu_grad,
                hard_sigmoid_grad, hard_swish_grad },
    .scale = scale, .scale_add = scale_add, .stream = stream, .square_sum = square_sum, .dot = dot, .sgd = sgd, .adam = adam,
    .transpose = transpose, .random_words = random_words, .drop = drop,
    .fill_rows = fill_rows, .scale_rows = scale_rows,
    .sum_rows = sum_rows, .dot_rows = dot_rows, .moment_rows = moment_rows, .product_rows = product_rows,
    .vote_rank = vote_rank,
};
