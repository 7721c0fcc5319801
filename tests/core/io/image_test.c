/* image_test.c: every committed file gives Pillow's pixels, grey and in colour; what is no image is refused in one line;
 * damage of any kind costs a message, never the process (EXEUNT_MUTANTS says how many; `make fuzz` takes 10,000). */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/images.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

static ex_tensor *golden(const char *name) {
    ex_safetensors *f = ex_safetensors_open("tests/golden/images.safetensors");
    if (!f) fail_msg("%s", ex_error_message());
    for (int32_t i = 0; i < ex_safetensors_count(f); i++)
        if (strcmp(ex_safetensors_name(f, i), name) == 0) {
            ex_tensor *t = ex_safetensors_read(f, i);
            ex_safetensors_free(f);
            return t;
        }
    fail_msg("no golden tensor %s", name);
    return NULL;
}

/* Other releases of libjpeg-turbo may round an upsampled colour otherwise; nothing else may differ. */
static void the_pixels_are_pillows(void **state) {
    (void)state;
    for (int i = 0; sample_names[i]; i++)
        for (int32_t channels = 1; channels <= 3; channels += 2) {
            char key[64];
            uint8_t out[3 * 64 * 64];
            size_t size;
            snprintf(key, sizeof key, "%s.%d", sample_names[i], channels);
            ex_tensor *expected = golden(key);
            uint8_t *bytes = sample_read(sample_names[i], &size);
            if (decode_bytes(out, sizeof out, bytes, size, channels, 0, 0) != EX_OK) fail_msg("%s: %s", key, ex_error_message());
            int most = strstr(key, ".jpg") ? 2 : 0;
            for (int64_t k = 0; k < ex_tensor_count(expected); k++)
                if (abs(out[k] - ((uint8_t *)expected->data)[k]) > most)
                    fail_msg("%s: pixel %d is %d, expected %d", key, (int)k, out[k], ((uint8_t *)expected->data)[k]);
            ex_tensor_free(expected);
            free(bytes);
        }
}

static void by_hand(void **state) {
    (void)state;
    static const uint8_t rgb[] = "P6\n2 1\n255\n\377\0\0\12\24\36", grey[] = "P5 2 1 255 \7\377";
    uint8_t out[6];
    assert_int_equal(decode_bytes(out, 6, rgb, sizeof rgb - 1, 3, 0, 0), EX_OK);
    assert_memory_equal(out, "\377\12\0\24\0\36", 6);
    assert_int_equal(decode_bytes(out, 6, rgb, sizeof rgb - 1, 1, 0, 0), EX_OK);
    assert_int_equal(out[0], 76);           /* .299 x 255 */
    assert_int_equal(out[1], 18);           /* .299 x 10 + .587 x 20 + .114 x 30 = 18.15 */
    assert_int_equal(decode_bytes(out, 6, grey, sizeof grey - 1, 3, 0, 0), EX_OK);
    assert_memory_equal(out, "\7\377\7\377\7\377", 6);
    assert_int_equal(decode_bytes(out, 6, grey, sizeof grey - 1, 1, 1, 1), EX_OK);
    assert_int_equal(out[0], 131);          /* resized: (7 + 255) / 2 */
}

static void refused_bytes(void **state) {
    (void)state;
    static const ex_image_form form = { 1, 1, 1, EX_RESIZE_NONE, 1e6 };
    uint8_t out[1];
#define REFUSE(bytes, message) do { \
    ex_image_file f = { "file.jpg", (const uint8_t *)(bytes), sizeof(bytes) - 1 }; \
    assert_int_equal(ex_image_decode(out, &f, &form), EX_FAILED); \
    assert_message("file.jpg: " message); \
} while (0)
    REFUSE("ab", "2 bytes, too short for an image");
    REFUSE("GIF89a", "not an image: it starts with 47 49 46 38; JPEG, PNG, PGM and PPM are read");
    REFUSE("P7\n1 1", "not an image: it starts with 50 37");
    REFUSE("P5 2 1 255 ab", "2 x 1 pixels, expected 1 x 1 (no resizing was asked for)");
    REFUSE("P5 9999999 1 255 ab", "PNM: its width is above 65500");
    REFUSE("P5 65500 65500 255 ab", "65500 x 65500 pixels, at most 134217728 in all are read");
    REFUSE("P5 0 1 255 ab", "0 x 1 pixels, expected sides of 1 to 65500");
}

static void refused_files(void **state) {
    (void)state;
    static const ex_image_form form = { 1, 1, 1, EX_RESIZE_BICUBIC, 40 };
    uint8_t out[1];
    assert_int_equal(ex_image_load(out, scratch_path("none"), &form), EX_FAILED);
    assert_message("none: No such file or directory");
    assert_int_equal(ex_image_load(out, scratch_folder(), &form), EX_FAILED);
    assert_message("it is a folder");
    assert_int_equal(ex_image_load(out, scratch_file("empty.png", "", 0), &form), EX_FAILED);
    assert_message("empty.png: empty, expected an image");
    const char *pipe = scratch_path("pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(ex_image_load(out, pipe, &form), EX_FAILED);      /* and does not wait for a writer */
    assert_message("pipe: it is not a file");
    unlink(pipe);
    assert_int_equal(ex_image_load(out, scratch_file("big.pgm", "P5 33 1 255 abcdefghijklmnopqrstuvwxyz0123456", 45), &form), EX_FAILED);
    assert_message("big.pgm: 0 MB, files of up to 0 MB are read");
    assert_int_equal(ex_image_load(out, scratch_file("ok.pgm", "P5 1 1 255 a", 12), &form), EX_OK);
    assert_int_equal(out[0], 'a');
}

static void sizes(void **state) {
    (void)state;
    static const struct { const char *name; int32_t channels, height, width; } cases[] = {
        { "baseline.jpg", 3, 23, 31 }, { "progressive.jpg", 3, 23, 31 }, { "grey.jpg", 1, 19, 26 }, { "rgba.png", 3, 23, 31 },
        { "grey_alpha.png", 1, 19, 26 }, { "palette.png", 3, 23, 31 }, { "bits.png", 1, 19, 26 }, { "interlaced.png", 3, 13, 11 },
        { "comment.pgm", 1, 3, 5 }, { "plain.ppm", 3, 4, 3 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t channels, height, width;
        assert_int_equal(ex_image_size(sample_path(cases[i].name), &channels, &height, &width), EX_OK);
        assert_int_equal(channels, cases[i].channels);
        assert_int_equal(height, cases[i].height);
        assert_int_equal(width, cases[i].width);
    }
    int32_t n;
    assert_int_equal(ex_image_size("tests/run", &n, &n, &n), EX_FAILED);
    assert_message("tests/run: not an image: it starts with 23 21");
}

/* Every file, cut at every byte: a message, or (where only the end mark is missing) the pixels. */
static void cut_anywhere(void **state) {
    (void)state;
    uint8_t out[3 * 8 * 8];
    for (int i = 0; sample_names[i]; i++) {
        size_t size;
        uint8_t *bytes = sample_read(sample_names[i], &size);
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *part = malloc(cut + 1);            /* a block of its own, so that sanitizers see its end */
            memcpy(part, bytes, cut);
            ex_status status = cut ? decode_bytes(out, sizeof out, part, cut, 3, 8, 8) : EX_FAILED;
            int harmless = cut + 4 >= size || (strstr(sample_names[i], "plain") && cut + 5 >= size);
            if (status == EX_OK && !harmless) fail_msg("%s cut at %zu of %zu was accepted", sample_names[i], cut, size);
            if (status != EX_OK && cut) assert_null(strchr(ex_error_message(), '\n'));
            free(part);
        }
        free(bytes);
    }
}

static void mutants(void **state) {
    (void)state;
    const char *asked = getenv("EXEUNT_MUTANTS");
    int count = asked ? atoi(asked) : 2000, accepted = 0;
    mutation m = { 20260711 };
    uint8_t out[3 * 16 * 16];
    for (int i = 0; i < count; i++) {
        size_t size;
        uint8_t *bytes = sample_mutant(&m, i, &size);
        if (size && decode_bytes(out, sizeof out, bytes, size, i & 1 ? 3 : 1, 16, 16) == EX_OK) accepted++;
        else if (size) assert_null(strchr(ex_error_message(), '\n'));
        free(bytes);
    }
    print_message("%d of %d mutants were accepted\n", accepted, count);
    assert_in_range(accepted, count / 50, count - count / 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(the_pixels_are_pillows),
        cmocka_unit_test(refused_bytes),
        cmocka_unit_test(refused_files),
        cmocka_unit_test(sizes),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(mutants),
    };
    return cmocka_run_group_tests_name("core/io/image", tests, NULL, NULL);
}
