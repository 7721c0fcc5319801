/* file.h: how this room writes files: to a temporary name beside the target, flushed, renamed, and the folder
 * flushed. Whoever looks at the target sees the old file or the whole new one. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

typedef struct ex_writer {
    int fd;                                 /* of the temporary file, for reading too; -1: closed */
    char *target, *temporary;
} ex_writer;

ex_status ex_writer_open(ex_writer *w, const char *path);
ex_status ex_writer_put(ex_writer *w, const void *bytes, size_t size);
ex_status ex_writer_commit(ex_writer *w);   /* the target is replaced; the writer is closed, also on failure */
void ex_writer_abandon(ex_writer *w);       /* the temporary file goes; the target is as it was */

const char *ex_system_text(int error);      /* what errno means, in words; safe in threads */
