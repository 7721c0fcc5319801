/* jpeg_test.c: a grey block by hand; what libjpeg refuses comes back as one line, and memory is given back. (That pixels
 * are Pillow's: image_test.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/images.h"
#include "../../support/message.h"

#define S8 "\10\10\10\10\10\10\10\10"
#define QUANTISATION "\xff\xdb\0\103\0" S8 S8 S8 S8 S8 S8 S8 S8
#define FRAME "\xff\xc0\0\13\10\0\10\0\10\1\1\21\0"
/* DC: size 4 by the code 0; AC: the end of the block by the code 0 */
#define DC "\xff\xc4\0\24\0" "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\4"
#define AC "\xff\xc4\0\24\20" "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0"
#define SCAN "\xff\xda\0\10\1\1\0\0\77\0"

/* DC = 10 (0, 1010), then 0: each pixel is 128 + 10 * 8 / 8 = 138. Bits: 0 1010 0 11. */
static const char block[] = "\xff\xd8" QUANTISATION FRAME DC AC SCAN "\x53\xff\xd9";

static void by_hand(void **state) {
    (void)state;
    uint8_t out[64];
    if (decode_bytes(out, sizeof out, (const uint8_t *)block, sizeof block - 1, 1, 0, 0) != EX_OK) fail_msg("%s", ex_error_message());
    for (int i = 0; i < 64; i++) assert_int_equal(out[i], 138);
}

#define D(bytes, message) { bytes, message, sizeof(bytes) - 1 }

static void refused(void **state) {
    (void)state;
    static const struct { const char *bytes, *message; size_t size; } cases[] = {
        D("\xff\xd8" FRAME DC AC SCAN "\x53\xff\xd9", "bytes: damaged JPEG: Quantization table 0x00 was not defined"),
        D("\xff\xd8" QUANTISATION FRAME DC AC "\xff\xda\0\10\1\1\42\0\77\0" "\x53\xff\xd9",
          "bytes: damaged JPEG: Huffman table 0x02 was not defined"),
        D("\xff\xd8" QUANTISATION FRAME DC AC SCAN "\x53", "bytes: truncated: the JPEG file ends within its pixels"),
        D("\xff\xd8" QUANTISATION FRAME DC AC SCAN, "bytes: truncated: the JPEG file ends within its pixels"),
    };
    uint8_t out[64];
    double before = ex_memory_bytes();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (decode_bytes(out, sizeof out, (const uint8_t *)cases[i].bytes, cases[i].size, 1, 0, 0) == EX_OK)
            fail_msg("accepted: %s", cases[i].message);
        assert_message(cases[i].message);
    }
    assert_true(ex_memory_bytes() == before);
}

/* Cut inside its coded pixels, a large file is refused, whichever way it is coded. */
static void half_files(void **state) {
    (void)state;
    static const char *const names[] = { "baseline.jpg", "progressive.jpg", "grey.jpg", "half.jpg" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint8_t out[192];
        size_t size;
        uint8_t *bytes = sample_read(names[i], &size);
        assert_int_equal(decode_bytes(out, sizeof out, bytes, size - 40, 3, 8, 8), EX_FAILED);
        assert_message("truncated: the JPEG file ends within its pixels");
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(refused),
        cmocka_unit_test(half_files),
    };
    return cmocka_run_group_tests_name("core/io/jpeg", tests, NULL, NULL);
}
