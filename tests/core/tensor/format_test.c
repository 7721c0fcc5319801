/* format_test.c: how tensors look on a terminal. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "../../../core/tensor/tensor.h"

#define DIMS(...) (int32_t[]){ __VA_ARGS__ }

/* A tensor of these numbers, row-major, printed with this edge; frees the tensor. */
static const char *printed(int32_t edge, int32_t dtype, int32_t ndim, const int32_t *dim, const double *numbers)
{
    static char text[4096];
    ex_tensor *t = ex_tensor_new(dtype, ndim, dim);
    int32_t index[EX_MAX_DIMS] = { 0 };
    int64_t count = 1;
    for (int32_t axis = 0; axis < ndim; axis++) count *= dim[axis];
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(ex_tensor_set(t, index, numbers ? numbers[i] : (double)i), EX_OK);
        for (int32_t axis = ndim - 1; axis >= 0 && ++index[axis] == dim[axis]; axis--) index[axis] = 0;
    }
    int32_t length = ex_tensor_format(t, edge, text, sizeof text);
    assert_int_equal(length, strlen(text));
    ex_tensor_free(t);
    return text;
}

#define NUMBERS(...) (double[]){ __VA_ARGS__ }

static void one_number_or_row_goes_on_one_line(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_FLOAT32, 0, NULL, NUMBERS(2.5)), "tensor () float32: 2.5000");
    assert_string_equal(printed(5, EX_INT32, 1, DIMS(3), NUMBERS(1, -20, 3)), "tensor (3) int32: [  1, -20,   3]");
    assert_string_equal(printed(5, EX_UINT8, 1, DIMS(2), NUMBERS(0, 255)), "tensor (2) uint8: [  0, 255]");
}

static void empty_tensors_say_so(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_FLOAT32, 2, DIMS(0, 3), NULL), "tensor (0, 3) float32: empty");
    assert_string_equal(printed(5, EX_INT32, 1, DIMS(0), NULL), "tensor (0) int32: empty");
}

static void columns_are_aligned(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_FLOAT32, 2, DIMS(2, 3), NUMBERS(1, -2, .5, NAN, 0, INFINITY)),
                        "tensor (2, 3) float32\n"
                        "[[ 1.0000, -2.0000,  0.5000],\n"
                        " [    nan,  0.0000,     inf]]");
}

static void only_nan_and_infinity(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_FLOAT32, 1, DIMS(3), NUMBERS(NAN, INFINITY, -INFINITY)), "tensor (3) float32: [ nan,  inf, -inf]");
}

static void whole_numbers_have_no_decimals(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_FLOAT32, 1, DIMS(3), NUMBERS(1, 200, -3)), "tensor (3) float32: [  1, 200,  -3]");
    assert_string_equal(printed(5, EX_FLOAT32, 1, DIMS(1), NUMBERS(3e10)), "tensor (1) float32: [3.0000e+10]");
    assert_string_equal(printed(5, EX_INT32, 1, DIMS(1), NUMBERS(2147483647)), "tensor (1) int32: [2147483647]");
}

static void small_numbers_are_not_hidden(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_FLOAT32, 1, DIMS(2), NUMBERS(.5, 1e-5)), "tensor (2) float32: [5.0000e-01, 1.0000e-05]");
    assert_string_equal(printed(5, EX_FLOAT32, 1, DIMS(2), NUMBERS(.5, 0)), "tensor (2) float32: [0.5000, 0.0000]");
}

static void long_axes_are_cut_in_the_middle(void **state)
{
    (void)state;
    assert_string_equal(printed(2, EX_INT32, 1, DIMS(100), NULL), "tensor (100) int32: [ 0,  1, ..., 98, 99]");
    assert_string_equal(printed(2, EX_INT32, 1, DIMS(4), NULL), "tensor (4) int32: [0, 1, 2, 3]");
    assert_string_equal(printed(1, EX_INT32, 2, DIMS(5, 5), NULL),
                        "tensor (5, 5) int32\n"
                        "[[ 0, ...,  4],\n"
                        " ...,\n"
                        " [20, ..., 24]]");
    assert_string_equal(printed(0, EX_INT32, 1, DIMS(9), NULL), "tensor (9) int32: [0, ..., 8]");   /* never nothing */
}

static void planes_are_parted_by_an_empty_line(void **state)
{
    (void)state;
    assert_string_equal(printed(5, EX_INT32, 3, DIMS(2, 1, 2), NULL),
                        "tensor (2, 1, 2) int32\n"
                        "[[[0, 1]],\n"
                        "\n"
                        " [[2, 3]]]");
    assert_string_equal(printed(5, EX_INT32, 3, DIMS(9, 1, 1), NULL),
                        "tensor (9, 1, 1) int32\n"
                        "[[[0]],\n\n [[1]],\n\n ...,\n\n [[7]],\n\n [[8]]]");
    assert_string_equal(printed(5, EX_INT32, 4, DIMS(3, 1, 1, 1), NULL),
                        "tensor (3, 1, 1, 1) int32\n"
                        "[[[[0]]],\n\n ...,\n\n [[[2]]]]");
}

/* The width counts only what is shown: the cut middle may hold anything. */
static void hidden_numbers_do_not_matter(void **state)
{
    (void)state;
    assert_string_equal(printed(1, EX_FLOAT32, 1, DIMS(3), NUMBERS(1, 1e-30, 2)), "tensor (3) float32: [1, ..., 2]");
}

static void a_small_buffer_holds_the_beginning(void **state)
{
    (void)state;
    char small[12] = "xxxxxxxxxxx";
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, 2, DIMS(3, 4));
    int32_t length = ex_tensor_format(t, 5, NULL, 0);
    assert_int_equal(ex_tensor_format(t, 5, small, sizeof small), length);
    assert_string_equal(small, "tensor (3, ");
    assert_int_equal(ex_tensor_format(t, 5, small, -1), length);
    ex_tensor_free(t);
}

static void views_print_what_they_show(void **state)
{
    (void)state;
    char text[256];
    ex_tensor *t = ex_tensor_new(EX_INT32, 2, DIMS(2, 3));
    for (int32_t i = 0; i < 6; i++) ((int32_t *)t->data)[i] = i;
    ex_tensor *turned = ex_tensor_permute(t, DIMS(1, 0));
    ex_tensor_format(turned, 5, text, sizeof text);
    assert_string_equal(text, "tensor (3, 2) int32\n[[0, 3],\n [1, 4],\n [2, 5]]");
    ex_tensor_free(turned);
    ex_tensor_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_number_or_row_goes_on_one_line),
        cmocka_unit_test(empty_tensors_say_so),
        cmocka_unit_test(columns_are_aligned),
        cmocka_unit_test(only_nan_and_infinity),
        cmocka_unit_test(whole_numbers_have_no_decimals),
        cmocka_unit_test(small_numbers_are_not_hidden),
        cmocka_unit_test(long_axes_are_cut_in_the_middle),
        cmocka_unit_test(planes_are_parted_by_an_empty_line),
        cmocka_unit_test(hidden_numbers_do_not_matter),
        cmocka_unit_test(a_small_buffer_holds_the_beginning),
        cmocka_unit_test(views_print_what_they_show),
    };
    return cmocka_run_group_tests_name("tensor/format", tests, NULL, NULL);
}
