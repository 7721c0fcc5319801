/* journal.c: lines at the end of a file, whole or not at all. A last line without its end (a machine that failed while it
 * was written) is ended first, so that it stays the only one that cannot be read. Callers see to it that one writes at a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../base/error.h"
#include "store.h"

/* Returns 0 or an errno. */
static int write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return done < 0 ? errno : EIO;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* Does the last line lack its end? */
static int torn(int fd, off_t size) {
    char last = '\n';
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

ex_status ex_journal_append(const char *path, const char *lines, int32_t flush) {
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return ex_fail("cannot append to %s: %s", path, strerrordesc_np(errno));
    struct stat before;
    int error = fstat(fd, &before) == 0 ? 0 : errno;
    if (!error && torn(fd, before.st_size)) error = write_all(fd, "\n", 1);
    if (!error) error = write_all(fd, lines, strlen(lines));
    if (!error && flush && fdatasync(fd) != 0 && errno != EINVAL && errno != EROFS) error = errno;
    if (error && ftruncate(fd, before.st_size) != 0) errno = 0;     /* what is left of a line cannot be read: no harm */
    if (close(fd) != 0 && !error) error = errno;
    if (error) return ex_fail("cannot append to %s: %s", path, strerrordesc_np(error));
    return EX_OK;
}
