/* team.c: a team of POSIX threads that shares out the parts of one piece of work at a time. It knows nothing of the
 * work, and how work is cut is the caller's business.
 *
 * `ticket` holds (run << 32 | parts left). A thread takes a part by lowering it with compare-and-swap; the run number
 * makes the swap of a thread that has slept through a run fail. A thread that holds a part keeps the run alive, so
 * `work`, `context` and `parts` may be read then and only then. Threads that come too late find nothing left. */
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

struct ex_team {
    int32_t size, spins;
    atomic_uint_least64_t ticket;
    atomic_int finished;                    /* parts of this run */
    atomic_int sleepers;                    /* workers asleep, or about to be */
    atomic_int waiting;                     /* the caller is asleep, or about to be */
    atomic_int stop;
    void (*work)(void *context, int32_t part, int32_t thread);
    void *context;
    int32_t parts;
    pthread_mutex_t mutex;                  /* guards the two sleeps only */
    pthread_cond_t wake, done;
    struct member { ex_team *team; int32_t index; pthread_t id; } *member;
};

static inline void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Takes parts until none is left. */
static void take_parts(ex_team *team, int32_t thread)
{
    uint_least64_t ticket = atomic_load(&team->ticket);
    while ((uint32_t)ticket) {
        if (!atomic_compare_exchange_weak(&team->ticket, &ticket, ticket - 1)) continue;
        int32_t parts = team->parts;
        team->work(team->context, parts - (int32_t)(uint32_t)ticket, thread);
        if (atomic_fetch_add(&team->finished, 1) + 1 == parts && atomic_load(&team->waiting)) {
            pthread_mutex_lock(&team->mutex);
            pthread_cond_signal(&team->done);
            pthread_mutex_unlock(&team->mutex);
        }
        ticket = atomic_load(&team->ticket);
    }
}

/* -- Workers ----------------------------------------------------------------------------------------- */

static int something_to_do(ex_team *team)
{
    return (uint32_t)atomic_load(&team->ticket) || atomic_load(&team->stop);
}

static void wait_for_work(ex_team *team)
{
    for (int i = 0; i < team->spins; i++) {
        if (something_to_do(team)) return;
        pause_cpu();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->sleepers, 1);   /* before the last look: whoever brings work later sees it */
    while (!something_to_do(team)) pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->sleepers, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void *worker(void *argument)
{
    struct member *self = argument;
    while (!atomic_load(&self->team->stop)) {
        wait_for_work(self->team);
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
    uint_least64_t run = (atomic_load(&team->ticket) >> 32) + 1;
    atomic_store(&team->ticket, run << 32 | (uint32_t)parts);
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
        struct member *member = &team->member[running];
        *member = (struct member){ .team = team, .index = running };
        if ((*error = pthread_create(&member->id, NULL, worker, member))) break;
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
    ex_team *team = ex_alloc_zero(sizeof *team + sizeof(struct member) * (size_t)threads);
    if (!team) return NULL;
    team->member = (struct member *)(team + 1);
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
