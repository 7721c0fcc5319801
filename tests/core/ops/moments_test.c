/* moments_test.c: means and variances gathered by parts, in pieces: by hand, and far from zero against a sum in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../core/ops/moments.h"

typedef struct result { float mean[2], biased[2], unbiased[2]; } result;

static void give(result *r, int32_t parts, double *moments)
{
    ex_operand out[3];
    float *const to[] = { r->mean, r->biased, r->unbiased };
    for (int i = 0; i < 3; i++) out[i] = (ex_operand){ .data = to[i], .ndim = 1, .dim = { 2 }, .stride = { 1 } };
    ex_moments_give(&(ex_call){ .parts = parts }, 2, moments, out);
}

/* Channel 0: 1, 3 | 5 and 7, 9; channel 1: always 4. Mean 5, squares 16 + 4 + 0 + 4 + 16. */
static void by_hand(void **state)
{
    (void)state;
    double *moments = malloc(ex_moments_bytes(2, 2));
    const double first[] = { 2, 4, 2, 0 }, second[] = { 5, 4, 0, 0 }, third[] = { 8, 4, 2, 0 };
    result r;
    ex_moments_add(moments, &(ex_call){ .part = 0, .more = 0 }, 2, first, 2);
    ex_moments_add(moments, &(ex_call){ .part = 0, .more = 1 }, 2, second, 1);
    ex_moments_add(moments, &(ex_call){ .part = 1, .more = 0 }, 2, third, 2);
    give(&r, 2, moments);
    assert_true(r.mean[0] == 5 && r.biased[0] == 8 && r.unbiased[0] == 10);
    assert_true(r.mean[1] == 4 && r.biased[1] == 0 && r.unbiased[1] == 0);
    free(moments);
}

static void one_number_has_no_unbiased_variance(void **state)
{
    (void)state;
    double *moments = malloc(ex_moments_bytes(2, 1));
    const double only[] = { -7, 0.5, 0, 0 };
    result r;
    ex_moments_add(moments, &(ex_call){ .part = 0 }, 2, only, 1);
    give(&r, 1, moments);
    assert_true(r.mean[0] == -7 && r.biased[0] == 0 && r.unbiased[0] == 0);
    free(moments);
}

/* 40 parts of 1 to 3 pieces of numbers near a million, whose spread is 1: a sum of squares would lose it in float. */
static void far_from_zero(void **state)
{
    (void)state;
    enum { PARTS = 40 };
    double *moments = malloc(ex_moments_bytes(2, PARTS)), sum = 0, square = 0, count = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int32_t part = 0; part < PARTS; part++)
            for (int32_t piece = 0; piece <= part % 3; piece++) {
                const double value = 1e6 + sin(part * 3.0 + piece), many = 1 + (part + piece) % 4;
                if (!pass) {
                    ex_moments_add(moments, &(ex_call){ .part = part, .more = piece > 0 }, 2, (double[]){ value, 0, 0, 0 }, many);
                    sum += value * many;
                    count += many;
                } else square += (value - sum / count) * (value - sum / count) * many;
            }
    result r;
    give(&r, PARTS, moments);
    assert_true(fabs(r.mean[0] - sum / count) < 0.1);
    assert_true(fabs(r.biased[0] / (square / count) - 1) < 1e-6);
    assert_true(fabs(r.unbiased[0] / (square / (count - 1)) - 1) < 1e-6);
    free(moments);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(by_hand), cmocka_unit_test(one_number_has_no_unbiased_variance),
                                        cmocka_unit_test(far_from_zero) };
    return cmocka_run_group_tests_name("moments", tests, NULL, NULL);
}
