/* safetensors_write_test.c: the exact bytes of a small file, the same for any order; any strides; nothing left behind
 * by a failure. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

static ex_tensor *counting(int32_t dtype, int32_t ndim, const int32_t *dim) {    /* 0, 1, 2, ... */
    ex_tensor *t = ex_tensor_new(dtype, ndim, dim);
    for (int64_t i = 0; i < ex_tensor_count(t); i++) {
        if (dtype == EX_UINT8) ((uint8_t *)t->data)[i] = (uint8_t)i;
        else if (dtype == EX_INT32) ((int32_t *)t->data)[i] = (int32_t)i;
        else ((float *)t->data)[i] = (float)i;
    }
    return t;
}

static void exact_bytes_in_any_order(void **state) {
    (void)state;
    ex_tensor *w = counting(EX_FLOAT32, 2, (int32_t[]){ 1, 2 }), *u = counting(EX_UINT8, 1, (int32_t[]){ 3 }),
              *s = counting(EX_INT32, 0, NULL);
    const char *one = scratch_path("one"), *two = scratch_path("two");
    const char *names[] = { "u", "w", "s" }, *keys[] = { "kind", "a\"b" }, *values[] = { "x\n", "\xC3\xA9" };
    const char *names2[] = { "w", "s", "u" }, *keys2[] = { "a\"b", "kind" }, *values2[] = { "\xC3\xA9", "x\n" };
    assert_int_equal(ex_safetensors_write(one, 3, names, (ex_tensor *[]){ u, w, s }, 2, keys, values), EX_OK);
    assert_int_equal(ex_safetensors_write(two, 3, names2, (ex_tensor *[]){ w, s, u }, 2, keys2, values2), EX_OK);
    static const char header[] =
        "{\"__metadata__\":{\"a\\\"b\":\"\xC3\xA9\",\"kind\":\"x\\n\"},"
        "\"s\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[4,12]},"
        "\"u\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[12,15]}}";
    size_t size, size2, length = (sizeof header - 1 + 7) / 8 * 8;
    char *bytes = scratch_read(one, &size), *bytes2 = scratch_read(two, &size2);
    assert_int_equal(size, 8 + length + 15);
    assert_int_equal((uint8_t)bytes[0], length);
    assert_memory_equal(bytes + 8, header, sizeof header - 1);
    for (size_t i = sizeof header - 1; i < length; i++) assert_int_equal(bytes[8 + i], ' ');
    assert_memory_equal(bytes + 8 + length, "\0\0\0\0\0\0\0\0\0\0\200\77\0\1\2", 15);
    assert_int_equal(size2, size);
    assert_memory_equal(bytes2, bytes, size);
    free(bytes);
    free(bytes2);
    ex_tensor_free(w);
    ex_tensor_free(u);
    ex_tensor_free(s);
}

static void assert_round_trip(ex_tensor *t) {
    const char *path = scratch_path("trip"), *name = "t";
    if (ex_safetensors_write(path, 1, &name, &t, 0, NULL, NULL) != EX_OK) fail_msg("%s", ex_error_message());
    ex_safetensors *f = ex_safetensors_open(path);
    if (!f) fail_msg("%s", ex_error_message());
    ex_tensor *back = ex_safetensors_read(f, 0), *dense = ex_tensor_new(t->dtype, t->ndim, t->dim);
    assert_int_equal(ex_tensor_copy(dense, t), EX_OK);
    assert_int_equal(back->ndim, t->ndim);
    assert_memory_equal(back->dim, t->dim, (size_t)t->ndim * sizeof *t->dim);
    if (ex_tensor_count(t)) assert_memory_equal(back->data, dense->data, dense->storage->bytes);
    ex_tensor_free(back);
    ex_tensor_free(dense);
    ex_safetensors_free(f);
}

/* Permuted, sliced, broadcast, empty; rows longer than the writer's buffer, and more rows than fit it. */
static void any_strides(void **state) {
    (void)state;
    ex_tensor *t = counting(EX_FLOAT32, 4, (int32_t[]){ 3, 4, 5, 2 });
    ex_tensor *order = ex_tensor_permute(t, (int32_t[]){ 2, 3, 1, 0 }), *slice = ex_tensor_slice(t, 1, 3, 2, -2);
    ex_tensor *one = counting(EX_INT32, 1, (int32_t[]){ 1 }), *wide = ex_tensor_broadcast(one, 2, (int32_t[]){ 3, 7 });
    ex_tensor *none = ex_tensor_slice(t, 1, 0, 0, 1), *scalar = counting(EX_FLOAT32, 0, NULL);
    ex_tensor *large = counting(EX_FLOAT32, 2, (int32_t[]){ 1000, 300 });
    ex_tensor *turned = ex_tensor_permute(large, (int32_t[]){ 1, 0 });          /* many rows at a time */
    ex_tensor *every = ex_tensor_slice(large, 1, 0, 150, 2);
    ex_tensor *flat = counting(EX_UINT8, 1, (int32_t[]){ 900001 }), *half = ex_tensor_slice(flat, 0, 0, 450001, 2);
    ex_tensor *all[] = { t, order, slice, one, wide, none, scalar, large, turned, every, flat, half };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_round_trip(all[i]);
    int32_t long_rows[] = { 2, 300001 };
    ex_tensor *rows = counting(EX_UINT8, 2, (int32_t[]){ 300001, 2 }), *across = ex_tensor_permute(rows, (int32_t[]){ 1, 0 });
    assert_memory_equal(across->dim, long_rows, sizeof long_rows);
    assert_round_trip(across);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ex_tensor_free(all[i]);
    ex_tensor_free(across);
    ex_tensor_free(rows);
}

static void every_metadata_string_comes_back(void **state) {
    (void)state;
    const char *path = scratch_path("meta");
    const char *keys[] = { "", "json", "odd" }, *values[] = { "", "{\"a\":[1,2]}", "\x01\x1F\x7F\\\"/\t\xF0\x9F\x98\x80" };
    assert_int_equal(ex_safetensors_write(path, 0, NULL, NULL, 3, keys, values), EX_OK);
    ex_safetensors *f = ex_safetensors_open(path);
    assert_non_null(f);
    for (int i = 0; i < 3; i++) assert_string_equal(ex_safetensors_metadata(f, keys[i]), values[i]);
    ex_safetensors_free(f);
}

static void refuses(void **state) {
    (void)state;
    const char *path = scratch_path("refused");
    ex_tensor *t = counting(EX_UINT8, 1, (int32_t[]){ 1 }), *two[] = { t, t };
    const char *twice[] = { "x", "x" }, *meta[] = { "__metadata__" }, *foul[] = { "\xFF" }, *fine[] = { "x" };
    assert_int_equal(ex_safetensors_write(path, 2, twice, two, 0, NULL, NULL), EX_FAILED);
    assert_message("two tensors are called x");
    assert_int_equal(ex_safetensors_write(path, 1, meta, two, 0, NULL, NULL), EX_FAILED);
    assert_message("may not be called __metadata__");
    assert_int_equal(ex_safetensors_write(path, 1, foul, two, 0, NULL, NULL), EX_FAILED);
    assert_message("not UTF-8");
    assert_int_equal(ex_safetensors_write(path, 0, NULL, NULL, 2, twice, twice), EX_FAILED);
    assert_message("two metadata strings are called x");
    assert_int_equal(ex_safetensors_write(path, 0, NULL, NULL, 1, fine, foul), EX_FAILED);
    assert_message("metadata string 1 is not UTF-8");
    assert_int_equal(ex_file_kind(path), 0);
    assert_int_equal(ex_safetensors_write(scratch_path("none/x"), 1, fine, two, 0, NULL, NULL), EX_FAILED);
    assert_message("none/x: No such file or directory");
    ex_tensor_free(t);
}

/* A disk that fills up in the middle: the old file stays, no temporary file does. */
static void full_disk(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch_path("full"), 0755), 0);
    const char *path = scratch_path("full/last.safetensors"), *name = "t";
    ex_tensor *old = counting(EX_UINT8, 1, (int32_t[]){ 3 }), *large = counting(EX_FLOAT32, 1, (int32_t[]){ 100000 });
    assert_int_equal(ex_safetensors_write(path, 1, &name, &old, 0, NULL, NULL), EX_OK);
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    struct rlimit less = { 50000, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    ex_status status = ex_safetensors_write(path, 1, &name, &large, 0, NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, EX_FAILED);
    assert_message("cannot write");
    assert_message("full/last.safetensors: File too large");
    assert_int_equal(scratch_count(scratch_path("full")), 1);
    ex_safetensors *f = ex_safetensors_open(path);
    assert_non_null(f);
    ex_safetensors_free(f);
    ex_tensor_free(old);
    ex_tensor_free(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_bytes_in_any_order),
        cmocka_unit_test(any_strides),
        cmocka_unit_test(every_metadata_string_comes_back),
        cmocka_unit_test(refuses),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests_name("core/io/safetensors_write", tests, NULL, NULL);
}
