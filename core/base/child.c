/* child.c: another program, started and watched over without waiting for it. It has a process group of its own, so that a
 * terminal's signals stay its parent's to pass on; reads nothing; writes to files; and gets a signal when its parent ends,
 * however that ends. What it is told is its arguments and this process's environment. No shell takes part. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "error.h"
#include "memory.h"

enum { STREAMS = 3, SLICE_MS = 10 };        /* SLICE_MS: between two looks where the kernel has no pidfd */

static const double LONGEST = 3600;         /* seconds of one wait */

struct ex_child {
    pid_t pid;
    int handle;                             /* a pidfd, readable once it has ended; -1: the kernel has none */
    int ended, code;
};

/* Fails with "WHAT NAME: errno in words". */
static ex_status fail(const char *what, const char *name, int error)
{
    char buffer[128];
    return ex_fail("%s %s: %s", what, name, strerror_r(error, buffer, sizeof buffer));
}

/* -- Starting ------------------------------------------------------------------------------------------------- */

/* What the forked process does until it is another program: only what is safe beside other threads' locks. */
static void become(char *const *argv, const int *stream, int death_signal, pid_t parent, int report)
{
    struct sigaction back = { .sa_handler = SIG_DFL };
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent) _exit(127);    /* it ended before that */
    setpgid(0, 0);
    for (int number = 1; number < NSIG; number++) sigaction(number, &back, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < STREAMS; i++)
        if (dup2(stream[i], i) < 0) break;
    execv(argv[0], argv);
    int why = errno;
    ssize_t ignored = write(report, &why, sizeof why);
    (void)ignored;
    _exit(127);
}

/* A descriptor above the standard ones, so that dup2 onto them takes none away; -1 and a message. */
static int open_stream(const char *path, int flags)
{
    int fd = open(path ? path : "/dev/null", flags | O_CLOEXEC, 0666);
    if (fd < 0) {
        fail("cannot open", path ? path : "/dev/null", errno);
        return -1;
    }
    if (fd >= STREAMS) return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STREAMS);
    if (above < 0) fail("cannot open", path ? path : "/dev/null", errno);
    close(fd);
    return above;
}

/* Forks; returns once the new program runs, or with the reason why it does not. */
static ex_status start(ex_child *c, char *const *argv, const int *stream, int death_signal)
{
    int ends[2], why = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return fail("cannot start", argv[0], errno);
    pid_t parent = getpid();
    c->pid = fork();
    if (c->pid == 0) become(argv, stream, death_signal, parent, ends[1]);
    int failed = c->pid < 0 ? errno : 0;
    close(ends[1]);
    ssize_t got = 0;
    if (!failed)
        do got = read(ends[0], &why, sizeof why);       /* at its end when the program has been replaced */
        while (got < 0 && errno == EINTR);
    close(ends[0]);
    if (got == (ssize_t)sizeof why) {
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {}
        failed = why;
    }
    if (failed) return fail("cannot start", argv[0], failed);
    c->handle = pidfd_open(c->pid, 0);
    return EX_OK;
}

ex_child *ex_child_start(const char *const *argv, const char *out, const char *err, int32_t death_signal)
{
    int stream[STREAMS] = { -1, -1, -1 };
    ex_child *c = ex_alloc_zero(sizeof *c);
    if (!c) return NULL;
    stream[0] = open_stream(NULL, O_RDONLY);
    if (stream[0] >= 0) stream[1] = open_stream(out, O_WRONLY | O_CREAT | O_TRUNC);
    if (stream[1] >= 0) stream[2] = open_stream(err, O_WRONLY | O_CREAT | O_TRUNC);
    int fine = stream[2] >= 0 && start(c, (char *const *)argv, stream, death_signal) == EX_OK;
    for (int i = 0; i < STREAMS; i++)
        if (stream[i] >= 0) close(stream[i]);
    if (fine) return c;
    ex_free(c);
    return NULL;
}

/* -- Watching ------------------------------------------------------------------------------------------------- */

/* Whether it has ended; learns its code once. */
static int look(ex_child *c)
{
    int status = 0;
    if (c->ended) return 1;
    pid_t got = waitpid(c->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return 0;
    c->ended = 1;
    c->code = got < 0 ? 127 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return 1;
}

static int milliseconds(double seconds)
{
    double ms = (seconds < LONGEST ? seconds : LONGEST) * 1e3;
    return ms > 0 ? (int)ms + (ms > (int)ms) : 0;
}

int32_t ex_child_wait(ex_child *c, double seconds)
{
    double until = ex_clock() + seconds;
    while (!look(c)) {
        int rest = milliseconds(until - ex_clock());
        if (rest <= 0) return EX_NONE;
        if (c->handle < 0 && rest > SLICE_MS) rest = SLICE_MS;
        struct pollfd end = { .fd = c->handle, .events = POLLIN };
        if (poll(&end, 1, rest) < 0) return look(c) ? c->code : EX_NONE;       /* a signal came */
    }
    return c->code;
}

int32_t ex_child_pid(const ex_child *c) { return c->pid; }

void ex_child_signal(ex_child *c, int32_t number)
{
    if (!look(c)) kill(c->pid, number);
}

void ex_child_free(ex_child *c)
{
    if (!c) return;
    ex_child_signal(c, SIGKILL);
    if (!c->ended)
        while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {}
    if (c->handle >= 0) close(c->handle);
    ex_free(c);
}

void ex_sleep(double seconds)
{
    poll(NULL, 0, milliseconds(seconds));
}
