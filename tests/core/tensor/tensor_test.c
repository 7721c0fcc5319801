/* tensor_test.c: shapes that are allowed and refused, views and views of views, single elements, versions, lifetimes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "../../../core/tensor/tensor.h"

#define DIMS(...) (int32_t[]){ __VA_ARGS__ }
#define assert_message(text) assert_string_equal(ex_error_message(), text)
#define assert_message_has(text) assert_non_null(strstr(ex_error_message(), text))

/* A dense float32 tensor whose elements are 0, 1, 2, ... in row-major order. */
static ex_tensor *counting(int32_t ndim, const int32_t *dim)
{
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, ndim, dim);
    assert_non_null(t);
    for (int64_t i = 0; i < ex_tensor_count(t); i++) ((float *)t->data)[i] = (float)i;
    return t;
}

static int leak_check_start(void **state)
{
    static double held;
    held = ex_memory_bytes();
    *state = &held;
    return 0;
}

static int leak_check_end(void **state) { return ex_memory_bytes() != *(double *)*state; }

static void new_is_dense_and_zero(void **state)
{
    (void)state;
    for (int32_t dtype = 0; dtype < EX_DTYPE_COUNT; dtype++) {
        ex_tensor *t = ex_tensor_new(dtype, 3, DIMS(2, 3, 5));
        ex_tensor_info info;
        ex_tensor_describe(t, &info);
        assert_int_equal(info.dtype, dtype);
        assert_int_equal(info.ndim, 3);
        assert_int_equal(info.dim[1], 3);
        assert_true(info.stride[0] == 15 && info.stride[1] == 5 && info.stride[2] == 1);
        assert_true(info.count == 30 && info.dense == 1);
        for (size_t i = 0; i < 30 * ex_dtype_size(dtype); i++) assert_int_equal(((char *)info.data)[i], 0);
        ex_tensor_free(t);
    }
}

static void a_scalar_has_no_axes(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 0, NULL);
    assert_int_equal(ex_tensor_set(t, NULL, 2.5), EX_OK);
    assert_true(ex_tensor_get(t, NULL) == 2.5);
    assert_int_equal(ex_tensor_count(t), 1);
    assert_true(ex_tensor_dense(t));
    ex_tensor_free(t);
}

static void empty_tensors_are_tensors(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new(EX_INT32, 3, DIMS(4, 0, 2147483647));
    assert_int_equal(ex_tensor_count(t), 0);
    assert_true(ex_tensor_dense(t));
    assert_int_equal(ex_tensor_fill(t, 3), EX_OK);
    ex_tensor *view = ex_tensor_reshape(t, 2, DIMS(0, 7));
    assert_non_null(view);
    ex_tensor_free(view);
    ex_tensor_free(t);
}

static void impossible_shapes_are_refused_in_one_line(void **state)
{
    (void)state;
    static const struct { int32_t dtype, ndim, dim[9]; const char *message; } cases[] = {
        { EX_FLOAT32, 2, { 3, -4 }, "tensor: negative size in shape (3, -4)" },
        { EX_FLOAT32, 9, { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, "tensor: 9 axes; 0 to 8 are possible" },
        { EX_FLOAT32, -1, { 0 }, "tensor: -1 axes; 0 to 8 are possible" },
        { 3, 1, { 4 }, "tensor: no type 3; there are float32, int32, uint8" },
        { -1, 1, { 4 }, "tensor: no type -1; there are float32, int32, uint8" },
        { EX_UINT8, 3, { INT32_MAX, INT32_MAX, INT32_MAX }, "tensor: shape (2147483647, 2147483647, 2147483647) is too large" },
        { EX_FLOAT32, 2, { INT32_MAX, INT32_MAX }, "tensor: shape (2147483647, 2147483647) is too large" },
        { EX_FLOAT32, 4, { INT32_MAX, INT32_MAX, INT32_MAX, 0 }, "tensor: shape (2147483647, 2147483647, 2147483647, 0) is too large" },
        { EX_UINT8, 2, { INT32_MAX, 1 << 30 }, "tensor (2147483647, 1073741824): out of memory: cannot allocate 2305843008140.0 MB" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(ex_tensor_new(cases[i].dtype, cases[i].ndim, cases[i].dim));
        assert_message(cases[i].message);
    }
}

static void order_lays_out_memory(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new_ordered(EX_FLOAT32, 4, DIMS(8, 3, 5, 7), DIMS(2, 3, 1, 0));   /* kH, kW, in, out */
    assert_int_equal(t->stride[0], 1);
    assert_int_equal(t->stride[1], 8);
    assert_int_equal(t->stride[3], 24);
    assert_int_equal(t->stride[2], 24 * 7);
    assert_false(ex_tensor_dense(t));
    ex_tensor_free(t);
    static const int32_t wrong[][2] = { { 0, 0 }, { 1, 2 }, { -1, 0 } };
    for (int i = 0; i < 3; i++) {
        assert_null(ex_tensor_new_ordered(EX_FLOAT32, 2, DIMS(2, 2), wrong[i]));
        assert_message_has("is not an order of 2 axes");
    }
}

static void size_one_axes_do_not_break_density(void **state)
{
    (void)state;
    ex_tensor *t = counting(3, DIMS(4, 1, 5));
    ex_tensor *p = ex_tensor_permute(t, DIMS(1, 0, 2));
    assert_true(ex_tensor_dense(p));
    ex_tensor *q = ex_tensor_permute(t, DIMS(2, 1, 0));
    assert_false(ex_tensor_dense(q));
    ex_tensor_free(p);
    ex_tensor_free(q);
    ex_tensor_free(t);
}

/* -- Views ------------------------------------------------------------------------------------------- */

static void views_of_views_reach_the_right_elements(void **state)
{
    (void)state;
    ex_tensor *t = counting(3, DIMS(4, 5, 6));                            /* t[i][j][k] = 30 i + 6 j + k */
    ex_tensor *odd = ex_tensor_slice(t, 2, 1, 3, 2);                      /* k = 1, 3, 5 */
    ex_tensor *turned = ex_tensor_permute(odd, DIMS(2, 0, 1));            /* (3, 4, 5) */
    ex_tensor *back = ex_tensor_slice(turned, 1, 3, 2, -3);               /* i = 3, 0 */
    ex_tensor_free(t);                                                    /* the views keep the storage */
    ex_tensor_free(odd);
    ex_tensor_free(turned);
    assert_true(ex_tensor_get(back, DIMS(2, 0, 4)) == 30 * 3 + 6 * 4 + 5);
    assert_true(ex_tensor_get(back, DIMS(0, 1, 2)) == 6 * 2 + 1);
    assert_false(ex_tensor_dense(back));
    ex_tensor_free(back);
}

static void a_view_writes_into_its_base(void **state)
{
    (void)state;
    ex_tensor *t = counting(2, DIMS(3, 4)), *column = ex_tensor_slice(t, 1, 2, 1, 1);
    assert_int_equal(ex_tensor_fill(column, -1), EX_OK);
    assert_true(ex_tensor_get(t, DIMS(1, 2)) == -1);
    assert_true(ex_tensor_get(t, DIMS(1, 1)) == 5);
    ex_tensor_free(column);
    ex_tensor_free(t);
}

static void slices_outside_are_refused(void **state)
{
    (void)state;
    ex_tensor *t = counting(2, DIMS(3, 4));
    static const int32_t wrong[][4] = {     /* axis, start, count, step */
        { 0, 3, 1, 1 }, { 0, -1, 1, 1 }, { 0, 0, 4, 1 }, { 0, 0, 2, 3 }, { 0, 0, 1, 0 }, { 0, 0, -1, 1 }, { 0, 0, 2, -1 },
        { 1, 1, INT32_MAX, INT32_MAX }, { 0, INT32_MAX, INT32_MAX, 1 }, { 0, 0, 2, INT32_MIN }, { 0, 4, 0, 1 }, { 0, -1, 0, 1 },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(ex_tensor_slice(t, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3]));
        assert_message_has("do not fit axis");
        assert_message_has("(3, 4)");
    }
    assert_null(ex_tensor_slice(t, 2, 0, 1, 1));
    assert_message("slice: axis 2 of a tensor of shape (3, 4)");
    assert_null(ex_tensor_slice(t, -1, 0, 1, 1));
    ex_tensor *empty = ex_tensor_slice(t, 0, 3, 0, 1);                    /* nothing, from the end: allowed */
    assert_int_equal(ex_tensor_count(empty), 0);
    ex_tensor_free(empty);
    ex_tensor_free(t);
}

static void permute_refuses_what_is_no_order(void **state)
{
    (void)state;
    ex_tensor *t = counting(3, DIMS(2, 3, 4));
    static const int32_t wrong[][3] = { { 0, 1, 1 }, { 0, 1, 3 }, { -1, 0, 1 }, { 100, 200, 300 } };
    for (int i = 0; i < 4; i++) {
        assert_null(ex_tensor_permute(t, wrong[i]));
        assert_message_has("is not an order of the 3 axes of shape (2, 3, 4)");
    }
    ex_tensor_free(t);
}

static void reshape_infers_one_axis(void **state)
{
    (void)state;
    ex_tensor *t = counting(2, DIMS(4, 6));
    ex_tensor *r = ex_tensor_reshape(t, 3, DIMS(2, -1, 3));
    assert_int_equal(r->dim[1], 4);
    assert_true(ex_tensor_get(r, DIMS(1, 3, 2)) == 23);
    ex_tensor_free(r);
    r = ex_tensor_reshape(t, 1, DIMS(-1));
    assert_int_equal(r->dim[0], 24);
    ex_tensor_free(r);
    ex_tensor_free(t);
}

static void reshape_refuses_what_cannot_be(void **state)
{
    (void)state;
    ex_tensor *t = counting(2, DIMS(4, 6)), *turned = ex_tensor_permute(t, DIMS(1, 0));
    static const struct { int32_t ndim, dim[3]; const char *message; } cases[] = {
        { 2, { 5, 5 }, "reshape: shape (4, 6) (24 elements) cannot become (5, 5)" },
        { 2, { -1, 5 }, "reshape: shape (4, 6) (24 elements) cannot become (-1, 5)" },
        { 2, { -1, -1 }, "reshape: more than one -1 in (-1, -1)" },
        { 2, { -2, -12 }, "reshape: negative size in (-2, -12)" },
        { 2, { -1, 0 }, "reshape: shape (4, 6) (24 elements) cannot become (-1, 0)" },
        { 3, { INT32_MAX, INT32_MAX, INT32_MAX }, "reshape: shape (2147483647, 2147483647, 2147483647) is too large" },
        { 9, { 0 }, "reshape: 9 axes; 0 to 8 are possible" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(ex_tensor_reshape(t, cases[i].ndim, cases[i].dim));
        assert_message(cases[i].message);
    }
    assert_null(ex_tensor_reshape(turned, 1, DIMS(24)));
    assert_message("reshape: a strided view of shape (6, 4) must be made dense to become (24)");
    ex_tensor_free(turned);
    ex_tensor_free(t);
}

/* Every shape that strides can say is a view: the same elements in the same order, without a copy. */
static void reshape_of_strided_views(void **state)
{
    (void)state;
    static const struct { int32_t ndim, dim[6], possible; } cases[] = {
        { 3, { 4, 3, 5 }, 1 }, { 5, { 4, 1, 3, 1, 5 }, 1 }, { 6, { 1, 2, 2, 3, 1, 5 }, 1 }, { 4, { 2, 2, 3, 5 }, 1 },
        { 3, { 2, 2, 15 }, 0 }, { 2, { 12, 5 }, 1 }, { 2, { 4, 15 }, 0 }, { 1, { 60 }, 0 }, { 3, { 5, 4, 3 }, 0 }, { 4, { 6, 2, 5, 1 }, 1 },
    };
    ex_tensor *t = counting(3, DIMS(4, 3, 8)), *s = ex_tensor_slice(t, 2, 2, 5, 1);     /* rows of 8 cut to 5 */
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        ex_tensor *r = ex_tensor_reshape(s, cases[c].ndim, cases[c].dim);
        assert_int_equal(r != NULL, cases[c].possible);
        int32_t a[EX_MAX_DIMS] = { 0 }, b[EX_MAX_DIMS] = { 0 };
        for (int i = 0; r && i < 60; i++) {
            assert_true(ex_tensor_get(s, a) == ex_tensor_get(r, b));
            for (int32_t axis = 2; axis >= 0 && ++a[axis] == s->dim[axis]; axis--) a[axis] = 0;
            for (int32_t axis = r->ndim - 1; axis >= 0 && ++b[axis] == r->dim[axis]; axis--) b[axis] = 0;
        }
        ex_tensor_free(r);
    }
    ex_tensor *one = ex_tensor_slice(t, 2, 3, 1, 1), *corner = ex_tensor_slice(one, 0, 1, 1, 1), *single = ex_tensor_slice(corner, 1, 2, 1, 1);
    ex_tensor *scalar = ex_tensor_reshape(single, 0, NULL);
    assert_true(ex_tensor_get(scalar, NULL) == 1 * 24 + 2 * 8 + 3);
    ex_tensor_free(scalar);
    ex_tensor_free(single);
    ex_tensor_free(corner);
    ex_tensor_free(one);
    ex_tensor_free(s);
    ex_tensor_free(t);
}

static void broadcast_repeats_without_memory(void **state)
{
    (void)state;
    ex_tensor *t = counting(2, DIMS(3, 1));
    ex_tensor *b = ex_tensor_broadcast(t, 3, DIMS(2, 3, 4));
    for (int32_t i = 0; i < 2; i++)
        for (int32_t j = 0; j < 3; j++)
            for (int32_t k = 0; k < 4; k++) assert_true(ex_tensor_get(b, DIMS(i, j, k)) == j);
    assert_int_equal(ex_tensor_fill(b, 1), EX_FAILED);
    assert_message("fill: a broadcast view of shape (2, 3, 4) cannot be written");
    assert_int_equal(ex_tensor_copy(b, b), EX_FAILED);
    assert_null(ex_tensor_broadcast(t, 2, DIMS(4, 4)));
    assert_message("broadcast: shape (3, 1) cannot become (4, 4)");
    assert_null(ex_tensor_broadcast(t, 1, DIMS(3)));
    assert_null(ex_tensor_broadcast(t, 3, DIMS(-2, 3, 4)));
    assert_message_has("negative size");
    assert_null(ex_tensor_broadcast(t, 9, DIMS(1, 1, 1, 1, 1, 1, 1, 3, 1)));
    assert_message_has("9 axes");
    ex_tensor_free(b);
    ex_tensor_free(t);
}

/* -- Elements and versions --------------------------------------------------------------------------- */

static void indices_outside_are_refused(void **state)
{
    (void)state;
    ex_tensor *t = counting(2, DIMS(3, 4));
    static const int32_t wrong[][2] = { { 3, 0 }, { 0, 4 }, { -1, 0 }, { 0, INT32_MIN }, { INT32_MAX, INT32_MAX } };
    for (int i = 0; i < 5; i++) {
        assert_true(isnan(ex_tensor_get(t, wrong[i])));
        assert_message_has("is outside shape (3, 4)");
        assert_int_equal(ex_tensor_set(t, wrong[i], 1), EX_FAILED);
    }
    ex_tensor_get(t, DIMS(3, 0));
    assert_message("index (3, 0) is outside shape (3, 4)");
    ex_tensor_get(t, DIMS(-1, 0));
    assert_message("index (-1, 0) is outside shape (3, 4)");
    ex_tensor_free(t);
}

static void elements_keep_to_their_type(void **state)
{
    (void)state;
    ex_tensor *f = ex_tensor_new(EX_FLOAT32, 1, DIMS(1)), *i = ex_tensor_new(EX_INT32, 1, DIMS(1)), *b = ex_tensor_new(EX_UINT8, 1, DIMS(1));
    assert_int_equal(ex_tensor_set(f, DIMS(0), 0.1), EX_OK);
    assert_true(ex_tensor_get(f, DIMS(0)) == (double)0.1f);
    assert_int_equal(ex_tensor_set(f, DIMS(0), NAN), EX_OK);
    assert_int_equal(ex_tensor_set(i, DIMS(0), INT32_MIN), EX_OK);
    assert_true(ex_tensor_get(i, DIMS(0)) == INT32_MIN);
    assert_int_equal(ex_tensor_set(b, DIMS(0), 255), EX_OK);
    assert_int_equal(ex_tensor_set(b, DIMS(0), 300), EX_FAILED);
    assert_message("uint8 holds whole numbers from 0 to 255, not 300");
    assert_int_equal(ex_tensor_set(i, DIMS(0), 1.5), EX_FAILED);
    assert_message("int32 holds whole numbers from -2147483648 to 2147483647, not 1.5");
    assert_int_equal(ex_tensor_set(i, DIMS(0), NAN), EX_FAILED);
    assert_int_equal(ex_tensor_set(b, DIMS(0), -1), EX_FAILED);
    assert_int_equal(ex_tensor_set(i, DIMS(0), 2147483648.0), EX_FAILED);
    assert_true(ex_tensor_get(b, DIMS(0)) == 255);
    ex_tensor_free(f);
    ex_tensor_free(i);
    ex_tensor_free(b);
}

static double version(const ex_tensor *t)
{
    ex_tensor_info info;
    ex_tensor_describe(t, &info);
    return info.version;
}

static void every_write_raises_the_version(void **state)
{
    (void)state;
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 1, DIMS(8)), *p = ex_tensor_new(EX_INT32, 1, DIMS(8));
    ex_tensor *view = ex_tensor_slice(t, 0, 2, 2, 1);
    double last = version(t), last_p = version(p);
#define assert_raised(x, v) do { assert_true(version(x) > (v)); (v) = version(x); } while (0)
    ex_tensor_set(t, DIMS(0), 1);
    assert_raised(t, last);
    ex_tensor_fill(view, 1);                /* a view shares its base's version */
    assert_raised(t, last);
    ex_tensor_copy(t, p);
    assert_raised(t, last);
    ex_tensor_uniform(t, 1, "s", 0, 1);
    assert_raised(t, last);
    ex_tensor_normal(t, 1, "s", 0, 1);
    assert_raised(t, last);
    ex_tensor_permutation(p, 1, "s");
    assert_raised(p, last_p);
    ex_tensor_touch(view);
    assert_raised(t, last);
    ex_tensor_get(t, DIMS(0));
    ex_tensor_set(t, DIMS(9), 0);           /* refused: nothing was written */
    assert_true(version(t) == last);
    ex_tensor_free(view);
    ex_tensor_free(t);
    ex_tensor_free(p);
}

static void shapes_as_text(void **state)
{
    (void)state;
    char text[64], small[8];
    assert_string_equal(ex_shape_text(text, sizeof text, 4, DIMS(-1, 3, 28, 28)), "(N, 3, 28, 28)");
    assert_string_equal(ex_shape_text(text, sizeof text, 1, DIMS(7)), "(7)");
    assert_string_equal(ex_shape_text(text, sizeof text, 0, NULL), "()");
    assert_string_equal(ex_shape_text(small, sizeof small, 3, DIMS(100, 200, 300)), "(100, 2");
    assert_string_equal(ex_dtype_name(EX_UINT8), "uint8");
    assert_string_equal(ex_dtype_name(77), "no type");
    assert_int_equal(ex_dtype_size(77), 0);
}

#define LEAK_CHECKED(test) cmocka_unit_test_setup_teardown(test, leak_check_start, leak_check_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEAK_CHECKED(new_is_dense_and_zero),
        LEAK_CHECKED(a_scalar_has_no_axes),
        LEAK_CHECKED(empty_tensors_are_tensors),
        LEAK_CHECKED(impossible_shapes_are_refused_in_one_line),
        LEAK_CHECKED(order_lays_out_memory),
        LEAK_CHECKED(size_one_axes_do_not_break_density),
        LEAK_CHECKED(views_of_views_reach_the_right_elements),
        LEAK_CHECKED(a_view_writes_into_its_base),
        LEAK_CHECKED(slices_outside_are_refused),
        LEAK_CHECKED(permute_refuses_what_is_no_order),
        LEAK_CHECKED(reshape_infers_one_axis),
        LEAK_CHECKED(reshape_refuses_what_cannot_be),
        LEAK_CHECKED(reshape_of_strided_views),
        LEAK_CHECKED(broadcast_repeats_without_memory),
        LEAK_CHECKED(indices_outside_are_refused),
        LEAK_CHECKED(elements_keep_to_their_type),
        LEAK_CHECKED(every_write_raises_the_version),
        cmocka_unit_test(shapes_as_text),
    };
    return cmocka_run_group_tests_name("tensor/tensor", tests, NULL, NULL);
}
