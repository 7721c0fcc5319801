/* conv_epilogue.h: how sums leave the registers, the same for every kernel that makes them (conv.h: ex_conv_epilogue):
 *
 *     y = activation(sum + bias + residual)      rounded after each step, as by operators of their own
 *
 * It knows neither parts nor moments (conv_moments.h). */
#pragma once
#include "../conv.h"
#include "vector_math.h"

/* max(a, 0) and min(max(a, 0), 6) with vector.c's bits: -0 becomes 0, a NaN stays. */
EX_INLINE vf epilogue_relu(vf a) { return (vf)(~(a <= 0.0f) & (vi)a); }
EX_INLINE vf epilogue_relu6(vf a)
{
    const vi high = a >= 6.0f;
    return (vf)((high & (vi)vf_set1(6.0f)) | (~high & (vi)epilogue_relu(a)));
}

EX_INLINE vf epilogue_curve(vf a, ex_conv_activation activation) { return activation == EX_CONV_SILU ? vf_silu(a) : vf_hard_swish(a); }

/* silu or hard_swish of what has just been stored, in a loop of its own: its code is too long for every tile to have. */
static __attribute__((noinline, unused)) void epilogue_bend(float *y, ptrdiff_t y_step, int32_t pixels, ex_conv_activation activation, int whole,
                                                            vmask m)
{
    for (int32_t i = 0; i < pixels; i++, y += y_step) {
        if (whole) vf_store(y, epilogue_curve(vf_load(y), activation));
        else vf_store_part(y, epilogue_curve(vf_load_part(y, m), activation), m);
    }
}

/* `pixels` vectors of channels, a[i * a_step], to y + i * y_step; residual (NULL: none) lies likewise. `whole`: all
 * lanes exist, else those of m. pixels, a_step and whole are constants, so that a stays in registers. */
EX_INLINE void epilogue_store(float *y, ptrdiff_t y_step, vf *a, const int a_step, const int pixels, vf bias, const float *residual,
                              ptrdiff_t residual_step, ex_conv_activation activation, const int whole, vmask m)
{
#define EACH _Pragma("GCC unroll 32") for (int i = 0; i < pixels; i++)
    EACH a[i * a_step] += bias;
    if (residual) EACH a[i * a_step] += whole ? vf_load(residual + i * residual_step) : vf_load_part(residual + i * residual_step, m);
    if (activation == EX_CONV_RELU) EACH a[i * a_step] = epilogue_relu(a[i * a_step]);
    else if (activation == EX_CONV_RELU6) EACH a[i * a_step] = epilogue_relu6(a[i * a_step]);
    if (whole) EACH vf_store(y + i * y_step, a[i * a_step]);
    else EACH vf_store_part(y + i * y_step, a[i * a_step], m);
    if (__builtin_expect(activation > EX_CONV_RELU6, 0)) epilogue_bend(y, y_step, pixels, activation, whole, m);
#undef EACH
}

/* Asks for `vectors` vectors of each pixel of y, or of the residual, some time before they are stored: they lie too far apart
 * for the hardware to see them coming, and cost more than an addition of its own would if they have to be waited for. */
static inline void epilogue_prefetch(const float *y, ptrdiff_t step, int32_t pixels, int32_t vectors)
{
    for (int32_t i = 0; i < pixels; i++, y += step)
        for (int32_t v = 0; v < vectors * VL; v += LINE) __builtin_prefetch(y + v);
}

/* epilogue_store for one number whose bias and residual have been added. */
static inline float epilogue_number(float a, ex_conv_activation activation)
{
    if (activation == EX_CONV_LINEAR) return a;
    if (activation > EX_CONV_RELU6) return epilogue_curve(vf_set1(a), activation)[0];
    if (activation == EX_CONV_RELU6 && a >= 6) return 6;
    return a <= 0 ? 0 : a;
}
