/* safetensors_test.c: a file built by hand is read exactly; each way to break one gives its own line; random damage
 * never crashes, and whatever is accepted can be read. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"
#include "../../support/mutate.h"
#include "../../support/scratch.h"

/* Lays out length, header and `data` bytes 0, 1, 2, ...; gives the size of all. */
static size_t lay_out(uint8_t *out, const char *header, size_t data) {
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++) out[i] = (uint8_t)((uint64_t)length >> 8 * i);
    for (size_t i = 0; i < length; i++) out[8 + i] = (uint8_t)header[i];
    for (size_t i = 0; i < data; i++) out[8 + length + i] = (uint8_t)i;
    return 8 + length + data;
}

static const char *build(const char *header, size_t data) {
    static uint8_t bytes[8192];
    return scratch_file("built.safetensors", bytes, lay_out(bytes, header, data));
}

static ex_safetensors *must_open(const char *path) {
    ex_safetensors *f = ex_safetensors_open(path);
    if (!f) fail_msg("%s", ex_error_message());
    return f;
}

static const char good[] =
    "{\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[3,11]}, \"__metadata__\":{\"format\":\"\\u0065x\",\"\":\"\\ud83d\\ude00\"},"
    "\"a\\n\":{\"data_offsets\":[0,3],\"shape\":[3],\"dtype\":\"U8\"}, \"none\":{\"dtype\":\"I32\",\"shape\":[0,7],\"data_offsets\":[3,3]},"
    "\"s\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[11,15]}}   ";

static void reads_by_hand(void **state) {
    (void)state;
    ex_safetensors *f = must_open(build(good, 15));
    assert_int_equal(ex_safetensors_count(f), 4);
    assert_string_equal(ex_safetensors_name(f, 0), "b");
    assert_string_equal(ex_safetensors_name(f, 1), "a\n");
    assert_null(ex_safetensors_name(f, 4));
    assert_null(ex_safetensors_name(f, -1));
    assert_string_equal(ex_safetensors_metadata(f, "format"), "ex");
    assert_string_equal(ex_safetensors_metadata(f, ""), "\xF0\x9F\x98\x80");
    assert_null(ex_safetensors_metadata(f, "absent"));
    assert_int_equal(ex_safetensors_metadata_count(f), 2);
    assert_string_equal(ex_safetensors_metadata_key(f, 0), "");
    assert_string_equal(ex_safetensors_metadata_key(f, 1), "format");
    assert_null(ex_safetensors_metadata_key(f, 2));
    ex_tensor *b = ex_safetensors_read(f, 0), *a = ex_safetensors_read(f, 1), *none = ex_safetensors_read(f, 2),
              *s = ex_safetensors_read(f, 3);
    static const uint8_t bytes[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };
    assert_int_equal(b->dtype, EX_FLOAT32);
    assert_int_equal(b->ndim, 2);
    assert_int_equal(b->dim[0], 2);
    assert_memory_equal(b->data, bytes + 3, 8);
    assert_int_equal(a->dtype, EX_UINT8);
    assert_memory_equal(a->data, bytes, 3);
    assert_int_equal(ex_tensor_count(none), 0);
    assert_int_equal(s->ndim, 0);
    assert_int_equal(*(int32_t *)s->data, 0x0E0D0C0B);
    assert_null(ex_safetensors_read(f, 4));
    assert_message("tensor 4 of 4");
    ex_tensor_free(a);
    ex_tensor_free(b);
    ex_tensor_free(none);
    ex_tensor_free(s);
    ex_safetensors_free(f);
    ex_safetensors_free(NULL);
}

static void smallest_file(void **state) {
    (void)state;
    ex_safetensors *f = must_open(build("{}", 0));
    assert_int_equal(ex_safetensors_count(f), 0);
    ex_safetensors_free(f);
}

#define T "{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}"
#define U(dtype, shape, offsets) "{\"t\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

typedef struct malformed {
    const char *header, *message;
    size_t data;
} malformed;

static const malformed cases[] = {
    { "", "byte 0: expected '{'", 0 },
    { " {}", "byte 0: expected '{'", 0 },
    { "[]", "expected '{'", 0 },
    { "{", "ends too early", 0 },
    { "{} x", "text after the end", 0 },
    { "{}{}", "text after the end", 0 },
    { "{\"t\":" T ",}", "nothing after ','", 4 },
    { "{\"t\":" T " \"u\":" T "}", "expected ',' or '}'", 4 },
    { "{t:" T "}", "expected a string", 4 },
    { "{\"t\" " T "}", "expected ':'", 4 },
    { "{\"t\":1}", "expected '{'", 0 },
    { "{\"t\":null}", "expected '{'", 0 },
    { "{\"t\":{}}", "tensor \"t\" has no dtype", 0 },
    { "{\"t\":{\"dtype\":\"U8\",\"shape\":[4]}}", "tensor \"t\" has no data_offsets", 4 },
    { "{\"t\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}}", "tensor \"t\" has no shape", 4 },
    { "{\"t\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "dtype stands there twice", 4 },
    { "{\"t\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4],\"stride\":[1]}}", "unknown key \"stride\"", 4 },
    { "{\"t\":" T ",\"t\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]}}", "tensor \"t\" stands there twice", 5 },
    { "{\"t\":" T ",\"\\u0074\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]}}", "stands there twice", 5 },
    { U("\"I64\"", "[1]", "[0,4]"), "do not fit its shape (1), expected 8 bytes", 4 },
    { U("\"F16\"", "[2]", "[0,8]"), "do not fit its shape (2), expected 4 bytes", 8 },
    { U("\"F6_E3M2\"", "[3]", "[0,4]"), "expected 3 bytes", 4 },
    { U("\"f32\"", "[1]", "[0,4]"), "is of unknown type \"f32\"", 4 },
    { U("3", "[1]", "[0,4]"), "expected a string", 4 },
    { U("\"U8\"", "4", "[0,4]"), "expected '['", 4 },
    { U("\"U8\"", "[-4]", "[0,4]"), "expected a whole number", 4 },
    { U("\"U8\"", "[4.0]", "[0,4]"), "a fraction or an exponent", 4 },
    { U("\"U8\"", "[04]", "[0,4]"), "leading zero", 4 },
    { U("\"U8\"", "[\"4\"]", "[0,4]"), "expected a whole number", 4 },
    { U("\"U8\"", "[4,]", "[0,4]"), "nothing after ','", 4 },
    { U("\"U8\"", "[1,1,1,1,1,1,1,1,4]", "[0,4]"), "more than 8 axes", 4 },
    { U("\"U8\"", "[2147483648]", "[0,4]"), "has an axis of 2147483648, at most 2147483647", 4 },
    { U("\"U8\"", "[99999999999999999999]", "[0,4]"), "number too large", 4 },
    { U("\"F32\"", "[2147483647,2147483647,2147483647]", "[0,4]"), "size of its shape (2147483647, 2147483647, 2147483647) overflows", 4 },
    { U("\"F32\"", "[2147483647,2147483647,2]", "[0,4]"), "overflows", 4 },
    { U("\"U8\"", "[5]", "[0,4]"), "data_offsets [0, 4] do not fit its shape (5), expected 5 bytes", 4 },
    { U("\"F32\"", "[]", "[0,1]"), "do not fit its shape (), expected 4 bytes", 1 },
    { U("\"U8\"", "[0]", "[4,0]"), "data_offsets [4, 0] do not fit", 4 },
    { U("\"U8\"", "[4]", "[4,8]"), "begins at byte 4 of the data, which leaves a hole from byte 0", 8 },
    { U("\"U8\"", "[4]", "[0,4,4]"), "expected ']'", 4 },
    { U("\"U8\"", "[4]", "[0]"), "expected ','", 4 },
    { U("\"U8\"", "[4]", "[0,4]"), "truncated: its tensors take 4 bytes, the file has 3", 3 },
    { U("\"U8\"", "[4]", "[0,4]"), "2 bytes follow the last tensor", 6 },
    { "{}", "1 bytes follow the last tensor", 1 },
    { "{\"t\":" T ",\"u\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", "\"u\" begins at byte 2 of the data, inside another, which ends at byte 4", 6 },
    { "{\"t\":" T ",\"u\":" T "}", "inside another", 4 },
    { "{\"t\":" T ",\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[5,6]}}", "\"u\" begins at byte 5 of the data, which leaves a hole from byte 4", 6 },
    { "{\"__metadata__\":{\"a\":1}}", "expected a string", 0 },
    { "{\"__metadata__\":[]}", "expected '{'", 0 },
    { "{\"__metadata__\":{\"a\":\"b\",\"a\":\"c\"}}", "__metadata__ has \"a\" twice", 0 },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", "__metadata__ stands there twice", 0 },
    { "{\"__metadata__\":{\"a\":\"\\u0000\"}}", "holds the character 0", 0 },
    { "{\"__metadata__\":{\"a\":\"\xFF\"}}", "not UTF-8", 0 },
    { "{\"\\ud800\":" T "}", "\\u is not followed", 4 },
    { "{/**/}", "expected a string", 0 },
};

static void malformed_headers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ex_safetensors *f = ex_safetensors_open(build(cases[i].header, cases[i].data));
        if (f) fail_msg("accepted: %s", cases[i].header);
        assert_message(cases[i].message);
        assert_message("built.safetensors");
        assert_null(strchr(ex_error_message(), '\n'));
    }
}

/* Types that are not read can be looked at, and do not stand in the way of the others. */
static void other_types(void **state) {
    (void)state;
    ex_safetensors *f = must_open(build("{\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
                                        "\"x\":{\"dtype\":\"U8\",\"shape\":[1,2],\"data_offsets\":[8,10]}}", 10));
    int32_t dim[EX_MAX_DIMS];
    assert_string_equal(ex_safetensors_type(f, 0), "I64");
    assert_int_equal(ex_safetensors_shape(f, 0, dim), 0);
    assert_null(ex_safetensors_read(f, 0));
    assert_message("built.safetensors: tensor \"n\" is of type I64; F32, F16, BF16, I32 and U8 are read");
    assert_string_equal(ex_safetensors_type(f, 1), "U8");
    assert_int_equal(ex_safetensors_shape(f, 1, dim), 2);
    assert_int_equal(dim[0], 1);
    assert_int_equal(dim[1], 2);
    assert_null(ex_safetensors_type(f, 2));
    assert_int_equal(ex_safetensors_shape(f, -1, dim), EX_NONE);
    assert_message("tensor -1 of 2");
    ex_tensor *x = ex_safetensors_read(f, 1);
    assert_int_equal(((uint8_t *)x->data)[1], 9);
    ex_tensor_free(x);
    ex_safetensors_free(f);
}

/* Every finite half and bfloat, by hand from sign, exponent and fraction; infinities and NaN as such. */
static float by_hand(uint16_t h, int fraction_bits, int bias) {
    int exponent = (h & 0x7fff) >> fraction_bits, all = 0x7fff >> fraction_bits, fraction = h & ((1 << fraction_bits) - 1);
    double value = exponent == all ? (fraction ? NAN : INFINITY)
                 : exponent == 0 ? ldexp(fraction, 1 - bias - fraction_bits)
                 : ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    return (float)(h & 0x8000 ? -value : value);
}

static void sixteen_bits(void **state) {
    (void)state;
    enum { COUNT = 65536 };
    static const char *const type[] = { "F16", "BF16" };
    static const int fraction[] = { 10, 7 }, bias[] = { 15, 127 };
    static uint8_t bytes[256 + 2 * COUNT];
    for (int k = 0; k < 2; k++) {
        char header[128];
        snprintf(header, sizeof header, "{\"t\":{\"dtype\":\"%s\",\"shape\":[256,256],\"data_offsets\":[0,131072]}}", type[k]);
        size_t size = lay_out(bytes, header, 2 * COUNT);
        for (int i = 0; i < COUNT; i++) {
            bytes[size - 2 * COUNT + 2 * (size_t)i] = (uint8_t)i;
            bytes[size - 2 * COUNT + 2 * (size_t)i + 1] = (uint8_t)(i >> 8);
        }
        ex_safetensors *f = must_open(scratch_file("short.safetensors", bytes, size));
        ex_tensor *t = ex_safetensors_read(f, 0);
        assert_non_null(t);
        assert_int_equal(t->dtype, EX_FLOAT32);
        const float *got = (const float *)t->data;
        for (int i = 0; i < COUNT; i++) {
            float want = by_hand((uint16_t)i, fraction[k], bias[k]);
            if (isnan(want) ? !isnan(got[i]) : got[i] != want || signbit(got[i]) != signbit(want))
                fail_msg("%s %04x: got %g, expected %g", type[k], (unsigned)i, (double)got[i], (double)want);
        }
        ex_tensor_free(t);
        ex_safetensors_free(f);
    }
}

/* Files that are none, and files cut at any byte. */
static void foreign_and_truncated(void **state) {
    (void)state;
    assert_null(ex_safetensors_open(scratch_path("none")));
    assert_message("none: No such file or directory");
    assert_null(ex_safetensors_open(scratch_folder()));
    assert_message("it is not a file");
    assert_null(ex_safetensors_open(scratch_file("short", "1234567", 7)));
    assert_message("short: 7 bytes, too short for a safetensors file");
    assert_null(ex_safetensors_open(scratch_file("text", "-- a Lua file, say\n", 19)));
    assert_message("text: not a safetensors file: its header would have");
    assert_null(ex_safetensors_open(scratch_file("long", "\377\377\377\377\377\377\377\377{}", 10)));
    assert_message("18446744073709551615 bytes");
    assert_null(ex_safetensors_open(scratch_file("claim", "\0\0\0\1\0\0\0\0{}", 10)));
    assert_message("truncated or no safetensors file: its header would have 16777216 bytes, the file has 10");
    uint8_t bytes[1024];
    size_t size = lay_out(bytes, good, 15);
    for (size_t cut = 0; cut < size; cut++) {
        assert_null(ex_safetensors_open(scratch_file("cut", bytes, cut)));
        assert_message("cut");
    }
}

static void shortened_while_open(void **state) {
    (void)state;
    const char *path = build(good, 15);
    ex_safetensors *f = must_open(path);
    assert_int_equal(truncate(path, 100), 0);
    assert_null(ex_safetensors_read(f, 0));
    assert_message("it became shorter while it was read");
    ex_safetensors_free(f);
}

static void random_damage(void **state) {
    (void)state;
    mutation m = { 42 };
    uint8_t bytes[2048];
    int accepted = 0;
    for (int i = 0; i < 6000; i++) {
        size_t size = lay_out(bytes, good, 15);
        size = mutate(&m, bytes + 8, size - 8, size - 8, sizeof bytes - 8) + 8;      /* the length stays: deeper damage */
        if (i % 4 == 0) size = mutate(&m, bytes, size, 16, sizeof bytes);
        ex_safetensors *f = ex_safetensors_open(scratch_file("mutant", bytes, size));
        if (!f) continue;
        accepted++;
        for (int32_t k = 0; k < ex_safetensors_count(f); k++) {
            ex_tensor *t = ex_safetensors_read(f, k);
            if (!t) assert_message("F32, F16, BF16, I32 and U8 are read");
            ex_tensor_free(t);
        }
        ex_safetensors_free(f);
    }
    assert_in_range(accepted, 1, 5999);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_by_hand),
        cmocka_unit_test(smallest_file),
        cmocka_unit_test(malformed_headers),
        cmocka_unit_test(other_types),
        cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(foreign_and_truncated),
        cmocka_unit_test(shortened_while_open),
        cmocka_unit_test(random_damage),
    };
    return cmocka_run_group_tests_name("core/io/safetensors", tests, NULL, NULL);
}
