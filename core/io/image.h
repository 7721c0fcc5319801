/* image.h: image files inside this room. A format is a scan, which checks a file from end to end without decoding it and
 * gives the dimensions, and a decoder, which is called only on what the scan has let through. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

enum {
    EX_IMAGE_SIDE_MAX = 65500,              /* pixels: JPEG's own limit, used for all */
    EX_IMAGE_PIXELS_MAX = 1 << 27
};

typedef struct ex_image_file {
    const char *path;                       /* for messages */
    const uint8_t *bytes;
    size_t size;
} ex_image_file;

typedef struct ex_image {
    int32_t channels, height, width;        /* 1: grey, 3: red, green, blue */
    uint8_t *pixels;                        /* (height, width, channels), from ex_alloc; a scan leaves it NULL */
} ex_image;

/* What becomes of a file: out uint8 (channels, height, width). */
typedef struct ex_image_form {
    int32_t channels, height, width;
    int32_t resize;                         /* EX_RESIZE_NONE: a file of another size is refused */
    double memory_bytes;                    /* a file or an image of more bytes is refused; 0: no such limit */
} ex_image_form;

/* Sets the three after checking them: "FILE: 0 x 7 pixels, ...". */
ex_status ex_image_set(ex_image *im, const ex_image_file *f, int32_t channels, uint32_t height, uint32_t width);
ex_status ex_image_decode(uint8_t *out, const ex_image_file *f, const ex_image_form *form);
ex_status ex_image_load(uint8_t *out, const char *path, const ex_image_form *form);   /* the same, from a file */

/* Scans fill in channels, height and width; decoders take such an image and fill its pixels, which are allocated. */
ex_status ex_pnm_scan(ex_image *im, const ex_image_file *f);
ex_status ex_pnm_decode(const ex_image *im, const ex_image_file *f);
ex_status ex_jpeg_scan(ex_image *im, const ex_image_file *f);
ex_status ex_jpeg_decode(const ex_image *im, const ex_image_file *f);
ex_status ex_png_scan(ex_image *im, const ex_image_file *f);
ex_status ex_png_decode(const ex_image *im, const ex_image_file *f);

/* Resizes `planes` planes: in (planes, ih, iw) -> out (planes, oh, ow), by EX_RESIZE_BILINEAR or EX_RESIZE_BICUBIC. */
ex_status ex_image_resize(uint8_t *out, const uint8_t *in, int32_t planes, int32_t oh, int32_t ow, int32_t ih, int32_t iw,
                          int32_t resize);
