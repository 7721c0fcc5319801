/* png.c: decodes PNG with stb_image, compiled here, privately, with no other format.
 *
 * stb_image checks little and has had memory errors, so it never sees a file: it is given one that is written here from
 * what png_scan.c has found right, with a palette of full size (missing entries black) and nothing else in it. Without
 * the transparency chunk and with the alpha channel dropped afterwards, pixels keep the colour they are stored with. */
#include <stdint.h>
#include <string.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "png.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ASSERT(x) ((void)0)
#define STBI_MALLOC(size) ex_alloc(size)
#define STBI_REALLOC(block, size) ex_realloc(block, size)
#define STBI_FREE(block) ex_free(block)
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <stb/stb_image.h>

enum { SIGNATURE = 8, HEADER = 13, PALETTE = 768, FRAME = 12 };     /* FRAME: a chunk's length, name and CRC */

/* Writes a chunk's length and name; gives its body. The CRC, which stb_image skips, is left 0. */
static uint8_t *begin(uint8_t *out, const char *name, size_t size) {
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(size >> (24 - 8 * i));
    memcpy(out + 4, name, 4);
    memset(out + 8 + size, 0, 4);
    return out + 8;
}

/* The file for stb_image; ex_free it. */
static uint8_t *write_clean(const ex_png *p, const ex_image_file *f, size_t *size) {
    int indexed = p->colour == 3;
    *size = SIGNATURE + FRAME + HEADER + (indexed ? FRAME + PALETTE : 0) + FRAME + p->bytes + FRAME;
    uint8_t *bytes = *size <= INT32_MAX ? ex_alloc(*size) : NULL, *out = bytes, *body;
    if (!bytes) {
        if (*size > INT32_MAX) ex_fail("%.0f MB of compressed pixels", (double)p->bytes / 1e6);
        return NULL;
    }
    memcpy(out, f->bytes, SIGNATURE);
    body = begin(out += SIGNATURE, "IHDR", HEADER);
    memcpy(body, f->bytes + SIGNATURE + 8, HEADER);
    out = body + HEADER + 4;
    if (indexed) {
        body = begin(out, "PLTE", PALETTE);
        memset(body, 0, PALETTE);
        memcpy(body, p->palette, p->palette_size);
        out = body + PALETTE + 4;
    }
    body = begin(out, "IDAT", p->bytes);
    size_t at = p->first, part = 0;
    const uint8_t *data;
    while ((data = ex_png_data(f, &at, &part))) {
        memcpy(body, data, part);
        body += part;
    }
    begin(body + 4, "IEND", 0);
    return bytes;
}

/* (H,W,from) -> (H,W,to): what is beyond `to` is alpha. */
static void drop_alpha(uint8_t *out, int to, const uint8_t *in, int from, size_t count) {
    if (from == to) memcpy(out, in, count * (size_t)to);
    else
        for (size_t i = 0; i < count; i++, out += to, in += from) memcpy(out, in, (size_t)to);
}

ex_status ex_png_decode(const ex_image *im, const ex_image_file *f) {
    ex_png p;
    size_t size = 0;
    int width = 0, height = 0, channels = 0;
    if (ex_png_read(&p, f) != EX_OK) return EX_FAILED;
    uint8_t *clean = write_clean(&p, f, &size);
    if (!clean) return ex_error_at("%s", f->path);
    stbi_uc *pixels = stbi_load_from_memory(clean, (int)size, &width, &height, &channels, 0);
    ex_free(clean);
    if (!pixels) return ex_fail("%s: cannot decode PNG: %s", f->path, stbi_failure_reason());
    ex_status status = EX_OK;
    if (width != im->width || height != im->height || channels < im->channels)
        status = ex_fail("%s: cannot decode PNG: %d x %d pixels came out, expected %d x %d", f->path, width, height, im->width, im->height);
    else drop_alpha(im->pixels, im->channels, pixels, channels, (size_t)width * (size_t)height);
    stbi_image_free(pixels);
    return status;
}
