/* cifar_test.c: records of one and two label bytes; each defect of a file has its own line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

enum { COUNT = 3, PIXELS = 2 * 2 * 3 };

static ex_tensor *images, *labels;

static int set_up(void **state) {
    (void)state;
    images = ex_tensor_new(EX_UINT8, 4, (int32_t[]){ COUNT, 2, 2, 3 });
    labels = ex_tensor_new(EX_INT32, 1, (int32_t[]){ COUNT });
    return images && labels ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    ex_tensor_free(images);
    ex_tensor_free(labels);
    return 0;
}

/* COUNT records: label bytes 9, then 4 * i; pixel p of image i is 100 * i + p. */
static const char *records(const char *name, int label_bytes, size_t size) {
    uint8_t bytes[COUNT * (PIXELS + 8) + 8] = { 0 }, *b = bytes;
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < label_bytes - 1; k++) *b++ = 9;
        *b++ = (uint8_t)(4 * i);
        for (int p = 0; p < PIXELS; p++) *b++ = (uint8_t)(100 * i + p);
    }
    return scratch_file(name, bytes, size ? size : (size_t)(b - bytes));
}

static void reads(void **state) {
    (void)state;
    for (int label_bytes = 1; label_bytes <= 2; label_bytes++) {
        ex_tensor_fill(images, 0);
        ex_tensor_fill(labels, -1);
        assert_int_equal(ex_cifar_read(records("good", label_bytes, 0), 9, label_bytes, images, labels), EX_OK);
        assert_true(ex_tensor_get(labels, (int32_t[]){ 0 }) == 0);
        assert_true(ex_tensor_get(labels, (int32_t[]){ 2 }) == 8);
        assert_true(ex_tensor_get(images, (int32_t[]){ 0, 0, 0, 1 }) == 1);
        assert_true(ex_tensor_get(images, (int32_t[]){ 1, 1, 0, 2 }) == 108);      /* 6 * 1 + 3 * 0 + 2 */
        assert_true(ex_tensor_get(images, (int32_t[]){ 2, 1, 1, 2 }) == 211);
    }
}

static void defects_have_their_line(void **state) {
    (void)state;
    assert_int_equal(ex_cifar_read(scratch_path("none"), 9, 1, images, labels), EX_FAILED);
    assert_message("none: No such file or directory");
    assert_int_equal(ex_cifar_read(scratch_folder(), 9, 1, images, labels), EX_FAILED);
    assert_message("it is not a file");
    assert_int_equal(ex_cifar_read(records("bad", 1, 1), 9, 1, images, labels), EX_FAILED);
    assert_message("bad: 1 bytes, expected 39: 3 images of (2, 2, 3) with 1 label byte each");
    assert_int_equal(ex_cifar_read(records("bad", 1, 40), 9, 1, images, labels), EX_FAILED);
    assert_message("bad: 40 bytes, expected 39");
    assert_int_equal(ex_cifar_read(records("bad", 1, 0), 9, 2, images, labels), EX_FAILED);
    assert_message("bad: 39 bytes, expected 42: 3 images of (2, 2, 3) with 2 label bytes each");
    assert_int_equal(ex_cifar_read(records("bad", 2, 0), 8, 2, images, labels), EX_FAILED);
    assert_message("bad: label 2 (counted from 0) is 8, expected 0 to 7");
}

static void wrong_arguments(void **state) {
    (void)state;
    const char *path = records("good", 1, 0);
    ex_tensor *two = ex_tensor_new(EX_INT32, 1, (int32_t[]){ 2 }), *turned = ex_tensor_permute(images, (int32_t[]){ 0, 1, 3, 2 });
    assert_int_equal(ex_cifar_read(path, 9, 1, labels, labels), EX_FAILED);
    assert_message("cifar: images are int32 (3), expected dense uint8 (N, C, H, W)");
    assert_int_equal(ex_cifar_read(path, 9, 1, turned, labels), EX_FAILED);
    assert_message("cifar: images are uint8 (3, 2, 3, 2), expected dense");
    assert_int_equal(ex_cifar_read(path, 9, 1, images, two), EX_FAILED);
    assert_message("cifar: labels are int32 (2), expected dense int32 (3)");
    assert_int_equal(ex_cifar_read(path, 9, 0, images, labels), EX_FAILED);
    assert_message("cifar: 0 label bytes, expected 1 to 8");
    assert_int_equal(ex_cifar_read(path, 257, 1, images, labels), EX_FAILED);
    assert_message("cifar: 257 classes, expected 1 to 256");
    ex_tensor_free(two);
    ex_tensor_free(turned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(defects_have_their_line),
        cmocka_unit_test(wrong_arguments),
    };
    return cmocka_run_group_tests_name("core/io/cifar", tests, set_up, tear_down);
}
