/* decode.h: what tests put in the place of the decoder, to have it crash, hang and devour memory. */
#pragma once
#include "image.h"

typedef ex_status (*ex_image_reader)(uint8_t *out, const char *path, const ex_image_form *form);

/* ex_images_start with another reader than ex_image_load. */
ex_images *ex_images_start_with(ex_image_reader read, ex_tensor *out, const char *const *path, int32_t count,
                                const ex_images_options *options);
