/* channels_test.c: maps and sums per channel over pixels, in every layout: the operators stand on them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

#include "../../../core/ops/channels.h"

enum { N = 3, C = 21, H = 5, W = 4, ROOM = 3000 };

/* Strides of (N, C, H, W): channels-last, with gaps, planes, and two floats between neighbours. */
static const ptrdiff_t strides[][4] = { { 420, 1, 84, 21 }, { 620, 1, 120, 25 }, { 420, 20, 4, 1 }, { 960, 2, 190, 44 } };

static ex_operand operand(float *data, int layout)
{
    ex_operand o = { .dtype = EX_FLOAT32, .ndim = 4, .dim = { N, C, H, W } };
    o.data = data;
    memcpy(o.stride, strides[layout], sizeof strides[layout]);
    return o;
}

static float *at(const ex_operand *o, int n, int c, int h, int w)
{
    return (float *)o->data + n * o->stride[0] + c * o->stride[1] + h * o->stride[2] + w * o->stride[3];
}

static float value(int n, int c, int h, int w, int salt) { return (float)((n * 31 + c * 17 + h * 7 + w * 3 + salt) % 23) / 8 - 1; }

#define EACH for (int n = 0; n < N; n++) for (int c = 0; c < C; c++) for (int h = 0; h < H; h++) for (int w = 0; w < W; w++)

static void maps(void **state)
{
    (void)state;
    float *x = calloc(ROOM, sizeof *x), *dy = calloc(ROOM, sizeof *dy), *y = calloc(ROOM, sizeof *y), k[4][C];
    for (int i = 0; i < 4; i++) for (int c = 0; c < C; c++) k[i][c] = (float)(c + 1) / (float)(i + 2);
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++) {
            ex_operand ox = operand(x, a), od = operand(dy, b), oy = operand(y, (a + b) % 4);
            EACH { *at(&ox, n, c, h, w) = value(n, c, h, w, 0); *at(&od, n, c, h, w) = value(n, c, h, w, 5); }
            ex_channels_affine(&oy, &ox, k[0], k[1], k[2], 0, NULL);
            EACH assert_true(fabsf(*at(&oy, n, c, h, w) - ((value(n, c, h, w, 0) - k[0][c]) * k[1][c] + k[2][c])) < 1e-4f);
            ex_channels_scale(&oy, &ox, k[1], NULL);
            EACH assert_true(*at(&oy, n, c, h, w) == value(n, c, h, w, 0) * k[1][c]);
            ex_channels_norm_grad(&oy, &ox, &od, k[0], k[1], k[2], k[3], NULL);
            EACH assert_true(fabsf(*at(&oy, n, c, h, w) - (value(n, c, h, w, 5) * k[1][c] + (value(n, c, h, w, 0) - k[0][c]) * k[2][c] + k[3][c])) < 1e-3f);
        }
    free(x), free(dy), free(y);
}

static void sums(void **state)
{
    (void)state;
    float *x = calloc(ROOM, sizeof *x), *dy = calloc(ROOM, sizeof *dy), center[C];
    void *scratch = malloc(ex_channels_sum_bytes(C));
    for (int c = 0; c < C; c++) center[c] = (float)c / 30;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++) {
            ex_operand ox = operand(x, a), od = operand(dy, b);
            double e[4][C] = { { 0 } }, out[2 * C];
            EACH {
                double v = *at(&ox, n, c, h, w) = value(n, c, h, w, 0), g = *at(&od, n, c, h, w) = value(n, c, h, w, 5), d = v - center[c];
                e[0][c] += v; e[1][c] += d * d; e[2][c] += g; e[3][c] += g * d;
            }
            ex_channels_sum(out, &ox, scratch, NULL);
            for (int c = 0; c < C; c++) assert_true(fabs(out[c] - e[0][c]) < 1e-4);
            ex_channels_moments(out, &ox, center, scratch, NULL);
            for (int c = 0; c < C; c++) assert_true(fabs(out[c] - (e[0][c] - N * H * W * center[c])) < 1e-4 && fabs(out[C + c] - e[1][c]) < 1e-4);
            ex_channels_products(out, &ox, &od, center, scratch, NULL);
            for (int c = 0; c < C; c++) assert_true(fabs(out[c] - e[2][c]) < 1e-4 && fabs(out[C + c] - e[3][c]) < 1e-4);
        }
    free(x), free(dy), free(scratch);
}

static void shapes_are_checked(void **state)
{
    (void)state;
    ex_shape s = OP_SHAPE(EX_BATCH, 4), per = OP_SHAPE(4), no = OP_SHAPE(EX_BATCH, 4, 2), labels = OP_LABELS(4);
    assert_int_equal(ex_expect_channels("input", &s), EX_OK);
    assert_int_equal(ex_expect_channels("input", &no), EX_FAILED);
    assert_string_equal(ex_error_message(), "input must be (N, C, H, W) or (N, C) in float32, got (N, 4, 2) float32");
    assert_int_equal(ex_expect_per_channel("gamma", &per, 4), EX_OK);
    assert_int_equal(ex_expect_per_channel("gamma", &labels, 4), EX_FAILED);
    assert_string_equal(ex_error_message(), "gamma: got (4) int32, expected (4) float32: one number per channel");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(maps), cmocka_unit_test(sums), cmocka_unit_test(shapes_are_checked) };
    return cmocka_run_group_tests_name("channels", tests, NULL, NULL);
}
