/* scratch.h: a fresh folder for a test's files, gone when the test program ends. */
#pragma once
#include <stddef.h>

const char *scratch_folder(void);                        /* made at the first call */
const char *scratch_path(const char *name);              /* FOLDER/name; one of 8 buffers in turn */
const char *scratch_file(const char *name, const void *bytes, size_t size);   /* writes it; gives its path */
char *scratch_read(const char *path, size_t *size);      /* the whole file, ended by 0; free() it */
int scratch_count(const char *path);                     /* entries in a folder, hidden ones too */
int scratch_as_nobody(void);                             /* gives root's power up for a while; 0 if this cannot be done */
void scratch_as_before(void);
