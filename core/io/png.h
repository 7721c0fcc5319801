/* png.h: what the scan of a PNG file finds, for the decoder. */
#pragma once
#include "image.h"

typedef struct ex_png {
    uint32_t height, width;
    int32_t depth, colour, interlaced;      /* as in IHDR; colour 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGBA */
    const uint8_t *palette;
    size_t palette_size;                    /* bytes, 3 an entry */
    size_t first, bytes;                    /* the first IDAT chunk, where its length stands; bytes of all together */
} ex_png;

ex_status ex_png_read(ex_png *png, const ex_image_file *f);    /* the whole check */
/* The next IDAT chunk at or after *at, or NULL after the last; *at moves past it. Only for files that were checked. */
const uint8_t *ex_png_data(const ex_image_file *f, size_t *at, size_t *size);
