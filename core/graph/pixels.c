/* pixels.c: pixels that are set apart. A tile of a convolution (kernels/isa/conv_tile.h) reads the same channel of a dozen neighbouring
 * pixels. Where these lie a multiple of ALIASED bytes apart, all of them fall into one set of a core's first cache, which holds
 * fewer, and each number is fetched anew: 1x1 kernels that read 1024 or 2048 channels then run at four fifths of their
 * speed. Such pixels get one more line of the cache between them, which is left as it is: a sixty-fourth of memory. So do those of small
 * maps whose images lie such a distance apart: there a tile is the same pixel of several images.
 *
 * It touches only results in this engine's layout of images (N, C, H, W) of several pixels, in a place of their own, that no
 * operator wants without gaps, and that nobody outside reads. Kernels take any distance between pixels, so no bit depends on this. */
#include "plan.h"

enum { ALIASED = 4096, LINE = 64, SMALL_MAP = 16 };

static int is_apart(const ex_plan *p, int32_t value)
{
    const ex_value *v = &p->graph->value[value];
    const ex_place *at = &p->place[value];
    if (v->kind != EX_VALUE_RESULT || v->root || v->layout != EX_LAYOUT_NATURAL || v->shape.ndim != 4 || !ex_value_is_batched(v)) return 0;
    const size_t pixel = (size_t)v->shape.dim[1] * ex_dtype_size(v->shape.dtype);
    const size_t pixels = (size_t)v->shape.dim[2] * (size_t)v->shape.dim[3];
    const int aliased = pixel % ALIASED == 0 || (pixels <= SMALL_MAP && pixel * pixels % ALIASED == 0);
    return at->group == value && !at->solid && pixels > 1 && aliased;
}

void ex_pixels_part(ex_plan *p)
{
    for (int32_t v = 0; v < p->graph->values; v++) {
        if (!is_apart(p, v)) continue;
        const ex_shape *s = &p->graph->value[v].shape;
        ptrdiff_t *stride = p->place[v].stride;
        stride[3] = s->dim[1] + (ptrdiff_t)(LINE / ex_dtype_size(s->dtype));
        stride[2] = s->dim[3] * stride[3];
        stride[0] = s->dim[2] * stride[2];
    }
}
