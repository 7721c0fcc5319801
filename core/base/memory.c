/* memory.c: blocks with a 64-byte header that knows their size, so that bytes held can be counted.
 *     [ header 64 bytes | the caller's bytes ... ]
 * From LARGE on, a block is a mapping of its own, of huge pages. Its end is a whole huge page too where that wastes little: the
 * first touches of a tail of small ones cost more than those of all the rest, but network parameters are of many blocks that
 * are a little larger than some huge pages. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "memory.h"
#include "error.h"

enum { HEADER = 64 };
#define LARGE ((size_t)2 << 20)             /* a huge page */

typedef struct header {
    size_t bytes;                           /* what the caller asked for */
    size_t mapped;                          /* length of the mapping; 0: from the C library */
} header;

_Static_assert(sizeof(header) <= HEADER, "the header must fit before the block");

static atomic_llong bytes_held, calls;

static header *header_of(void *block) { return (header *)((char *)block - HEADER); }

static size_t round_to(size_t bytes, size_t page) { return (bytes + page - 1) / page * page; }

/* Bytes to map for `length`: whole huge pages if they waste at most a sixteenth, else whole pages. */
static size_t mapped_length(size_t length)
{
    const size_t huge = round_to(length, LARGE);
    return huge - length <= length / 16 ? huge : round_to(length, (size_t)sysconf(_SC_PAGESIZE));
}

/* Maps `length` bytes (whole pages) at a multiple of LARGE: maps more, and gives back both ends. */
static void *map_large(size_t length)
{
    char *wide = mmap(NULL, length + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (wide == MAP_FAILED) return NULL;
    size_t head = (LARGE - ((uintptr_t)wide & (LARGE - 1))) & (LARGE - 1);
    if (head) munmap(wide, head);
    munmap(wide + head + length, LARGE - head);
    madvise(wide + head, length, MADV_HUGEPAGE);        /* a wish: without it the block is only slower */
    return wide + head;
}

static void *allocate(size_t bytes, int zero)
{
    header *h = NULL;
    size_t mapped = 0;
    if (bytes <= (size_t)PTRDIFF_MAX - 2 * LARGE) {
        size_t length = HEADER + bytes;
        if (length >= LARGE) {
            mapped = mapped_length(length);
            h = map_large(mapped);          /* the kernel gives zeros */
        } else {
            h = aligned_alloc(HEADER, round_to(length, HEADER));
            if (h && zero) memset(h, 0, length);
        }
    }
    if (!h) {
        ex_fail("out of memory: cannot allocate %.1f MB", (double)bytes / 1e6);
        return NULL;
    }
    h->bytes = bytes;
    h->mapped = mapped;
    atomic_fetch_add_explicit(&bytes_held, (long long)bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    return (char *)h + HEADER;
}

void *ex_alloc(size_t bytes) { return allocate(bytes, 0); }

void *ex_alloc_zero(size_t bytes) { return allocate(bytes, 1); }

void ex_free(void *block)
{
    if (!block) return;
    header *h = header_of(block);
    atomic_fetch_sub_explicit(&bytes_held, (long long)h->bytes, memory_order_relaxed);
    if (h->mapped) munmap(h, h->mapped);
    else free(h);
}

void *ex_realloc(void *block, size_t bytes)
{
    void *grown = ex_alloc(bytes);
    if (!grown || !block) return grown;
    size_t held = header_of(block)->bytes;
    memcpy(grown, block, held < bytes ? held : bytes);
    ex_free(block);
    return grown;
}

char *ex_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = ex_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

double ex_memory_bytes(void) { return (double)atomic_load_explicit(&bytes_held, memory_order_relaxed); }

double ex_memory_allocations(void) { return (double)atomic_load_explicit(&calls, memory_order_relaxed); }
