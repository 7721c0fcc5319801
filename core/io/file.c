/* file.c: whole files, atomically; log lines, whole or not at all; links, folders, what a path is.
 *
 * A file is written under the name .NAME.PID.N.tmp in the target's folder, so that the rename stays inside one
 * file system. A failed write removes it; a killed process leaves it behind under that recognisable name.
 * Every message says what was done to which path and why the system refused. Nothing here interprets content. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "file.h"

enum { WRITE_AT_MOST = 1 << 30, NAME_TRIES = 1000 };

const char *ex_system_text(int error) {
    const char *text = strerrordesc_np(error);
    return text ? text : "unknown error";
}

/* -- Pieces ----------------------------------------------------------------------------------------- */

static int open_again(const char *path, int flags, mode_t mode) {
    int fd;
    do fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Returns 0 or an errno. */
static int write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, bytes, size < WRITE_AT_MOST ? size : WRITE_AT_MOST);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno;
        if (done == 0) return EIO;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* Returns 0 or an errno. Pipes and devices cannot be flushed and need not be. */
static int flush(int fd) {
    while (fsync(fd) != 0) {
        if (errno == EINTR) continue;
        return errno == EINVAL || errno == ENOTSUP || errno == EROFS ? 0 : errno;
    }
    return 0;
}

/* Flushes the folder that holds `path`, so that a rename in it survives a power cut. A folder that may be written
 * but not read cannot be opened for that; this is no failure. */
static int flush_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder) return ENOMEM;
    int fd = open_again(folder, O_RDONLY | O_DIRECTORY, 0);
    free(folder);
    if (fd < 0) return errno == EACCES ? 0 : errno;
    int error = flush(fd);
    close(fd);
    return error;
}

/* "a/b/name" -> "a/b/.name.PID.N.tmp", N new at each call. */
static char *temporary_name(const char *path) {
    static atomic_uint count;
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0, size = strlen(path) + 40;
    char *name = ex_alloc(size);
    if (name)
        snprintf(name, size, "%.*s.%s.%ld.%u.tmp", (int)folder, path, path + folder, (long)getpid(),
                 atomic_fetch_add(&count, 1u));
    return name;
}

static ex_status refused(const char *what, const char *path, int error) {
    ex_fail("cannot %s %s: %s", what, path, ex_system_text(error));
    return EX_FAILED;
}

/* A size that came through a double. */
static ex_status size_from(double size, const char *path, size_t *out) {
    if (!(size >= 0 && size <= 0x1p53 && size == (double)(size_t)size))
        return ex_fail("cannot write %s: size %g is not a count of bytes", path, size);
    *out = (size_t)size;
    return EX_OK;
}

/* -- The writer --------------------------------------------------------------------------------------- */

static void writer_forget(ex_writer *w) {
    ex_free(w->temporary);
    ex_free(w->target);
    *w = (ex_writer){ .fd = -1 };
}

ex_status ex_writer_open(ex_writer *w, const char *path) {
    *w = (ex_writer){ .fd = -1 };
    struct stat old;
    if (stat(path, &old) == 0 && !S_ISREG(old.st_mode)) {
        ex_fail("cannot write %s: it exists and is not a file", path);
        return EX_FAILED;
    }
    if (!(w->target = ex_strdup(path))) return EX_FAILED;
    int error = EEXIST;
    for (int i = 0; i < NAME_TRIES && error == EEXIST; i++) {
        ex_free(w->temporary);
        if (!(w->temporary = temporary_name(path))) { writer_forget(w); return EX_FAILED; }
        w->fd = open_again(w->temporary, O_RDWR | O_CREAT | O_EXCL, 0666);
        error = w->fd < 0 ? errno : 0;
    }
    if (!error) return EX_OK;
    writer_forget(w);
    return refused("write", path, error);
}

ex_status ex_writer_put(ex_writer *w, const void *bytes, size_t size) {
    int error = write_all(w->fd, bytes, size);
    return error ? refused("write", w->target, error) : EX_OK;
}

void ex_writer_abandon(ex_writer *w) {
    if (w->fd >= 0) {
        close(w->fd);
        unlink(w->temporary);
    }
    writer_forget(w);
}

ex_status ex_writer_commit(ex_writer *w) {
    int error = flush(w->fd);
    if (!error && close(w->fd) != 0) error = errno;     /* network file systems tell of a full disk here */
    else if (error) close(w->fd);
    w->fd = -1;
    if (!error && rename(w->temporary, w->target) != 0) error = errno;
    if (error) unlink(w->temporary);
    else error = flush_folder(w->target);
    ex_status status = error ? refused("write", w->target, error) : EX_OK;
    writer_forget(w);
    return status;
}

/* -- Files ---------------------------------------------------------------------------------------------- */

ex_status ex_file_write(const char *path, const char *bytes, double size) {
    size_t count = 0;
    ex_writer w;
    if (size_from(size, path, &count) != EX_OK || ex_writer_open(&w, path) != EX_OK) return EX_FAILED;
    if (ex_writer_put(&w, bytes, count) != EX_OK) {
        ex_writer_abandon(&w);
        return EX_FAILED;
    }
    return ex_writer_commit(&w);
}

ex_status ex_file_append(const char *path, const char *bytes, double size) {
    size_t count = 0;
    if (size_from(size, path, &count) != EX_OK) return EX_FAILED;
    int made = 0, fd = open_again(path, O_WRONLY | O_APPEND, 0);
    if (fd < 0 && errno == ENOENT) {
        fd = open_again(path, O_WRONLY | O_APPEND | O_CREAT, 0666);
        made = fd >= 0;
    }
    if (fd < 0) return refused("append to", path, errno);
    const char *what = "append to";
    struct stat before;
    int error = fstat(fd, &before) == 0 ? 0 : errno;
    if (!error) {
        error = write_all(fd, bytes, count);
        if (!error) error = flush(fd);
        /* back to what was there; a device or pipe has no length to restore */
        if (error && S_ISREG(before.st_mode) && ftruncate(fd, before.st_size) != 0) what = "cut back the end of";
        if (error && made) unlink(path);
    }
    if (close(fd) != 0 && !error) error = errno;
    if (!error && made) error = flush_folder(path);
    return error ? refused(what, path, error) : EX_OK;
}

ex_status ex_file_link(const char *target, const char *path) {
    int error = EEXIST;
    char *name = NULL;
    for (int i = 0; i < NAME_TRIES && error == EEXIST; i++) {
        ex_free(name);
        if (!(name = temporary_name(path))) return EX_FAILED;
        error = symlink(target, name) == 0 ? 0 : errno;
    }
    if (!error && rename(name, path) != 0) {
        error = errno;
        unlink(name);
    }
    ex_free(name);
    if (!error) error = flush_folder(path);
    return error ? ex_fail("cannot link %s to %s: %s", path, target, ex_system_text(error)) : EX_OK;
}

ex_status ex_file_remove(const char *path) {
    return unlink(path) == 0 ? EX_OK : refused("remove", path, errno);
}

char *ex_file_target(const char *path) {
    char target[PATH_MAX];
    ssize_t size = readlink(path, target, sizeof target - 1);
    if (size <= 0) return NULL;
    target[size] = 0;
    return ex_strdup(target);
}

int32_t ex_file_kind(const char *path) {
    struct stat s;
    if (stat(path, &s) != 0) return 0;
    return S_ISREG(s.st_mode) ? 1 : S_ISDIR(s.st_mode) ? 2 : 3;
}

ex_status ex_file_stat(const char *path, double *bytes, double *modified) {
    struct stat s;
    if (stat(path, &s) != 0) return refused("look at", path, errno);
    *bytes = (double)s.st_size;
    *modified = (double)s.st_mtim.tv_sec + (double)s.st_mtim.tv_nsec * 1e-9;
    return EX_OK;
}

/* -- Folders -------------------------------------------------------------------------------------------- */

ex_status ex_folder_make(const char *path) {
    char *part = ex_strdup(path);
    if (!part) return EX_FAILED;
    size_t size = strlen(part);
    ex_status status = size ? EX_OK : refused("make folder", path, ENOENT);
    for (size_t end = 1; end <= size && status == EX_OK; end++) {
        if (part[end] != '/' && part[end] != 0) continue;
        char cut = part[end];
        part[end] = 0;
        int error = mkdir(part, 0777) == 0 ? 0 : errno;
        if (error && ex_file_kind(part) == 2) error = 0;       /* there already, whatever mkdir calls it */
        if (error == EEXIST) error = ENOTDIR;
        if (error) status = refused("make folder", part, error);
        part[end] = cut;
    }
    if (status == EX_OK) {
        int error = flush_folder(path);
        if (error) status = refused("make folder", path, error);
    }
    ex_free(part);
    return status;
}

static int not_dots(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {   /* no locale: the same everywhere */
    return strcmp((*a)->d_name, (*b)->d_name);
}

char *ex_folder_list(const char *path) {
    struct dirent **entry = NULL;
    int count = scandir(path, &entry, not_dots, by_bytes);
    if (count < 0) {
        refused("list folder", path, errno);
        return NULL;
    }
    size_t size = 1;
    const char *odd = NULL;
    for (int i = 0; i < count; i++) {
        size += strlen(entry[i]->d_name) + 1;
        if (strchr(entry[i]->d_name, '\n')) odd = entry[i]->d_name;
    }
    char *text = odd ? NULL : ex_alloc(size), *end = text;
    if (odd) ex_fail("cannot list folder %s: a name in it holds a line break", path);
    for (int i = 0; i < count; i++) {
        if (text) {
            if (i > 0) *end++ = '\n';
            end = stpcpy(end, entry[i]->d_name);
        }
        free(entry[i]);
    }
    if (text) *end = 0;
    free(entry);
    return text;
}

void ex_text_free(char *text) { ex_free(text); }
