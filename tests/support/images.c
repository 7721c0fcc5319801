/* images.c: see images.h. A sample that cannot be read ends the test program: there is nothing to test then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "images.h"
#include "scratch.h"

const char *const sample_names[] = {
    "baseline.jpg", "progressive.jpg", "rgb.png", "grey.pgm", "rgb.ppm", "grey.jpg", "grey_progressive.jpg", "grey.png",
    "palette.png", "comment.pgm", "maximum.ppm", "full.jpg", "half.jpg", "interlaced.png", "bits.png", "palette4.png",
    "rgba.png", "grey_alpha.png", "plain.pgm", "plain.ppm", NULL,
};

const char *sample_path(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "tests/golden/images/%s", name);
    return path;
}

uint8_t *sample_read(const char *name, size_t *size) { return (uint8_t *)scratch_read(sample_path(name), size); }

ex_status decode_bytes(uint8_t *out, size_t room, const uint8_t *bytes, size_t size, int32_t channels, int32_t height, int32_t width) {
    ex_image_file f = { "bytes", bytes, size };
    ex_image_form form = { channels, height, width, height ? EX_RESIZE_BILINEAR : EX_RESIZE_NONE, 64e6 };
    if (!height) {
        ex_image im = { 0 };
        ex_status (*scan)(ex_image *, const ex_image_file *) = bytes[0] == 'P' ? ex_pnm_scan : bytes[0] == 0xff ? ex_jpeg_scan : ex_png_scan;
        if (scan(&im, &f) != EX_OK) return EX_FAILED;
        form.height = im.height;
        form.width = im.width;
    }
    if ((size_t)channels * (size_t)form.height * (size_t)form.width > room) abort();
    return ex_image_decode(out, &f, &form);
}

static size_t word(const uint8_t *b) { return (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3]; }

void png_repair(uint8_t *bytes, size_t size) {
    for (size_t at = 8; at + 12 <= size;) {
        size_t length = word(bytes + at);
        if (length > size - at - 12) return;
        uint32_t sum = (uint32_t)crc32(0, bytes + at + 4, (unsigned)length + 4);
        for (int i = 0; i < 4; i++) bytes[at + 8 + length + (size_t)i] = (uint8_t)(sum >> (24 - 8 * i));
        at += 12 + length;
    }
}

/* Inflates the pixels of a PNG whose one IDAT chunk follows at byte `at`, changes some, and deflates them again. */
static uint8_t *deeper(mutation *m, uint8_t *bytes, size_t *size, size_t at) {
    uint8_t raw[1 << 14];
    uLongf raw_size = sizeof raw, room = 1 << 15;
    size_t length = word(bytes + at), end = at + 12 + length;
    if (uncompress(raw, &raw_size, bytes + at + 8, length) != Z_OK) return bytes;
    size_t changed = mutate(m, raw, raw_size, raw_size, sizeof raw);
    uint8_t *out = malloc(at + room + 12 + (*size - end));
    memcpy(out, bytes, at + 8);
    if (compress(out + at + 8, &room, raw, changed) != Z_OK) abort();
    for (int i = 0; i < 4; i++) out[at + (size_t)i] = (uint8_t)(room >> (24 - 8 * i));
    memcpy(out + at + 12 + room, bytes + end, *size - end);
    *size = at + 12 + room + (*size - end);
    free(bytes);
    return out;
}

uint8_t *sample_mutant(mutation *m, int turn, size_t *size) {
    int names = 0;
    while (sample_names[names]) names++;
    uint8_t *whole = sample_read(sample_names[turn % names], size), *out = NULL;
    int png = whole[0] == 0x89, way = (int)mutation_next(m, 4);
    if (png && way == 0)
        for (size_t at = 8; at + 12 <= *size; at += 12 + word(whole + at))
            if (memcmp(whole + at + 4, "IDAT", 4) == 0) {
                whole = deeper(m, whole, size, at);
                break;
            }
    size_t room = *size + 64;
    out = malloc(room);
    memcpy(out, whole, *size);
    free(whole);
    if (!(png && way == 0)) *size = mutate(m, out, *size, way == 1 && *size > 48 ? 48 : *size, room);
    if (png && way < 3) png_repair(out, *size);
    return out;
}
