/* jpeg_scan.c: walks the segments of a JPEG file (ITU-T T.81, annex B) before the decoder sees it.
 *
 *     FFD8   then segments FF marker length(2) content, among them DQT, DHT, one SOF; SOS is followed by coded pixels,
 *            which end at the next marker that is not FF00 or a restart; at last FFD9
 *
 * Lets through: baseline, extended and progressive Huffman coding, 8 bits, 1 or 3 components, sampling factors 1 to 4,
 * well-formed tables, at most SCANS_MAX scans (each of a progressive file costs a pass over all pixels). Refuses by name:
 * arithmetic, lossless and hierarchical coding, 12 bits, CMYK. Coded pixels are not looked into; a file that ends in
 * them is the decoder's to refuse. Bytes between segments are skipped, as decoders do. */
#include "../base/error.h"
#include "image.h"

enum { SCANS_MAX = 100, COMPONENTS_MAX = 3 };

enum marker { RST0 = 0xd0, RST7 = 0xd7, SOI = 0xd8, EOI = 0xd9, SOS = 0xda, DQT = 0xdb, DHT = 0xc4, DAC = 0xcc, DRI = 0xdd, TEM = 1 };

typedef struct walk {
    const ex_image_file *f;
    size_t at;                              /* of the next byte */
    const uint8_t *body;                    /* of this segment, after its length */
    int32_t size;                           /* of the body */
    int32_t frames, scans, components;
    int id[COMPONENTS_MAX];
    int progressive;
} walk;

#define damaged(w, ...) in_file(w, ex_fail("damaged JPEG: " __VA_ARGS__))
static ex_status in_file(const walk *w, ex_status status) {
    (void)status;
    return ex_error_at("%s", w->f->path);
}

/* The next marker, or -1 at the end of the file. */
static int next_marker(walk *w) {
    const uint8_t *b = w->f->bytes;
    for (; w->at + 1 < w->f->size; w->at++) {
        int code = b[w->at + 1];
        if (b[w->at] != 0xff || code == 0 || code == 0xff || code == TEM || (code >= RST0 && code <= RST7)) continue;
        w->at += 2;
        return code;
    }
    return -1;
}

static ex_status take_segment(walk *w, int marker) {
    size_t rest = w->f->size - w->at;
    if (rest < 2) return damaged(w, "it ends in segment %02x", marker);
    size_t length = (size_t)w->f->bytes[w->at] << 8 | w->f->bytes[w->at + 1];
    if (length < 2) return damaged(w, "segment %02x at byte %zu has length %zu, expected 2 or more", marker, w->at - 2, length);
    if (length > rest)
        return damaged(w, "segment %02x at byte %zu has length %zu, the file has %zu bytes more", marker, w->at - 2, length, rest);
    w->body = w->f->bytes + w->at + 2;
    w->size = (int32_t)length - 2;
    w->at += length;
    return EX_OK;
}

/* -- Segments ------------------------------------------------------------------------------------------------ */

static ex_status quantisation(const walk *w) {
    const uint8_t *b = w->body;
    for (int32_t rest = w->size; rest > 0;) {
        int wide = b[0] >> 4, id = b[0] & 15, size = 1 + 64 * (wide + 1);
        if (wide > 1 || id > 3) return damaged(w, "quantisation table with precision %d and place %d", wide, id);
        if (rest < size) return damaged(w, "quantisation table of %d bytes, expected %d", rest, size);
        for (int i = 0; i < 64; i++)
            if (wide ? !(b[1 + 2 * i] | b[2 + 2 * i]) : !b[1 + i])
                return damaged(w, "quantisation table %d has a step of 0", id);
        b += size;
        rest -= size;
    }
    return EX_OK;
}

/* Codes of each length follow the shorter ones: `code` counts the first free code of this length. */
static ex_status huffman_codes(const walk *w, const uint8_t *count, int32_t *total) {
    int32_t code = 0;
    for (int length = 1; length <= 16; length++) {
        code += count[length - 1];
        *total += count[length - 1];
        if (code > 1 << length) return damaged(w, "Huffman table with more codes of length %d than there are", length);
        code <<= 1;
    }
    return EX_OK;
}

static ex_status huffman(const walk *w) {
    const uint8_t *b = w->body;
    for (int32_t rest = w->size; rest > 0;) {
        int32_t total = 0;
        if (rest < 17) return damaged(w, "Huffman table of %d bytes, expected 17 or more", rest);
        int ac = b[0] >> 4, id = b[0] & 15;
        if (ac > 1 || id > 3) return damaged(w, "Huffman table of class %d and place %d", ac, id);
        if (huffman_codes(w, b + 1, &total) != EX_OK) return EX_FAILED;
        if (total > 256 || total > rest - 17) return damaged(w, "Huffman table promises %d symbols, %d bytes follow", total, rest - 17);
        for (int32_t i = 0; i < total && !ac; i++)
            if (b[17 + i] > 15) return damaged(w, "Huffman table %d has the size %d, expected 0 to 15", id, b[17 + i]);
        b += 17 + total;
        rest -= 17 + total;
    }
    return EX_OK;
}

static ex_status frame(walk *w, ex_image *im, int marker) {
    const uint8_t *b = w->body;
    const char *path = w->f->path;
    if (marker > 0xc2)
        return ex_fail("%s: JPEG with %s coding (SOF%d), baseline and progressive are read", path,
                       marker >= 0xc9 ? "arithmetic" : marker == 0xc3 ? "lossless" : "hierarchical", marker & 15);
    if (w->frames++) return damaged(w, "it has two frames");
    if (w->size < 6) return damaged(w, "frame header of %d bytes, expected 6 or more", w->size);
    if (b[0] != 8) return ex_fail("%s: JPEG with %d bits a value, only 8 are read", path, b[0]);
    w->components = b[5];
    if (w->components == 4) return ex_fail("%s: JPEG with 4 components (CMYK), 1 and 3 are read", path);
    if (w->components != 1 && w->components != 3) return damaged(w, "%d components, expected 1 or 3", w->components);
    if (w->size != 6 + 3 * w->components)
        return damaged(w, "frame header of %d bytes, expected %d", w->size, 6 + 3 * w->components);
    for (int i = 0; i < w->components; i++) {
        const uint8_t *c = b + 6 + (ptrdiff_t)3 * i;
        int h = c[1] >> 4, v = c[1] & 15;
        if (h < 1 || h > 4 || v < 1 || v > 4) return damaged(w, "sampling factors %d x %d, expected 1 to 4", h, v);
        if (c[2] > 3) return damaged(w, "a component asks for quantisation table %d, expected 0 to 3", c[2]);
        w->id[i] = c[0];
    }
    w->progressive = marker == 0xc2;
    return ex_image_set(im, w->f, w->components, (uint32_t)b[1] << 8 | b[2], (uint32_t)b[3] << 8 | b[4]);
}

static ex_status scan_header(walk *w) {
    const uint8_t *b = w->body;
    if (!w->frames) return damaged(w, "pixels before the frame header");
    if (++w->scans > SCANS_MAX) return ex_fail("%s: JPEG with more than %d scans", w->f->path, SCANS_MAX);
    int n = w->size > 0 ? b[0] : 0;
    if (n < 1 || n > w->components || w->size != 4 + 2 * n)
        return damaged(w, "scan header of %d bytes for %d of %d components", w->size, n, w->components);
    for (int i = 0; i < n; i++) {
        int known = 0;
        for (int k = 0; k < w->components; k++) known |= w->id[k] == b[1 + 2 * i];
        if (!known) return damaged(w, "a scan of component %d, which the frame has not", b[1 + 2 * i]);
        if (b[2 + 2 * i] >> 4 > 3 || (b[2 + 2 * i] & 15) > 3) return damaged(w, "a scan asks for Huffman table %02x", b[2 + 2 * i]);
    }
    const uint8_t *range = b + 1 + (ptrdiff_t)2 * n;      /* first and last coefficient, bit positions */
    if (w->progressive && (range[0] > 63 || range[1] > 63 || range[0] > range[1] || range[2] >> 4 > 13 || (range[2] & 15) > 13))
        return damaged(w, "a scan of coefficients %d to %d, bits %02x", range[0], range[1], range[2]);
    return EX_OK;
}

static ex_status segment(walk *w, ex_image *im, int marker) {
    if (marker == SOI) return damaged(w, "a second image starts at byte %zu", w->at - 2);
    if (take_segment(w, marker) != EX_OK) return EX_FAILED;
    if (marker == DQT) return quantisation(w);
    if (marker == DHT) return huffman(w);
    if (marker == DAC) return ex_fail("%s: JPEG with arithmetic coding, baseline and progressive are read", w->f->path);
    if (marker == DRI && w->size != 2) return damaged(w, "restart interval of %d bytes, expected 2", w->size);
    if (marker == SOS) return scan_header(w);
    if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc8) return frame(w, im, marker);
    return EX_OK;
}

ex_status ex_jpeg_scan(ex_image *im, const ex_image_file *f) {
    walk w = { .f = f, .at = 2 };
    int marker;
    while ((marker = next_marker(&w)) >= 0 && marker != EOI)
        if (segment(&w, im, marker) != EX_OK) return EX_FAILED;
    if (!w.scans) return ex_fail("%s: truncated: the JPEG file ends before its pixels", f->path);
    return EX_OK;
}
