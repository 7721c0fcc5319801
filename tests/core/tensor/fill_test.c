/* fill_test.c: random tensors: the same numbers whatever the strides, in their range, with the moments they should
 * have; permutations that are permutations; seeds and ranges that are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "../../../core/base/random.h"
#include "../../../core/tensor/tensor.h"

#define DIMS(...) (int32_t[]){ __VA_ARGS__ }

static void streams_do_not_depend_on_strides(void **state)
{
    (void)state;
    ex_tensor *dense = ex_tensor_new(EX_FLOAT32, 4, DIMS(3, 5, 2, 7)), *copy = ex_tensor_new(EX_FLOAT32, 4, dense->dim);
    ex_tensor *strided = ex_tensor_new_ordered(EX_FLOAT32, 4, dense->dim, DIMS(2, 3, 1, 0));
    assert_int_equal(ex_tensor_normal(dense, 7, "conv1.weight", 0, 1), EX_OK);
    assert_int_equal(ex_tensor_normal(strided, 7, "conv1.weight", 0, 1), EX_OK);
    ex_tensor_copy(copy, strided);
    assert_memory_equal(copy->data, dense->data, 210 * sizeof(float));
    ex_tensor_uniform(dense, 7, "conv1.weight", -1, 1);
    ex_tensor_uniform(strided, 7, "conv1.weight", -1, 1);
    ex_tensor_copy(copy, strided);
    assert_memory_equal(copy->data, dense->data, 210 * sizeof(float));
    ex_tensor_free(dense);
    ex_tensor_free(copy);
    ex_tensor_free(strided);
}

/* Element k is word k % 4 of counter k / 4: written down here so that it can never change unseen. */
static void numbers_are_those_of_the_stream(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 1, DIMS(11));
    ex_tensor_uniform(t, 420, "x", 0, 1);
    for (int32_t k = 0; k < 11; k++) {
        uint32_t word[4];
        ex_random4(word, 420, ex_hash_name("x"), (uint32_t)k / 4, 0, 0);
        assert_true(fabs(ex_tensor_get(t, &k) - word[k % 4] * 0x1p-32) < 1e-7);
    }
    ex_tensor_free(t);
}

static void seeds_and_names_make_other_numbers(void **state)
{
    (void)state;
    ex_tensor *a = ex_tensor_new(EX_FLOAT32, 1, DIMS(8)), *b = ex_tensor_new(EX_FLOAT32, 1, DIMS(8));
    ex_tensor_uniform(a, 1, "x", 0, 1);
    ex_tensor_uniform(b, 1, "x", 0, 1);
    assert_memory_equal(a->data, b->data, 32);
    ex_tensor_uniform(b, 2, "x", 0, 1);
    assert_memory_not_equal(a->data, b->data, 32);
    ex_tensor_uniform(b, 1, "y", 0, 1);
    assert_memory_not_equal(a->data, b->data, 32);
    ex_tensor_uniform(b, 4294967297.0, "x", 0, 1);      /* 2^32 + 1 */
    assert_memory_not_equal(a->data, b->data, 32);
    ex_tensor_free(a);
    ex_tensor_free(b);
}

/* Mean and deviation of 40,000 numbers; the bounds are more than six standard errors. */
static void moments(const ex_tensor *t, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    int32_t n = t->dim[0];
    for (int32_t i = 0; i < n; i++) sum += ex_tensor_get(t, &i);
    for (int32_t i = 0; i < n; i++) squares += pow(ex_tensor_get(t, &i) - sum / n, 2);
    *mean = sum / n;
    *deviation = sqrt(squares / n);
}

static void distributions_have_their_moments(void **state)
{
    (void)state;
    double mean, deviation;
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 1, DIMS(40000));
    ex_tensor_normal(t, 3, "n", 5, 2);
    moments(t, &mean, &deviation);
    assert_true(fabs(mean - 5) < 0.07 && fabs(deviation - 2) < 0.05);
    ex_tensor_uniform(t, 3, "u", -1, 3);
    moments(t, &mean, &deviation);
    assert_true(fabs(mean - 1) < 0.04 && fabs(deviation - 4 / sqrt(12)) < 0.03);
    for (int32_t i = 0; i < 40000; i++) assert_true(ex_tensor_get(t, &i) >= -1 && ex_tensor_get(t, &i) < 3);
    ex_tensor_normal(t, 3, "n", -4, 0);
    moments(t, &mean, &deviation);
    assert_true(mean == -4 && deviation == 0);
    ex_tensor_free(t);
}

/* (1, 1 + 2^-23): every float below the upper end is 1, however the draw is rounded. */
static void a_uniform_float_never_reaches_the_upper_end(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 1, DIMS(1000));
    ex_tensor_uniform(t, 1, "edge", 1, 1 + 0x1p-23);
    for (int32_t i = 0; i < 1000; i++) assert_true(ex_tensor_get(t, &i) == 1);
    ex_tensor_free(t);
}

static void uniform_integers_cover_their_range(void **state)
{
    (void)state;
    static const struct { int32_t dtype; double low, high; } cases[] = { { EX_INT32, -3, 4 }, { EX_UINT8, 249, 256 } };
    for (int c = 0; c < 2; c++) {
        ex_tensor *t = ex_tensor_new(cases[c].dtype, 1, DIMS(7000));
        int count[7] = { 0 };
        assert_int_equal(ex_tensor_uniform(t, 1, "i", cases[c].low, cases[c].high), EX_OK);
        for (int32_t i = 0; i < 7000; i++) {
            int at = (int)(ex_tensor_get(t, &i) - cases[c].low);
            assert_in_range(at, 0, 6);
            count[at]++;
        }
        for (int i = 0; i < 7; i++) assert_in_range(count[i], 800, 1200);
        ex_tensor_free(t);
    }
}

static void permutations_hold_each_number_once(void **state)
{
    (void)state;
    ex_tensor *p = ex_tensor_new(EX_INT32, 1, DIMS(1000));
    assert_int_equal(ex_tensor_permutation(p, 9, "epoch1"), EX_OK);
    int seen[1000] = { 0 }, fixed = 0;
    for (int32_t i = 0; i < 1000; i++) {
        int32_t v = ((int32_t *)p->data)[i];
        assert_in_range(v, 0, 999);
        seen[v]++;
        fixed += v == i;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(seen[i], 1);
    assert_true(fixed < 20);
    ex_tensor *wide = ex_tensor_new(EX_INT32, 2, DIMS(1000, 2)), *column = ex_tensor_slice(wide, 1, 1, 1, 1);
    column->ndim = 1;                       /* a strided view with one axis */
    assert_int_equal(ex_tensor_permutation(column, 9, "epoch1"), EX_OK);
    for (int32_t i = 0; i < 1000; i++) assert_true(ex_tensor_get(column, &i) == ex_tensor_get(p, &i));
    ex_tensor_free(column);
    ex_tensor_free(wide);
    ex_tensor_free(p);
}

/* All 6 orders of 3 elements about as often. */
static void permutations_are_fair(void **state)
{
    (void)state;
    ex_tensor *p = ex_tensor_new(EX_INT32, 1, DIMS(3));
    int count[27] = { 0 };
    for (int seed = 0; seed < 6000; seed++) {
        ex_tensor_permutation(p, seed, "fair");
        const int32_t *v = (const int32_t *)p->data;
        count[v[0] * 9 + v[1] * 3 + v[2]]++;
    }
    static const int orders[] = { 5, 7, 11, 15, 19, 21 };      /* 012 021 102 120 201 210 */
    for (int i = 0; i < 6; i++) assert_in_range(count[orders[i]], 820, 1180);
    ex_tensor_free(p);
}

static void bad_seeds_ranges_and_types_are_refused(void **state)
{
    (void)state;
    ex_tensor *f = ex_tensor_new(EX_FLOAT32, 1, DIMS(2)), *i = ex_tensor_new(EX_INT32, 1, DIMS(2)), *b = ex_tensor_new(EX_UINT8, 2, DIMS(2, 2));
    assert_int_equal(ex_tensor_uniform(f, -1, "s", 0, 1), EX_FAILED);
    assert_string_equal(ex_error_message(), "uniform: a seed is a whole number from 0 to 2^53, not -1");
    assert_int_equal(ex_tensor_normal(f, 1.5, "s", 0, 1), EX_FAILED);
    assert_string_equal(ex_error_message(), "normal: a seed is a whole number from 0 to 2^53, not 1.5");
    assert_int_equal(ex_tensor_permutation(i, NAN, "s"), EX_FAILED);
    assert_int_equal(ex_tensor_uniform(f, 1e300, "s", 0, 1), EX_FAILED);
    assert_int_equal(ex_tensor_uniform(f, 1, "s", 1, 1), EX_FAILED);
    assert_string_equal(ex_error_message(), "uniform: [1, 1) is not a range of float32");
    assert_int_equal(ex_tensor_uniform(f, 1, "s", NAN, 1), EX_FAILED);
    assert_int_equal(ex_tensor_uniform(f, 1, "s", 0, INFINITY), EX_FAILED);
    assert_int_equal(ex_tensor_uniform(b, 1, "s", 0, 257), EX_FAILED);
    assert_int_equal(ex_tensor_uniform(b, 1, "s", -1, 5), EX_FAILED);
    assert_int_equal(ex_tensor_normal(i, 1, "s", 0, 1), EX_FAILED);
    assert_string_equal(ex_error_message(), "normal: a float32 tensor is needed, got int32");
    assert_int_equal(ex_tensor_normal(f, 1, "s", 0, -1), EX_FAILED);
    assert_int_equal(ex_tensor_normal(f, 1, "s", 0, INFINITY), EX_FAILED);
    assert_int_equal(ex_tensor_permutation(f, 1, "s"), EX_FAILED);
    assert_string_equal(ex_error_message(), "permutation: an int32 tensor with one axis is needed, got float32 (2)");
    assert_int_equal(ex_tensor_permutation(b, 1, "s"), EX_FAILED);
    ex_tensor_free(f);
    ex_tensor_free(i);
    ex_tensor_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_do_not_depend_on_strides),
        cmocka_unit_test(numbers_are_those_of_the_stream),
        cmocka_unit_test(seeds_and_names_make_other_numbers),
        cmocka_unit_test(distributions_have_their_moments),
        cmocka_unit_test(a_uniform_float_never_reaches_the_upper_end),
        cmocka_unit_test(uniform_integers_cover_their_range),
        cmocka_unit_test(permutations_hold_each_number_once),
        cmocka_unit_test(permutations_are_fair),
        cmocka_unit_test(bad_seeds_ranges_and_types_are_refused),
    };
    return cmocka_run_group_tests_name("tensor/fill", tests, NULL, NULL);
}
