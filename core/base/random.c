/* random.c: Random123's Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *     key = seed (two words), counter = (a, b, c, stream) */
#include <stdint.h>
#include <Random123/philox.h>
#include "random.h"

uint32_t ex_hash_name(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash;
}

void ex_random4(uint32_t out[4], uint64_t seed, uint32_t stream, uint32_t a, uint32_t b, uint32_t c)
{
    philox4x32_ctr_t counter = {{ a, b, c, stream }};
    philox4x32_key_t key = {{ (uint32_t)seed, (uint32_t)(seed >> 32) }};
    philox4x32_ctr_t words = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) out[i] = words.v[i];
}
