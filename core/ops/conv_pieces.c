/* conv_pieces.c: convolutions in pieces (ex_pieces): the filter is packed once and shared by all of them; moments and the weight
 * gradient's sums belong to parts. Convolutions whose filters, or whose weight gradient's sums, would fill the caches have no such form. */
#include "conv.h"
#include "moments.h"

static size_t round_up(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
static size_t packed_bytes(ex_conv_direction d, const ex_conv_shape *g) { return round_up(ex_kernels_current()->conv->packed_bytes(d, g)); }

/* Of an image, read and written. */
static double image_bytes(const ex_conv_shape *g) { return ((double)g->h * g->w * g->ci + (double)g->oh * g->ow * g->co) * sizeof(float); }

/* What all pieces share of a filter, in bytes; SIZE_MAX: it is too large for that. */
static size_t shared_filter(ex_conv_direction d, const ex_conv_shape *g)
{
    const size_t filter = packed_bytes(d, g);
    return ex_filter_is_large((double)filter, image_bytes(g)) ? SIZE_MAX : filter;
}

static size_t piece_scratch(ex_conv_direction d, const ex_conv_shape *g)
{
    return ex_kernels_current()->conv->scratch(d, g, 1) - ex_kernels_current()->conv->packed_bytes(d, g);
}

static size_t shared_forward(const ex_signature *s, int32_t parts)
{
    const ex_conv_shape g = ex_conv_of_forward(s, 1);
    (void)parts;
    return shared_filter(EX_CONV_FORWARD, &g);
}

static size_t piece_scratch_forward(const ex_signature *s, int32_t images)
{
    const ex_conv_shape g = ex_conv_of_forward(s, images);
    return piece_scratch(EX_CONV_FORWARD, &g);
}

static ex_conv_shape call_forward(const ex_call *c) { return ex_conv_geometry(c->n, c->in[0].dim, c->in[1].dim, c->out[0].dim, c->attr); }

static void begin_forward(const ex_call *c)
{
    const ex_conv_shape g = call_forward(c);
    ex_kernels_current()->conv->pack(c->shared, EX_CONV_FORWARD, ex_conv_filter_of(&c->in[1]), &g, c->team);
}

static void piece_forward(const ex_call *c)
{
    ex_conv_forward(c, c->in[1].dim, (ex_conv_filter){ .packed = c->shared }, c->inputs, &(ex_conv_epilogue){0}, c->scratch);
}

static void piece_fused(const ex_call *c) { ex_conv_forward_fused(c, c->in[1].dim, (ex_conv_filter){ .packed = c->shared }); }

const ex_pieces ex_conv_forward_pieces = { .shared = shared_forward, .scratch = piece_scratch_forward, .begin = begin_forward, .piece = piece_forward };
const ex_pieces ex_conv_fused_pieces = { .shared = shared_forward, .scratch = piece_scratch_forward, .begin = begin_forward, .piece = piece_fused };

static size_t shared_stats(const ex_signature *s, int32_t parts)
{
    const size_t filter = shared_forward(s, parts);
    return filter == SIZE_MAX ? filter : filter + ex_moments_bytes(s->out[0].dim[1], parts);
}

static size_t piece_scratch_stats(const ex_signature *s, int32_t images)
{
    const ex_conv_shape g = ex_conv_of_forward(s, images);
    return ex_conv_moments_bytes(g.co) + round_up(piece_scratch(EX_CONV_FORWARD, &g)) + ex_kernels_current()->conv->moments_scratch(&g);
}

/* The parts' moments lie behind the packed filter. */
static double *shared_moments(const ex_call *c)
{
    const ex_conv_shape g = call_forward(c);
    return (double *)(void *)((char *)c->shared + packed_bytes(EX_CONV_FORWARD, &g));
}

static void piece_stats(const ex_call *c)
{
    const ex_operand *y = &c->out[0];
    double *moments = c->scratch;
    ex_conv_forward(c, c->in[1].dim, (ex_conv_filter){ .packed = c->shared }, c->inputs, &(ex_conv_epilogue){ .moments = moments },
             (char *)c->scratch + ex_conv_moments_bytes(y->dim[1]));
    ex_moments_add(shared_moments(c), c, y->dim[1], moments, (double)c->n * y->dim[2] * y->dim[3]);
}

static void end_stats(const ex_call *c) { ex_moments_give(c, c->out[0].dim[1], shared_moments(c), &c->out[1]); }

const ex_pieces ex_conv_stats_pieces = { .shared = shared_stats, .scratch = piece_scratch_stats, .begin = begin_forward, .piece = piece_stats,
                                        .end = end_stats };

static size_t shared_input(const ex_signature *s, int32_t parts)
{
    const ex_conv_shape g = ex_conv_of_input(s, 1);
    (void)parts;
    return shared_filter(EX_CONV_GRAD_INPUT, &g);
}

static size_t piece_scratch_input(const ex_signature *s, int32_t images)
{
    const ex_conv_shape g = ex_conv_of_input(s, images);
    return piece_scratch(EX_CONV_GRAD_INPUT, &g);
}

static ex_conv_shape call_input(const ex_call *c) { return ex_conv_geometry(c->n, c->out[0].dim, c->in[1].dim, c->in[0].dim, c->attr); }

static void begin_input(const ex_call *c)
{
    const ex_conv_shape g = call_input(c);
    ex_kernels_current()->conv->pack(c->shared, EX_CONV_GRAD_INPUT, ex_conv_filter_of(&c->in[1]), &g, c->team);
}

static void piece_input(const ex_call *c)
{
    const ex_conv_shape g = call_input(c);
    const ex_conv_filter packed = { .packed = c->shared };
    ex_kernels_current()->conv->grad_input(ex_conv_image_of(&c->out[0]), ex_conv_image_of(&c->in[0]), packed, &g, NULL, c->scratch);
}

const ex_pieces ex_conv_input_pieces = { .shared = shared_input, .scratch = piece_scratch_input, .begin = begin_input, .piece = piece_input };

/* SUMS_BYTES, of a part: more than half of a core's L2 cache costs more than it saves. So do sums of more than FEW_BYTES that are more
 * than a part's EX_PART_IMAGES images: they are written and read again for each part. */
enum { SUMS_BYTES = 512 << 10, FEW_BYTES = 8 << 10 };

static size_t shared_weight(const ex_signature *s, int32_t parts)
{
    const ex_conv_shape g = ex_conv_of_weight(s, 1);
    const size_t each = ex_kernels_current()->conv->sums_floats(&g) * sizeof(float);
    const size_t most = (size_t)(EX_PART_IMAGES * image_bytes(&g));
    return each && each <= SUMS_BYTES && each <= (most > FEW_BYTES ? most : FEW_BYTES) ? each * (size_t)parts : SIZE_MAX;
}

static size_t piece_scratch_weight(const ex_signature *s, int32_t images)
{
    const ex_conv_shape g = ex_conv_of_weight(s, images);
    return ex_kernels_current()->conv->sums_scratch(&g);
}

static ex_conv_shape call_weight(const ex_call *c) { return ex_conv_geometry(c->n, c->in[0].dim, c->out[0].dim, c->in[1].dim, c->attr); }

static void piece_weight(const ex_call *c)
{
    const ex_conv_shape g = call_weight(c);
    float *sums = (float *)c->shared + (size_t)c->part * ex_kernels_current()->conv->sums_floats(&g);
    ex_kernels_current()->conv->add_sums(sums, ex_conv_image_of(&c->in[0]), ex_conv_image_of(&c->in[1]), &g, c->more, c->scratch);
}

static void end_weight(const ex_call *c)
{
    const ex_conv_shape g = call_weight(c);
    ex_kernels_current()->conv->join_sums(ex_conv_filter_of(&c->out[0]), c->shared, c->parts, &g, c->team);
}

const ex_pieces ex_conv_weight_pieces = { .shared = shared_weight, .scratch = piece_scratch_weight, .piece = piece_weight, .end = end_weight };
