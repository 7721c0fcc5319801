/* jpeg.c: decodes JPEG with libjpeg-turbo, the library behind Pillow, with the same settings: the accurate integer
 * transform and smooth upsampling, so that the pixels are the same.
 *
 * It is called on what jpeg_scan.c has let through. A file that ends before its last pixel is an error, never a half
 * grey image; damage inside coded pixels that decoders pass over with a warning is passed over, as Pillow does.
 * libjpeg reports a failure by a call that must not return: a jump leads back here, over libjpeg's frames only. */
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <jpeglib.h>
#include <jerror.h>
#include "../base/error.h"
#include "image.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *ex_jpeg_version(void) { return TEXT(LIBJPEG_TURBO_VERSION); }

typedef struct decoder {
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    const char *path;
    jmp_buf back;
} decoder;

static void give_up(j_common_ptr j) {
    decoder *d = j->client_data;
    char text[JMSG_LENGTH_MAX];
    d->errors.format_message(j, text);
    if (d->errors.msg_code == JERR_INPUT_EOF) ex_fail("%s: truncated: the JPEG file ends within its pixels", d->path);
    else ex_fail("%s: damaged JPEG: %s", d->path, text);
    longjmp(d->back, 1);
}

static void stay_silent(j_common_ptr j, int level) {
    (void)j;
    (void)level;
}

static void do_nothing(j_decompress_ptr j) { (void)j; }

/* All bytes are there from the start: to ask for more is to have passed the end. */
static boolean no_more(j_decompress_ptr j) {
    ERREXIT(j, JERR_INPUT_EOF);
    return FALSE;
}

static void skip(j_decompress_ptr j, long count) {
    if (count <= 0) return;
    if ((size_t)count > j->src->bytes_in_buffer) ERREXIT(j, JERR_INPUT_EOF);
    j->src->next_input_byte += count;
    j->src->bytes_in_buffer -= (size_t)count;
}

static void decode_rows(decoder *d, const ex_image *im) {
    struct jpeg_decompress_struct *j = &d->j;
    jpeg_create_decompress(j);
    j->src = &d->source;
    jpeg_read_header(j, TRUE);
    j->out_color_space = im->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(j);
    if ((int32_t)j->output_width != im->width || (int32_t)j->output_height != im->height || j->output_components != im->channels)
        ERREXIT(j, JERR_BAD_STRUCT_SIZE);   /* the scan read the same header */
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = im->pixels + (size_t)j->output_scanline * (size_t)im->width * (size_t)im->channels;
        jpeg_read_scanlines(j, &row, 1);
    }
}

ex_status ex_jpeg_decode(const ex_image *im, const ex_image_file *f) {
    decoder d = { .path = f->path };
    d.j.err = jpeg_std_error(&d.errors);
    d.errors.error_exit = give_up;
    d.errors.emit_message = stay_silent;
    d.j.client_data = &d;
    d.source = (struct jpeg_source_mgr){ .next_input_byte = f->bytes, .bytes_in_buffer = f->size, .init_source = do_nothing,
                                         .fill_input_buffer = no_more, .skip_input_data = skip,
                                         .resync_to_restart = jpeg_resync_to_restart, .term_source = do_nothing };
    ex_status status = EX_FAILED;
    if (setjmp(d.back) == 0) {
        decode_rows(&d, im);
        status = EX_OK;
    }
    jpeg_destroy_decompress(&d.j);
    return status;
}
