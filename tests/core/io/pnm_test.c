/* pnm_test.c: plain and binary files by hand, scaling by the maximum, and each defect with its own line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/images.h"
#include "../../support/message.h"

typedef struct right {
    const char *bytes, *pixels;             /* pixels: (C,H,W) */
    size_t size;
    int32_t channels;
} right;

#define R(channels, bytes, pixels) { bytes, pixels, sizeof(bytes) - 1, channels }

static const right rights[] = {
    R(1, "P5 2 1 255 \0\377", "\0\377"),
    R(1, "P5#a\n2#b\r\n 1\n#c\n255\n#\n", "#\n"),                     /* after the maximum one white space, then pixels */
    R(1, "P5 1 2 255\r\n\r", "\n\r"),
    R(1, "P5 3 1 5 \0\1\5", "\0\63\377"),
    R(1, "P5 2 1 1 \0\1", "\0\377"),
    R(1, "P5 1 1 255 x and more", "x"),
    R(1, "P2 3 1 255 0 128 255", "\0\200\377"),
    R(1, "P2\n2 1\n15\n#a\n0015\n\t1", "\377\21"),
    R(3, "P6 1 1 255 abc", "abc"),
    R(3, "P3 2 1 255 1 2 3 4 5 6\n", "\1\4\2\5\3\6"),
};

static void right_files(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        const right *r = &rights[i];
        uint8_t out[16];
        if (decode_bytes(out, sizeof out, (const uint8_t *)r->bytes, r->size, r->channels, 0, 0) != EX_OK)
            fail_msg("case %zu: %s", i, ex_error_message());
        assert_memory_equal(out, r->pixels, strlen(r->pixels) ? strlen(r->pixels) : 2);
    }
}

static const struct { const char *bytes, *message; } defects[] = {
    { "P1 1 1 1", "a PNM bitmap (P1), only P2, P3, P5 and P6 are read" },
    { "P4 1 1 x", "a PNM bitmap (P4)" },
    { "P5", "truncated: the PNM file ends where its width should be" },
    { "P5 # no end", "ends where its width should be" },
    { "P5 7", "ends where its height should be" },
    { "P5 7 1 ", "ends where its maximum should be" },
    { "P5 -7 1 255 x", "byte 3 is 0x2d, expected the digits of its width" },
    { "P5 7x1 255 x", "byte 4 is 0x78, expected the digits of its height" },
    { "P5 1 1 65535 ab", "PNM with 16 bits a value (maximum 65535), only up to 8 bits (255) are read" },
    { "P5 1 1 65536 ab", "its maximum is above 65535" },
    { "P5 1 1 0 a", "its maximum is 0, expected 1 to 255" },
    { "P5 1 1 255", "ends after its header" },
    { "P5 1 1 255#", "byte 10 is 0x23, expected white space" },
    { "P5 2 2 255 abc", "truncated: its header promises 4 values, 3 bytes follow" },
    { "P6 2 2 255 abcdabcdabc", "promises 12 values, 11 bytes follow" },
    { "P5 2 1 9 \1\12", "value 2 is 10, its maximum is 9" },
    { "P2 2 1 9 1 10", "value 2 is 10, its maximum is 9" },
    { "P2 2 1 255 1 -1", "expected the digits of its next value" },
    { "P2 2 1 255 1 99999", "its next value is above 65535" },
    { "P2 2 1 255 11111", "value 1 is 11111, its maximum is 255" },
};

static void defects_have_their_line(void **state) {
    (void)state;
    uint8_t out[16];
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
        if (decode_bytes(out, sizeof out, (const uint8_t *)defects[i].bytes, strlen(defects[i].bytes), 1, 0, 0) == EX_OK)
            fail_msg("accepted: %s", defects[i].bytes);
        assert_message(defects[i].message);
        assert_message("bytes: ");
    }
    assert_int_equal(decode_bytes(out, sizeof out, (const uint8_t *)"P2 2 1 255 111", 14, 1, 0, 0), EX_FAILED);
    assert_message("the PNM file ends where its next value should be");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_files),
        cmocka_unit_test(defects_have_their_line),
    };
    return cmocka_run_group_tests_name("core/io/pnm", tests, NULL, NULL);
}
