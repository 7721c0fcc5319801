/* process.c: what belongs to the process as a whole: its version, its clock, and the flag that an interrupt sets.
 * It installs no signal handler: that is the program's choice. */
#include <gnu/libc-version.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include "../exeunt.h"

const char *ex_version(void) { return "0.1.0"; }

const char *ex_libc_version(void) { return gnu_get_libc_version(); }

double ex_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Lock-free, so that a signal handler and other threads may touch it. */
static atomic_int interrupted;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "the flag must be safe in a signal handler");

void ex_interrupt(void) { atomic_store(&interrupted, 1); }

int32_t ex_interrupted(void) { return atomic_load_explicit(&interrupted, memory_order_relaxed); }

void ex_interrupt_clear(void) { atomic_store(&interrupted, 0); }
