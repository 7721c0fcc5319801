/* jpeg_scan_test.c: a file is taken apart at its segments and put together wrongly: each defect has its own line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/images.h"
#include "../../support/message.h"

#define APP "\xff\xe0\0\4ab"
#define SOF(kind, length, bits, h, w, n) "\xff" kind "\0" length bits h w n
#define ONE "\1\21\0"                       /* component 1, sampling 1 x 1, table 0 */
#define GREY SOF("\xc0", "\13", "\10", "\0\2", "\0\3", "\1") ONE
#define SCAN "\xff\xda\0\10\1\1\0\0\77\0"
#define DQT(head) "\xff\xdb\0\103" head
#define STEPS8 "\1\1\1\1\1\1\1\1"
#define STEPS STEPS8 STEPS8 STEPS8 STEPS8 STEPS8 STEPS8 STEPS8
#define DHT(length, head, counts, symbols) "\xff\xc4\0" length head counts symbols
#define NONE8 "\0\0\0\0\0\0\0\0"

typedef struct defect {
    const char *bytes, *message;
    size_t size;
} defect;

#define D(bytes, message) { "\xff\xd8" bytes, message, sizeof("\xff\xd8" bytes) - 1 }

static const defect defects[] = {
    D("", "truncated: the JPEG file ends before its pixels"),
    D("\xff\xd9", "ends before its pixels"),
    D(APP GREY, "ends before its pixels"),
    D("\xff\xe0", "damaged JPEG: it ends in segment e0"),
    D("\xff\xe0\0\1ab", "segment e0 at byte 2 has length 1, expected 2 or more"),
    D("\xff\xe0\0\5ab", "segment e0 at byte 2 has length 5, the file has 4 bytes more"),
    D("\xff\xd8" GREY SCAN, "a second image starts at byte 2"),
    D(SCAN GREY, "pixels before the frame header"),
    D(GREY GREY SCAN, "it has two frames"),
    D(SOF("\xc9", "\13", "\10", "\0\2", "\0\3", "\1") ONE SCAN, "JPEG with arithmetic coding (SOF9), baseline and progressive are read"),
    D(SOF("\xc3", "\13", "\10", "\0\2", "\0\3", "\1") ONE SCAN, "JPEG with lossless coding (SOF3)"),
    D(SOF("\xc5", "\13", "\10", "\0\2", "\0\3", "\1") ONE SCAN, "JPEG with hierarchical coding (SOF5)"),
    D("\xff\xcc\0\4\0\0" GREY SCAN, "JPEG with arithmetic coding"),
    D("\xff\xc0\0\4\10\0", "frame header of 2 bytes, expected 6 or more"),
    D(SOF("\xc1", "\13", "\14", "\0\2", "\0\3", "\1") ONE SCAN, "JPEG with 12 bits a value, only 8 are read"),
    D(SOF("\xc0", "\24", "\10", "\0\2", "\0\3", "\4") ONE ONE ONE ONE SCAN, "JPEG with 4 components (CMYK), 1 and 3 are read"),
    D(SOF("\xc0", "\16", "\10", "\0\2", "\0\3", "\2") ONE ONE SCAN, "2 components, expected 1 or 3"),
    D(SOF("\xc0", "\13", "\10", "\0\2", "\0\3", "\3") ONE SCAN, "frame header of 9 bytes, expected 15"),
    D(SOF("\xc0", "\13", "\10", "\0\0", "\0\3", "\1") ONE SCAN, "3 x 0 pixels, expected sides of 1 to 65500"),
    D(SOF("\xc0", "\13", "\10", "\377\377", "\0\3", "\1") ONE SCAN, "3 x 65535 pixels, expected sides of 1 to 65500"),
    D(SOF("\xc2", "\13", "\10", "\377\0", "\377\0", "\1") ONE SCAN, "65280 x 65280 pixels, at most 134217728 in all are read"),
    D(SOF("\xc0", "\13", "\10", "\0\2", "\0\3", "\1") "\1\1\0" SCAN, "sampling factors 0 x 1, expected 1 to 4"),
    D(SOF("\xc0", "\13", "\10", "\0\2", "\0\3", "\1") "\1\125\0" SCAN, "sampling factors 5 x 5"),
    D(SOF("\xc0", "\13", "\10", "\0\2", "\0\3", "\1") "\1\21\4" SCAN, "asks for quantisation table 4, expected 0 to 3"),
    D(DQT("\40") STEPS STEPS8, "quantisation table with precision 2 and place 0"),
    D(DQT("\4") STEPS STEPS8, "quantisation table with precision 0 and place 4"),
    D(DQT("\20") STEPS STEPS8, "quantisation table of 65 bytes, expected 129"),
    D(DQT("\1") STEPS "\1\1\1\1\1\1\1\0", "quantisation table 1 has a step of 0"),
    D(DHT("\4", "\0\0", "", ""), "Huffman table of 2 bytes, expected 17 or more"),
    D(DHT("\24", "\40", "\1" "\0\0\0\0\0\0\0" NONE8, "\1"), "Huffman table of class 2 and place 0"),
    D(DHT("\24", "\4", "\1" "\0\0\0\0\0\0\0" NONE8, "\1"), "Huffman table of class 0 and place 4"),
    D(DHT("\26", "\0", "\3" "\0\0\0\0\0\0\0" NONE8, "\1\2\3"), "Huffman table with more codes of length 1 than there are"),
    D(DHT("\26", "\0", "\1\3" "\0\0\0\0\0\0" NONE8, "\1\2\3"), "more codes of length 2 than there are"),
    D(DHT("\24", "\0", "\0\2" "\0\0\0\0\0\0" NONE8, "\1"), "Huffman table promises 2 symbols, 1 bytes follow"),
    D(DHT("\24", "\1", "\1" "\0\0\0\0\0\0\0" NONE8, "\20"), "Huffman table 1 has the size 16, expected 0 to 15"),
    D("\xff\xdd\0\5\0\0\0" GREY SCAN, "restart interval of 3 bytes, expected 2"),
    D(GREY "\xff\xda\0\6\0\0\77\0", "scan header of 4 bytes for 0 of 1 components"),
    D(GREY "\xff\xda\0\12\2\1\0\1\0\0\77\0", "scan header of 8 bytes for 2 of 1 components"),
    D(GREY "\xff\xda\0\7\1\1\0\0\77", "scan header of 5 bytes for 1 of 1 components"),
    D(GREY "\xff\xda\0\10\1\2\0\0\77\0", "a scan of component 2, which the frame has not"),
    D(GREY "\xff\xda\0\10\1\1\100\0\77\0", "a scan asks for Huffman table 40"),
    D(SOF("\xc2", "\13", "\10", "\0\2", "\0\3", "\1") ONE "\xff\xda\0\10\1\1\0\5\3\0", "a scan of coefficients 5 to 3"),
    D(SOF("\xc2", "\13", "\10", "\0\2", "\0\3", "\1") ONE "\xff\xda\0\10\1\1\0\0\100\0", "a scan of coefficients 0 to 64"),
};

static void defects_have_their_line(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
        const defect *d = &defects[i];
        uint8_t *bytes = malloc(d->size);       /* a block of its own, so that sanitizers see its end */
        memcpy(bytes, d->bytes, d->size);
        ex_image_file f = { "bytes", bytes, d->size };
        ex_image im;
        if (ex_jpeg_scan(&im, &f) == EX_OK) fail_msg("accepted: %s", d->message);
        assert_message(d->message);
        assert_message("bytes: ");
        free(bytes);
    }
}

/* Fill bytes, foreign bytes between segments, restarts and stuffed bytes within pixels are no markers. */
static void what_is_passed_over(void **state) {
    (void)state;
    static const uint8_t bytes[] = "\xff\xd8\xff\xff\xff\xe0\0\2xyz" GREY SCAN "ab\xff\0c\xff\xd3" "d\xff\xd9 trailing \xff\xd8";
    ex_image_file f = { "bytes", bytes, sizeof bytes - 1 };
    ex_image im;
    if (ex_jpeg_scan(&im, &f) != EX_OK) fail_msg("%s", ex_error_message());
    assert_int_equal(im.channels, 1);
    assert_int_equal(im.height, 2);
    assert_int_equal(im.width, 3);
}

static void too_many_scans(void **state) {
    (void)state;
    static const char head[] = "\xff\xd8" SOF("\xc2", "\13", "\10", "\0\2", "\0\3", "\1") ONE, scan[] = SCAN;
    uint8_t bytes[sizeof head + 101 * sizeof scan];
    size_t size = sizeof head - 1;
    memcpy(bytes, head, size);
    for (int i = 0; i < 101; i++, size += sizeof scan - 1) {
        ex_image_file f = { "bytes", bytes, size };
        ex_image im;
        assert_int_equal(ex_jpeg_scan(&im, &f), i ? EX_OK : EX_FAILED);
        memcpy(bytes + size, scan, sizeof scan - 1);
    }
    ex_image_file f = { "bytes", bytes, size };
    ex_image im;
    assert_int_equal(ex_jpeg_scan(&im, &f), EX_FAILED);
    assert_message("bytes: JPEG with more than 100 scans");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defects_have_their_line),
        cmocka_unit_test(what_is_passed_over),
        cmocka_unit_test(too_many_scans),
    };
    return cmocka_run_group_tests_name("core/io/jpeg_scan", tests, NULL, NULL);
}
