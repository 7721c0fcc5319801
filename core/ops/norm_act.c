/* norm_act.c: a batch norm in training and what follows it, in one pass over memory (the pass fuse_norm makes these):
 *
 *     z = (x - mean) inv gamma + beta [+ shortcut],  inv = 1 / sqrt(var + eps)       v = act(z)       y = max over windows of v
 *
 * x (N, C, H, W) or (N, C); act 0: none, 1: relu, 2: relu6, 3: silu, 4: hard_swish (the last two without a shortcut and without
 * windows: they fall and rise, so that the largest v is not that of the largest z); kernel kH, kW: windows that do not overlap, clipped to none, the
 * pixels left over at the end unread; 1, 1: no pooling. Backward nothing was kept but x: masks and winners are found again.
 * With d = dy at the first largest v of a window where act has a slope, else 0, over all pixels (m numbers by channel):
 *
 *     dbeta = sum d    dgamma = sum d (x - mean) inv                                          (normalise_act_grad_affine)
 *     dx = gamma inv (d - dbeta / m - (x - mean) inv dgamma / m)                              (normalise_act_grad_input)
 *
 * With a shortcut the sum's gradient is a value of its own, so one operator makes it beside dgamma and dbeta
 * (normalise_add_grad), the mask comes from y, and dy may come in two terms. It makes no statistics: norm.c does. */
#include <math.h>
#include <string.h>
#include "channels.h"
#include "norm.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { EPS, ACT, KERNEL };
static const ex_attr_spec act_attr[] = { { .name = "eps", .count = 1, .value = { 1e-5 } }, { .name = "act", .count = 1, .value = { 1 } },
                                         { .name = "kernel", .count = 2, .value = { 1, 1 } }, { 0 } };
static const ex_attr_spec add_attr[] = { { .name = "eps", .count = 1, .value = { 1e-5 } }, { .name = "act", .count = 1, .value = { 1 } },
                                         { 0 } };

/* -- Shape rules ------------------------------------------------------------------------------------------------ */

static ex_status check_act(const ex_signature *s)
{
    return ex_expect_norm_act(s->attr[ACT][0]);
}

static int is_curve(const ex_signature *s) { return s->attr[ACT][0] >= EX_ACT_SILU; }

/* out: what windows make of x. */
static ex_status pool_shape(const ex_signature *s, ex_shape *out)
{
    *out = s->in[0];
    if (check_act(s)) return EX_FAILED;
    for (int i = 0; i < 2; i++) {
        double k = s->attr[KERNEL][i];
        if (k == 1) continue;
        if (out->ndim != 4) return ex_fail("kernel: got %g for a value without pixels", k);
        if (is_curve(s)) return ex_fail("kernel: got %g, expected 1: silu and hard_swish are not pooled here", k);
        if (!(k >= 1 && k <= out->dim[2 + i])) return ex_fail("kernel: got %g, expected 1 to %d", k, out->dim[2 + i]);
        out->dim[2 + i] /= (int32_t)k;
    }
    return EX_OK;
}

static ex_status expect_shape(const char *what, const ex_shape *got, const ex_shape *expected)
{
    char a[96], b[96];
    if (ex_shape_same(got, expected)) return EX_OK;
    return ex_fail("%s: got %s, expected %s", what, ex_shape_text(a, sizeof a, got->ndim, got->dim),
                   ex_shape_text(b, sizeof b, expected->ndim, expected->dim));
}

static ex_status infer_act(const ex_signature *s)
{
    static const char *const what[] = { "input", "mean", "var", "gamma", "beta" };
    if (ex_expect_norm_inputs(s, 1, 5, what) || pool_shape(s, &s->out[0])) return EX_FAILED;
    if (s->inputs > 5 && is_curve(s)) return ex_fail("act: got %g, expected 0, 1 or 2 with a shortcut", s->attr[ACT][0]);
    return s->inputs > 5 ? expect_shape("shortcut", &s->in[5], &s->out[0]) : EX_OK;
}

static ex_status infer_grad_affine(const ex_signature *s)
{
    static const char *const what[] = { "input", "gradient", "mean", "var", "gamma", "beta" };
    ex_shape y;
    if (ex_expect_norm_inputs(s, 2, 6, what) || pool_shape(s, &y)) return EX_FAILED;
    for (int i = 0; i < 2; i++) s->out[i] = ex_per_channel(s->in[0].dim[1]);
    return expect_shape("gradient", &s->in[1], &y);
}

static ex_status infer_grad_input(const ex_signature *s)
{
    static const char *const what[] = { "input", "gradient", "mean", "var", "gamma", "beta", "dgamma", "dbeta" };
    ex_shape y;
    s->out[0] = s->in[0];
    if (ex_expect_norm_inputs(s, 2, 8, what) || pool_shape(s, &y)) return EX_FAILED;
    return expect_shape("gradient", &s->in[1], &y);
}

static ex_status infer_add_grad(const ex_signature *s)
{
    static const char *const what[] = { "input", "result", "gradient", "mean", "var" };
    s->out[0] = s->in[0];
    if (ex_expect_norm_inputs(s, 3, 5, what) || check_act(s)) return EX_FAILED;
    if (is_curve(s)) return ex_fail("act: got %g, expected 0, 1 or 2 behind a sum", s->attr[ACT][0]);
    for (int i = 1; i < 3; i++) s->out[i] = ex_per_channel(s->in[0].dim[1]);
    if (expect_shape(what[1], &s->in[1], &s->in[0]) || expect_shape(what[2], &s->in[2], &s->in[0])) return EX_FAILED;
    return s->inputs > 5 ? expect_shape("second gradient", &s->in[5], &s->in[0]) : EX_OK;
}

/* -- A walk over rows of windows ---------------------------------------------------------------------------------- */

typedef enum walk_kind { FORWARD, SUMS, INPUT, ADD } walk_kind;
enum { OUT, X, DY, Y, MORE, OPERANDS };     /* DY: the shortcut, forward; what a kind lacks is x again */

typedef struct walk {
    walk_kind kind;
    const ex_operand *o[OPERANDS];
    int32_t kernel[2];
    int optional;                           /* a shortcut, a second dy */
    ex_norm_numbers numbers;
    double *partial;                        /* part, then 2 x C */
    const ex_norm_kernels *k;
    int64_t channels;
    int32_t lines, parts;                   /* rows of windows in a part; parts */
} walk;

static int is_pooled(const walk *w, int operand) { return operand == (w->kind == FORWARD ? OUT : DY); }

static ex_norm_numbers from_channel(const ex_norm_numbers *k, int64_t c)
{
    ex_norm_numbers n = *k;
    n.center += c;
    n.scale += c;
    n.offset += c;
    n.a += c;
    n.b += c;
    n.shift += c;
    return n;
}

/* One row of windows at p, whose operands' pixels lie `pixel` floats apart. */
static void row(const walk *w, int32_t part, float *const *p, const ptrdiff_t *pixel, int64_t windows, int64_t c, int64_t channels)
{
    ex_norm_numbers n = from_channel(&w->numbers, c);
    ex_window x = { w->kernel[0], w->kernel[1], w->o[X]->stride[2], pixel[X] };
    ex_window dx = { w->kernel[0], w->kernel[1], w->o[OUT]->stride[2], pixel[OUT] };
    double *sum = w->partial ? w->partial + part * 2 * w->channels + c : NULL, *product = sum ? sum + w->channels : NULL;
    switch (w->kind) {
    case FORWARD:
        w->k->forward(p[OUT], pixel[OUT], p[X], &x, w->optional ? p[DY] : NULL, pixel[DY], &n, windows, channels);
        break;
    case SUMS: w->k->grad_sums(sum, product, p[X], &x, p[DY], pixel[DY], &n, windows, channels); break;
    case INPUT: w->k->grad_input(p[OUT], &dx, p[X], &x, p[DY], pixel[DY], &n, windows, channels); break;
    case ADD:
        w->k->add_grad(sum, product, p[OUT], pixel[OUT], p[X], pixel[X], p[Y], pixel[Y], p[DY], pixel[DY],
                       w->optional ? p[MORE] : NULL, pixel[MORE], &n, windows, channels);
        break;
    }
}

/* All channels at once where they are neighbours in every operand, else one by one. */
static void row_of(const walk *w, int32_t part, float *const *p, const ptrdiff_t *pixel, int64_t windows)
{
    int together = 1;
    for (int i = 0; i < OPERANDS; i++) together &= w->o[i]->stride[1] == 1;
    if (together) { row(w, part, p, pixel, windows, 0, w->channels); return; }
    for (int64_t c = 0; c < w->channels; c++) {
        float *at[OPERANDS];
        for (int i = 0; i < OPERANDS; i++) at[i] = p[i] + c * w->o[i]->stride[1];
        row(w, part, at, pixel, windows, c, 1);
    }
}

static void pixels_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    row_of(context, part, (float *const *)data, stride, n);
}

/* Pixels of dx that no window covers: dx = (x - center) b + shift. */
static void uncovered(const walk *w, int32_t image, int32_t line, int32_t first)
{
    const ex_operand *dx = w->o[OUT], *x = w->o[X];
    const ex_norm_numbers *n = &w->numbers;
    int32_t count = x->dim[3] - first;
    float *to = (float *)dx->data + image * dx->stride[0] + line * dx->stride[2] + first * dx->stride[3];
    const float *from = (const float *)x->data + image * x->stride[0] + line * x->stride[2] + first * x->stride[3];
    ex_norm_numbers plain = { .center = n->center, .scale = n->b, .offset = n->shift, .low = NAN, .high = NAN };
    ex_window pixels = { 1, 1, 0, x->stride[3] };
    if (dx->stride[1] == 1 && x->stride[1] == 1) {
        w->k->forward(to, dx->stride[3], from, &pixels, NULL, 0, &plain, count, w->channels);
        return;
    }
    for (int64_t c = 0; c < w->channels; c++) {
        ex_norm_numbers one = { .center = n->center + c, .scale = n->b + c, .offset = n->shift + c, .low = NAN, .high = NAN };
        w->k->forward(to + c * dx->stride[1], dx->stride[3], from + c * x->stride[1], &pixels, NULL, 0, &one, count, 1);
    }
}

static void lines_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const walk *w = context;
    const ex_operand *pooled = w->o[w->kind == FORWARD ? OUT : DY], *x = w->o[X];
    if (!w->partial) part = w->parts - 1 - part;    /* maps go backwards: channels.h */
    int32_t rows = pooled->dim[2], windows = pooled->dim[3], end = (part + 1) * w->lines;
    for (int32_t line = part * w->lines; line < end && line < pooled->dim[0] * rows; line++) {
        int32_t image = line / rows, r = line % rows, covered = windows * w->kernel[1];
        float *p[OPERANDS];
        ptrdiff_t pixel[OPERANDS];
        for (int i = 0; i < OPERANDS; i++) {
            const ex_operand *o = w->o[i];
            p[i] = (float *)o->data + image * o->stride[0] + r * (is_pooled(w, i) ? 1 : w->kernel[0]) * o->stride[2];
            pixel[i] = o->stride[3];
        }
        row_of(w, part, p, pixel, windows);
        if (w->kind != INPUT) continue;
        for (int32_t k = r * w->kernel[0]; covered < x->dim[3] && k < (r + 1) * w->kernel[0]; k++) uncovered(w, image, k, covered);
        for (int32_t k = rows * w->kernel[0]; r == rows - 1 && k < x->dim[2]; k++) uncovered(w, image, k, 0);
    }
}

static void clear(double *partial, int64_t parts, int64_t channels)
{
    if (partial) memset(partial, 0, (size_t)(parts * 2 * channels) * sizeof *partial);
}

/* The walk in parts that follow from the shape; gives how many. */
static int64_t run(walk *w, ex_team *team)
{
    w->k = ex_kernels_current()->norm;
    w->channels = w->o[X]->dim[1];
    if (w->kernel[0] == 1 && w->kernel[1] == 1) {
        ex_loop l;
        ex_loop_over_pixels(&l, OPERANDS, w->o);
        int64_t step = EX_LOOP_PART / w->channels;
        if (w->partial) step = ex_loop_sum_step(l.count, w->channels);
        if (!step) step = 1;
        clear(w->partial, (l.count + step - 1) / step, w->channels);
        (w->partial ? ex_loop_run : ex_loop_run_back)(&l, team, step, pixels_body, w);
        return (l.count + step - 1) / step;
    }
    const ex_operand *pooled = w->o[w->kind == FORWARD ? OUT : DY];
    int64_t lines = (int64_t)pooled->dim[0] * pooled->dim[2], width = ex_operand_count(w->o[X]) / lines;
    int64_t step = EX_LOOP_PART / width;
    if (w->partial) step = ex_loop_sum_step(lines, width);
    w->lines = step ? (int32_t)step : 1;
    w->parts = (int32_t)((lines + w->lines - 1) / w->lines);
    clear(w->partial, w->parts, w->channels);
    ex_team_run(team, w->parts, lines_part, w);
    return w->parts;
}

/* A piece, on this thread. */
static void run_piece(walk *w)
{
    w->k = ex_kernels_current()->norm;
    w->channels = w->o[X]->dim[1];
    if (w->kernel[0] == 1 && w->kernel[1] == 1) {
        ex_loop l;
        ex_loop_over_pixels(&l, OPERANDS, w->o);
        ex_loop_walk(&l, 0, l.count, 0, pixels_body, w);
        return;
    }
    const ex_operand *pooled = w->o[w->kind == FORWARD ? OUT : DY];
    w->lines = pooled->dim[0] * pooled->dim[2];
    w->parts = 1;
    lines_part(w, 0, 0);
}

/* -- Numbers per channel ------------------------------------------------------------------------------------------- */

enum { COEFFICIENTS = 6 };                  /* float vectors of C numbers in scratch, before the parts' sums */

static size_t coefficient_bytes(int64_t channels) { return ex_round_up((size_t)channels * COEFFICIENTS * sizeof(float)); }

static size_t scratch_map(const ex_signature *s, int32_t batch, int32_t threads)
{
    (void)batch;
    (void)threads;
    return coefficient_bytes(s->in[0].dim[1]);
}

static size_t scratch_sum(const ex_signature *s, int32_t batch, int32_t threads)
{
    return scratch_map(s, batch, threads) + ex_channels_sum_bytes(s->in[0].dim[1]);
}

/* memory: the numbers per channel, then the parts' sums. */
static double *partials(const ex_call *call, void *memory) { return (double *)((char *)memory + coefficient_bytes(call->in[0].dim[1])); }

static ex_norm_numbers numbers_at(const ex_call *call, void *memory)
{
    int64_t channels = call->in[0].dim[1];
    float *f = memory;
    ex_norm_numbers n = { f, f + channels, f + 2 * channels, f + 3 * channels, f + 4 * channels, f + 5 * channels, NAN, NAN, EX_NORM_LIMITS };
    ex_norm_set_act(&n, call->attr[ACT][0]);
    return n;
}

/* Inputs from `first` on are mean, var, gamma, beta. */
static void set_affine(const ex_call *call, const ex_norm_numbers *n, int first)
{
    const ex_operand *in = call->in + first;
    float *center = (float *)n->center, *scale = (float *)n->scale, *offset = (float *)n->offset;
    for (int64_t c = 0; c < call->in[0].dim[1]; c++) {
        center[c] = (float)ex_operand_number(&in[0], c);
        scale[c] = (float)(ex_operand_number(&in[2], c) * ex_norm_inverse(&in[1], c, call->attr[EPS][0]));
        offset[c] = (float)ex_operand_number(&in[3], c);
    }
}

/* Adds the parts in order: out = dgamma, dbeta. */
static void give_sums(const ex_call *call, const double *partial, int64_t parts, const ex_operand *var, const ex_operand *out)
{
    int64_t channels = call->in[0].dim[1];
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0, product = 0;
        for (int64_t p = 0; p < parts; p++) {
            sum += partial[p * 2 * channels + c];
            product += partial[(p * 2 + 1) * channels + c];
        }
        ex_operand_set(&out[0], c, product * ex_norm_inverse(var, c, call->attr[EPS][0]));
        ex_operand_set(&out[1], c, sum);
    }
}

static void set_kernel(walk *w, const ex_call *call)
{
    for (int i = 0; i < 2; i++) w->kernel[i] = (int32_t)call->attr[KERNEL][i];
}

/* -- The operators --------------------------------------------------------------------------------------------------- */

/* Each has two halves: its numbers per channel, made once into `numbers`, and the walk over images. As a whole a call keeps
 * them in its scratch; in pieces they are shared, with the parts' sums behind them. */
static walk start_act(const ex_call *call)
{
    int shortcut = call->inputs > 5;
    const ex_operand *x = &call->in[0];
    return (walk){ .kind = FORWARD, .o = { &call->out[0], x, &call->in[shortcut ? 5 : 0], x, x }, .optional = shortcut };
}

static walk start_grad_affine(const ex_call *call)
{
    const ex_operand *x = &call->in[0], *dy = &call->in[1];
    return (walk){ .kind = SUMS, .o = { x, x, dy, x, x } };
}

static walk start_grad_input(const ex_call *call)
{
    const ex_operand *x = &call->in[0];
    return (walk){ .kind = INPUT, .o = { &call->out[0], x, &call->in[1], x, x } };
}

static walk start_add_grad(const ex_call *call)
{
    const ex_operand *in = call->in;
    int two = call->inputs > 5;
    return (walk){ .kind = ADD, .o = { &call->out[0], &in[0], &in[2], &in[1], &in[two ? 5 : 0] }, .kernel = { 1, 1 }, .optional = two };
}

static void numbers_act(const ex_call *call, const ex_norm_numbers *n) { set_affine(call, n, 1); }
static void numbers_grad_affine(const ex_call *call, const ex_norm_numbers *n) { set_affine(call, n, 2); }

static void numbers_grad_input(const ex_call *call, const ex_norm_numbers *n)
{
    const ex_operand *x = &call->in[0], *in = call->in;
    double m = (double)ex_operand_count(x) / x->dim[1];
    float *a = (float *)n->a, *b = (float *)n->b, *shift = (float *)n->shift;
    set_affine(call, n, 2);
    for (int64_t c = 0; c < x->dim[1]; c++) {
        double inv = ex_norm_inverse(&in[3], c, call->attr[EPS][0]), scale = ex_operand_number(&in[4], c) * inv;
        a[c] = (float)scale;
        b[c] = (float)(-scale * inv * ex_operand_number(&in[6], c) / m);
        shift[c] = (float)(-scale * ex_operand_number(&in[7], c) / m);
    }
}

static void numbers_add_grad(const ex_call *call, const ex_norm_numbers *n)
{
    for (int64_t c = 0; c < call->in[0].dim[1]; c++) ((float *)n->center)[c] = (float)ex_operand_number(&call->in[3], c);
}

static void end_grad_affine(const ex_call *call) { give_sums(call, partials(call, call->shared), call->parts, &call->in[3], call->out); }
static void end_add_grad(const ex_call *call) { give_sums(call, partials(call, call->shared), call->parts, &call->in[4], &call->out[1]); }

#define OPERATOR(id, pooled, sums, end_sums) \
    static void forward_##id(const ex_call *call) \
    { \
        walk w = start_##id(call); \
        w.numbers = numbers_at(call, call->scratch); \
        numbers_##id(call, &w.numbers); \
        if (pooled) set_kernel(&w, call); \
        if (sums) w.partial = partials(call, call->scratch); \
        ex_call joined = *call; \
        joined.shared = call->scratch; \
        joined.parts = (int32_t)run(&w, call->team); \
        end_sums(&joined); \
    } \
    static void begin_##id(const ex_call *call) \
    { \
        ex_norm_numbers n = numbers_at(call, call->shared); \
        numbers_##id(call, &n); \
    } \
    static void piece_##id(const ex_call *call) \
    { \
        walk w = start_##id(call); \
        w.numbers = numbers_at(call, call->shared); \
        if (pooled) set_kernel(&w, call); \
        if (sums) w.partial = partials(call, call->shared) + (size_t)call->part * 2 * (size_t)call->in[0].dim[1]; \
        if ((sums) && !call->more) clear(w.partial, 1, call->in[0].dim[1]); \
        run_piece(&w); \
    }
static void nothing(const ex_call *call) { (void)call; }
OPERATOR(act, 1, 0, nothing)
OPERATOR(grad_affine, 1, 1, end_grad_affine)
OPERATOR(grad_input, 1, 0, nothing)
OPERATOR(add_grad, 0, 1, end_add_grad)

static size_t shared_map(const ex_signature *s, int32_t parts) { return scratch_map(s, parts, 1); }
static size_t shared_sum(const ex_signature *s, int32_t parts)
{
    return scratch_map(s, parts, 1) + ex_round_up((size_t)parts * 2 * (size_t)s->in[0].dim[1] * sizeof(double));
}

static const ex_pieces act_pieces = { .shared = shared_map, .begin = begin_act, .piece = piece_act };
static const ex_pieces grad_affine_pieces = { .shared = shared_sum, .begin = begin_grad_affine, .piece = piece_grad_affine, .end = end_grad_affine };
static const ex_pieces grad_input_pieces = { .shared = shared_map, .begin = begin_grad_input, .piece = piece_grad_input };
static const ex_pieces add_grad_pieces = { .shared = shared_sum, .begin = begin_add_grad, .piece = piece_add_grad, .end = end_add_grad };

/* -- The family ------------------------------------------------------------------------------------------------------ */

static const char *kernel_pooled(const ex_signature *s)
{
    double rows = s->attr[KERNEL][0], columns = s->attr[KERNEL][1];
    return rows == 1 && columns == 1 ? "vector" : rows == 2 && columns == 2 ? "vector 2x2" : "vector pool";
}

static const char *kernel_vector(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op act_op = {
    .name = "normalise_act", .about = "normalise_act(x, mean, var, gamma, beta, [shortcut]; eps, act, kernel): batch norm, sum, activation, "
    "largest of each window", .min_inputs = 5, .max_inputs = 6, .outputs = 1, .attr = act_attr, .in_place = 1 | 1 << 5,
    .infer = infer_act, .forward = forward_act, .scratch = scratch_map, .pieces = &act_pieces, .kernel = kernel_pooled };
static const ex_op grad_affine_op = {
    .name = "normalise_act_grad_affine", .about = "normalise_act_grad_affine(x, dy, mean, var, gamma, beta; eps, act, kernel): dgamma, dbeta",
    .min_inputs = 6, .max_inputs = 6, .outputs = 2, .attr = act_attr, .infer = infer_grad_affine, .forward = forward_grad_affine,
    .scratch = scratch_sum, .pieces = &grad_affine_pieces, .kernel = kernel_pooled };
static const ex_op grad_input_op = {
    .name = "normalise_act_grad_input",
    .about = "normalise_act_grad_input(x, dy, mean, var, gamma, beta, dgamma, dbeta; eps, act, kernel): dx", .min_inputs = 8,
    .max_inputs = 8, .outputs = 1, .attr = act_attr, .in_place = 3, .infer = infer_grad_input, .forward = forward_grad_input,
    .scratch = scratch_map, .pieces = &grad_input_pieces, .kernel = kernel_pooled };
static const ex_op add_grad_op = {
    .name = "normalise_add_grad", .about = "normalise_add_grad(x, y, dy, mean, var, [second dy]; eps, act): the gradient of the sum, dgamma, dbeta",
    .min_inputs = 5, .max_inputs = 6, .outputs = 3, .attr = add_attr, .in_place = 1 << 2 | 1 << 5, .infer = infer_add_grad,
    .forward = forward_add_grad, .scratch = scratch_sum, .pieces = &add_grad_pieces, .kernel = kernel_vector };

const ex_op *const ex_ops_norm_act[] = { &act_op, &grad_affine_op, &grad_input_op, &add_grad_op, NULL };
