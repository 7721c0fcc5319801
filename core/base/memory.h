/* memory.h: the engine's allocator. Counts bytes and calls (ex_memory_bytes, ex_memory_allocations), aligns to 64
 * bytes, and takes large blocks with huge pages, whose first touch costs a fiftieth. A failed allocation gives
 * NULL and a message. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

void *ex_alloc(size_t bytes);               /* 64-byte aligned, not cleared; from 2 MiB on: mmap with MADV_HUGEPAGE */
void *ex_alloc_zero(size_t bytes);
void *ex_realloc(void *block, size_t bytes);
char *ex_strdup(const char *text);
void ex_free(void *block);                  /* NULL is allowed */
