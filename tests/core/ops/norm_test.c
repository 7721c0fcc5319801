/* norm_test.c: batch normalisation: inference, statistics, normalising, its gradients, running values, folding. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

/* -- A naive reference: x (N, C, pixels) ------------------------------------------------------------------------------ */

typedef struct sizes { int64_t n, c, pixels; } sizes;

static sizes sizes_of(const op_case *c, int input)
{
    const ex_shape *s = &c->in[input]->shape;
    sizes z = { s->dim[0] == EX_BATCH ? c->n : s->dim[0], s->dim[1], 1 };
    for (int32_t i = 2; i < s->ndim; i++) z.pixels *= s->dim[i];
    return z;
}

#define EACH(z) for (int64_t n = 0; n < (z).n; n++) for (int64_t c = 0; c < (z).c; c++) for (int64_t p = 0, i = (n * (z).c + c) * (z).pixels; p < (z).pixels; p++, i++)

static void normalise(const op_case *k, const double *x, const double *mean, const double *var, const double *gamma, const double *beta,
                      double *y)
{
    sizes z = sizes_of(k, 0);
    EACH(z) y[i] = (x[i] - mean[c]) / sqrt(var[c] + k->attr[0].value[0]) * gamma[c] + beta[c];
}

static void batch_norm_reference(const op_case *c, double *const *in, double *const *out)
{
    normalise(c, in[0], in[3], in[4], in[1], in[2], out[0]);
}

static void normalise_reference(const op_case *c, double *const *in, double *const *out)
{
    normalise(c, in[0], in[1], in[2], in[3], in[4], out[0]);
}

static void stats_reference(const op_case *k, double *const *in, double *const *out)
{
    sizes z = sizes_of(k, 0);
    double m = (double)(z.n * z.pixels);
    for (int64_t c = 0; c < z.c; c++) out[0][c] = out[1][c] = 0;
    EACH(z) out[0][c] += in[0][i] / m;
    EACH(z) out[1][c] += (in[0][i] - out[0][c]) * (in[0][i] - out[0][c]) / m;
    for (int64_t c = 0; c < z.c; c++) out[2][c] = m > 1 ? out[1][c] * m / (m - 1) : 0;
}

/* -- Cases --------------------------------------------------------------------------------------------------------------- */

enum { CASES = 5 };
static const struct { int32_t n, c, h, w; } geometry[CASES] = { { 3, 5, 4, 3 }, { 2, 16, 5, 5 }, { 4, 70, 3, 3 }, { 7, 33, 0, 0 }, { 2, 3, 40, 31 } };

static ex_shape value_shape(int i)
{
    if (!geometry[i].h) return OP_SHAPE(EX_BATCH, geometry[i].c);
    return OP_SHAPE(EX_BATCH, geometry[i].c, geometry[i].h, geometry[i].w);
}

static op_array *channels(uint32_t seed, int i, float low, float high) { return op_random(seed, low, high, OP_SHAPE(geometry[i].c), 1); }

/* x, then gamma, beta, mean, var or mean, var, gamma, beta. */
static op_case norm_case(const char *op, int i)
{
    int first = strcmp(op, "batch_norm") ? 3 : 1, second = 4 - first;
    op_case c = { .op = op, .inputs = 5, .n = geometry[i].n, .attrs = 1, .attr = { OP_ATTR("eps", 1e-3) } };
    c.in[0] = op_random(1, -2, 3, value_shape(i), c.n);
    c.in[first] = channels(2, i, -1, 1);
    c.in[first + 1] = channels(3, i, -1, 1);
    c.in[second] = channels(4, i, -1, 1);
    c.in[second + 1] = channels(5, i, 0.2f, 2);
    return c;
}

/* -- Worked by hand -------------------------------------------------------------------------------------------------------- */

static void inference_by_hand(void **state)
{
    (void)state;                            /* two channels, (x - mean) / sqrt(var) * gamma + beta with eps 0 */
    op_case c = { .op = "batch_norm", .inputs = 5, .n = 1, .attrs = 1, .attr = { OP_ATTR("eps", 0) } };
    c.in[0] = op_floats((float[]){ 1, 3, 10, 20 }, OP_SHAPE(EX_BATCH, 2, 1, 2), 1);
    c.in[1] = op_floats((float[]){ 2, 1 }, OP_SHAPE(2), 1);
    c.in[2] = op_floats((float[]){ 0, 5 }, OP_SHAPE(2), 1);
    c.in[3] = op_floats((float[]){ 1, 10 }, OP_SHAPE(2), 1);
    c.in[4] = op_floats((float[]){ 4, 25 }, OP_SHAPE(2), 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 2, 5, 7 }, 4, 1e-6f);
    op_free(y);
    op_free_inputs(&c);
}

static void statistics_by_hand(void **state)
{
    (void)state;                            /* 1 2 3 6: mean 3, squares 4 1 0 9: variance 14/4, unbiased 14/3 */
    op_case c = { .op = "batch_stats", .inputs = 1, .n = 2, .in = { op_floats((float[]){ 1, 2, 3, 6 }, OP_SHAPE(EX_BATCH, 1, 1, 2), 2) } };
    op_array *out[EX_MAX_OUT];
    op_run(&c, out);
    op_assert_floats(out[0], (float[]){ 3 }, 1, 1e-6f);
    op_assert_floats(out[1], (float[]){ 3.5f }, 1, 1e-6f);
    op_assert_floats(out[2], (float[]){ 14 / 3.0f }, 1, 1e-6f);
    for (int k = 0; k < 3; k++) op_free(out[k]);
    op_free_inputs(&c);
}

static void one_number_has_no_spread(void **state)
{
    (void)state;
    op_case c = { .op = "batch_stats", .inputs = 1, .n = 1, .in = { op_floats((float[]){ 4, -2 }, OP_SHAPE(EX_BATCH, 2), 1) } };
    op_array *out[EX_MAX_OUT];
    op_run(&c, out);
    op_assert_floats(out[0], (float[]){ 4, -2 }, 2, 0);
    op_assert_floats(out[1], (float[]){ 0, 0 }, 2, 0);
    op_assert_floats(out[2], (float[]){ 0, 0 }, 2, 0);
    for (int k = 0; k < 3; k++) op_free(out[k]);
    op_free_inputs(&c);
}

/* A mean far from zero takes the variance's digits where sums are not taken about a shift. */
static void statistics_survive_a_large_mean(void **state)
{
    (void)state;
    op_case c = { .op = "batch_stats", .inputs = 1, .n = 8 };
    c.in[0] = op_random(9, 0, 1, OP_SHAPE(EX_BATCH, 6, 16, 16), 8);
    double sum[6] = { 0 }, square[6] = { 0 };
    for (int64_t i = 0; i < c.in[0]->count; i++) {
        c.in[0]->f[i] = 4096 + roundf(c.in[0]->f[i] * 1024) / 1024;     /* exact in float32 */
        sum[i / 256 % 6] += c.in[0]->f[i] - 4096.0;
        square[i / 256 % 6] += (c.in[0]->f[i] - 4096.0) * (c.in[0]->f[i] - 4096.0);
    }
    op_array *out[EX_MAX_OUT];
    op_run(&c, out);
    for (int k = 0; k < 6; k++) {
        double mean = sum[k] / 2048, var = square[k] / 2048 - mean * mean;
        assert_true(fabs(out[1]->f[k] - var) < 1e-5 * var);
        assert_true(fabs(out[0]->f[k] - 4096 - mean) < 3e-4);           /* half a float32 step at 4096 */
    }
    for (int k = 0; k < 3; k++) op_free(out[k]);
    op_free_inputs(&c);
}

static void running_values_move_by_momentum(void **state)
{
    (void)state;
    op_case c = { .op = "running_update", .inputs = 2, .n = 1, .attrs = 1, .attr = { OP_ATTR("momentum", 0.25) } };
    c.in[0] = op_floats((float[]){ 1, 4 }, OP_SHAPE(2), 1);
    c.in[1] = op_floats((float[]){ 5, 0 }, OP_SHAPE(2), 1);
    op_run(&c, NULL);
    op_assert_floats(c.in[0], (float[]){ 2, 3 }, 2, 1e-6f);
    op_assert_floats(c.in[1], (float[]){ 5, 0 }, 2, 0);
    op_free_inputs(&c);
}

/* -- Against the reference, forward and backward ------------------------------------------------------------------------------ */

static void inference_and_its_gradient(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        op_case c = norm_case("batch_norm", i);
        op_assert_everywhere(&c, 1e-6);
        fd_check(&c, batch_norm_reference, 7, 0, 2e-5);     /* the running values are constants */
        op_free_inputs(&c);
    }
}

static void normalising_and_its_gradient(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        op_case c = norm_case("normalise", i);
        op_assert_everywhere(&c, 1e-6);
        fd_check(&c, normalise_reference, 31, 0, 2e-5);
        op_free_inputs(&c);
    }
}

static void statistics_and_their_gradient(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        op_case c = { .op = "batch_stats", .inputs = 1, .n = geometry[i].n, .in = { op_random(6, -1, 2, value_shape(i), geometry[i].n) } };
        op_assert_everywhere(&c, 3e-6);
        fd_check(&c, stats_reference, 1, 4, 2e-5);          /* no gradient from the unbiased variance */
        fd_check(&c, stats_reference, 1, 6, 2e-5);          /* from the mean alone, from the variance alone */
        fd_check(&c, stats_reference, 1, 5, 2e-5);
        op_free_inputs(&c);
    }
}

static void sums_of_the_gradient_everywhere(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        op_case c = { .op = "normalise_grad_affine", .inputs = 4, .n = geometry[i].n };
        c.in[0] = op_random(1, -1, 2, value_shape(i), c.n);
        c.in[1] = op_random(2, -1, 1.5f, value_shape(i), c.n);
        c.in[2] = channels(3, i, 0, 1);
        c.in[3] = channels(4, i, 0.5f, 1);
        op_assert_everywhere(&c, 1e-5);
        op_free_inputs(&c);
    }
}

/* The gradient in one pass is the sum of the two paths that the rules build. */
static void whole_gradient_in_one_pass(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        int32_t n = geometry[i].n;
        op_array *x = op_random(1, -1, 2, value_shape(i), n), *dy = op_random(2, -1, 1, value_shape(i), n), *gamma = channels(3, i, 0.5f, 2);
        op_array *stats[EX_MAX_OUT], *affine[EX_MAX_OUT], *back[EX_MAX_OUT];
        op_run(&(op_case){ .op = "batch_stats", .inputs = 1, .n = n, .in = { x } }, stats);
        op_run(&(op_case){ .op = "normalise_grad_affine", .inputs = 4, .n = n, .in = { x, dy, stats[0], stats[1] } }, affine);
        op_run(&(op_case){ .op = "normalise_grad_stats", .inputs = 4, .n = n, .in = { affine[0], affine[1], gamma, stats[1] } }, back);
        op_array *direct = op_run1(&(op_case){ .op = "normalise_grad_input", .inputs = 3, .n = n, .in = { dy, stats[1], gamma } });
        op_array *through = op_run1(&(op_case){ .op = "batch_stats_grad", .inputs = 4, .n = n, .in = { x, stats[0], back[0], back[1] } });
        op_case whole = { .op = "batch_norm_grad_input", .inputs = 7, .n = n, .in = { x, dy, stats[0], stats[1], gamma, affine[0], affine[1] } };
        op_array *dx = op_run1(&whole);
        for (int64_t k = 0; k < dx->count; k++) assert_true(fabsf(dx->f[k] - direct->f[k] - through->f[k]) < 2e-5f);
        op_assert_everywhere(&whole, 1e-5);
        whole.shares = 2;                   /* dx over dy */
        op_array *over = op_run1(&whole);
        op_assert_same_bits(over, dx);
        op_array *all[] = { x, dy, gamma, stats[0], stats[1], stats[2], affine[0], affine[1], back[0], back[1], direct, through, dx, over };
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) op_free(all[k]);
    }
}

/* -- Folding ------------------------------------------------------------------------------------------------------------------- */

/* For a 1x1 convolution, normalising w x + b is the folded w' x + b'. */
static void folding_moves_the_batch_norm_into_the_weight(void **state)
{
    (void)state;
    for (int bias = 0; bias < 2; bias++) {
        op_case c = { .op = "fold_batch_norm", .inputs = 5 + bias, .n = 1, .attrs = 1, .attr = { OP_ATTR("eps", 1e-3) } };
        c.in[0] = op_random(1, -1, 1, OP_SHAPE(6, 3, 2, 2), 1);
        for (int k = 1; k < 5 + bias; k++) c.in[k] = op_random((uint32_t)k + 1, 0.2f, 1, OP_SHAPE(6), 1);
        op_array *out[EX_MAX_OUT];
        op_run(&c, out);
        for (int o = 0; o < 6; o++) {
            float inv = 1 / sqrtf(c.in[4]->f[o] + 1e-3f), scale = c.in[1]->f[o] * inv;
            for (int k = 0; k < 12; k++) assert_true(fabsf(out[0]->f[o * 12 + k] - c.in[0]->f[o * 12 + k] * scale) < 1e-6f);
            float b = bias ? c.in[5]->f[o] : 0;
            assert_true(fabsf(out[1]->f[o] - (c.in[2]->f[o] + (b - c.in[3]->f[o]) * scale)) < 1e-6f);
        }
        for (int k = 0; k < 2; k++) op_free(out[k]);
        op_assert_everywhere(&c, 1e-6);
        op_free_inputs(&c);
    }
}

/* -- Rules ------------------------------------------------------------------------------------------------------------------------ */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = norm_case("batch_norm", 0);
    op_free(c.in[2]);
    c.in[2] = op_zeros(OP_SHAPE(4), 1);
    op_assert_refused(&c, "beta: got (4) float32, expected (5) float32");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 5, 2), 1);
    op_assert_refused(&c, "input must be (N, C, H, W) or (N, C) in float32, got (N, 5, 2) float32");
    op_free_inputs(&c);
    c = (op_case){ .op = "normalise_grad_affine", .inputs = 4, .n = 2 };
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 2, 3, 3), 2);
    c.in[1] = op_zeros(OP_SHAPE(EX_BATCH, 2, 3, 4), 2);
    c.in[2] = op_zeros(OP_SHAPE(2), 1);
    c.in[3] = op_zeros(OP_SHAPE(2), 1);
    op_assert_refused(&c, "gradient: got (N, 2, 3, 4), expected the input's shape (N, 2, 3, 3)");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_by_hand), cmocka_unit_test(statistics_by_hand), cmocka_unit_test(one_number_has_no_spread),
        cmocka_unit_test(statistics_survive_a_large_mean), cmocka_unit_test(running_values_move_by_momentum),
        cmocka_unit_test(inference_and_its_gradient), cmocka_unit_test(normalising_and_its_gradient),
        cmocka_unit_test(statistics_and_their_gradient), cmocka_unit_test(sums_of_the_gradient_everywhere),
        cmocka_unit_test(whole_gradient_in_one_pass), cmocka_unit_test(folding_moves_the_batch_norm_into_the_weight),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("norm", tests, NULL, NULL);
}
