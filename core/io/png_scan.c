/* png_scan.c: checks a PNG file (ISO/IEC 15948) from end to end before the decoder sees it.
 *
 *     89 "PNG" 0D 0A 1A 0A   then chunks  length(4) name(4) content CRC(4):  IHDR, perhaps PLTE, IDAT..., IEND
 *
 * Checked: lengths against the file, the CRC and order of every critical chunk, the header's combinations, the palette's
 * size, and the compressed pixels: they are inflated once, 32 KB at a time and kept nowhere, must come to exactly the
 * size that the header promises and begin each row with a filter that exists. So a decoder meets no more bytes than it
 * made room for. Refused by name: 16 bits a value, critical chunks that the standard does not know. */
#define ZLIB_CONST                          /* zlib then says that it does not write to its input */
#include <string.h>
#include <zlib.h>
#include "../base/error.h"
#include "png.h"

enum { SIGNATURE = 8, WINDOW = 1 << 15, FILTERS = 5 };

typedef struct chunk {
    const uint8_t *name, *body;
    uint32_t size;
} chunk;

static uint32_t word(const uint8_t *b) { return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]; }
static int is(const chunk *c, const char *name) { return memcmp(c->name, name, 4) == 0; }
static int channels_of(int colour) { return colour == 2 ? 3 : colour == 4 ? 2 : colour == 6 ? 4 : 1; }

/* Bytes of a row of `width` pixels, without its filter byte. */
static size_t row_bytes(const ex_png *p, uint32_t width) {
    return ((size_t)width * (size_t)(channels_of(p->colour) * p->depth) + 7) / 8;
}

/* -- Chunks ------------------------------------------------------------------------------------------------- */

static int is_letter(int c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }

static ex_status take_chunk(chunk *c, const ex_image_file *f, size_t *at) {
    size_t rest = f->size - *at;
    if (rest < 12) return ex_fail("%s: truncated: the PNG file ends before its end chunk", f->path);
    const uint8_t *b = f->bytes + *at;
    *c = (chunk){ .name = b + 4, .body = b + 8, .size = word(b) };
    for (int i = 0; i < 4; i++)
        if (!is_letter(c->name[i])) return ex_fail("%s: damaged PNG: no chunk name at byte %zu", f->path, *at + 4);
    if (c->size > rest - 12)
        return ex_fail("%s: truncated or damaged PNG: chunk %.4s at byte %zu has length %u, the file has %zu bytes more", f->path,
                       (const char *)c->name, *at, c->size, rest - 12);
    int critical = !(c->name[0] & 32);
    if (critical && crc32(crc32(0, NULL, 0), c->name, c->size + 4) != word(c->body + c->size))
        return ex_fail("%s: damaged PNG: the check sum of chunk %.4s at byte %zu is wrong", f->path, (const char *)c->name, *at);
    *at += 12 + (size_t)c->size;
    return EX_OK;
}

static ex_status header(ex_png *p, const ex_image_file *f, const chunk *c) {
    static const uint8_t depths[7] = { 1 | 2 | 4 | 8 | 16, 0, 8 | 16, 1 | 2 | 4 | 8, 8 | 16, 0, 8 | 16 };
    if (!is(c, "IHDR") || c->size != 13)
        return ex_fail("%s: damaged PNG: starts with chunk %.4s of %u bytes, expected IHDR of 13", f->path, (const char *)c->name, c->size);
    const uint8_t *b = c->body;
    p->width = word(b);
    p->height = word(b + 4);
    p->depth = b[8];
    p->colour = b[9];
    p->interlaced = b[12];
    int known = b[9] < 7 && b[8] > 0 && (b[8] & (b[8] - 1)) == 0 && (depths[b[9]] & b[8]);
    if (!known) return ex_fail("%s: damaged PNG: colour type %d with %d bits", f->path, b[9], b[8]);
    if (p->depth == 16) return ex_fail("%s: PNG with 16 bits a value, only up to 8 are read", f->path);
    if (b[10] != 0 || b[11] != 0 || b[12] > 1)
        return ex_fail("%s: damaged PNG: compression %d, filter %d, interlace %d, expected 0, 0, 0 or 1", f->path, b[10], b[11], b[12]);
    return EX_OK;
}

static ex_status palette(ex_png *p, const ex_image_file *f, const chunk *c) {
    if (p->palette || p->bytes) return ex_fail("%s: damaged PNG: a second or late palette", f->path);
    size_t most = p->colour == 3 ? (size_t)3 << p->depth : 768;
    if (c->size == 0 || c->size % 3 != 0 || c->size > most)
        return ex_fail("%s: damaged PNG: a palette of %u bytes, expected 3 to %zu in threes", f->path, c->size, most);
    p->palette = c->body;
    p->palette_size = c->size;
    return EX_OK;
}

static ex_status chunks(ex_png *p, const ex_image_file *f) {
    size_t at = SIGNATURE;
    int after = 0;                          /* a chunk after the pixels was met */
    chunk c;
    if (take_chunk(&c, f, &at) != EX_OK || header(p, f, &c) != EX_OK) return EX_FAILED;
    for (;;) {
        size_t start = at;
        if (take_chunk(&c, f, &at) != EX_OK) return EX_FAILED;
        if (is(&c, "IEND")) break;
        if (is(&c, "IDAT")) {
            if (after) return ex_fail("%s: damaged PNG: its pixels are interrupted by another chunk", f->path);
            if (!p->first) p->first = start;
            p->bytes += c.size;
            continue;
        }
        after = p->first != 0;
        if (is(&c, "PLTE")) {
            if (palette(p, f, &c) != EX_OK) return EX_FAILED;
        } else if (!(c.name[0] & 32)) {
            return ex_fail("%s: PNG with chunk %.4s, which is not known", f->path, (const char *)c.name);
        }
    }
    if (!p->first) return ex_fail("%s: damaged PNG: it has no pixels", f->path);
    if (p->colour == 3 && !p->palette) return ex_fail("%s: damaged PNG: it has no palette", f->path);
    return EX_OK;
}

const uint8_t *ex_png_data(const ex_image_file *f, size_t *at, size_t *size) {
    const uint8_t *b = f->bytes + *at;
    if (memcmp(b + 4, "IDAT", 4) != 0) return NULL;
    *size = word(b);
    *at += 12 + *size;
    return b + 8;
}

/* -- Compressed pixels --------------------------------------------------------------------------------------------- */

/* Where the inflated bytes are: pass (of 7 where interlaced), rows left in it, bytes left in the row. */
typedef struct place {
    const ex_png *p;
    int pass;
    uint32_t rows;
    size_t row, left;                       /* bytes of a row of this pass; of it still to come */
} place;

static uint32_t steps(uint32_t length, uint32_t start, uint32_t step) {
    return length > start ? (length - start + step - 1) / step : 0;
}

/* To the next pass that has pixels; gives 0 where there is none. */
static int next_pass(place *w) {
    static const struct { uint8_t x, y, dx, dy; } adam7[7] = { { 0, 0, 8, 8 }, { 4, 0, 8, 8 }, { 0, 4, 4, 8 }, { 2, 0, 4, 4 },
                                                               { 0, 2, 2, 4 }, { 1, 0, 2, 2 }, { 0, 1, 1, 2 } };
    while (++w->pass < (w->p->interlaced ? 7 : 1)) {
        uint32_t width = w->p->width;
        w->rows = w->p->height;
        if (w->p->interlaced) {
            width = steps(width, adam7[w->pass].x, adam7[w->pass].dx);
            w->rows = steps(w->rows, adam7[w->pass].y, adam7[w->pass].dy);
        }
        w->row = row_bytes(w->p, width);
        if (width > 0 && w->rows > 0) return 1;
    }
    return 0;
}

/* Takes `size` inflated bytes. */
static ex_status follow(place *w, const ex_image_file *f, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size;) {
        if (w->left == 0) {
            if (w->rows == 0 && !next_pass(w)) return ex_fail("%s: damaged PNG: more pixels than its header promises", f->path);
            if (bytes[i] >= FILTERS) return ex_fail("%s: damaged PNG: a row with filter %d, expected 0 to 4", f->path, bytes[i]);
            i++;
            w->rows--;
            w->left = w->row;
            continue;
        }
        size_t step = size - i < w->left ? size - i : w->left;
        w->left -= step;
        i += step;
    }
    return EX_OK;
}

/* Inflates all there is. */
static ex_status inflate_all(z_stream *z, place *w, const ex_image_file *f) {
    uint8_t window[WINDOW];
    size_t at = w->p->first, size = 0;
    const uint8_t *data;
    int code = Z_OK;
    while (code != Z_STREAM_END && (data = ex_png_data(f, &at, &size))) {
        z->next_in = data;
        z->avail_in = (uInt)size;
        do {
            z->next_out = window;
            z->avail_out = WINDOW;
            code = inflate(z, Z_NO_FLUSH);
            if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
                return ex_fail("%s: damaged PNG: its compressed pixels: %s", f->path, z->msg ? z->msg : "not a zlib stream");
            if (follow(w, f, window, WINDOW - z->avail_out) != EX_OK) return EX_FAILED;
        } while (code != Z_STREAM_END && (z->avail_in > 0 || z->avail_out == 0));
    }
    if (code != Z_STREAM_END) return ex_fail("%s: truncated: the compressed pixels of the PNG file end early", f->path);
    if (w->left > 0 || w->rows > 0 || next_pass(w)) return ex_fail("%s: damaged PNG: fewer pixels than its header promises", f->path);
    return EX_OK;
}

ex_status ex_png_read(ex_png *p, const ex_image_file *f) {
    *p = (ex_png){ 0 };
    ex_image im;
    z_stream z = { 0 };
    place w = { .p = p, .pass = -1 };
    if (chunks(p, f) != EX_OK || ex_image_set(&im, f, 1, p->height, p->width) != EX_OK) return EX_FAILED;
    if (inflateInit(&z) != Z_OK) return ex_fail("%s: out of memory", f->path);
    ex_status status = inflate_all(&z, &w, f);
    inflateEnd(&z);
    return status;
}

ex_status ex_png_scan(ex_image *im, const ex_image_file *f) {
    ex_png p;
    if (ex_png_read(&p, f) != EX_OK) return EX_FAILED;
    return ex_image_set(im, f, p.colour == 0 || p.colour == 4 ? 1 : 3, p.height, p.width);
}
