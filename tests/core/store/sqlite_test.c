/* sqlite_test.c: statements with numbered texts, rows and NULLs, failures by their kind, waiting for another process, a file
 * that is no database, a full disk, and a file that went away. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../support/message.h"
#include "../../support/scratch.h"

static ex_rows *run(ex_store *s, const char *sql) { return ex_store_execute(s, sql, 0, NULL); }

static void must(ex_store *s, const char *sql) {
    ex_rows *rows = run(s, sql);
    if (!rows) fail_msg("%s: %s", sql, ex_error_message());
    ex_rows_free(rows);
}

static ex_store *fresh(const char *name) {
    ex_store *s = ex_store_open(scratch_path(name));
    assert_non_null(s);
    return s;
}

static void statements(void **state) {
    (void)state;
    ex_store *s = fresh("plain.db");
    must(s, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
    const char *one[] = { "1", "eins" }, *two[] = { NULL, "2" };
    ex_rows *rows = ex_store_execute(s, "INSERT INTO t VALUES ($1, $2)", 2, one);
    assert_non_null(rows);
    assert_int_equal(ex_rows_count(rows), 0);
    ex_rows_free(rows);
    rows = ex_store_execute(s, "INSERT INTO t VALUES ($2, $1)", 2, two);    /* $2 is the second whatever comes first */
    assert_non_null(rows);
    ex_rows_free(rows);
    rows = run(s, "SELECT a, b, 3 FROM t ORDER BY a");
    assert_int_equal(ex_rows_count(rows), 2);
    assert_int_equal(ex_rows_columns(rows), 3);
    assert_string_equal(ex_rows_text(rows, 0, 1), "eins");
    assert_string_equal(ex_rows_text(rows, 1, 0), "2");
    assert_null(ex_rows_text(rows, 1, 1));
    assert_string_equal(ex_rows_text(rows, 1, 2), "3");
    assert_null(ex_rows_text(rows, 2, 0));
    assert_null(ex_rows_text(rows, 0, -1));
    ex_rows_free(rows);
    ex_store_free(s);
    ex_store_free(NULL);
}

static void many_rows(void **state) {
    (void)state;
    ex_store *s = fresh("many.db");
    ex_rows *rows = run(s, "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) SELECT i, i * i FROM n");
    assert_int_equal(ex_rows_count(rows), 10000);
    for (int32_t i = 0; i < 10000; i += 37) assert_int_equal(atoi(ex_rows_text(rows, i, 1)), i * i);
    ex_rows_free(rows);
    char sql[64];
    for (int i = 0; i < 200; i++) {         /* more statements than are kept prepared */
        snprintf(sql, sizeof sql, "SELECT %d", i);
        rows = run(s, sql);
        assert_int_equal(atoi(ex_rows_text(rows, 0, 0)), i);
        ex_rows_free(rows);
    }
    ex_store_free(s);
}

static void failures(void **state) {
    (void)state;
    ex_store *s = fresh("failures.db");
    assert_null(run(s, "SELEC 1"));
    assert_message("failures.db: near \"SELEC\": syntax error");
    assert_int_equal(ex_store_failure(s), EX_STORE_OTHER);
    const char *one[] = { "1" };
    assert_null(ex_store_execute(s, "SELECT $1, $2", 1, one));
    assert_message("parameter $2: 1 were given");
    assert_null(run(s, ""));
    assert_message("an empty statement");
    must(s, "CREATE TABLE t (a INTEGER PRIMARY KEY)");
    must(s, "INSERT INTO t VALUES (1)");
    assert_null(run(s, "INSERT INTO t VALUES (1)"));
    assert_int_equal(ex_store_failure(s), EX_STORE_CONSTRAINT);
    must(s, "SELECT 1");
    assert_int_equal(ex_store_failure(s), EX_STORE_NONE);
    ex_store_free(s);
    assert_null(ex_store_open(scratch_path("none/x.db")));
    assert_message("none/x.db: unable to open database file");
}

static void damage(void **state) {
    (void)state;
    char junk[8192];
    memset(junk, 'x', sizeof junk);
    assert_null(ex_store_open(scratch_file("junk.db", junk, sizeof junk)));
    assert_message("junk.db: it is damaged (file is not a database)");
}

/* Another process holds the file while this one wants it: it waits. */
static void waits(void **state) {
    (void)state;
    ex_store *s = fresh("busy.db");
    must(s, "CREATE TABLE t (a INTEGER)");
    ex_store_free(s);                       /* no connection is open where the process forks */
    int held[2], go[2];
    char byte;
    assert_int_equal(pipe(held), 0);
    assert_int_equal(pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        ex_store *other = ex_store_open(scratch_path("busy.db"));
        ex_rows *rows = other ? run(other, "BEGIN IMMEDIATE") : NULL;
        if (!rows || write(held[1], "y", 1) != 1 || read(go[0], &byte, 1) != 1) _exit(1);
        usleep(50000);                      /* whether the other has come by then does not matter: both ways it must work */
        ex_rows_free(rows);
        rows = run(other, "INSERT INTO t VALUES (1)");
        ex_rows *end = run(other, "COMMIT");
        int done = rows && end;
        ex_rows_free(rows);
        ex_rows_free(end);
        ex_store_free(other);
        _exit(done ? 0 : 2);
    }
    s = fresh("busy.db");
    assert_int_equal(read(held[0], &byte, 1), 1);
    assert_int_equal(write(go[1], "y", 1), 1);
    must(s, "BEGIN IMMEDIATE");
    ex_rows *rows = run(s, "SELECT COUNT(*) FROM t");
    assert_string_equal(ex_rows_text(rows, 0, 0), "1");     /* it was waited for */
    ex_rows_free(rows);
    must(s, "COMMIT");
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++) {
        close(held[i]);
        close(go[i]);
    }
    ex_store_free(s);
}

static void gives_up_when_interrupted(void **state) {
    (void)state;
    ex_store *s = fresh("held.db"), *other = fresh("held.db");
    must(s, "BEGIN IMMEDIATE");
    ex_interrupt();
    assert_null(run(other, "BEGIN IMMEDIATE"));
    assert_message("held.db: interrupted");
    ex_interrupt_clear();
    must(s, "COMMIT");
    ex_store_free(other);
    ex_store_free(s);
}

static void a_file_that_went_away(void **state) {
    (void)state;
    ex_store *s = fresh("gone.db");
    must(s, "CREATE TABLE t (a INTEGER)");
    assert_int_equal(unlink(scratch_path("gone.db")), 0);
    assert_null(run(s, "BEGIN IMMEDIATE"));
    assert_message("gone.db: it was removed or replaced while it was in use");
    ex_store_free(s);
}

static void full_disk(void **state) {
    (void)state;
    ex_store *s = fresh("full.db");
    must(s, "CREATE TABLE t (a TEXT)");
    struct rlimit before, small = { 65536, 65536 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    must(s, "BEGIN IMMEDIATE");
    ex_rows *rows = run(s, "INSERT INTO t VALUES (hex(zeroblob(200000)))");
    ex_rows *end = rows ? run(s, "COMMIT") : NULL;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_null(end);
    assert_message("full.db: the disk is full: nothing was written");
    ex_rows_free(rows);
    ex_rows_free(run(s, "ROLLBACK"));
    rows = run(s, "SELECT COUNT(*) FROM t");
    assert_string_equal(ex_rows_text(rows, 0, 0), "0");
    ex_rows_free(rows);
    must(s, "INSERT INTO t VALUES ('there is room again')");
    ex_store_free(s);
}

/* A user who may not write reads, whether the file is closed or another has it open; and changes nothing. */
static void only_read(void **state) {
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "a %%3F#?.db");
    const char *path = scratch_path(name);
    ex_store *s = fresh(name);
    must(s, "CREATE TABLE t (a INTEGER)");
    must(s, "INSERT INTO t VALUES (7)");
    char doubled[4096];
    snprintf(doubled, sizeof doubled, "/%s", path);         /* "//x": the same file, and no host x */
    for (int open = 2; open >= 0; open--) {
        if (open == 1) ex_store_free(s);
        if (!scratch_as_nobody()) break;
        ex_store *reader = ex_store_open(open ? path : doubled);
        ex_rows *rows = reader ? run(reader, "SELECT a FROM t") : NULL;
        ex_rows *written = reader ? run(reader, "INSERT INTO t VALUES (8)") : NULL;
        scratch_as_before();
        if (!rows) fail_msg("%s: %s", open == 2 ? "open" : "closed", ex_error_message());
        assert_string_equal(ex_rows_text(rows, 0, 0), "7");
        assert_null(written);
        assert_message("it may only be read");
        ex_rows_free(rows);
        ex_store_free(reader);
    }
    assert_true(access(path, F_OK) == 0);
}

/* Its last transactions are still in its log, which cannot be read without writing: it is said, not left out. */
static void only_read_after_a_crash(void **state) {
    (void)state;
    ex_store *s = fresh("alive.db");
    must(s, "CREATE TABLE t (a INTEGER)");
    static const char *const ending[] = { "", "-wal" };
    for (int i = 0; i < 2; i++) {           /* as the files lie on the disk while it is open */
        char from[32], to[32];
        snprintf(from, sizeof from, "alive.db%s", ending[i]);
        snprintf(to, sizeof to, "crash.db%s", ending[i]);
        size_t size = 0;
        char *bytes = scratch_read(scratch_path(from), &size);
        assert_true(i == 0 || size > 0);
        scratch_file(to, bytes, size);
        free(bytes);
    }
    ex_store_free(s);
    if (!scratch_as_nobody()) return;
    s = ex_store_open(scratch_path("crash.db"));
    ex_rows *rows = s ? run(s, "SELECT COUNT(*) FROM t") : NULL;
    scratch_as_before();
    assert_null(rows);
    assert_message("crash.db: ");
    ex_store_free(s);
}

static void a_clock(void **state) {
    (void)state;
    ex_store *s = fresh("clock.db");
    ex_rows *rows = run(s, "SELECT ex_clock() > 0, typeof(ex_clock())");
    assert_string_equal(ex_rows_text(rows, 0, 0), "1");
    assert_string_equal(ex_rows_text(rows, 0, 1), "real");
    ex_rows_free(rows);
    ex_store_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements), cmocka_unit_test(many_rows), cmocka_unit_test(failures), cmocka_unit_test(damage),
        cmocka_unit_test(waits), cmocka_unit_test(gives_up_when_interrupted), cmocka_unit_test(a_file_that_went_away),
        cmocka_unit_test(full_disk), cmocka_unit_test(only_read),
        cmocka_unit_test(only_read_after_a_crash), cmocka_unit_test(a_clock),
    };
    return cmocka_run_group_tests_name("core/store/sqlite", tests, NULL, NULL);
}
