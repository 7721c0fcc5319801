/* images.h: the committed image files (tests/golden/images) and what tests do to them. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "mutate.h"
#include "../../core/io/image.h"

extern const char *const sample_names[];                 /* every file; NULL at the end */
const char *sample_path(const char *name);               /* one buffer */
uint8_t *sample_read(const char *name, size_t *size);    /* free() it */

/* Decodes bytes to (channels, height, width), by EX_RESIZE_NONE where both are 0; out has room for `room` bytes. */
ex_status decode_bytes(uint8_t *out, size_t room, const uint8_t *bytes, size_t size, int32_t channels, int32_t height, int32_t width);

void png_repair(uint8_t *bytes, size_t size);            /* every check sum becomes right */
/* The `turn`-th mutant of the samples, malloc'ed, the same everywhere: damage also where check sums would hide it. */
uint8_t *sample_mutant(mutation *m, int turn, size_t *size);
