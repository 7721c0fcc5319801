/* team_test.c: every part once, for any team and any number of parts; no thread twice at a time; the same sums for
 * any team; more threads than CPUs; teams of impossible size. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include "../../../core/base/team.h"

enum { MOST_PARTS = 1000, MOST_THREADS = 16 };

typedef struct record {
    atomic_int done[MOST_PARTS];            /* how often each part was done */
    atomic_int inside[MOST_THREADS];        /* calls under way per thread number */
    atomic_int wrong;                       /* thread numbers outside the team, or used twice at a time */
    int32_t size;
} record;

static void note(void *context, int32_t part, int32_t thread)
{
    record *r = context;
    if (thread < 0 || thread >= r->size) { r->wrong++; return; }
    if (atomic_fetch_add(&r->inside[thread], 1) != 0) r->wrong++;
    atomic_fetch_add(&r->done[part], 1);
    atomic_fetch_sub(&r->inside[thread], 1);
}

static void run_and_check(ex_team *team, int32_t size, int32_t parts)
{
    static record r;
    memset(&r, 0, sizeof r);
    r.size = size;
    ex_team_run(team, parts, note, &r);
    for (int32_t i = 0; i < MOST_PARTS; i++) assert_int_equal(r.done[i], i < parts);
    assert_int_equal(r.wrong, 0);
}

static void every_part_is_done_once(void **state)
{
    (void)state;
    static const int32_t sizes[] = { 1, 2, 3, 8 }, parts[] = { 0, 1, 2, 3, 7, 8, 9, MOST_PARTS };
    for (int s = 0; s < 4; s++) {
        ex_team *team = ex_team_new(sizes[s]);
        assert_non_null(team);
        assert_int_equal(ex_team_size(team), sizes[s]);
        for (int round = 0; round < 20; round++)
            for (int p = 0; p < 8; p++) run_and_check(team, sizes[s], parts[p]);
        ex_team_free(team);
    }
}

/* Of one thread each: ranges of neighbouring parts whose lengths differ by at most one, at most as many as threads. */
static void ranges_are_equal_shares(void **state)
{
    (void)state;
    for (int32_t threads = 1; threads <= 9; threads++)
        for (int32_t parts = 1; parts <= 40; parts++) {
            int32_t ranges = 0, length = 0, least = parts, most = 0;
            for (int32_t part = 0; part < parts; part++) {
                length++;
                if (ex_team_goes_on(threads, parts, part)) continue;
                if (length < least) least = length;
                if (length > most) most = length;
                ranges++;
                length = 0;
            }
            assert_int_equal(length, 0);
            assert_int_equal(ranges, parts < threads ? parts : threads);
            assert_true(most - least <= 1);
        }
}

typedef struct takers {
    atomic_int arrived;
    int32_t thread[8];                      /* that took each part */
} takers;

/* The first part of a range waits until every thread has begun one. */
static void take(void *context, int32_t part, int32_t thread)
{
    takers *t = context;
    t->thread[part] = thread;
    if (part % 4) return;
    t->arrived++;
    while (t->arrived < 2) usleep(100);
}

static void a_thread_begins_with_its_own_range(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(2);
    for (int round = 0; round < 20; round++) {
        takers t = { .arrived = 0 };
        ex_team_run(team, 8, take, &t);
        assert_int_equal(t.thread[0], 0);
        assert_int_equal(t.thread[4], 1);
    }
    ex_team_free(team);
}

static void no_team_is_a_team_of_one(void **state)
{
    (void)state;
    run_and_check(NULL, 1, 10);
    assert_int_equal(ex_team_size(NULL), 1);
    ex_team_free(NULL);
}

static void workers_wake_after_a_sleep(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(3);
    for (int round = 0; round < 5; round++) {
        usleep(2000);                       /* long enough for workers to fall asleep */
        run_and_check(team, 3, 50);
    }
    ex_team_free(team);
}

/* Part 0 waits for part 1: done only if a second thread really takes part. */
static void meet(void *context, int32_t part, int32_t thread)
{
    atomic_int *arrived = context;
    (void)thread;
    (void)part;
    atomic_fetch_add(arrived, 1);
    while (atomic_load(arrived) < 2) usleep(10);
}

static void two_parts_run_at_the_same_time(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(2);
    for (int round = 0; round < 20; round++) {
        atomic_int arrived = 0;
        ex_team_run(team, 2, meet, &arrived);
        assert_int_equal(arrived, 2);
    }
    ex_team_free(team);
}

/* A sum in part order does not depend on the team, although the order of execution does. */
typedef struct sums { float partial[64]; } sums;

static void sum_part(void *context, int32_t part, int32_t thread)
{
    sums *s = context;
    float sum = 0;
    (void)thread;
    for (int32_t i = 0; i < 1000; i++) sum += 1.0f / (float)(part * 1000 + i + 1);
    s->partial[part] = sum;
}

static void sums_in_part_order_are_the_same_bits(void **state)
{
    (void)state;
    float first = 0;
    for (int32_t size = 1; size <= 5; size++) {
        ex_team *team = ex_team_new(size);
        sums s;
        float total = 0;
        ex_team_run(team, 64, sum_part, &s);
        for (int i = 0; i < 64; i++) total += s.partial[i];
        if (size == 1) first = total;
        assert_memory_equal(&total, &first, sizeof total);
        ex_team_free(team);
    }
}

/* What a part writes must be seen by the caller, and what the caller wrote by the parts: run under TSan too. */
static void add_one(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    ((int *)context)[part]++;
}

static void writes_are_seen_on_both_sides(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(4);
    int values[16] = { 0 };
    for (int round = 0; round < 500; round++) {
        ex_team_run(team, 16, add_one, values);
        for (int i = 0; i < 16; i++) assert_int_equal(values[i]++, 2 * round + 1);
    }
    ex_team_free(team);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    static const int32_t sizes[] = { 0, -1, INT32_MIN, 1025, INT32_MAX };
    for (int i = 0; i < 5; i++) {
        assert_null(ex_team_new(sizes[i]));
        assert_non_null(strstr(ex_error_message(), "threads: a team has 1 to 1024 threads, got "));
    }
}

static void teams_leave_no_memory_behind(void **state)
{
    (void)state;
    double held = ex_memory_bytes();
    for (int i = 0; i < 20; i++) {
        ex_team *team = ex_team_new(1 + i % 4);
        ex_team_free(team);
    }
    assert_true(ex_memory_bytes() == held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_done_once),
        cmocka_unit_test(ranges_are_equal_shares),
        cmocka_unit_test(a_thread_begins_with_its_own_range),
        cmocka_unit_test(no_team_is_a_team_of_one),
        cmocka_unit_test(workers_wake_after_a_sleep),
        cmocka_unit_test(two_parts_run_at_the_same_time),
        cmocka_unit_test(sums_in_part_order_are_the_same_bits),
        cmocka_unit_test(writes_are_seen_on_both_sides),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(teams_leave_no_memory_behind),
    };
    return cmocka_run_group_tests_name("base/team", tests, NULL, NULL);
}
