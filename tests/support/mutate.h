/* mutate.h: small random damage to bytes, the same for a seed everywhere. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct mutation { uint64_t state; } mutation;

static inline uint32_t mutation_next(mutation *m, uint32_t below) {       /* xorshift64* */
    m->state ^= m->state >> 12;
    m->state ^= m->state << 25;
    m->state ^= m->state >> 27;
    return (uint32_t)((m->state * 0x2545F4914F6CDD1DULL >> 32) % below);
}

/* One to four changes of bytes[0..size) within its first `front` bytes, room for `room`; gives the new size. */
static inline size_t mutate(mutation *m, uint8_t *bytes, size_t size, size_t front, size_t room) {
    static const char likely[] = "\"{}[]:,\\u0123456789-.eFIU\0\xff\xed\x80 \n";
    for (uint32_t n = 1 + mutation_next(m, 4); n > 0 && size > 0; n--) {
        size_t at = mutation_next(m, (uint32_t)(front < size ? front : size));
        size_t span = 1 + mutation_next(m, 8);
        if (span > size - at) span = size - at;
        switch (mutation_next(m, 6)) {
        case 0: bytes[at] ^= (uint8_t)(1u << mutation_next(m, 8)); break;
        case 1: bytes[at] = (uint8_t)likely[mutation_next(m, sizeof likely)]; break;
        case 2: bytes[at] = (uint8_t)mutation_next(m, 256); break;
        case 3: memmove(bytes + at, bytes + at + span, size - at - span); size -= span; break;      /* cut out */
        case 4: if (size + span <= room) { memmove(bytes + at + span, bytes + at, size - at); size += span; } break;
        default: if (mutation_next(m, 4) == 0) size = at; break;                                    /* cut off */
        }
    }
    return size;
}
