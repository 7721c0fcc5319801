/* team.h: one team of threads. Work is cut into parts by shape, never by the number of threads, so that results are
 * the same bits for any team; which thread takes which part is free: each begins with a range of neighbouring ones, the
 * same in every run of as many parts. Workers spin briefly, then sleep. */
#pragma once
#include <stdint.h>
#include "../exeunt.h"

/* Bytes between blocks of memory that different threads write over and over: a core's prefetching follows strides some way past
 * the end of a block (measured: up to 16 KB), and takes what it finds there from the other core. */
enum { EX_TEAM_GAP = 32 << 10 };

/* Calls work(context, part, thread) for every part in 0..parts-1, thread in 0..size-1 (at most one call per thread at
 * a time: index per-thread scratch by it); returns when all are done. One part, or a team of one, runs inline.
 * A NULL team is a team of one. Must not be nested. */
void ex_team_run(ex_team *team, int32_t parts, void (*work)(void *context, int32_t part, int32_t thread), void *context);

/* Whether `part` and the one after it belong to the same thread's range: what the next one reads may be asked for. */
int ex_team_goes_on(int32_t threads, int32_t parts, int32_t part);
