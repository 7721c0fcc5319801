/* cpu_count_test.c: quotas read from control groups that a temporary folder imitates, and the affinity mask. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../../core/base/cpu.h"
#include "../../support/scratch.h"

static const char *folder;                                  /* of this test */

/* folder/path, with the folders that lead to it. */
static void write_file(const char *path, const char *text)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", folder, path);
    for (char *slash = full + strlen(folder) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(full, 0700);
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static double quota(const char *membership)
{
    char path[PATH_MAX];
    write_file("membership", membership);
    snprintf(path, sizeof path, "%s/membership", folder);
    return ex_cpu_quota(path, folder);
}

static int make_folder(void **state)
{
    (void)state;
    static int number;
    char name[16];
    snprintf(name, sizeof name, "%d", ++number);
    folder = scratch_path(name);
    return mkdir(folder, 0700);
}

static void no_groups_no_quota(void **state)
{
    (void)state;
    assert_true(isinf(ex_cpu_quota("/nonexistent/file", folder)));
    assert_true(isinf(quota("0::/\n")));
    assert_true(isinf(quota("not a membership file\n:\n::\n")));
}

static void version_2_takes_the_least_of_all_levels(void **state)
{
    (void)state;
    write_file("a/cpu.max", "150000 100000\n");
    write_file("a/b/cpu.max", "max 100000\n");
    write_file("a/b/c/cpu.max", "400000 100000\n");
    assert_true(quota("0::/a/b/c\n") == 1.5);
    assert_true(isinf(quota("0::/elsewhere\n")));
}

static void version_2_without_a_limit(void **state)
{
    (void)state;
    write_file("cpu.max", "max 100000\n");
    assert_true(isinf(quota("0::/\n")));
    write_file("cpu.max", "garbage\n");
    assert_true(isinf(quota("0::/\n")));
}

static void a_container_sees_its_own_group_as_the_root(void **state)
{
    (void)state;
    write_file("cpu.max", "200000 100000\n");
    assert_true(quota("0::/docker/0123456789ab\n") == 2);
}

static void version_1_reads_the_cpu_controller(void **state)
{
    (void)state;
    write_file("cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n");
    write_file("cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    write_file("cpuset/job/cpu.cfs_quota_us", "100000\n");
    write_file("cpuset/job/cpu.cfs_period_us", "100000\n");
    assert_true(quota("5:cpuset:/job\n4:cpu,cpuacct:/job\n0::/\n") == 3);
    assert_true(isinf(quota("5:cpuset:/job\n")));
    write_file("cpu/job/cpu.cfs_quota_us", "50000\n");
    write_file("cpu/job/cpu.cfs_period_us", "100000\n");
    assert_true(quota("1:cpu:/job\n") == 0.5);
}

static void version_1_minus_one_is_no_quota(void **state)
{
    (void)state;
    write_file("cpu/cpu.cfs_quota_us", "-1\n");
    write_file("cpu/cpu.cfs_period_us", "100000\n");
    assert_true(isinf(quota("1:cpu:/\n")));
}

static void a_hybrid_mount_has_version_2_below_unified(void **state)
{
    (void)state;
    write_file("unified/job/cpu.max", "100000 100000\n");
    assert_true(quota("0::/job\n") == 1);
}

static void the_count_follows_the_affinity_mask(void **state)
{
    (void)state;
    cpu_set_t before, one;
    int32_t count = ex_cpu_count();
    assert_true(count >= 1);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_true(count <= CPU_COUNT(&before));
    int first = 0;
    while (!CPU_ISSET(first, &before)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(ex_cpu_count(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(ex_cpu_count(), count);
}

#define IN_FOLDER(test) cmocka_unit_test_setup(test, make_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(no_groups_no_quota),
        IN_FOLDER(version_2_takes_the_least_of_all_levels),
        IN_FOLDER(version_2_without_a_limit),
        IN_FOLDER(a_container_sees_its_own_group_as_the_root),
        IN_FOLDER(version_1_reads_the_cpu_controller),
        IN_FOLDER(version_1_minus_one_is_no_quota),
        IN_FOLDER(a_hybrid_mount_has_version_2_below_unified),
        cmocka_unit_test(the_count_follows_the_affinity_mask),
    };
    return cmocka_run_group_tests_name("base/cpu_count", tests, NULL, NULL);
}
