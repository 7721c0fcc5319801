/* pnm.c: reads PGM and PPM, binary (P5, P6) and plain (P2, P3).
 *
 *     "P5"  width  height  maxval  one white space  then height x width x channels values, row by row
 *
 * White space and comments (from # to the end of the line) may stand between the numbers. Values are scaled to 0..255:
 * round(255 v / maxval). Bitmaps (P1, P4) and more than 8 bits a value (maxval above 255) are refused by name, and so is
 * a value above maxval. Whatever follows the pixels is not looked at, since the format allows another image there. */
#include <string.h>
#include "../base/error.h"
#include "image.h"

typedef struct cursor {
    const ex_image_file *f;
    size_t at;
} cursor;

typedef struct head {
    int channels, plain, maxval;
    uint32_t height, width;
} head;

static int is_blank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Past white space and comments; gives the byte there, or -1 at the end. */
static int skip_blank(cursor *c) {
    int comment = 0;
    for (; c->at < c->f->size; c->at++) {
        int byte = c->f->bytes[c->at];
        if (comment) comment = byte != '\n' && byte != '\r';
        else if (byte == '#') comment = 1;
        else if (!is_blank(byte)) return byte;
    }
    return -1;
}

static ex_status read_number(cursor *c, const char *what, uint32_t most, uint32_t *out) {
    int byte = skip_blank(c);
    uint32_t number = 0;
    if (byte < 0) return ex_fail("%s: truncated: the PNM file ends where its %s should be", c->f->path, what);
    if (byte < '0' || byte > '9')
        return ex_fail("%s: damaged PNM: byte %zu is 0x%02x, expected the digits of its %s", c->f->path, c->at, byte, what);
    for (; c->at < c->f->size && c->f->bytes[c->at] >= '0' && c->f->bytes[c->at] <= '9'; c->at++) {
        number = 10 * number + (c->f->bytes[c->at] - '0');
        if (number > most) return ex_fail("%s: PNM: its %s is above %u", c->f->path, what, most);
    }
    *out = number;
    return EX_OK;
}

static ex_status read_head(cursor *c, head *h) {
    const char *path = c->f->path;
    uint32_t maxval = 0;
    int kind = c->f->size > 1 ? c->f->bytes[1] : 0;
    if (kind == '1' || kind == '4') return ex_fail("%s: a PNM bitmap (P%c), only P2, P3, P5 and P6 are read", path, kind);
    h->channels = kind == '3' || kind == '6' ? 3 : 1;
    h->plain = kind == '2' || kind == '3';
    c->at = 2;
    if (read_number(c, "width", EX_IMAGE_SIDE_MAX, &h->width) != EX_OK) return EX_FAILED;
    if (read_number(c, "height", EX_IMAGE_SIDE_MAX, &h->height) != EX_OK) return EX_FAILED;
    if (read_number(c, "maximum", 65535, &maxval) != EX_OK) return EX_FAILED;
    if (maxval > 255) return ex_fail("%s: PNM with 16 bits a value (maximum %u), only up to 8 bits (255) are read", path, maxval);
    if (maxval == 0) return ex_fail("%s: PNM: its maximum is 0, expected 1 to 255", path);
    h->maxval = (int)maxval;
    if (c->at >= c->f->size) return ex_fail("%s: truncated: the PNM file ends after its header", path);
    if (!is_blank(c->f->bytes[c->at]))
        return ex_fail("%s: damaged PNM: byte %zu is 0x%02x, expected white space", path, c->at, c->f->bytes[c->at]);
    c->at++;
    return EX_OK;
}

static size_t values_of(const head *h) { return (size_t)h->channels * h->height * h->width; }

ex_status ex_pnm_scan(ex_image *im, const ex_image_file *f) {
    cursor c = { .f = f };
    head h;
    if (read_head(&c, &h) != EX_OK || ex_image_set(im, f, h.channels, h.height, h.width) != EX_OK) return EX_FAILED;
    size_t values = values_of(&h), rest = f->size - c.at;
    /* a plain value takes a digit and, but for the last, a white space */
    if (rest < (h.plain ? 2 * values - 1 : values))
        return ex_fail("%s: truncated: its header promises %zu values, %zu bytes follow", f->path, values, rest);
    return EX_OK;
}

static ex_status above(const ex_image_file *f, size_t i, unsigned value, int maxval) {
    return ex_fail("%s: damaged PNM: value %zu is %u, its maximum is %d", f->path, i + 1, value, maxval);
}

ex_status ex_pnm_decode(const ex_image *im, const ex_image_file *f) {
    cursor c = { .f = f };
    head h;
    if (read_head(&c, &h) != EX_OK) return EX_FAILED;
    size_t values = values_of(&h);
    if (!h.plain && h.maxval == 255) {
        memcpy(im->pixels, f->bytes + c.at, values);
        return EX_OK;
    }
    uint32_t maxval = (uint32_t)h.maxval;
    for (size_t i = 0; i < values; i++) {
        uint32_t value = 0;
        if (!h.plain) value = f->bytes[c.at++];
        else if (read_number(&c, "next value", 65535, &value) != EX_OK) return EX_FAILED;
        if (value > maxval) return above(f, i, value, h.maxval);
        im->pixels[i] = (uint8_t)((255 * value + maxval / 2) / maxval);
    }
    return EX_OK;
}
