/* lock_test.c: one holder at a time, and a dead holder holds nothing. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../support/message.h"
#include "../../support/scratch.h"

static void one_holder(void **state) {
    (void)state;
    const char *path = scratch_path("lock");
    ex_lock *lock = ex_lock_take(path);
    assert_non_null(lock);
    assert_null(ex_lock_take(path));
    char who[80];
    snprintf(who, sizeof who, "lock is locked: process %ld is using it", (long)getpid());
    assert_message(who);
    ex_lock_free(lock);
    lock = ex_lock_take(path);
    assert_non_null(lock);
    ex_lock_free(lock);
    ex_lock_free(NULL);
}

static void gone_with_the_process(void **state) {
    (void)state;
    const char *path = scratch_path("lock");
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        ex_lock *held = ex_lock_take(path);
        if (write(ready[1], held ? "y" : "n", 1) != 1) _exit(1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_null(ex_lock_take(path));
    char who[32];
    snprintf(who, sizeof who, "process %ld ", (long)child);
    assert_message(who);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ex_lock *lock = ex_lock_take(path);
    assert_non_null(lock);
    ex_lock_free(lock);
    close(ready[0]);
    close(ready[1]);
}

static void a_foreign_file_names_nobody(void **state) {
    (void)state;
    const char *path = scratch_path("foreign");
    ex_lock *lock = ex_lock_take(path);
    scratch_file("foreign", "no number", 9);
    assert_null(ex_lock_take(path));
    assert_message("another process is using it");
    ex_lock_free(lock);
}

static void refuses(void **state) {
    (void)state;
    assert_null(ex_lock_take(scratch_path("none/lock")));
    assert_message("none/lock: No such file or directory");
    assert_null(ex_lock_take(scratch_folder()));
    assert_message("Is a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_holder),
        cmocka_unit_test(gone_with_the_process),
        cmocka_unit_test(a_foreign_file_names_nobody),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests_name("core/io/lock", tests, NULL, NULL);
}
