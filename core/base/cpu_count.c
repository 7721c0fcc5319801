/* cpu_count.c: how many CPUs this process may really use: the least of its affinity mask and the CPU quotas of its
 * control groups (version 1 and 2, all levels up to the root). It says nothing about how busy they are. */
#define _GNU_SOURCE
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cpu.h"

enum { PATH_SIZE = 4096 };

/* CPUs in the affinity mask; grows the mask for machines with more CPUs than a cpu_set_t holds. */
static int32_t affinity_count(void)
{
    for (int cpus = 1024; cpus <= 1 << 17; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (!set) break;
        int failed = sched_getaffinity(0, CPU_ALLOC_SIZE(cpus), set);
        int count = failed ? 0 : CPU_COUNT_S(CPU_ALLOC_SIZE(cpus), set);
        CPU_FREE(set);
        if (count > 0) return count;
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int32_t)online : 1;
}

/* -- Quotas ------------------------------------------------------------------------------------------ */

/* The first line of folder/name, or 0 where there is none. */
static int read_line(char *out, int size, const char *folder, const char *name)
{
    char path[PATH_SIZE];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path) return 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    int found = fgets(out, size, file) != NULL;
    fclose(file);
    return found;
}

/* CPUs that the quota of one group allows; infinity without a quota. */
static double group_quota(const char *folder)
{
    char line[64], period_line[64];
    double quota = 0, period = 0;
    if (read_line(line, sizeof line, folder, "cpu.max"))                        /* version 2: "QUOTA PERIOD" or "max PERIOD" */
        return sscanf(line, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0 ? quota / period : INFINITY;
    if (read_line(line, sizeof line, folder, "cpu.cfs_quota_us") &&             /* version 1: quota -1 is none */
        read_line(period_line, sizeof period_line, folder, "cpu.cfs_period_us")) {
        quota = strtod(line, NULL);
        period = strtod(period_line, NULL);
        if (quota > 0 && period > 0) return quota / period;
    }
    return INFINITY;
}

/* The least quota of mount/path and of every group above it. In a container the path may not exist below the mount;
 * then its root, which is the container's own group, is what counts. */
static double least_quota(const char *mount, const char *path)
{
    char folder[PATH_SIZE];
    double least = INFINITY;
    if (snprintf(folder, sizeof folder, "%s%s", mount, path) >= (int)sizeof folder) return least;
    for (size_t root = strlen(mount);;) {
        least = fmin(least, group_quota(folder));
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < root) return least;
        *slash = 0;
    }
}

/* Whether a comma-separated list of controllers names "cpu". */
static int names_cpu(const char *controllers)
{
    for (const char *at = controllers; *at;) {
        size_t length = strcspn(at, ",");
        if (length == 3 && !strncmp(at, "cpu", 3)) return 1;
        at += length + (at[length] == ',');
    }
    return 0;
}

/* One line "ID:CONTROLLERS:PATH" of /proc/self/cgroup. */
static double line_quota(char *line, const char *mounts)
{
    char mount[PATH_SIZE];
    line[strcspn(line, "\n")] = 0;
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return INFINITY;
    *path++ = 0;
    controllers++;
    const char *const v2[] = { "", "/unified" }, *const v1[] = { "/cpu", "/cpu,cpuacct" };
    const char *const *where = *controllers ? v1 : v2;
    if (*controllers && !names_cpu(controllers)) return INFINITY;
    double least = INFINITY;
    for (int i = 0; i < 2; i++)
        if (snprintf(mount, sizeof mount, "%s%s", mounts, where[i]) < (int)sizeof mount)
            least = fmin(least, least_quota(mount, path));
    return least;
}

double ex_cpu_quota(const char *membership, const char *mounts)
{
    char line[PATH_SIZE];
    double least = INFINITY;
    FILE *file = fopen(membership, "r");
    if (!file) return least;
    while (fgets(line, sizeof line, file)) least = fmin(least, line_quota(line, mounts));
    fclose(file);
    return least;
}

int32_t ex_cpu_count(void)
{
    double allowed = ceil(ex_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
    int32_t count = affinity_count();
    return allowed >= 1 && allowed < count ? (int32_t)allowed : count;
}
