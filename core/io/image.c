/* image.c: an image file becomes uint8 (C,H,W), grey or red, green, blue.
 *
 *     bytes -> scan (by the first bytes: PNM, JPEG, PNG) -> decoder (H,W,C) -> channels asked for (C,H,W) -> size asked for
 *     grey = (19595 R + 38470 G + 7471 B + 32768) / 65536       ITU-R 601, as Pillow's convert("L")
 *
 * Grey becomes three equal channels; transparency is dropped, not blended. A file name's ending says nothing. Other
 * formats, and images of more than EX_IMAGE_SIDE_MAX a side or EX_IMAGE_PIXELS_MAX in all, are refused before any pixel
 * is decoded. What a hostile file may cost is bounded outside: decode.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "file.h"
#include "image.h"

typedef struct format {
    const char *name;
    ex_status (*scan)(ex_image *im, const ex_image_file *f);
    ex_status (*decode)(const ex_image *im, const ex_image_file *f);
    size_t length;                          /* of the magic bytes */
    const char *magic;
} format;

static const format formats[] = {
    { "JPEG", ex_jpeg_scan, ex_jpeg_decode, 3, "\xff\xd8\xff" },
    { "PNG", ex_png_scan, ex_png_decode, 8, "\x89PNG\r\n\x1a\n" },
};

static const format pnm = { "PNM", ex_pnm_scan, ex_pnm_decode, 0, "" };

static const format *format_of(const ex_image_file *f) {
    if (f->size > 2 && f->bytes[0] == 'P' && f->bytes[1] >= '1' && f->bytes[1] <= '6') return &pnm;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (f->size >= formats[i].length && memcmp(f->bytes, formats[i].magic, formats[i].length) == 0) return &formats[i];
    if (f->size < 4) ex_fail("%s: %zu bytes, too short for an image", f->path, f->size);
    else
        ex_fail("%s: not an image: it starts with %02x %02x %02x %02x; JPEG, PNG, PGM and PPM are read", f->path, f->bytes[0],
                f->bytes[1], f->bytes[2], f->bytes[3]);
    return NULL;
}

ex_status ex_image_set(ex_image *im, const ex_image_file *f, int32_t channels, uint32_t height, uint32_t width) {
    if (height < 1 || width < 1 || height > EX_IMAGE_SIDE_MAX || width > EX_IMAGE_SIDE_MAX)
        return ex_fail("%s: %u x %u pixels, expected sides of 1 to %d", f->path, width, height, EX_IMAGE_SIDE_MAX);
    if ((uint64_t)height * width > EX_IMAGE_PIXELS_MAX)
        return ex_fail("%s: %u x %u pixels, at most %d in all are read", f->path, width, height, EX_IMAGE_PIXELS_MAX);
    *im = (ex_image){ .channels = channels, .height = (int32_t)height, .width = (int32_t)width };
    return EX_OK;
}

/* -- Pixels ------------------------------------------------------------------------------------------------ */

/* (H,W,from) -> (to,H,W) */
static void convert(uint8_t *out, int32_t to, const ex_image *im) {
    size_t count = (size_t)im->height * (size_t)im->width, from = (size_t)im->channels;
    const uint8_t *in = im->pixels;
    if (from == 3 && to == 1) {
        for (size_t i = 0; i < count; i++, in += 3)
            out[i] = (uint8_t)((19595u * in[0] + 38470u * in[1] + 7471u * in[2] + 32768u) >> 16);
        return;
    }
    for (size_t c = 0; c < (size_t)to; c++) {
        const uint8_t *first = in + (from == 1 ? 0 : c);
        for (size_t i = 0; i < count; i++) out[c * count + i] = first[i * from];
    }
}

static ex_status fit(uint8_t *out, const ex_image *im, const ex_image_form *o) {
    if (im->height == o->height && im->width == o->width) {
        convert(out, o->channels, im);
        return EX_OK;
    }
    uint8_t *planes = ex_alloc((size_t)o->channels * (size_t)im->height * (size_t)im->width);
    if (!planes) return EX_FAILED;
    convert(planes, o->channels, im);
    ex_status status = ex_image_resize(out, planes, o->channels, o->height, o->width, im->height, im->width, o->resize);
    ex_free(planes);
    return status;
}

static ex_status check_form(const ex_image *im, const ex_image_file *f, const ex_image_form *o) {
    double bytes = (double)im->channels * im->height * im->width;
    if (o->memory_bytes > 0 && bytes > o->memory_bytes)
        return ex_fail("%s: %d x %d pixels take %.0f MB, %.0f MB are allowed for an image", f->path, im->width, im->height,
                       bytes / 1e6, o->memory_bytes / 1e6);
    if (o->resize == EX_RESIZE_NONE && (im->height != o->height || im->width != o->width))
        return ex_fail("%s: %d x %d pixels, expected %d x %d (no resizing was asked for)", f->path, im->width, im->height,
                       o->width, o->height);
    return EX_OK;
}

ex_status ex_image_decode(uint8_t *out, const ex_image_file *f, const ex_image_form *o) {
    ex_image im = { 0 };
    const format *form = format_of(f);
    if (!form || form->scan(&im, f) != EX_OK || check_form(&im, f, o) != EX_OK) return EX_FAILED;
    im.pixels = ex_alloc((size_t)im.channels * (size_t)im.height * (size_t)im.width);
    ex_status status = im.pixels ? form->decode(&im, f) : ex_error_at("%s", f->path);
    if (status == EX_OK && fit(out, &im, o) != EX_OK) status = ex_error_at("%s", f->path);
    ex_free(im.pixels);
    return status;
}

/* -- Files --------------------------------------------------------------------------------------------------- */

static ex_status read_rest(const ex_image_file *f, int fd, uint8_t *bytes) {
    for (size_t at = 0; at < f->size;) {
        ssize_t got = read(fd, bytes + at, f->size - at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ex_fail("cannot read %s: %s", f->path, ex_system_text(errno));
        if (got == 0) return ex_fail("%s: truncated: it became shorter while it was read", f->path);
        at += (size_t)got;
    }
    return EX_OK;
}

/* The whole of a regular file; ex_free the bytes. Anything else (a pipe would be waited for) is refused. */
static uint8_t *read_file(ex_image_file *f, double most) {
    struct stat s;
    uint8_t *bytes = NULL;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &s) != 0) ex_fail("cannot read %s: %s", f->path, ex_system_text(errno));
    else if (!S_ISREG(s.st_mode)) ex_fail("cannot read %s: it is %s", f->path, S_ISDIR(s.st_mode) ? "a folder" : "not a file");
    else if (s.st_size == 0) ex_fail("%s: empty, expected an image", f->path);
    else if ((double)s.st_size > most)
        ex_fail("%s: %.0f MB, files of up to %.0f MB are read", f->path, (double)s.st_size / 1e6, most / 1e6);
    else if (!(bytes = ex_alloc((size_t)s.st_size))) ex_error_at("%s", f->path);
    if (bytes) {
        f->bytes = bytes;
        f->size = (size_t)s.st_size;
        if (read_rest(f, fd, bytes) != EX_OK) {
            ex_free(bytes);
            bytes = NULL;
        }
    }
    if (fd >= 0) close(fd);
    return bytes;
}

enum { FILE_BYTES_MAX = 1 << 30 };

ex_status ex_image_load(uint8_t *out, const char *path, const ex_image_form *o) {
    ex_image_file f = { .path = path };
    uint8_t *bytes = read_file(&f, o->memory_bytes > 0 ? o->memory_bytes : FILE_BYTES_MAX);
    if (!bytes) return EX_FAILED;
    ex_status status = ex_image_decode(out, &f, o);
    ex_free(bytes);
    return status;
}

ex_status ex_image_size(const char *path, int32_t *channels, int32_t *height, int32_t *width) {
    ex_image_file f = { .path = path };
    ex_image im = { 0 };
    uint8_t *bytes = read_file(&f, FILE_BYTES_MAX);
    if (!bytes) return EX_FAILED;
    const format *form = format_of(&f);
    ex_status status = form ? form->scan(&im, &f) : EX_FAILED;
    ex_free(bytes);
    *channels = im.channels;
    *height = im.height;
    *width = im.width;
    return status;
}
