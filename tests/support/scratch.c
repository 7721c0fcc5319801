/* scratch.c: see scratch.h. Failures of the machine end the test program: there is nothing to test then. */
#define _GNU_SOURCE
#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "scratch.h"

static char folder[PATH_MAX - 256];
static pid_t owner;
static uid_t before = (uid_t)-1;

static void need(int ok, const char *what) {
    if (ok) return;
    perror(what);
    exit(99);
}

static int drop(const char *path, const struct stat *s, int type, struct FTW *walk) {
    (void)s; (void)type; (void)walk;
    return remove(path);
}

static void clean(void) {
    if (getpid() == owner) nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_folder(void) {
    if (folder[0]) return folder;
    const char *root = getenv("TMPDIR");
    need(snprintf(folder, sizeof folder, "%s/exeunt-test-XXXXXX", root ? root : "/tmp") < (int)sizeof folder, "TMPDIR");
    need(mkdtemp(folder) != NULL, folder);
    need(chmod(folder, 0755) == 0, folder);
    owner = getpid();
    atexit(clean);
    return folder;
}

const char *scratch_path(const char *name) {
    static char path[8][PATH_MAX];
    static unsigned turn;
    char *out = path[turn++ % 8];
    snprintf(out, PATH_MAX, "%s/%s", scratch_folder(), name);
    return out;
}

const char *scratch_file(const char *name, const void *bytes, size_t size) {
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");
    need(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, path);
    return path;
}

char *scratch_read(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    need(file && fseek(file, 0, SEEK_END) == 0, path);
    long length = ftell(file);
    char *bytes = malloc((size_t)length + 1);
    rewind(file);
    need(bytes && fread(bytes, 1, (size_t)length, file) == (size_t)length, path);
    fclose(file);
    bytes[length] = 0;
    if (size) *size = (size_t)length;
    return bytes;
}

int scratch_count(const char *path) {
    DIR *dir = opendir(path);
    int count = -2;
    need(dir != NULL, path);
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

int scratch_as_nobody(void) {
    before = geteuid();
    return before != 0 || seteuid(65534) == 0;
}

void scratch_as_before(void) {
    if (before == 0) need(seteuid(0) == 0, "seteuid");
}
