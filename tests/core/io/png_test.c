/* png_test.c: what the decoder does beyond what the scan checks: alpha and transparency are dropped, missing palette entries
 * are black, pixels in many chunks are joined. (That pixels are Pillow's: image_test.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/images.h"
#include "../../support/message.h"

enum { ROOM = 3 * 32 * 32 };

static void decode(uint8_t *out, const char *name, int32_t channels) {
    size_t size;
    uint8_t *bytes = sample_read(name, &size);
    if (decode_bytes(out, ROOM, bytes, size, channels, 0, 0) != EX_OK) fail_msg("%s", ex_error_message());
    free(bytes);
}

static void alpha_is_dropped(void **state) {
    (void)state;
    uint8_t with[ROOM], without[ROOM];
    decode(with, "rgba.png", 3);
    decode(without, "rgb.png", 3);
    assert_memory_equal(with, without, (size_t)3 * 23 * 31);
    decode(with, "grey_alpha.png", 1);
    decode(without, "grey.png", 1);
    assert_memory_equal(with, without, (size_t)19 * 26);
}

/* The file with its palette cut to one entry: all others are black, and none is read from beyond it. */
static void missing_entries_are_black(void **state) {
    (void)state;
    size_t size;
    uint8_t whole[ROOM], cut[ROOM], *bytes = sample_read("palette.png", &size);
    decode(whole, "palette.png", 3);
    uint8_t *palette = bytes + 33;
    assert_memory_equal(palette + 4, "PLTE", 4);
    size_t entries = (size_t)palette[2] << 8 | palette[3];
    uint8_t first[3];
    memcpy(first, palette + 8, 3);
    memmove(palette + 8 + 3, palette + 8 + entries, size - 33 - 8 - entries);
    palette[2] = 0;
    palette[3] = 3;
    size -= entries - 3;
    png_repair(bytes, size);
    if (decode_bytes(cut, ROOM, bytes, size, 3, 0, 0) != EX_OK) fail_msg("%s", ex_error_message());
    int kept = 0;
    for (int i = 0; i < 23 * 31; i++) {
        int is_first = cut[i] == first[0] && cut[i + 23 * 31] == first[1] && cut[i + 2 * 23 * 31] == first[2];
        if (!is_first) assert_int_equal(cut[i] | cut[i + 23 * 31] | cut[i + 2 * 23 * 31], 0);
        else assert_int_equal(whole[i], first[0]);
        kept += is_first;
    }
    assert_in_range(kept, 1, 23 * 31 - 1);
    free(bytes);
}

/* An interlaced file in several chunks; cut in the last one it is refused by the scan and never decoded. */
static void many_chunks(void **state) {
    (void)state;
    size_t size, chunks = 0;
    uint8_t out[ROOM], *bytes = sample_read("interlaced.png", &size);
    for (size_t at = 0; at + 4 < size; at++) chunks += memcmp(bytes + at, "IDAT", 4) == 0;
    assert_in_range(chunks, 2, 20);
    assert_int_equal(decode_bytes(out, ROOM, bytes, size, 3, 0, 0), EX_OK);
    double before = ex_memory_bytes();
    assert_int_equal(decode_bytes(out, ROOM, bytes, size - 30, 3, 8, 8), EX_FAILED);
    assert_message("bytes: truncated");
    assert_true(ex_memory_bytes() == before);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alpha_is_dropped),
        cmocka_unit_test(missing_entries_are_black),
        cmocka_unit_test(many_chunks),
    };
    return cmocka_run_group_tests_name("core/io/png", tests, NULL, NULL);
}
