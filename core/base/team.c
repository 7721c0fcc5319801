/* team.c: a team of POSIX threads that shares out the parts of one piece of work at a time. It knows nothing of the
 * work, and how work is cut is the caller's business.
 *
 * Each thread has a range of neighbouring parts, the same one in every run of as many parts, so that what it wrote in one run
 * it finds in its core's cache in the next; when its range is empty it takes from the others'. A range's `ticket` holds
 * (run << 32 | parts left); a thread takes a part by lowering it with compare-and-swap, and the run number makes the swap of a
 * thread that has slept through a run fail. A thread keeps the run alive until it has said how many parts it finished, so
 * `work`, `context` and `end` may be read then and only then. Threads that come too late find nothing left. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include "team.h"
#include "cpu.h"
#include "error.h"
#include "memory.h"

enum { MAX_THREADS = 1024, SPINS = 2000, YIELDS = 16 };

typedef struct member {
    _Alignas(64) atomic_uint_least64_t ticket;  /* of its range; on a line of its own: its thread takes most of it */
    int32_t end;                            /* of its range */
    int32_t index;
    ex_team *team;
    pthread_t id;
} member;

struct ex_team {
    int32_t size, spins;
    atomic_uint_least32_t run;              /* the newest; changes when the tickets are there */
    atomic_int finished;                    /* parts of this run */
    atomic_int sleepers;                    /* workers asleep, or about to be */
    atomic_int waiting;                     /* the caller is asleep, or about to be */
    atomic_int stop;
    void (*work)(void *context, int32_t part, int32_t thread);
    void *context;
    int32_t parts;
    pthread_mutex_t mutex;                  /* guards the two sleeps only */
    pthread_cond_t wake, done;
    member member[];
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Takes parts of one range until none is left; gives how many. */
static int32_t take_range(ex_team *team, member *range, int32_t thread)
{
    int32_t taken = 0;
    uint_least64_t ticket = atomic_load(&range->ticket);
    while ((uint32_t)ticket) {
        if (!atomic_compare_exchange_weak(&range->ticket, &ticket, ticket - 1)) continue;
        team->work(team->context, range->end - (int32_t)(uint32_t)ticket, thread);
        taken++;
        ticket = atomic_load(&range->ticket);
    }
    return taken;
}

/* Takes parts until none is left: its own, then those of the threads after it. */
static void take_parts(ex_team *team, int32_t thread)
{
    int32_t taken = 0;
    for (int32_t i = 0; i < team->size; i++) taken += take_range(team, &team->member[(thread + i) % team->size], thread);
    if (!taken) return;                     /* and the run may be over */
    const int32_t parts = team->parts;
    if (atomic_fetch_add(&team->finished, taken) + taken < parts || !atomic_load(&team->waiting)) return;
    pthread_mutex_lock(&team->mutex);
    pthread_cond_signal(&team->done);
    pthread_mutex_unlock(&team->mutex);
}

/* -- Workers ----------------------------------------------------------------------------------------- */

static int something_to_do(ex_team *team, uint_least32_t seen)
{
    return atomic_load(&team->run) != seen || atomic_load(&team->stop);
}

static void wait_for_work(ex_team *team, uint_least32_t seen)
{
    for (int i = 0; i < team->spins; i++) {
        if (something_to_do(team, seen)) return;
        pause_cpu();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);   /* before the last look: whoever brings work later sees it */
    while (!something_to_do(team, seen)) pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void *worker(void *argument)
{
    member *self = argument;
    for (uint_least32_t seen = 0; !atomic_load(&self->team->stop);) {
        wait_for_work(self->team, seen);
        seen = atomic_load(&self->team->run);
        take_parts(self->team, self->index);
    }
    return NULL;
}

/* -- The caller -------------------------------------------------------------------------------------- */

static void wait_for_workers(ex_team *team, int32_t parts)
{
    for (int i = 0; i < team->spins; i++) {
        if (atomic_load(&team->finished) == parts) return;
        pause_cpu();
    }
    for (int i = 0; i < YIELDS; i++) {
        if (atomic_load(&team->finished) == parts) return;
        sched_yield();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_store(&team->waiting, 1);
    while (atomic_load(&team->finished) != parts) pthread_cond_wait(&team->done, &team->mutex);
    atomic_store(&team->waiting, 0);
    pthread_mutex_unlock(&team->mutex);
}

static void wake_workers(ex_team *team, int32_t parts)
{
    if (!atomic_load(&team->sleepers)) return;
    pthread_mutex_lock(&team->mutex);
    if (parts >= team->size) pthread_cond_broadcast(&team->wake);
    else for (int32_t i = 1; i < parts; i++) pthread_cond_signal(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

/* Ranges are of equal length, the first ones longer by one. */
static int32_t range_length(int32_t threads, int32_t parts, int32_t i) { return parts / threads + (i < parts % threads); }

int ex_team_goes_on(int32_t threads, int32_t parts, int32_t part)
{
    const int32_t length = parts / threads, longer = parts % threads, at = part + 1, end = longer * (length + 1);
    return at < parts && (at <= end ? at % (length + 1) : (at - end) % length);
}

static void hand_out(ex_team *team, int32_t parts)
{
    const uint_least32_t run = atomic_load(&team->run) + 1;
    for (int32_t i = 0, end = 0; i < team->size; i++) {
        const int32_t length = range_length(team->size, parts, i);
        team->member[i].end = end += length;
        atomic_store(&team->member[i].ticket, (uint_least64_t)run << 32 | (uint32_t)length);
    }
    atomic_store(&team->run, run);
}

void ex_team_run(ex_team *team, int32_t parts, void (*work)(void *context, int32_t part, int32_t thread), void *context)
{
    if (!team || team->size == 1 || parts <= 1) {
        for (int32_t part = 0; part < parts; part++) work(context, part, 0);
        return;
    }
    team->work = work;
    team->context = context;
    team->parts = parts;
    atomic_store(&team->finished, 0);
    hand_out(team, parts);
    wake_workers(team, parts);
    take_parts(team, 0);
    wait_for_workers(team, parts);
}

/* -- Life -------------------------------------------------------------------------------------------- */

/* Starts threads 1..size-1, all signals blocked: they belong to the program's own thread. Gives how many run. */
static int32_t start(ex_team *team, int *error)
{
    sigset_t all, before;
    int32_t running = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; running < team->size; running++) {
        member *m = &team->member[running];
        m->team = team;
        m->index = running;
        if ((*error = pthread_create(&m->id, NULL, worker, m))) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return running;
}

ex_team *ex_team_new(int32_t threads)
{
    if (threads < 1 || threads > MAX_THREADS) {
        ex_fail("threads: a team has 1 to %d threads, got %d", MAX_THREADS, threads);
        return NULL;
    }
    ex_team *team = ex_alloc_zero(sizeof *team + sizeof(member) * (size_t)threads);
    if (!team) return NULL;
    team->size = threads;
    team->spins = threads <= ex_cpu_count() ? SPINS : 0;    /* more threads than CPUs: spinning takes what others need */
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->done, NULL);
    int error = 0;
    int32_t running = start(team, &error);
    if (running == threads) return team;
    team->size = running;
    ex_team_free(team);
    ex_fail("threads: cannot start thread %d of %d: %s", running + 1, threads, strerror(error));
    return NULL;
}

void ex_team_free(ex_team *team)
{
    if (!team) return;
    atomic_store(&team->stop, 1);
    pthread_mutex_lock(&team->mutex);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
    for (int32_t i = 1; i < team->size; i++) pthread_join(team->member[i].id, NULL);
    pthread_cond_destroy(&team->done);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    ex_free(team);
}

int32_t ex_team_size(const ex_team *team) { return team ? team->size : 1; }
