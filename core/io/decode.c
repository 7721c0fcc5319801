/* decode.c: many image files to one tensor, in worker processes, so that a hostile file costs only itself.
 *
 *     path[i] -> out[i] uint8 (C,H,W);   a file that fails leaves zeros there and a line for ex_images_problem
 *
 * Workers are forked and never execute another program. In a process with threads a forked child has but one of them, so a
 * worker does only what is safe then: it decodes (memory comes from malloc, which the C library keeps whole across a fork),
 * writes to memory that it shares with its parent, and leaves by _exit. It holds no descriptor but its standard ones and the
 * end of a pipe that tells the parent of its death; it dies with its parent, and ignores the terminal's signals, which are
 * the parent's to answer.
 *
 * Workers take the next index from a shared counter and say which they are at; the pixels go straight into the tensor
 * where that is a shared mapping (a cache being made), else into one that is copied at the end. The parent only
 * watches, in ex_images_wait: a worker that dies (a memory error, the memory limit, a kill) or stays too long on one
 * image costs that image, and another worker goes on. Memory is limited by the size of the address space at the fork plus
 * the limit; time is counted while the parent watches, so that a stopped process finds no image late.
 *
 * Which worker takes which file is a matter of timing; what comes out is not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../tensor/tensor.h"
#include "decode.h"
#include "file.h"

enum {
    WORKERS_MAX = 256,
    LINE = 512,                             /* bytes of a message, its end included */
    IDLE_DEATHS_MAX = 8,                    /* workers that may die without an image, one after the other */
    LOOK_MS = 100                           /* between two looks at the clock */
};

static const double LOOK_LONGEST = 0.5;     /* seconds counted for one look: more is a process that was stopped */

enum state { PENDING, DONE, FAILED };

typedef struct seat {                       /* what a worker says of itself */
    atomic_int image;                       /* the one it is at, or the last; EX_NONE: none yet */
} seat;

/* All of it is one shared mapping: board, states, lines, then (where `out` is not shared) pixels. */
typedef struct board {
    atomic_int next, lines;                 /* the next image to take; lines given out */
    seat seat[WORKERS_MAX];
} board;

typedef struct worker {
    pid_t pid;                              /* 0: there is none */
    int pipe;                               /* at its end of file the worker is gone */
    int32_t image;                          /* when last looked at */
    double seconds;                         /* seen on that image */
} worker;

struct ex_images {
    ex_image_reader read;
    ex_images_options options;
    ex_tensor *out;
    char *paths;                            /* one after the other */
    const char **path;                      /* (count) */
    int32_t count, workers, idle_deaths, finished;
    int32_t *problem, problems;             /* indices of what failed, ascending; made when asked for */
    worker *worker;
    double looked;                          /* when */

    size_t mapped;
    board *board;
    atomic_uchar *state;                    /* (count) */
    int32_t *line;                          /* (count): which line says why */
    char (*lines)[LINE];                    /* (count): only what is used takes memory */
    uint8_t *pixels;                        /* (count, C, H, W) */
};

static size_t image_bytes(const ex_images *d) {
    return (size_t)d->options.channels * (size_t)d->options.height * (size_t)d->options.width;
}

/* -- The worker ----------------------------------------------------------------------------------------------- */

/* Bytes of address space in use, or 0 where /proc does not say. */
static size_t address_space(void) {
    char text[32] = { 0 };
    size_t pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    for (const char *c = text; got > 0 && *c >= '0' && *c <= '9'; c++) pages = 10 * pages + (size_t)(*c - '0');
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit(int what, size_t to) {
    struct rlimit old;
    if (getrlimit(what, &old) != 0) return;
    if (old.rlim_max != RLIM_INFINITY && to > old.rlim_max) to = old.rlim_max;
    setrlimit(what, &(struct rlimit){ to, to });
}

/* Leaves the worker nothing of its parent but the standard streams and `pipe`. */
static void isolate(int pipe, double memory_bytes, pid_t parent) {
    struct sigaction back = { .sa_handler = SIG_DFL }, ignore = { .sa_handler = SIG_IGN };
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);      /* it died before that */
    for (int number = 1; number < NSIG; number++) sigaction(number, &back, NULL);
    static const int ignored[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) sigaction(ignored[i], &ignore, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (pipe > 3) close_range(3, (unsigned)pipe - 1, 0);
    close_range((unsigned)(pipe > 2 ? pipe : 2) + 1, ~0U, 0);
    size_t space = address_space();
    limit(RLIMIT_CORE, 0);
    if (space > 0) limit(RLIMIT_AS, space + (size_t)memory_bytes);
}

static void say(ex_images *d, int32_t i, const char *text) {
    int32_t line = atomic_fetch_add(&d->board->lines, 1);
    if (line < d->count) {
        snprintf(d->lines[line], LINE, "%s", text);
        d->line[i] = line;
    }
    atomic_store(&d->state[i], FAILED);
}

static void work(ex_images *d, seat *mine) {
    const ex_images_options *o = &d->options;
    const ex_image_form form = { o->channels, o->height, o->width, o->resize, o->memory_bytes };
    int32_t i;
    while ((i = atomic_fetch_add(&d->board->next, 1)) < d->count) {
        atomic_store(&mine->image, i);
        uint8_t *out = d->pixels + (size_t)i * image_bytes(d);
        if (d->read(out, d->path[i], &form) == EX_OK) atomic_store(&d->state[i], DONE);
        else say(d, i, ex_error_message());
    }
}

/* -- The parent: workers come and go ---------------------------------------------------------------------------- */

static ex_status hire(ex_images *d, int32_t w) {
    int ends[2];
    sigset_t all, old;
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC) != 0) return ex_fail("images: cannot start a worker: %s", ex_system_text(errno));
    atomic_store(&d->board->seat[w].image, EX_NONE);
    sigfillset(&all);                       /* so that no handler of the parent's runs in the child */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = fork();
    if (pid == 0) {
        isolate(ends[1], d->options.memory_bytes, parent);
        work(d, &d->board->seat[w]);
        _exit(0);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return ex_fail("images: cannot start a worker: %s", ex_system_text(error));
    }
    d->worker[w] = (worker){ .pid = pid, .pipe = ends[0], .image = EX_NONE };
    return EX_OK;
}

/* Waits for a worker that is known to be gone or killed; gives its status, 0 where nobody knows it. */
static int bury(worker *w) {
    int status = 0;
    pid_t got;
    do got = waitpid(w->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    close(w->pipe);
    w->pid = 0;
    return got < 0 ? 0 : status;
}

/* The image that a dead worker was at, if it had not finished it. */
static int32_t orphan(const ex_images *d, int32_t w) {
    int32_t i = atomic_load(&d->board->seat[w].image);
    return i != EX_NONE && atomic_load(&d->state[i]) == PENDING ? i : EX_NONE;
}

static void lose(ex_images *d, int32_t i, const char *format, ...) EX_PRINTF(3, 4);
static void lose(ex_images *d, int32_t i, const char *format, ...) {
    char why[LINE / 4], line[LINE];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    snprintf(line, sizeof line, "%.*s: %s", LINE - (int)sizeof why - 3, d->path[i], why);
    memset(d->pixels + (size_t)i * image_bytes(d), 0, image_bytes(d));
    say(d, i, line);
}

/* What to do about a worker that ended by itself. */
static ex_status mourn(ex_images *d, int32_t w) {
    int status = bury(&d->worker[w]);
    int32_t i = orphan(d, w);
    if (i != EX_NONE) {
        d->idle_deaths = 0;
        if (WIFSIGNALED(status)) lose(d, i, "its decoder died of signal %d (%s)", WTERMSIG(status), sigdescr_np(WTERMSIG(status)));
        else lose(d, i, "its decoder ended with exit status %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status) || WEXITSTATUS(status) != 0) {
        if (++d->idle_deaths > IDLE_DEATHS_MAX)
            return ex_fail("images: workers die before they take an image (%s)",
                           WIFSIGNALED(status) ? sigdescr_np(WTERMSIG(status)) : "a bad exit status");
    }
    return atomic_load(&d->board->next) < d->count ? hire(d, w) : EX_OK;
}

/* Ends a worker that is too long at one image. `passed`: seconds since the last look. */
static ex_status hurry(ex_images *d, int32_t w, double passed) {
    worker *one = &d->worker[w];
    int32_t i = orphan(d, w);
    one->seconds = i != EX_NONE && i == one->image ? one->seconds + passed : 0;
    one->image = i;
    if (one->seconds <= d->options.seconds) return EX_OK;
    kill(one->pid, SIGKILL);
    bury(one);
    if ((i = orphan(d, w)) != EX_NONE) lose(d, i, "not decoded within %g seconds", d->options.seconds);
    return atomic_load(&d->board->next) < d->count ? hire(d, w) : EX_OK;
}

static int32_t present(const ex_images *d) {
    int32_t count = 0;
    for (int32_t w = 0; w < d->workers; w++) count += d->worker[w].pid != 0;
    return count;
}

/* Waits up to `ms` for a worker's end, then sees to each. */
static ex_status look(ex_images *d, int ms) {
    struct pollfd fd[WORKERS_MAX];
    for (int32_t w = 0; w < d->workers; w++) fd[w] = (struct pollfd){ .fd = d->worker[w].pid ? d->worker[w].pipe : -1, .events = POLLIN };
    if (poll(fd, (nfds_t)d->workers, ms) < 0) return errno == EINTR ? EX_OK : ex_fail("images: cannot wait: %s", ex_system_text(errno));
    double now = ex_clock(), passed = now - d->looked;
    d->looked = now;
    if (passed > LOOK_LONGEST) passed = LOOK_LONGEST;
    ex_status status = EX_OK;
    for (int32_t w = 0; w < d->workers && status == EX_OK; w++) {
        if (!d->worker[w].pid) continue;
        status = fd[w].revents ? mourn(d, w) : hurry(d, w, passed);
    }
    return status;
}

/* All workers are gone: an image that none of them finished was taken by one that was killed in between. */
static void finish(ex_images *d) {
    for (int32_t i = 0; i < d->count; i++)
        if (atomic_load(&d->state[i]) == PENDING) lose(d, i, "its decoder was ended");
    if (d->pixels != (uint8_t *)d->out->data)
        for (int32_t i = 0; i < d->count; i++)
            memcpy((uint8_t *)d->out->data + (size_t)i * image_bytes(d), d->pixels + (size_t)i * image_bytes(d), image_bytes(d));
    ex_tensor_touch(d->out);
    d->finished = 1;
}

/* -- Life -------------------------------------------------------------------------------------------------------- */

static ex_status check(const ex_tensor *out, int32_t count, const ex_images_options *o) {
    char shape[128];
    ex_shape_text(shape, sizeof shape, out->ndim, out->dim);
    if (o->channels != 1 && o->channels != 3) return ex_fail("images: %d channels, expected 1 or 3", o->channels);
    if (o->height < 1 || o->width < 1 || o->height > EX_IMAGE_SIDE_MAX || o->width > EX_IMAGE_SIDE_MAX)
        return ex_fail("images: %d x %d pixels, expected sides of 1 to %d", o->width, o->height, EX_IMAGE_SIDE_MAX);
    if (o->resize < 0 || o->resize >= EX_RESIZE_COUNT) return ex_fail("images: resize is %d, expected 0 to %d", o->resize, EX_RESIZE_COUNT - 1);
    if (o->workers < 1 || o->workers > WORKERS_MAX) return ex_fail("images: %d workers, expected 1 to %d", o->workers, WORKERS_MAX);
    if (!(o->memory_bytes >= 1e6 && o->memory_bytes <= 1e15))
        return ex_fail("images: a memory limit of %g bytes, expected a million or more", o->memory_bytes);
    if (!(o->seconds > 0)) return ex_fail("images: a time limit of %g seconds, expected more than 0", o->seconds);
    if (count < 1 || out->dtype != EX_UINT8 || out->ndim != 4 || out->dim[0] != count || out->dim[1] != o->channels
        || out->dim[2] != o->height || out->dim[3] != o->width || !ex_tensor_dense(out))
        return ex_fail("images: the tensor is %s %s, expected dense uint8 (%d, %d, %d, %d)", ex_dtype_name(out->dtype), shape, count,
                       o->channels, o->height, o->width);
    return EX_OK;
}

static ex_status copy_paths(ex_images *d, const char *const *path) {
    size_t size = 0;
    for (int32_t i = 0; i < d->count; i++) size += strlen(path[i]) + 1;
    d->paths = ex_alloc(size);
    d->path = ex_alloc((size_t)d->count * sizeof *d->path);
    if (!d->paths || !d->path) return EX_FAILED;
    char *end = d->paths;
    for (int32_t i = 0; i < d->count; i++) {
        d->path[i] = end;
        end = stpcpy(end, path[i]) + 1;
    }
    return EX_OK;
}

static size_t up(size_t size) { return (size + 63) / 64 * 64; }

static ex_status map_board(ex_images *d) {
    size_t count = (size_t)d->count, states = up(sizeof(board)), line = states + up(count), lines = line + up(4 * count),
           pixels = lines + count * LINE;
    d->mapped = pixels + (d->out->storage->shared ? 0 : count * image_bytes(d));
    char *base = mmap(NULL, d->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        ex_status status = ex_fail("images: cannot map %.0f MB: %s", (double)d->mapped / 1e6, ex_system_text(errno));
        d->mapped = 0;
        return status;
    }
    d->board = (board *)base;
    d->state = (atomic_uchar *)(base + states);
    d->line = (int32_t *)(base + line);
    d->lines = (char (*)[LINE])(base + lines);
    d->pixels = d->out->storage->shared ? (uint8_t *)d->out->data : (uint8_t *)base + pixels;
    return EX_OK;
}

ex_images *ex_images_start_with(ex_image_reader read, ex_tensor *out, const char *const *path, int32_t count, const ex_images_options *o) {
    if (check(out, count, o) != EX_OK) return NULL;
    ex_images *d = ex_alloc_zero(sizeof *d);
    if (!d) return NULL;
    d->read = read;
    d->options = *o;
    d->count = count;
    d->workers = o->workers < count ? o->workers : count;
    d->looked = ex_clock();
    d->worker = ex_alloc_zero((size_t)d->workers * sizeof *d->worker);
    d->out = ex_tensor_view(out);
    ex_status status = d->worker && d->out && copy_paths(d, path) == EX_OK ? map_board(d) : EX_FAILED;
    for (int32_t w = 0; w < d->workers && status == EX_OK; w++) {
        status = hire(d, w);
        if (status != EX_OK && w > 0) {     /* fewer will do */
            d->workers = w;
            return d;
        }
    }
    if (status == EX_OK) return d;
    ex_images_free(d);
    return NULL;
}

ex_images *ex_images_start(ex_tensor *out, const char *const *path, int32_t count, const ex_images_options *o) {
    return ex_images_start_with(ex_image_load, out, path, count, o);
}

void ex_images_free(ex_images *d) {
    if (!d) return;
    for (int32_t w = 0; d->worker && w < d->workers; w++)
        if (d->worker[w].pid) kill(d->worker[w].pid, SIGKILL);
    for (int32_t w = 0; d->worker && w < d->workers; w++)
        if (d->worker[w].pid) bury(&d->worker[w]);
    if (d->mapped) munmap(d->board, d->mapped);
    ex_tensor_free(d->out);
    ex_free(d->worker);
    ex_free(d->problem);
    ex_free(d->path);
    ex_free(d->paths);
    ex_free(d);
}

static void count_states(const ex_images *d, ex_images_progress *p) {
    *p = (ex_images_progress){ .total = d->count };
    for (int32_t i = 0; i < d->count; i++) {
        int state = atomic_load_explicit(&d->state[i], memory_order_relaxed);
        p->done += state == DONE;
        p->failed += state == FAILED;
    }
}

ex_status ex_images_wait(ex_images *d, double seconds, ex_images_progress *p) {
    double until = ex_clock() + seconds;
    ex_status status = EX_OK;
    while (status == EX_OK && !d->finished && !ex_interrupted()) {
        double left = (until - ex_clock()) * 1e3;
        status = look(d, left <= 0 ? 0 : left < LOOK_MS ? (int)left + 1 : LOOK_MS);
        if (status == EX_OK && present(d) == 0) finish(d);
        if (left <= 0) break;
    }
    count_states(d, p);
    return status;
}

const char *ex_images_problem(ex_images *d, int32_t i, int32_t *index) {
    if (i == 0 || !d->problem) {
        int32_t most = d->count, n = 0;
        if (!d->problem && !(d->problem = ex_alloc((size_t)most * sizeof *d->problem))) return NULL;
        for (int32_t k = 0; k < d->count; k++)
            if (atomic_load(&d->state[k]) == FAILED) d->problem[n++] = k;
        d->problems = n;
    }
    if (i < 0 || i >= d->problems) return NULL;
    *index = d->problem[i];
    return d->lines[d->line[*index]];
}
