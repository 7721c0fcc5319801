/* lock.c: one process at a time. An exclusive flock on a file: it goes when the handle is freed or the process
 * ends, however it ends. The file itself stays (removing it would let two processes hold two files of one name);
 * it holds the process id of whoever took it last, so that a refusal can say who that is. It waits for nobody. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "file.h"

struct ex_lock {
    int fd;
};

static ex_status say_who(const char *path, int fd) {
    char text[24] = { 0 };
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    size_t digits = size > 0 ? strspn(text, "0123456789") : 0;
    if (digits == 0 || text[digits] != '\n') return ex_fail("%s is locked: another process is using it", path);
    return ex_fail("%s is locked: process %.*s is using it", path, (int)digits, text);
}

ex_lock *ex_lock_take(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        ex_fail("cannot lock %s: %s", path, ex_system_text(errno));
        return NULL;
    }
    int error;
    do error = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    while (error == EINTR);
    ex_lock *lock = NULL;
    if (error == EWOULDBLOCK) say_who(path, fd);
    else if (error) ex_fail("cannot lock %s: %s", path, ex_system_text(error));
    else lock = ex_alloc(sizeof *lock);
    if (!lock) {
        close(fd);
        return NULL;
    }
    /* the name is a courtesy: a full disk must not keep anybody from taking the lock */
    char text[24];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size) errno = 0;
    lock->fd = fd;
    return lock;
}

void ex_lock_free(ex_lock *lock) {
    if (!lock) return;
    close(lock->fd);
    ex_free(lock);
}
