/* copy_test.c: copies against a naive walk: every pair of types, many strides, tiles and tails, overlap; conversions
 * at the ends of ranges; fills. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "../../../core/tensor/tensor.h"

#define DIMS(...) (int32_t[]){ __VA_ARGS__ }

/* Numbers that every type holds, none like its neighbours. */
static void number_all(ex_tensor *t)
{
    ex_tensor *dense = ex_tensor_new(EX_INT32, t->ndim, t->dim);
    for (int64_t i = 0; i < ex_tensor_count(t); i++) ((int32_t *)dense->data)[i] = (int32_t)(i * 37 % 251);
    int32_t index[EX_MAX_DIMS] = { 0 };
    for (int64_t i = 0; i < ex_tensor_count(t); i++) {
        assert_int_equal(ex_tensor_set(t, index, ((int32_t *)dense->data)[i]), EX_OK);
        for (int32_t axis = t->ndim - 1; axis >= 0 && ++index[axis] == t->dim[axis]; axis--) index[axis] = 0;
    }
    ex_tensor_free(dense);
}

static void assert_same_numbers(const ex_tensor *a, const ex_tensor *b)
{
    int32_t index[EX_MAX_DIMS] = { 0 };
    for (int64_t i = 0; i < ex_tensor_count(a); i++) {
        assert_true(ex_tensor_get(a, index) == ex_tensor_get(b, index));
        for (int32_t axis = a->ndim - 1; axis >= 0 && ++index[axis] == a->dim[axis]; axis--) index[axis] = 0;
    }
}

/* A view of shape (a, b, c) with the strides that `form` stands for. */
enum { DENSE, CHANNELS_LAST, TURNED, STEPPED, BACKWARDS, FORMS };

static ex_tensor *view_of_form(int form, int32_t dtype, int32_t a, int32_t b, int32_t c)
{
    ex_tensor *base, *view = NULL;
    switch (form) {
    case CHANNELS_LAST: return ex_tensor_new_ordered(dtype, 3, DIMS(a, b, c), DIMS(0, 2, 1));
    case TURNED: return ex_tensor_new_ordered(dtype, 3, DIMS(a, b, c), DIMS(2, 1, 0));
    case STEPPED:
        base = ex_tensor_new(dtype, 3, DIMS(a, 2 * b, 3 * c));
        view = ex_tensor_slice(base, 2, 1, c, 3);
        ex_tensor_free(base);
        base = view;
        view = ex_tensor_slice(base, 1, 0, b, 2);
        ex_tensor_free(base);
        return view;
    case BACKWARDS:
        base = ex_tensor_new(dtype, 3, DIMS(a, b, c));
        view = ex_tensor_slice(base, 2, c - 1, c, -1);
        ex_tensor_free(base);
        return view;
    default: return ex_tensor_new(dtype, 3, DIMS(a, b, c));
    }
}

static void every_pair_of_types_and_strides(void **state)
{
    (void)state;
    double held = ex_memory_bytes();
    static const int32_t shapes[][3] = { { 2, 3, 5 }, { 1, 1, 1 }, { 3, 1, 70 }, { 2, 40, 33 }, { 1, 33, 1 } };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int from = 0; from < EX_DTYPE_COUNT * FORMS; from++) {
            ex_tensor *in = view_of_form(from / EX_DTYPE_COUNT, from % EX_DTYPE_COUNT, shapes[s][0], shapes[s][1], shapes[s][2]);
            number_all(in);
            for (int to = 0; to < EX_DTYPE_COUNT * FORMS; to++) {
                ex_tensor *out = view_of_form(to / EX_DTYPE_COUNT, to % EX_DTYPE_COUNT, shapes[s][0], shapes[s][1], shapes[s][2]);
                assert_int_equal(ex_tensor_copy(out, in), EX_OK);
                assert_same_numbers(out, in);
                ex_tensor_free(out);
            }
            ex_tensor_free(in);
        }
    assert_true(ex_memory_bytes() == held);
}

static void a_copy_stays_inside_its_view(void **state)
{
    (void)state;
    ex_tensor *base = ex_tensor_new(EX_INT32, 2, DIMS(6, 8)), *in = ex_tensor_new(EX_FLOAT32, 2, DIMS(3, 4));
    ex_tensor_fill(base, -7);
    ex_tensor_fill(in, 1);
    ex_tensor *rows = ex_tensor_slice(base, 0, 1, 3, 2), *view = ex_tensor_slice(rows, 1, 0, 4, 2);
    ex_tensor_copy(view, in);
    for (int32_t i = 0; i < 6; i++)
        for (int32_t j = 0; j < 8; j++)
            assert_true(ex_tensor_get(base, DIMS(i, j)) == (i % 2 == 1 && j % 2 == 0 ? 1 : -7));
    ex_tensor_free(view);
    ex_tensor_free(rows);
    ex_tensor_free(base);
    ex_tensor_free(in);
}

static void broadcast_inputs_are_repeated(void **state)
{
    (void)state;
    ex_tensor *row = ex_tensor_new(EX_INT32, 1, DIMS(4)), *out = ex_tensor_new(EX_FLOAT32, 3, DIMS(2, 3, 4));
    number_all(row);
    ex_tensor *wide = ex_tensor_broadcast(row, 3, DIMS(2, 3, 4));
    assert_int_equal(ex_tensor_copy(out, wide), EX_OK);
    assert_same_numbers(out, wide);
    ex_tensor_free(wide);
    ex_tensor_free(row);
    ex_tensor_free(out);
}

static void eight_axes(void **state)
{
    (void)state;
    ex_tensor *in = ex_tensor_new(EX_FLOAT32, 8, DIMS(2, 1, 3, 2, 2, 1, 3, 2));
    ex_tensor *out = ex_tensor_new_ordered(EX_UINT8, 8, in->dim, DIMS(7, 0, 6, 1, 5, 2, 4, 3));
    number_all(in);
    assert_int_equal(ex_tensor_copy(out, in), EX_OK);
    assert_same_numbers(out, in);
    ex_tensor_free(in);
    ex_tensor_free(out);
}

/* t[::-1] = t must not read what it has already written. */
static void overlapping_views_copy_as_if_through_memory(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new(EX_INT32, 2, DIMS(5, 5)), *before = ex_tensor_new(EX_INT32, 2, DIMS(5, 5));
    number_all(t);
    ex_tensor_copy(before, t);
    ex_tensor *turned = ex_tensor_permute(t, DIMS(1, 0)), *expected = ex_tensor_permute(before, DIMS(1, 0));
    assert_int_equal(ex_tensor_copy(t, turned), EX_OK);
    assert_same_numbers(t, expected);
    ex_tensor_free(turned);
    ex_tensor_free(expected);
    ex_tensor_free(before);
    ex_tensor_free(t);
}

static void shapes_must_agree(void **state)
{
    (void)state;
    ex_tensor *a = ex_tensor_new(EX_FLOAT32, 2, DIMS(3, 4)), *b = ex_tensor_new(EX_FLOAT32, 2, DIMS(4, 3)), *c = ex_tensor_new(EX_FLOAT32, 1, DIMS(3));
    assert_int_equal(ex_tensor_copy(a, b), EX_FAILED);
    assert_string_equal(ex_error_message(), "copy: shape (4, 3) into shape (3, 4)");
    assert_int_equal(ex_tensor_copy(a, c), EX_FAILED);
    ex_tensor_free(a);
    ex_tensor_free(b);
    ex_tensor_free(c);
}

static void floats_are_cut_to_the_range_of_integers(void **state)
{
    (void)state;
    static const struct { float in; int32_t as_int, as_byte; } cases[] = {
        { 1.9f, 1, 1 }, { -1.9f, -1, 0 }, { 0.999f, 0, 0 }, { 254.999f, 254, 254 }, { 255.5f, 255, 255 }, { 300, 300, 255 },
        { 2147483520.0f, 2147483520, 255 }, { 2147483648.0f, INT32_MAX, 255 }, { -2147483648.0f, INT32_MIN, 0 },
        { 1e30f, INT32_MAX, 255 }, { -1e30f, INT32_MIN, 0 }, { INFINITY, INT32_MAX, 255 }, { -INFINITY, INT32_MIN, 0 }, { NAN, 0, 0 },
    };
    ex_tensor *in = ex_tensor_new(EX_FLOAT32, 1, DIMS(1)), *i = ex_tensor_new(EX_INT32, 1, DIMS(1)), *b = ex_tensor_new(EX_UINT8, 1, DIMS(1));
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        *(float *)in->data = cases[k].in;
        ex_tensor_copy(i, in);
        ex_tensor_copy(b, in);
        assert_true(ex_tensor_get(i, DIMS(0)) == cases[k].as_int);
        assert_true(ex_tensor_get(b, DIMS(0)) == cases[k].as_byte);
    }
    ex_tensor_set(i, DIMS(0), -5);
    ex_tensor_copy(b, i);
    assert_true(ex_tensor_get(b, DIMS(0)) == 0);
    ex_tensor_set(i, DIMS(0), 1000);
    ex_tensor_copy(b, i);
    assert_true(ex_tensor_get(b, DIMS(0)) == 255);
    ex_tensor_set(i, DIMS(0), 16777217);    /* 2^24 + 1 has no float */
    ex_tensor_copy(in, i);
    assert_true(ex_tensor_get(in, DIMS(0)) == 16777216);
    ex_tensor_free(in);
    ex_tensor_free(i);
    ex_tensor_free(b);
}

static void fills_of_every_type(void **state)
{
    (void)state;
    for (int32_t dtype = 0; dtype < EX_DTYPE_COUNT; dtype++) {
        ex_tensor *t = ex_tensor_new_ordered(dtype, 3, DIMS(3, 4, 5), DIMS(1, 2, 0));
        assert_int_equal(ex_tensor_fill(t, 77), EX_OK);
        for (int32_t i = 0; i < 60; i++) assert_true(ex_tensor_get(t, DIMS(i / 20, i / 5 % 4, i % 5)) == 77);
        ex_tensor_free(t);
    }
    ex_tensor *b = ex_tensor_new(EX_UINT8, 1, DIMS(2));
    assert_int_equal(ex_tensor_fill(b, 256), EX_FAILED);
    assert_string_equal(ex_error_message(), "fill: uint8 holds whole numbers from 0 to 255, not 256");
    assert_true(ex_tensor_get(b, DIMS(0)) == 0);
    ex_tensor_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_types_and_strides),
        cmocka_unit_test(a_copy_stays_inside_its_view),
        cmocka_unit_test(broadcast_inputs_are_repeated),
        cmocka_unit_test(eight_axes),
        cmocka_unit_test(overlapping_views_copy_as_if_through_memory),
        cmocka_unit_test(shapes_must_agree),
        cmocka_unit_test(floats_are_cut_to_the_range_of_integers),
        cmocka_unit_test(fills_of_every_type),
    };
    return cmocka_run_group_tests_name("tensor/copy", tests, NULL, NULL);
}
