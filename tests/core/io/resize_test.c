/* resize_test.c: averages by hand; Pillow's results to one grey level; a batch on threads; what is refused. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"

static ex_tensor *filled(int32_t n, int32_t c, int32_t h, int32_t w, const uint8_t *values) {
    ex_tensor *t = ex_tensor_new(EX_UINT8, 4, (const int32_t[]){ n, c, h, w });
    if (values) memcpy(t->data, values, (size_t)ex_tensor_count(t));
    return t;
}

static void check(const uint8_t *expected, int32_t oh, int32_t ow, const uint8_t *values, int32_t ih, int32_t iw, int32_t method) {
    ex_tensor *in = filled(1, 1, ih, iw, values), *out = filled(1, 1, oh, ow, NULL);
    assert_int_equal(ex_tensor_resize(out, in, method, NULL), EX_OK);
    assert_memory_equal(out->data, expected, (size_t)oh * (size_t)ow);
    ex_tensor_free(in);
    ex_tensor_free(out);
}

static void by_hand(void **state) {
    (void)state;
    static const uint8_t row[] = { 0, 100, 200, 40 };
    check((const uint8_t[]){ 0, 100, 200, 40 }, 1, 4, row, 1, 4, EX_RESIZE_BICUBIC);
    /* to half: weights 3 3 1 of 7 and 1 3 3 of 7 (1/8 3/8 3/8 1/8 less what lies outside) */
    check((const uint8_t[]){ 71, 117 }, 1, 2, row, 1, 4, EX_RESIZE_BILINEAR);
    check((const uint8_t[]){ 71, 117 }, 2, 1, row, 4, 1, EX_RESIZE_BILINEAR);
    /* to double: 3/4 and 1/4 */
    check((const uint8_t[]){ 0, 25, 75, 100 }, 1, 4, (const uint8_t[]){ 0, 100 }, 1, 2, EX_RESIZE_BILINEAR);
    check((const uint8_t[]){ 9, 9, 9, 9, 9, 9 }, 2, 3, (const uint8_t[]){ 9 }, 1, 1, EX_RESIZE_BICUBIC);
    /* bicubic overshoots a step and is clipped; beside it k(5/6) + k(11/6) = .132 - .012 of it */
    check((const uint8_t[]){ 0, 0, 31, 224, 255, 255 }, 1, 6, (const uint8_t[]){ 0, 0, 255, 255 }, 1, 4, EX_RESIZE_BICUBIC);
}

/* "resize.K.METHOD.HxW" from "resize.K.in" */
static void as_pillow(void **state) {
    (void)state;
    ex_safetensors *f = ex_safetensors_open("tests/golden/images.safetensors");
    if (!f) fail_msg("%s", ex_error_message());
    int cases = 0;
    ex_tensor *source[10] = { 0 };
    for (int32_t i = 0; i < ex_safetensors_count(f); i++) {
        int k = 0, read = 0;
        if (sscanf(ex_safetensors_name(f, i), "resize.%d.in%n", &k, &read) == 1 && read) source[k] = ex_safetensors_read(f, i);
    }
    for (int32_t i = 0; i < ex_safetensors_count(f); i++) {
        char method[16];
        int k, h, w;
        if (sscanf(ex_safetensors_name(f, i), "resize.%d.%15[a-z].%dx%d", &k, method, &h, &w) != 4) continue;
        ex_tensor *expected = ex_safetensors_read(f, i), *s = source[k], *in = filled(1, s->dim[0], s->dim[1], s->dim[2], (uint8_t *)s->data),
                  *out = filled(1, s->dim[0], h, w, NULL);
        assert_int_equal(ex_tensor_resize(out, in, strcmp(method, "bicubic") ? EX_RESIZE_BILINEAR : EX_RESIZE_BICUBIC, NULL), EX_OK);
        for (int64_t p = 0; p < ex_tensor_count(expected); p++) {
            int got = ((uint8_t *)out->data)[p], want = ((uint8_t *)expected->data)[p];
            if (abs(got - want) > 1) fail_msg("%s: pixel %d is %d, expected %d", ex_safetensors_name(f, i), (int)p, got, want);
        }
        cases++;
        ex_tensor_free(expected);
        ex_tensor_free(in);
        ex_tensor_free(out);
    }
    assert_in_range(cases, 30, 100);
    for (int k = 0; k < 10; k++) ex_tensor_free(source[k]);
    ex_safetensors_free(f);
}

/* Any team gives the bits of one image after the other. */
static void batches(void **state) {
    (void)state;
    enum { N = 9, SIZE = 3 * 11 * 7, OUT = 3 * 16 * 5 };
    uint8_t values[N * SIZE];
    for (int i = 0; i < N * SIZE; i++) values[i] = (uint8_t)(i * i * 31 >> 3);
    ex_tensor *in = filled(N, 3, 11, 7, values), *out = filled(N, 3, 16, 5, NULL), *one = filled(1, 3, 16, 5, NULL);
    ex_team *team = ex_team_new(3);
    assert_int_equal(ex_tensor_resize(out, in, EX_RESIZE_BICUBIC, team), EX_OK);
    for (int i = 0; i < N; i++) {
        ex_tensor *image = filled(1, 3, 11, 7, values + (ptrdiff_t)i * SIZE);
        assert_int_equal(ex_tensor_resize(one, image, EX_RESIZE_BICUBIC, NULL), EX_OK);
        assert_memory_equal((uint8_t *)out->data + (ptrdiff_t)i * OUT, one->data, OUT);
        ex_tensor_free(image);
    }
    ex_team_free(team);
    ex_tensor_free(in);
    ex_tensor_free(out);
    ex_tensor_free(one);
}

static void refused(void **state) {
    (void)state;
    ex_tensor *in = filled(2, 3, 4, 4, NULL), *out = filled(2, 3, 8, 8, NULL), *other = filled(2, 1, 8, 8, NULL),
              *none = filled(2, 3, 0, 8, NULL), *real = ex_tensor_new(EX_FLOAT32, 4, (const int32_t[]){ 2, 3, 8, 8 }),
              *wide = filled(1, 1, 1, 65501, NULL), *narrow = filled(1, 1, 1, 1, NULL), *strided = ex_tensor_slice(out, 3, 0, 4, 2);
    assert_int_equal(ex_tensor_resize(out, in, EX_RESIZE_NONE, NULL), EX_FAILED);
    assert_message("resize: method 0, expected 1 (bilinear) or 2 (bicubic)");
    assert_int_equal(ex_tensor_resize(out, in, 3, NULL), EX_FAILED);
    assert_int_equal(ex_tensor_resize(other, in, 1, NULL), EX_FAILED);
    assert_message("resize: uint8 (2, 3, 4, 4) to uint8 (2, 1, 8, 8), expected uint8 (N, C, H, W) to uint8 (N, C, H', W')");
    assert_int_equal(ex_tensor_resize(real, in, 1, NULL), EX_FAILED);
    assert_message("to float32 (2, 3, 8, 8)");
    assert_int_equal(ex_tensor_resize(none, in, 1, NULL), EX_FAILED);
    assert_message("there is no pixel");
    assert_int_equal(ex_tensor_resize(narrow, wide, 1, NULL), EX_FAILED);
    assert_message("expected sides of at most 65500");
    assert_int_equal(ex_tensor_resize(strided, in, 1, NULL), EX_FAILED);
    assert_message("both must be dense");
    ex_tensor *all[] = { in, out, other, none, real, wide, narrow, strided };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ex_tensor_free(all[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(as_pillow),
        cmocka_unit_test(batches),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests_name("core/io/resize", tests, NULL, NULL);
}
