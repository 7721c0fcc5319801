/* journal_test.c: lines are added whole, a torn one is ended, and a full disk leaves the file as it was. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <cmocka.h>
#include "../../support/message.h"
#include "../../support/scratch.h"

static void assert_file(const char *path, const char *expected) {
    size_t size = 0;
    char *text = scratch_read(path, &size);
    assert_string_equal(text, expected);
    free(text);
}

static void appends(void **state) {
    (void)state;
    const char *path = scratch_path("j");
    assert_int_equal(ex_journal_append(path, "one\n", 0), EX_OK);
    assert_int_equal(ex_journal_append(path, "two\n", 1), EX_OK);
    assert_file(path, "one\ntwo\n");
}

static void ends_a_torn_line(void **state) {
    (void)state;
    const char *path = scratch_file("torn", "one\ntw", 6);
    assert_int_equal(ex_journal_append(path, "three\n", 0), EX_OK);
    assert_file(path, "one\ntw\nthree\n");
}

static void full_disk(void **state) {
    (void)state;
    const char *path = scratch_file("full", "12345\n", 6);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 8;                     /* two bytes still fit */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ex_status status = ex_journal_append(path, "more\n", 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, EX_FAILED);
    assert_message("full: File too large");
    assert_file(path, "12345\n");
}

static void refuses(void **state) {
    (void)state;
    assert_int_equal(ex_journal_append(scratch_path("none/j"), "x\n", 0), EX_FAILED);
    assert_message("none/j: No such file or directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends), cmocka_unit_test(ends_a_torn_line), cmocka_unit_test(full_disk), cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests_name("core/store/journal", tests, NULL, NULL);
}
