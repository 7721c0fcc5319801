/* png_scan_test.c: files made chunk by chunk, each wrong in one way: each defect has its own line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>
#include "../../support/images.h"
#include "../../support/message.h"

static uint8_t file[4096];
static size_t size;

static void start(void) {
    memcpy(file, "\x89PNG\r\n\x1a\n", 8);
    size = 8;
}

static void add(const char *name, const void *body, size_t length) {
    for (int i = 0; i < 4; i++) file[size + (size_t)i] = (uint8_t)(length >> (24 - 8 * i));
    memcpy(file + size + 4, name, 4);
    memcpy(file + size + 8, body, length);
    size += 12 + length;
    png_repair(file, size);
}

static void header(uint32_t width, uint32_t height, int depth, int colour, int interlace) {
    uint8_t b[13] = { (uint8_t)(width >> 24), (uint8_t)(width >> 16), (uint8_t)(width >> 8), (uint8_t)width, (uint8_t)(height >> 24),
                      (uint8_t)(height >> 16), (uint8_t)(height >> 8), (uint8_t)height, (uint8_t)depth, (uint8_t)colour, 0, 0, (uint8_t)interlace };
    add("IHDR", b, 13);
}

static void pixels(const char *raw, size_t length) {
    uint8_t packed[256];
    uLongf room = sizeof packed;
    assert_int_equal(compress(packed, &room, (const Bytef *)raw, length), Z_OK);
    add("IDAT", packed, room);
}

static ex_status scan(void) {
    uint8_t *bytes = malloc(size);              /* a block of its own, so that sanitizers see its end */
    memcpy(bytes, file, size);
    ex_image_file f = { "bytes", bytes, size };
    ex_image im;
    ex_status status = ex_png_scan(&im, &f);
    free(bytes);
    return status;
}

static void refuse(const char *message) {
    if (scan() == EX_OK) fail_msg("accepted: %s", message);
    assert_message(message);
    assert_message("bytes: ");
}

#define GREY() (start(), header(2, 2, 8, 0, 0))

static void right_files(void **state) {
    (void)state;
    uint8_t out[4];
    GREY();
    add("tEXt", "a", 1);
    pixels("\0ab\0cd", 6);
    add("IEND", "", 0);
    assert_int_equal(decode_bytes(out, 4, file, size, 1, 0, 0), EX_OK);
    assert_memory_equal(out, "abcd", 4);
    start();
    header(2, 2, 1, 3, 0);
    add("PLTE", "\0\0\0\1\2\3", 6);
    pixels("\0\100\0\200", 4);
    add("IEND", "", 0);
    uint8_t rgb[12];
    assert_int_equal(decode_bytes(rgb, 12, file, size, 3, 0, 0), EX_OK);
    assert_memory_equal(rgb, "\0\1\1\0\0\2\2\0\0\3\3\0", 12);
}

static void chunks(void **state) {
    (void)state;
    start();
    refuse("truncated: the PNG file ends before its end chunk");
    start();
    add("IDAT", "", 0);
    refuse("damaged PNG: starts with chunk IDAT of 0 bytes, expected IHDR of 13");
    GREY();
    pixels("\0ab\0cd", 6);
    refuse("truncated: the PNG file ends before its end chunk");
    file[8 + 25 + 4] = '1';
    refuse("no chunk name at byte 37");
    GREY();
    add("IEND", "", 0);
    refuse("it has no pixels");
    file[size - 12 + 3] = 200;
    refuse("chunk IEND at byte 33 has length 200, the file has 0 bytes more");
    file[size - 12] = 255;
    refuse("has length 4278190280");
    GREY();
    pixels("\0ab\0cd", 6);
    file[size - 1] ^= 1;
    add("tEXt", "", 0);
    file[50] ^= 1;
    refuse("the check sum of chunk IDAT at byte 33 is wrong");
    GREY();
    add("CgBI", "", 0);
    refuse("PNG with chunk CgBI, which is not known");
    GREY();
    add("IHDR", "0123456789abc", 13);
    refuse("PNG with chunk IHDR, which is not known");
    GREY();
    pixels("\0ab\0cd", 6);
    add("tEXt", "", 0);
    pixels("\0ab\0cd", 6);
    refuse("its pixels are interrupted by another chunk");
}

static void headers(void **state) {
    (void)state;
    static const struct { int depth, colour, interlace; const char *message; } cases[] = {
        { 3, 0, 0, "colour type 0 with 3 bits" }, { 0, 0, 0, "colour type 0 with 0 bits" }, { 4, 2, 0, "colour type 2 with 4 bits" },
        { 16, 3, 0, "colour type 3 with 16 bits" }, { 8, 1, 0, "colour type 1 with 8 bits" }, { 8, 7, 0, "colour type 7 with 8 bits" },
        { 16, 0, 0, "PNG with 16 bits a value, only up to 8 are read" }, { 16, 6, 0, "16 bits a value" },
        { 8, 0, 2, "compression 0, filter 0, interlace 2, expected 0, 0, 0 or 1" }, { 8, 3, 0, "it has no palette" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start();
        header(2, 2, cases[i].depth, cases[i].colour, cases[i].interlace);
        pixels("\0ab\0cd", 6);
        add("IEND", "", 0);
        refuse(cases[i].message);
    }
    start();
    header(0, 2, 8, 0, 0);
    pixels("\0ab\0cd", 6);
    add("IEND", "", 0);
    refuse("0 x 2 pixels, expected sides of 1 to 65500");
    start();
    header(60000, 60000, 1, 0, 1);
    pixels("\0ab\0cd", 6);
    add("IEND", "", 0);
    refuse("60000 x 60000 pixels, at most 134217728 in all are read");
}

static void palettes(void **state) {
    (void)state;
    start();
    header(2, 2, 1, 3, 0);
    add("PLTE", "123456789", 9);
    refuse("a palette of 9 bytes, expected 3 to 6 in threes");
    start();
    header(2, 2, 8, 3, 0);
    add("PLTE", "1234", 4);
    refuse("a palette of 4 bytes");
    start();
    header(2, 2, 8, 3, 0);
    add("PLTE", "", 0);
    refuse("a palette of 0 bytes");
    start();
    header(2, 2, 8, 3, 0);
    add("PLTE", "123", 3);
    add("PLTE", "123", 3);
    refuse("a second or late palette");
}

static void compressed_pixels(void **state) {
    (void)state;
    static const struct { const char *raw, *message; size_t length; } cases[] = {
        { "\0ab\0c", "fewer pixels than its header promises", 5 },
        { "\0ab", "fewer pixels", 3 },
        { "\0ab\0cde", "more pixels than its header promises", 7 },
        { "\0ab\5cd", "a row with filter 5, expected 0 to 4", 6 },
        { "", "fewer pixels", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        GREY();
        pixels(cases[i].raw, cases[i].length);
        add("IEND", "", 0);
        refuse(cases[i].message);
    }
    GREY();
    add("IDAT", "abcdef", 6);
    add("IEND", "", 0);
    refuse("its compressed pixels: incorrect header check");
    GREY();
    add("IDAT", "\x78\x9c", 2);
    add("IEND", "", 0);
    refuse("truncated: the compressed pixels of the PNG file end early");
    GREY();
    pixels("\0ab\0cd", 6);
    file[size - 5] ^= 1;
    png_repair(file, size);
    add("IEND", "", 0);
    refuse("its compressed pixels: incorrect data check");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_files),
        cmocka_unit_test(chunks),
        cmocka_unit_test(headers),
        cmocka_unit_test(palettes),
        cmocka_unit_test(compressed_pixels),
    };
    return cmocka_run_group_tests_name("core/io/png_scan", tests, NULL, NULL);
}
