/* random.h: counter-based random numbers (Random123 philox4x32-10). A number is a function of (seed, stream, a, b, c):
 * nothing is stored, any element can be drawn again in any order by any thread. */
#pragma once
#include <stdint.h>
#include "../exeunt.h"

uint32_t ex_hash_name(const char *name);    /* FNV-1a: the stream of a name */
/* Four 32-bit words for counter (a, b, c) of a stream. */
void ex_random4(uint32_t out[4], uint64_t seed, uint32_t stream, uint32_t a, uint32_t b, uint32_t c);
static inline float ex_unit_float(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }  /* [0, 1) */
