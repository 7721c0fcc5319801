/* mat_test.c: arrays of MAT files of version 5, plain and compressed, written here; each defect its own line, and random
 * damage no crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"
#include "../../support/mutate.h"
#include "../../support/scratch.h"

/* -- Writing --------------------------------------------------------------------------------------------------- */

typedef struct text { size_t size; uint8_t bytes[1 << 13]; } text;

static void put(text *t, const void *bytes, size_t size) {
    assert_true(t->size + size <= sizeof t->bytes);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
}

static void put_element(text *t, uint32_t type, const void *bytes, uint32_t size) {
    put(t, &type, 4);
    put(t, &size, 4);
    put(t, bytes, size);
    while (t->size % 8) put(t, "", 1);
}

static void put_small(text *t, uint16_t type, const void *bytes, uint16_t size) {
    uint8_t four[4] = { 0 };
    memcpy(four, bytes, size);
    put(t, &type, 2);
    put(t, &size, 2);
    put(t, four, 4);
}

static void put_header(text *t) {
    uint8_t header[128] = "MATLAB 5.0 MAT-file";
    memcpy(header + 124, (uint8_t[]){ 0, 1, 'I', 'M' }, 4);
    put(t, header, sizeof header);
}

/* The inside of a matrix: class, dimensions, name, and the values' element. */
static text matrix_of(uint32_t class, int ndim, const int32_t *dim, const char *name, uint32_t type, const void *values,
                      uint32_t size) {
    text m = { 0 };
    put_element(&m, 6, (uint32_t[]){ class, 0 }, 8);
    put_element(&m, 5, dim, (uint32_t)ndim * 4);
    if (strlen(name) <= 4) put_small(&m, 1, name, (uint16_t)strlen(name));
    else put_element(&m, 1, name, (uint32_t)strlen(name));
    put_element(&m, type, values, size);
    return m;
}

static void put_matrix(text *t, const text *m, int packed) {
    if (!packed) {
        put_element(t, 14, m->bytes, (uint32_t)m->size);
        return;
    }
    static text whole;
    whole.size = 0;
    put_element(&whole, 14, m->bytes, (uint32_t)m->size);
    uint8_t out[1 << 13];
    uLongf size = sizeof out;
    assert_int_equal(compress2(out, &size, whole.bytes, whole.size, 9), Z_OK);
    uint32_t tag[2] = { 15, (uint32_t)size };
    put(t, tag, sizeof tag);
    put(t, out, size);                                          /* not padded */
}

static const int32_t dims[] = { 2, 3, 1, 4 };
static const char pixels[] = "abcdefghijklmnopqrstuvwx";

/* A file of X, uint8 (2, 3, 1, 4), and y, uint8 (3, 1) stored as doubles, as MATLAB would. */
static const char *write_small(const char *name, int packed) {
    static text t;
    t.size = 0;
    put_header(&t);
    text x = matrix_of(9, 4, dims, "X", 2, pixels, 24), y = matrix_of(6, 2, (int32_t[]){ 3, 1 }, "label", 9,
                                                                         (double[]){ 1, 10, 255 }, 24);
    put_matrix(&t, &x, packed);
    put_matrix(&t, &y, packed);
    return scratch_file(name, t.bytes, t.size);
}

/* -- Reading ------------------------------------------------------------------------------------------------------ */

static void plain_and_compressed(void **state) {
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        const char *path = write_small("small.mat", packed);
        ex_tensor *x = ex_mat_read(path, "X"), *y = ex_mat_read(path, "label");
        if (!x || !y) {
            fail_msg("%s", ex_error_message());
            return;
        }
        assert_int_equal(x->dtype, EX_UINT8);
        assert_int_equal(x->ndim, 4);
        assert_memory_equal(x->dim, ((int32_t[]){ 4, 1, 3, 2 }), 16);
        assert_memory_equal(x->data, pixels, 24);
        assert_memory_equal(y->dim, ((int32_t[]){ 1, 3 }), 8);
        assert_memory_equal(y->data, "\1\n\377", 3);
        ex_tensor_free(x);
        ex_tensor_free(y);
    }
}

static const char *one(const text *m, int packed) {
    static text t;
    t.size = 0;
    put_header(&t);
    put_matrix(&t, m, packed);
    return scratch_file("one.mat", t.bytes, t.size);
}

static void other_types(void **state) {
    (void)state;
    static const int16_t shorts[] = { 1, 2, 250, 4 };
    text m = matrix_of(10, 2, (int32_t[]){ 2, 2 }, "y", 3, shorts, 8);
    ex_tensor *t = ex_mat_read(one(&m, 1), "y");
    assert_non_null(t);
    assert_memory_equal(t->data, "\1\2\372\4", 4);
    ex_tensor_free(t);
    m = matrix_of(7, 2, (int32_t[]){ 2, 1 }, "y", 7, (float[]){ 3, 2.5f }, 8);
    assert_null(ex_mat_read(one(&m, 0), "y"));
    assert_message("one.mat: y: value 1 (counted from 0) is 2.5, expected a whole number from 0 to 255");
    m = matrix_of(10, 2, (int32_t[]){ 2, 1 }, "y", 3, (int16_t[]){ 3, -1 }, 4);
    assert_null(ex_mat_read(one(&m, 0), "y"));
    assert_message("value 1 (counted from 0) is -1");
}

static void wrong_files(void **state) {
    (void)state;
    assert_null(ex_mat_read(scratch_path("none"), "X"));
    assert_message("none: No such file or directory");
    assert_null(ex_mat_read(scratch_folder(), "X"));
    assert_message("it is a folder");
    assert_null(ex_mat_read(scratch_file("bad", "MATLAB", 6), "X"));
    assert_message("bad: 6 bytes, a MAT file of version 5 has more");
    uint8_t header[136] = { 0 };
    assert_null(ex_mat_read(scratch_file("bad", header, sizeof header), "X"));
    assert_message("bad: not a MAT file of version 5: its header ends in 00 00 00 00, expected 00 01 49 4d");
    memcpy(header + 124, (uint8_t[]){ 1, 0, 'M', 'I' }, 4);
    assert_null(ex_mat_read(scratch_file("bad", header, sizeof header), "X"));
    assert_message("bad: a big-endian MAT file is not read");
    assert_null(ex_mat_read(write_small("small.mat", 1), "Z"));
    assert_message("small.mat: it holds no array 'Z'");
}

static void wrong_arrays(void **state) {
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        text m = matrix_of(4, 2, (int32_t[]){ 1, 8 }, "X", 4, pixels, 16);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("one.mat: X is text, expected an array of numbers");
        m = matrix_of(1, 2, (int32_t[]){ 1, 8 }, "X", 14, pixels, 16);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("X is a cell or structure");
        m = matrix_of(9 | 0x0800, 2, (int32_t[]){ 1, 8 }, "X", 2, pixels, 8);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("X is complex");
        m = matrix_of(9, 2, (int32_t[]){ 0, 8 }, "X", 2, pixels, 0);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("X is empty");
        m = matrix_of(9, 2, (int32_t[]){ 3, 8 }, "X", 2, pixels, 8);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("X: 8 bytes of values, its dimensions ask for 24 of 1 bytes each");
        m = matrix_of(9, 4, (int32_t[]){ INT32_MAX, INT32_MAX, INT32_MAX, 8 }, "X", 2, pixels, 8);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("an array's dimensions overflow");
        m = matrix_of(9, 2, (int32_t[]){ 1, 8 }, "X", 12, pixels, 8);
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("X: values of type 12 are not read");
    }
}

/* An array that promises 4 GB in a file of a kilobyte costs no memory. */
static void hostile_size(void **state) {
    (void)state;
    uint32_t much = 0xFFFFFF00u;
    text m = matrix_of(9, 2, (int32_t[]){ 256, 16777215 }, "X", 2, pixels, 24);
    memcpy(m.bytes + m.size - 28, &much, 4);
    for (int packed = 0; packed < 2; packed++) {
        double before = ex_memory_allocations();
        assert_null(ex_mat_read(one(&m, packed), "X"));
        assert_message("truncated: X promises 4294967040 bytes, the file holds at most ");
        assert_true(ex_memory_allocations() - before == 0);
    }
}

static void truncation(void **state) {
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        size_t size;
        char *bytes = scratch_read(write_small("small.mat", packed), &size);
        for (size_t cut = 1; cut < size; cut++) {
            ex_tensor *t = ex_mat_read(scratch_file("cut.mat", bytes, cut), "label");
            if (t) fail_msg("read from %zu of %zu bytes", cut, size);
            assert_message("cut.mat: ");
        }
        free(bytes);
    }
}

static void damaged_sum(void **state) {
    (void)state;
    text m = matrix_of(9, 4, dims, "X", 2, pixels, 24);
    size_t size;
    char *bytes = scratch_read(one(&m, 1), &size);
    bytes[size - 1] ^= 1;
    assert_null(ex_mat_read(scratch_file("one.mat", bytes, size), "X"));
    assert_message("one.mat: damaged compressed data: incorrect data check");
    free(bytes);
}

static void random_damage(void **state) {
    (void)state;
    mutation m = { 20240611 };
    int whole = 0;
    for (int packed = 0; packed < 2; packed++) {
        size_t size;
        char *seed = scratch_read(write_small("small.mat", packed), &size);
        uint8_t bytes[1024];
        assert_in_range(size, 1, sizeof bytes);
        for (int i = 0; i < 3000; i++) {
            memcpy(bytes, seed, size);
            size_t now = 124 + mutate(&m, bytes + 124, size - 124, size - 124, sizeof bytes - 124);
            ex_tensor *t = ex_mat_read(scratch_file("mutant.mat", bytes, now), i % 2 ? "X" : "label");
            whole += t != NULL;
            ex_tensor_free(t);
        }
        free(seed);
    }
    assert_in_range(whole, 1, 5999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_compressed),
        cmocka_unit_test(other_types),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(wrong_arrays),
        cmocka_unit_test(hostile_size),
        cmocka_unit_test(truncation),
        cmocka_unit_test(damaged_sum),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests_name("core/io/mat", tests, NULL, NULL);
}
