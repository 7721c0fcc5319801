/* conv_few.c: the input gradient of convolutions with so few input channels that those of a whole kernel row fit two vectors:
 *
 *     sum[ih][ow][kw][ci] = sum over kh, co of dy[oh, ow, co] * w[co, ci, kh, kw]       ih = oh*s - p + kh*d
 *     dx[ih][iw][ci]      = sum over kw of sum[ih][ow][kw][ci]                          iw = ow*s - p + kw
 *
 * Vectors are full that way, and columns of the border are never read, which conv.c multiplies by zeros: many where the padding of
 * the gradient is wide, as that of a 5 x 5 kernel without padding. The sums of a row overlap in memory just as the windows do, so they
 * are added up where they lie. A row is one part's work; each sum adds in the order kh, co, and the sums of a pixel's taps are then
 * added in an order that its column decides: bits depend on neither batch nor threads, but on the column. It does no groups and no dilated columns. */
#include "conv_tile.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { ENOUGH_PARTS = 32, PART_MACS = 1 << 18 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_image dx, dy;
    int32_t lanes, vectors, apart;          /* kw * ci; of each pixel; pixels whose sums do not overlap */
    int32_t images, rows;                   /* of a part */
    const float *packed, *zeros;            /* [kh][co][vectors * VL] */
    size_t sums, line;                      /* floats: of a row's sums, of the row that they are added up in */
    float *rooms;                           /* both, for each thread */
} job;

static void plan(job *j, const ex_conv_shape *s)
{
    j->s = s;
    j->lanes = s->kw * s->ci;
    j->vectors = up(j->lanes, VL);
    j->apart = up(s->kw, s->stride[1]);
    const double row = (double)s->kh * s->kw * s->ow * s->ci * s->co, rows = PART_MACS / row;
    j->rows = rows < 1 ? 1 : rows < s->h ? (int32_t)rows : s->h;
    if (s->n >= ENOUGH_PARTS) j->rows = s->h;
    j->images = j->rows < s->h ? 1 : most(least((int32_t)(rows / s->h), up(s->n, ENOUGH_PARTS)), 1);
    j->sums = round_up((size_t)s->ow * (size_t)j->vectors * VL, LINE);
    j->line = round_up((size_t)most((s->ow - 1) * s->stride[1] + s->kw, s->w + s->padding[1]) * (size_t)s->ci, LINE);
}

int EX_SUFFIXED(ex_conv_few_fits)(const ex_conv_shape *s)
{
    return s->groups == 1 && s->kw > 1 && s->dilation[1] == 1 && (double)s->kw * s->ci <= 2 * VL;
}

/* Multiplications of vectors for a row of dx, a kernel row and an output channel, and the additions beside them. */
double EX_SUFFIXED(ex_conv_few_cost)(const ex_conv_shape *s)
{
    const double additions = 6, vectors = up(s->kw * s->ci, VL);
    return s->ow * vectors * (1 + additions / ((double)s->kh * s->co));
}

static size_t packed_floats(const job *j) { return (size_t)j->s->kh * (size_t)j->s->co * (size_t)j->vectors * VL; }

size_t EX_SUFFIXED(ex_conv_few_packed_bytes)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return packed_floats(&j) * sizeof(float);
}

/* The packed filter, zeros for the bias, the threads' rooms. */
size_t EX_SUFFIXED(ex_conv_few_scratch)(const ex_conv_shape *s, int32_t threads)
{
    job j = {0};
    plan(&j, s);
    return (packed_floats(&j) + 2 * VL + thread_floats(j.sums + j.line) * (size_t)threads) * sizeof(float);
}

void EX_SUFFIXED(ex_conv_few_pack)(float *packed, ex_conv_filter w, const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    memset(packed, 0, packed_floats(&j) * sizeof *packed);
    for (int32_t kh = 0; kh < s->kh; kh++)
        for (int32_t co = 0; co < s->co; co++, packed += j.vectors * VL)
            for (int32_t kw = 0; kw < s->kw; kw++)
                for (int32_t ci = 0; ci < s->ci; ci++) packed[kw * s->ci + ci] = w.data[co * w.out + ci * w.in + kh * w.row + kw * w.col];
}

/* The sums of row `row` of an image, whose dy this is. The kernel rows that reach it read every a.dilation'th row of dy. */
static void sum_row(const job *j, float *sums, const float *dy, int32_t row)
{
    const ex_conv_shape *s = j->s;
    const axis a = axis_gradient(s->h, s->kh, s->stride[0], s->padding[0], s->dilation[0], row % s->stride[0]);
    const int32_t top = a.first + row / s->stride[0], blocks = tile_blocks(s->ow), width = j->vectors * VL;
    int32_t from = 0, to = a.taps;
    while (from < to && top + from * a.dilation < 0) from++;
    while (to > from && top + (to - 1) * a.dilation >= s->oh) to--;
    tile_args t = { .x_col = j->dy.pixel, .x_outer = a.dilation * j->dy.row, .x_k = 1, .y_col = width, .outer = to - from, .inner = 1, .len = s->co,
                    .w_outer = (ptrdiff_t)a.kernel_step * s->co * width, .w_k = width, .last = VL, .bias = j->zeros };
    t.w = j->packed + (ptrdiff_t)(a.kernel + from * a.kernel_step) * s->co * width;
    for (int32_t i = 0; i < blocks; i++) {
        const int32_t col = tile_start(s->ow, blocks, i);
        t.x = dy + (top + from * a.dilation) * j->dy.row + col * j->dy.pixel;
        t.y = sums + (ptrdiff_t)col * width;
        EX_SUFFIXED(ex_conv_tiles)[1][tile_start(s->ow, blocks, i + 1) - col][j->vectors - 1](&t);
    }
}

/* Adds the sums up. Neighbours overlap, and what has just been written is slow to read in other pieces: so every apart'th one first. */
static void add_up(const job *j, float *line, const float *sums)
{
    const ex_conv_shape *s = j->s;
    const int32_t width = j->vectors * VL, step = s->stride[1] * s->ci;
    const vmask last = vf_first(j->lanes - (j->vectors - 1) * VL);
    zero_run(line, j->line);
    for (int32_t first = 0; first < j->apart; first++)
        for (int32_t p = first; p < s->ow; p += j->apart) {
            float *to = line + (ptrdiff_t)p * step;
            const float *from = sums + (ptrdiff_t)p * width;
            if (j->vectors > 1) vf_store(to, vf_load(to) + vf_load(from));
            to += (j->vectors - 1) * VL;
            from += (j->vectors - 1) * VL;
            vf_store_part(to, vf_load_part(to, last) + vf_load_part(from, last), last);
        }
}

/* Part = (images, rows), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t slices = up(s->h, j->rows), row = part % slices * j->rows, row_end = least(row + j->rows, s->h);
    const int32_t image = part / slices * j->images, image_end = least(image + j->images, s->n);
    float *sums = j->rooms + (size_t)thread * thread_floats(j->sums + j->line), *line = sums + j->sums;
    for (int32_t i = image; i < image_end; i++)
        for (int32_t r = row; r < row_end; r++) {
            sum_row(j, sums, j->dy.data + i * j->dy.image, r);
            add_up(j, line, sums);
            float *to = j->dx.data + i * j->dx.image + r * j->dx.row;
            const float *from = line + (ptrdiff_t)s->padding[1] * s->ci;
            if (j->dx.pixel == s->ci) copy_run(to, from, (size_t)s->w * (size_t)s->ci);
            else for (int32_t q = 0; q < s->w; q++, to += j->dx.pixel, from += s->ci)
                for (int32_t c = 0; c < s->ci; c++) to[c] = from[c];
        }
}

void EX_SUFFIXED(ex_conv_few_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .dx = dx, .dy = dy, .packed = w.packed };
    plan(&j, s);
    float *zeros = scratch, *packed = zeros + 2 * VL;
    memset(zeros, 0, 2 * VL * sizeof *zeros);
    j.zeros = zeros;
    j.rooms = packed + (w.packed ? 0 : packed_floats(&j));
    if (!w.packed) {
        EX_SUFFIXED(ex_conv_few_pack)(packed, w, s);
        j.packed = packed;
    }
    ex_team_run(team, up(s->n, j.images) * up(s->h, j.rows), run_part, &j);
}
