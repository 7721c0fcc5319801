/* idx_test.c: right files give the right numbers, each defect its own line, and random damage no crash. */
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

static const uint8_t small[] = { 0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255 };      /* 2 x 3 */

static const char *write_gzip(const char *name, const void *bytes, size_t size) {
    const char *path = scratch_path(name);
    gzFile file = gzopen(path, "wb9");
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static void assert_small(const char *path) {
    ex_tensor *t = ex_idx_read(path);
    if (!t) fail_msg("%s", ex_error_message());
    ex_tensor_info info;
    ex_tensor_describe(t, &info);
    assert_int_equal(info.dtype, EX_UINT8);
    assert_int_equal(info.ndim, 2);
    assert_int_equal(info.dim[0], 2);
    assert_int_equal(info.dim[1], 3);
    assert_memory_equal(info.data, small + 12, 6);
    ex_tensor_free(t);
}

static void plain_and_gzip(void **state) {
    (void)state;
    assert_small(scratch_file("plain", small, sizeof small));
    assert_small(write_gzip("small.gz", small, sizeof small));
}

typedef struct defect {
    size_t size;
    const char *bytes, *message;
} defect;

#define D(bytes, message) { sizeof(bytes) - 1, bytes, message }

static const defect defects[] = {
    D("", "bad: empty, expected an IDX file"),
    D("\0\0\10", "bad: truncated: 3 bytes, an IDX header has more"),
    D("\211PNG\r\n\032\n", "not an IDX file: it starts with 89 50 4e 47"),
    D("\0\0\7\1\0\0\0\1x", "not an IDX file: it starts with 00 00 07 01"),
    D("\0\1\10\1\0\0\0\1x", "not an IDX file"),
    D("\0\0\15\1\0\0\0\1xxxx", "holds values of type 32-bit float, only unsigned byte is read"),
    D("\0\0\11\1\0\0\0\1x", "signed byte, only unsigned byte is read"),
    D("\0\0\10\0x", "0 axes, expected 1 to 8"),
    D("\0\0\10\11", "9 axes, expected 1 to 8"),
    D("\0\0\10\2\0\0\0\2\0\0", "the header of 2 axes ends early"),
    D("\0\0\10\1\0\0\0\0", "axis 1 has length 0"),
    D("\0\0\10\2\0\0\0\1\200\0\0\0x", "axis 2 has length 2147483648, expected 1 to 2147483647"),
    D("\0\0\10\1\0\0\0\3xx", "truncated: its header promises 3 values, got 2"),
    D("\0\0\10\1\0\0\0\1xx", "bytes follow the 1 values"),
    D("\0\0\10\1\177\377\377\377x", "truncated: its header promises 2147483647 values, the file holds at most 9"),
    D("\0\0\10\3\177\377\377\377\177\377\377\377\177\377\377\377x", "the lengths of its axes overflow"),
    D("\0\0\10\2\177\377\377\377\177\377\377\377x", "truncated: its header promises 4611686014132420609 values"),
};

/* Every defect, in a plain file and in a gzip file. */
static void defects_have_their_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
        const defect *d = &defects[i];
        assert_null(ex_idx_read(scratch_file("bad", d->bytes, d->size)));
        assert_message(d->message);
        assert_null(ex_idx_read(write_gzip("bad.gz", d->bytes, d->size)));
        assert_message("bad.gz: ");
        assert_null(strchr(ex_error_message(), '\n'));
    }
}

static void unreadable_paths(void **state) {
    (void)state;
    assert_null(ex_idx_read(scratch_path("none")));
    assert_message("none: No such file or directory");
    assert_null(ex_idx_read(scratch_folder()));
    assert_message("it is a folder");
}

/* A gzip stream may stop anywhere, or be damaged: the sum at its end is checked, too. */
static void damaged_gzip(void **state) {
    (void)state;
    uint8_t large[4008] = { 0, 0, 8, 1, 0, 0, 15, 160 };
    mutation m = { 7 };
    for (size_t i = 8; i < sizeof large; i++) large[i] = (uint8_t)mutation_next(&m, 256);
    const char *path = write_gzip("large.gz", large, sizeof large);
    size_t size;
    char *bytes = scratch_read(path, &size);
    for (size_t cut = 3; cut < size; cut += cut < 100 || size - cut < 20 ? 1 : 97) {
        assert_null(ex_idx_read(scratch_file("cut.gz", bytes, cut)));
        assert_message("cut.gz: ");
    }
    bytes[size - 6] ^= 1;                                          /* in the check sum */
    assert_null(ex_idx_read(scratch_file("cut.gz", bytes, size)));
    assert_message("damaged gzip data");
    bytes[size - 6] ^= 1;
    ex_tensor *t = ex_idx_read(scratch_file("cut.gz", bytes, size));
    assert_non_null(t);
    ex_tensor_free(t);
    free(bytes);
}

/* 1 MB of zeros in 1 kB of gzip is honest; a header that promises more than deflate can hold is not. */
static void gzip_ratio(void **state) {
    (void)state;
    size_t size = (1 << 20) + 8;
    uint8_t *zeros = calloc(1, size);
    static const uint8_t honest[8] = { 0, 0, 8, 1, 0, 16, 0, 0 }, dishonest[8] = { 0, 0, 8, 1, 64, 0, 0, 0 };
    memcpy(zeros, honest, sizeof honest);
    ex_tensor *t = ex_idx_read(write_gzip("zeros.gz", zeros, size));
    assert_non_null(t);
    assert_true(ex_tensor_count(t) == 1 << 20);
    ex_tensor_free(t);
    memcpy(zeros, dishonest, sizeof dishonest);
    double before = ex_memory_allocations();
    assert_null(ex_idx_read(write_gzip("zeros.gz", zeros, size)));
    assert_message("truncated: its header promises 1073741824 values");
    assert_true(ex_memory_allocations() - before == 0);
    free(zeros);
}

static void random_damage(void **state) {
    (void)state;
    mutation m = { 20240607 };
    uint8_t bytes[64];
    size_t packed_size;
    char *packed = scratch_read(write_gzip("seed.gz", small, sizeof small), &packed_size);
    assert_in_range(packed_size, 1, sizeof bytes);
    int whole = 0;
    for (int i = 0; i < 4000; i++) {
        size_t size = i % 2 ? packed_size : sizeof small;
        memcpy(bytes, i % 2 ? (const void *)packed : small, size);
        size = mutate(&m, bytes, size, size, sizeof bytes);
        ex_tensor *t = ex_idx_read(scratch_file("mutant", bytes, size));
        whole += t != NULL;
        ex_tensor_free(t);
    }
    free(packed);
    assert_in_range(whole, 1, 3999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_gzip),
        cmocka_unit_test(defects_have_their_line),
        cmocka_unit_test(unreadable_paths),
        cmocka_unit_test(damaged_gzip),
        cmocka_unit_test(gzip_ratio),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests_name("core/io/idx", tests, NULL, NULL);
}
