/* child_test.c: programs started, waited for, signalled and ended; what becomes of one whose parent is killed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../support/message.h"
#include "../../support/scratch.h"

enum { LONG = 60 };                         /* seconds: no test waits for them unless it fails */

static ex_child *shell(const char *text, const char *out, const char *err)
{
    const char *argv[] = { "/bin/sh", "-c", text, NULL };
    return ex_child_start(argv, out, err, SIGKILL);
}

static void an_exit_code_and_what_was_written(void **state)
{
    (void)state;
    const char *out = scratch_path("out"), *err = scratch_path("err");
    ex_child *c = shell("echo said; echo wrong >&2; exit 7", out, err);
    assert_non_null(c);
    assert_true(ex_child_pid(c) > 0);
    assert_int_equal(ex_child_wait(c, LONG), 7);
    assert_int_equal(ex_child_wait(c, 0), 7);           /* it stays known */
    ex_child_free(c);
    char *text = scratch_read(out, NULL);
    assert_string_equal(text, "said\n");
    free(text);
    text = scratch_read(err, NULL);
    assert_string_equal(text, "wrong\n");
    free(text);
}

static void it_reads_nothing_and_has_its_own_group(void **state)
{
    (void)state;
    const char *out = scratch_path("out");
    ex_child *c = shell("cat; exec sleep 0", out, NULL);
    assert_non_null(c);
    assert_int_equal(getpgid(ex_child_pid(c)), ex_child_pid(c));
    assert_int_equal(ex_child_wait(c, LONG), 0);
    ex_child_free(c);
}

static void waiting_does_not_wait_longer_than_asked(void **state)
{
    (void)state;
    ex_child *c = shell("exec sleep 60", NULL, NULL);
    assert_non_null(c);
    assert_int_equal(ex_child_wait(c, 0), EX_NONE);
    assert_int_equal(ex_child_wait(c, 0.01), EX_NONE);
    ex_child_signal(c, SIGTERM);
    assert_int_equal(ex_child_wait(c, LONG), 128 + SIGTERM);
    ex_child_signal(c, SIGTERM);                        /* too late, and no harm */
    ex_child_free(c);
}

static void freeing_ends_it(void **state)
{
    (void)state;
    ex_child *c = shell("trap '' TERM INT; while :; do sleep 60; done", NULL, NULL);
    assert_non_null(c);
    pid_t pid = ex_child_pid(c);
    ex_child_free(c);
    assert_int_equal(kill(pid, 0), -1);
    ex_child_free(NULL);
}

static void what_cannot_be_started_says_why(void **state)
{
    (void)state;
    const char *argv[] = { scratch_path("none"), NULL };
    assert_null(ex_child_start(argv, NULL, NULL, SIGKILL));
    assert_message("cannot start");
    assert_message("No such file");
    assert_null(shell("true", scratch_path("no/such/folder"), NULL));
    assert_message("cannot open");
}

/* A forked parent starts a child that would sleep, says its number, and is killed: the pipe that the child holds as its
 * standard output ends. */
static void it_dies_with_its_parent(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), ends[1]);
    pid_t parent = fork();
    if (parent == 0) {
        const char *argv[] = { "/bin/sh", "-c", "echo here; exec sleep 600", NULL };
        if (!ex_child_start(argv, path, NULL, SIGKILL)) _exit(1);
        for (;;) pause();
    }
    char text[16];
    assert_int_equal(read(ends[0], text, sizeof text), 5);          /* "here\n" */
    close(ends[1]);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    assert_int_equal(read(ends[0], text, sizeof text), 0);          /* waits for the end of all that hold it */
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exit_code_and_what_was_written),
        cmocka_unit_test(it_reads_nothing_and_has_its_own_group),
        cmocka_unit_test(waiting_does_not_wait_longer_than_asked),
        cmocka_unit_test(freeing_ends_it),
        cmocka_unit_test(what_cannot_be_started_says_why),
        cmocka_unit_test(it_dies_with_its_parent),
    };
    return cmocka_run_group_tests_name("base/child", tests, NULL, NULL);
}
