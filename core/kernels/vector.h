/* vector.h: the loops of one instruction set over values that are bound by memory, not arithmetic.
 *
 * Flat loops run over n contiguous floats. Row loops run over `pixels` pixels of `channels` contiguous floats each; the
 * pixels of an operand lie `pixel` floats apart. The last, partial vector goes through the same arithmetic as the others,
 * so a number does not depend on where in an array it lies. Outputs may be the same memory as inputs, not shifted.
 * Nothing here splits work, allocates or checks: that is the operators' room. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum ex_unary_kind {
    EX_RELU, EX_RELU6, EX_NEG, EX_ABS, EX_SQUARE, EX_SQRT,
    EX_EXP, EX_SIGMOID, EX_SILU, EX_HARD_SIGMOID, EX_HARD_SWISH,        /* isa/vector_math.h says how exactly */
    EX_UNARY_KIND_COUNT
} ex_unary_kind;

typedef enum ex_binary_kind {
    EX_ADD, EX_SUB, EX_MUL, EX_DIV, EX_MAXIMUM, EX_MINIMUM,
    EX_EQUAL, EX_LESS, EX_LESS_EQUAL,       /* 1 or 0 */
    EX_RELU_GRAD, EX_RELU6_GRAD,            /* a = y, b = dy */
    EX_SILU_GRAD, EX_HARD_SIGMOID_GRAD, EX_HARD_SWISH_GRAD,     /* a = x, b = dy */
    EX_BINARY_KIND_COUNT
} ex_binary_kind;

typedef struct ex_sgd_numbers { float rate, scale, momentum, weight_decay; int32_t nesterov; } ex_sgd_numbers;
/* rate: lr / (1 - beta1^t). root: 1 / sqrt(1 - beta2^t). keep: 1 - lr * weight_decay where it is decoupled, else 1.
 * rest: 1 - beta, taken in double: 1 - 0.999f is off by a part in 80,000. */
typedef struct ex_adam_numbers { float rate, scale, beta1, beta2, rest1, rest2, eps, weight_decay, keep, root; } ex_adam_numbers;

typedef struct ex_vector_kernels {
    const char *name;

    /* -- Flat -------------------------------------------------------------------------------------------- */
    void (*unary[EX_UNARY_KIND_COUNT])(float *out, const float *x, ptrdiff_t n);
    void (*binary[EX_BINARY_KIND_COUNT])(float *out, const float *a, const float *b, ptrdiff_t n);
    void (*scale)(float *out, const float *x, float s, ptrdiff_t n);        /* out = s x */
    void (*scale_add)(float *out, const float *x, float s, ptrdiff_t n);    /* out = out + s x */
    /* out = x, past the caches: for what is read again only after much else; out on a 64-byte border, or it is a plain copy */
    void (*stream)(float *out, const float *x, ptrdiff_t n);
    double (*square_sum)(const float *x, ptrdiff_t n);
    double (*dot)(const float *a, const float *b, ptrdiff_t n);
    void (*sgd)(float *p, float *velocity, const float *g, const ex_sgd_numbers *k, ptrdiff_t n);  /* velocity may be NULL */
    void (*adam)(float *p, float *m, float *v, const float *g, const ex_adam_numbers *k, ptrdiff_t n);
    /* out (columns, rows) = in (rows, columns), both with contiguous columns of their own */
    void (*transpose)(float *out, ptrdiff_t out_row, const float *in, ptrdiff_t in_row, ptrdiff_t rows, ptrdiff_t columns);

    /* -- Random numbers -------------------------------------------------------------------------------------- */
    /* word[4 i + k] = word k of ex_random4 (base/random.h) for counter (a, b, c + i), i < blocks: the same for every instruction set */
    void (*random_words)(uint32_t *word, uint64_t seed, uint32_t stream, uint32_t a, uint32_t b, uint32_t c, ptrdiff_t blocks);
    /* out = 0 where ex_unit_float(word) < p, else s x */
    void (*drop)(float *out, const float *x, const uint32_t *word, float p, float s, ptrdiff_t n);

    /* -- Rows of channels: maps, y[p][c] = f(x[p][c]; c) --------------------------------------------------------- */
    void (*fill_rows)(float *y, ptrdiff_t y_pixel, const float *value, ptrdiff_t pixels, ptrdiff_t channels);
    void (*scale_rows)(float *y, ptrdiff_t y_pixel, const float *x, ptrdiff_t x_pixel, const float *scale,
                       ptrdiff_t pixels, ptrdiff_t channels);

    /* -- Rows of channels: sums over pixels, added to doubles per channel ---------------------------------------------- */
    void (*sum_rows)(double *sum, const float *x, ptrdiff_t x_pixel, ptrdiff_t pixels, ptrdiff_t channels);
    /* sum += x y */
    void (*dot_rows)(double *sum, const float *x, ptrdiff_t x_pixel, const float *y, ptrdiff_t y_pixel, ptrdiff_t pixels,
                     ptrdiff_t channels);
    /* sum += x - center, square += (x - center)^2 */
    void (*moment_rows)(double *sum, double *square, const float *x, ptrdiff_t x_pixel, const float *center, ptrdiff_t pixels,
                        ptrdiff_t channels);
    /* sum += dy, product += dy (x - center) */
    void (*product_rows)(double *sum, double *product, const float *x, ptrdiff_t x_pixel, const float *dy, ptrdiff_t dy_pixel,
                         const float *center, ptrdiff_t pixels, ptrdiff_t channels);

    /* -- Votes ------------------------------------------------------------------------------------------------ */
    /* out = vote + more, over the classes; gives the rank of `label` in it (see ex_subset_scores), `classes` where its own
     * vote is NaN. out may be NULL. The same numbers for every instruction set. */
    int32_t (*vote_rank)(double *out, const double *vote, const double *more, int32_t label, int32_t classes);
} ex_vector_kernels;

extern const ex_vector_kernels ex_vector_kernels_portable, ex_vector_kernels_avx2, ex_vector_kernels_avx512;
