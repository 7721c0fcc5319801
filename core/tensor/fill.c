/* fill.c: random numbers into tensors. Element k in row-major order takes the words of counter k / 4 of its stream,
 * so that a strided view gets the same numbers as a dense tensor. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include "tensor.h"
#include "../base/error.h"
#include "../base/random.h"

/* -- Streams ----------------------------------------------------------------------------------------- */

typedef struct source {
    uint64_t seed;
    uint32_t id;
} source;

static ex_status open_stream(source *s, double seed, const char *name)
{
    if (!(seed >= 0 && seed <= 0x1p53) || seed != floor(seed))
        return ex_fail("a seed is a whole number from 0 to 2^53, not %.17g", seed);
    *s = (source){ (uint64_t)seed, ex_hash_name(name) };
    return EX_OK;
}

static void draw(uint32_t out[4], const source *s, uint64_t counter)
{
    ex_random4(out, s->seed, s->id, (uint32_t)counter, (uint32_t)(counter >> 32), 0);
}

/* -- Distributions: four numbers of four words --------------------------------------------------------- */

typedef struct spread { double a, b; } spread;          /* low and high, or mean and deviation */

static void uniform4(double out[4], const uint32_t word[4], spread s)
{
    for (int i = 0; i < 4; i++) out[i] = s.a + (s.b - s.a) * (word[i] * 0x1p-32);
}

/* Box and Muller, "A note on the generation of random normal deviates", 1958: two words make two numbers. */
static void normal4(double out[4], const uint32_t word[4], spread s)
{
    for (int i = 0; i < 4; i += 2) {
        double radius = sqrt(-2 * log((word[i] + 1.0) * 0x1p-32));          /* of (0, 1] */
        double angle = 2 * M_PI * (word[i + 1] * 0x1p-32);
        out[i] = s.a + s.b * radius * cos(angle);
        out[i + 1] = s.a + s.b * radius * sin(angle);
    }
}

/* A double as an element: rounded down for integer types; a uniform float never reaches `below`. */
static void store(char *at, int32_t dtype, double value, double below)
{
    if (dtype == EX_FLOAT32) {
        float rounded = (float)value;
        *(float *)at = rounded < below ? rounded : nextafterf((float)below, -INFINITY);
    } else if (dtype == EX_INT32) *(int32_t *)at = (int32_t)floor(value);
    else *(uint8_t *)at = (uint8_t)floor(value);
}

typedef void (*distribution)(double out[4], const uint32_t word[4], spread s);

static void fill(ex_tensor *out, const source *s, distribution numbers, spread range, double below)
{
    int64_t count = ex_tensor_count(out);
    int32_t at[EX_MAX_DIMS] = { 0 };
    ptrdiff_t size = (ptrdiff_t)ex_dtype_size(out->dtype);
    char *p = out->data;
    double value[4];
    uint32_t word[4];
    for (int64_t k = 0; k < count; k++) {
        if (k % 4 == 0) {
            draw(word, s, (uint64_t)k / 4);
            numbers(value, word, range);
        }
        store(p, out->dtype, value[k % 4], below);
        for (int32_t axis = out->ndim - 1; axis >= 0; axis--) {
            p += out->stride[axis] * size;
            if (++at[axis] < out->dim[axis]) break;
            p -= out->stride[axis] * size * out->dim[axis];
            at[axis] = 0;
        }
    }
    ex_tensor_touch(out);
}

/* -- The border -------------------------------------------------------------------------------------- */

ex_status ex_tensor_uniform(ex_tensor *out, double seed, const char *stream, double low, double high)
{
    static const double least[EX_DTYPE_COUNT] = { -FLT_MAX, INT32_MIN, 0 };
    static const double most[EX_DTYPE_COUNT] = { FLT_MAX, INT32_MAX + 1.0, UINT8_MAX + 1.0 };
    source s = { 0 };
    if (open_stream(&s, seed, stream) != EX_OK) return ex_error_at("uniform");
    if (!(low < high) || low < least[out->dtype] || high > most[out->dtype])
        return ex_fail("uniform: [%.7g, %.7g) is not a range of %s", low, high, ex_dtype_name(out->dtype));
    fill(out, &s, uniform4, (spread){ low, high }, high);
    return EX_OK;
}

ex_status ex_tensor_normal(ex_tensor *out, double seed, const char *stream, double mean, double deviation)
{
    source s = { 0 };
    if (open_stream(&s, seed, stream) != EX_OK) return ex_error_at("normal");
    if (out->dtype != EX_FLOAT32) return ex_fail("normal: a float32 tensor is needed, got %s", ex_dtype_name(out->dtype));
    if (!isfinite(mean) || !(deviation >= 0) || !isfinite(deviation))
        return ex_fail("normal: mean %.7g and deviation %.7g are not a distribution", mean, deviation);
    fill(out, &s, normal4, (spread){ mean, deviation }, INFINITY);
    return EX_OK;
}

/* Fisher and Yates: element i swaps with one of 0..i, drawn with 64 bits. */
ex_status ex_tensor_permutation(ex_tensor *out, double seed, const char *stream)
{
    source s = { 0 };
    char text[128];
    if (open_stream(&s, seed, stream) != EX_OK) return ex_error_at("permutation");
    if (out->dtype != EX_INT32 || out->ndim != 1)
        return ex_fail("permutation: an int32 tensor with one axis is needed, got %s %s", ex_dtype_name(out->dtype),
                       ex_shape_text(text, sizeof text, out->ndim, out->dim));
    for (int32_t i = 0; i < out->dim[0]; i++) {
        uint32_t word[4];
        draw(word, &s, (uint64_t)i);
        int32_t *p = (int32_t *)out->data;
        int32_t j = (int32_t)(((uint64_t)word[0] << 32 | word[1]) % ((uint64_t)i + 1));
        p[i * out->stride[0]] = p[j * out->stride[0]];
        p[j * out->stride[0]] = i;
    }
    ex_tensor_touch(out);
    return EX_OK;
}
