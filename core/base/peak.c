/* peak.c: the rate of multiply-adds that this machine gives now, as what a kernel's speed is measured against. It times a
 * loop of independent multiply-adds in registers, written for the kernel set in use; no memory is touched. It judges
 * nothing: a machine that is busy, or throttles, gives less. */
#include <stdatomic.h>
#include <stdint.h>
#include "cpu.h"
#include "team.h"

enum { CHAINS = 12, ROUNDS = 1 << 20, TRIES = 16 };    /* 12 chains hide a latency of 4 cycles at 2 and 3 a cycle */

#define SERIES(NAME, TARGET, LANES) \
    TARGET static float NAME(float start) \
    { \
        typedef float vector __attribute__((vector_size((LANES) * sizeof(float)))); \
        vector sum[CHAINS], factor = { 0 }, add = { 0 }; \
        factor += 0.999f; \
        add += start; \
        for (int i = 0; i < CHAINS; i++) sum[i] = add * (float)i; \
        for (int32_t r = 0; r < ROUNDS; r++) { \
            _Pragma("GCC unroll 12") \
            for (int i = 0; i < CHAINS; i++) sum[i] = sum[i] * factor + add; \
        } \
        for (int i = 1; i < CHAINS; i++) sum[0] += sum[i]; \
        float total = 0; \
        for (int i = 0; i < (LANES); i++) total += sum[0][i]; \
        return total; \
    }

SERIES(series_portable, , 4)
#if defined(__x86_64__)
SERIES(series_avx2, __attribute__((target("avx2,fma"))), 8)
SERIES(series_avx512, __attribute__((target("avx512f,fma,prefer-vector-width=512"))), 16)
#endif

static void run_series(void *context, int32_t part, int32_t thread)
{
    _Atomic float *kept = context;          /* of any part: that the sums are kept at all is what counts */
    (void)thread;
    switch (ex_isa_current()) {
#if defined(__x86_64__)
    case EX_ISA_AVX512: atomic_store(kept, series_avx512((float)part)); break;
    case EX_ISA_AVX2: atomic_store(kept, series_avx2((float)part)); break;
#endif
    default: atomic_store(kept, series_portable((float)part));
    }
}

double ex_peak_flops(ex_team *team)
{
    const int32_t lanes[EX_ISA_COUNT] = { 4, 8, 16 }, threads = team ? ex_team_size(team) : 1;
    const double flops = 2.0 * CHAINS * ROUNDS * lanes[ex_isa_current()] * threads;
    _Atomic float kept;
    double least = 0;
    for (int i = 0; i < TRIES; i++) {
        double from = ex_clock();
        ex_team_run(team, threads, run_series, &kept);
        double seconds = ex_clock() - from;
        if (!i || seconds < least) least = seconds;
    }
    return least > 0 ? flops / least : 0;
}
