/* conv_pixel.c: a convolution of one pixel, that is a linear layer of one sample: packing would read the filter twice. Its rows lie along
 * the input channels, and each output is a dot product, with the additions in the order that a tile has, so that the bits are the same
 * (conv_tile.h). It does no other filters and no moments. */
#include "conv_epilogue.h"
#include "conv_isa.h"
#include "../../base/team.h"

#define UNROLL _Pragma("GCC unroll 32")

typedef struct pixel_job {
    float *y;
    const float *x, *w;
    const ex_conv_epilogue *e;
    ptrdiff_t w_out;
    int32_t ci, co;
} pixel_job;

enum { CHAINS = 8, PIXEL_PART = 64 };

/* sum + a b, rounded once where a tile's vectors are: the vectoriser would multiply and add apart here. */
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define FUSED(sum, a, b) __builtin_fmaf(a, b, sum)
#else
#define FUSED(sum, a, b) ((sum) + (a) * (b))
#endif

EX_INLINE void dot_products(const pixel_job *j, int32_t from, const int chains)
{
    float sum[CHAINS] = {0};
    const float *w = j->w + from * j->w_out;
    for (int32_t k = 0; k < j->ci; k++) {
        const float x = j->x[k];
        UNROLL for (int i = 0; i < chains; i++) sum[i] = FUSED(sum[i], x, w[i * j->w_out + k]);
    }
    const ex_conv_epilogue *e = j->e;
    for (int i = 0; i < chains; i++) {
        float y = sum[i] + (e->bias ? e->bias[(from + i) * e->bias_step] : 0);
        if (e->residual.data) y += e->residual.data[from + i];
        j->y[from + i] = epilogue_number(y, e->activation);
    }
}

/* Part = PIXEL_PART outputs. */
static void pixel_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const pixel_job *j = context;
    int32_t from = part * PIXEL_PART;
    const int32_t end = from + PIXEL_PART < j->co ? from + PIXEL_PART : j->co;
    for (; from + CHAINS <= end; from += CHAINS) dot_products(j, from, CHAINS);
    for (; from < end; from++) dot_products(j, from, 1);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): it is written through the job */
void EX_SUFFIXED(ex_conv_pixel)(float *y, const float *x, ex_conv_filter w, const ex_conv_epilogue *e, const ex_conv_shape *s, ex_team *team)
{
    pixel_job j = { .y = y, .x = x, .w = w.data, .e = e, .w_out = w.out, .ci = s->ci, .co = s->co };
    ex_team_run(team, (s->co + PIXEL_PART - 1) / PIXEL_PART, pixel_part, &j);
}
