/* postgres_test.c: a real server, started for this test in a folder of its own on a socket there: statements, what each failure
 * means, a connection that goes away, messages without passwords. Skipped where PostgreSQL's server is not installed. As root it
 * runs as nobody, since the server refuses root. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../support/message.h"
#include "../../support/scratch.h"

/* -- The server ------------------------------------------------------------------------------------------------ */

static char address[600];

static int shell(const char *format, const char *action) {
    char line[2000], whole[2400];
    snprintf(line, sizeof line, format, scratch_folder(), action);
    if (getuid() != 0) return system(line);                        /* NOLINT(cert-env33-c) */
    setenv("AS_NOBODY", line, 1);
    snprintf(whole, sizeof whole, "setpriv --reuid nobody --regid nogroup --clear-groups sh -c \"$AS_NOBODY\"");
    return system(whole);                                           /* NOLINT(cert-env33-c) */
}

#define TOOL(name) "PATH=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1):$PATH; cd '%s' && LC_ALL=C " name

/* "start", "stop", "restart": at once, as a kill does to those connected. */
static int control(const char *action) {
    return shell(TOOL("pg_ctl -D data -w -l log -m immediate -o \"-k $(pwd) -c listen_addresses='' -c fsync=off\" %s >>log 2>&1"), action);
}

/* Why there is none; NULL: it runs. */
static const char *start(void) {
    if (system("ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1") != 0)         /* NOLINT(cert-env33-c) */
        return "PostgreSQL's server is not installed (apt-get install postgresql)";
    char line[600];
    snprintf(line, sizeof line, "chown nobody '%s'", scratch_folder());
    if (getuid() == 0 && system(line) != 0) return "the server's folder cannot be given away";       /* NOLINT(cert-env33-c) */
    if (shell(TOOL("initdb -D data -A trust -N -U exeunt %s >log 2>&1"), "") != 0 || control("start") != 0)
        return "no PostgreSQL server can be started here";
    snprintf(address, sizeof address, "postgresql:///postgres?host=%s&user=exeunt", scratch_folder());
    return NULL;
}

/* -- Helpers ---------------------------------------------------------------------------------------------------- */

static ex_rows *run(ex_store *s, const char *sql) { return ex_store_execute(s, sql, 0, NULL); }

static void must(ex_store *s, const char *sql) {
    ex_rows *rows = run(s, sql);
    if (!rows) fail_msg("%s: %s", sql, ex_error_message());
    ex_rows_free(rows);
}

static void fails(ex_store *s, const char *sql, int32_t kind) {
    assert_null(run(s, sql));
    if (ex_store_failure(s) != kind) fail_msg("%s: a failure of kind %d: %s", sql, ex_store_failure(s), ex_error_message());
    assert_null(strchr(ex_error_message(), '\n'));
}

static ex_store *fresh(void) {
    ex_store *s = ex_store_open(address);
    if (!s) fail_msg("%s", ex_error_message());
    return s;
}

static void one(ex_store *s, const char *sql, const char *expected) {
    ex_rows *rows = run(s, sql);
    if (!rows) fail_msg("%s: %s", sql, ex_error_message());
    assert_int_equal(ex_rows_count(rows), 1);
    assert_string_equal(ex_rows_text(rows, 0, 0), expected);
    ex_rows_free(rows);
}

/* -- Statements --------------------------------------------------------------------------------------------------- */

static void statements(void **state) {
    (void)state;
    ex_store *s = fresh();
    must(s, "CREATE TABLE plain (a INTEGER PRIMARY KEY, b TEXT)");
    const char *first[] = { "1", "\xc3\xa4'\"\n" }, *second[] = { NULL, "2" };
    ex_rows *rows = ex_store_execute(s, "INSERT INTO plain VALUES ($1, $2)", 2, first);
    assert_non_null(rows);
    assert_int_equal(ex_rows_count(rows), 0);
    ex_rows_free(rows);
    rows = ex_store_execute(s, "INSERT INTO plain VALUES ($2, $1)", 2, second);
    assert_non_null(rows);
    ex_rows_free(rows);
    rows = run(s, "SELECT a, b, '' FROM plain ORDER BY a");
    assert_int_equal(ex_rows_count(rows), 2);
    assert_int_equal(ex_rows_columns(rows), 3);
    assert_string_equal(ex_rows_text(rows, 0, 1), first[1]);
    assert_string_equal(ex_rows_text(rows, 1, 0), "2");
    assert_null(ex_rows_text(rows, 1, 1));
    assert_string_equal(ex_rows_text(rows, 1, 2), "");
    ex_rows_free(rows);
    rows = run(s, "SELECT i, i * i FROM generate_series(0, 9999) AS n(i)");
    assert_int_equal(ex_rows_count(rows), 10000);
    for (int32_t i = 0; i < 10000; i += 37) assert_int_equal(atoi(ex_rows_text(rows, i, 1)), i * i);
    ex_rows_free(rows);
    ex_store_free(s);
}

static void transactions(void **state) {
    (void)state;
    ex_store *s = fresh(), *other = fresh();
    must(s, "CREATE TABLE whole (a INTEGER)");
    must(s, "BEGIN");
    must(s, "INSERT INTO whole VALUES (1)");
    one(other, "SELECT COUNT(*) FROM whole", "0");
    fails(s, "INSERT INTO whole VALUES ('x')", EX_STORE_OTHER);
    must(s, "ROLLBACK");
    one(s, "SELECT COUNT(*) FROM whole", "0");
    ex_store_free(other);
    ex_store_free(s);
}

/* -- What failures mean -------------------------------------------------------------------------------------------- */

static void kinds(void **state) {
    (void)state;
    static const struct { const char *code; int32_t kind; } said[] = {
        { "22012", EX_STORE_OTHER }, { "23505", EX_STORE_CONSTRAINT }, { "40001", EX_STORE_AGAIN }, { "40P01", EX_STORE_AGAIN },
        { "08006", EX_STORE_LOST }, { "57P01", EX_STORE_LOST }, { "57014", EX_STORE_OTHER }, { "XX001", EX_STORE_DAMAGED },
        { "XX002", EX_STORE_DAMAGED }, { "XX000", EX_STORE_OTHER }, { "53100", EX_STORE_OTHER },
    };
    ex_store *s = fresh();
    char sql[200];
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        snprintf(sql, sizeof sql, "DO $$ BEGIN RAISE EXCEPTION 'it is   so' USING ERRCODE = '%s', DETAIL = 'and\nso'; END $$",
                 said[i].code);
        fails(s, sql, said[i].kind);
        assert_message("ERROR: it is so DETAIL: and so");           /* in one line, spaces as one */
    }
    must(s, "SELECT 1");
    assert_int_equal(ex_store_failure(s), EX_STORE_NONE);
    fails(s, "SELEC 1", EX_STORE_OTHER);
    assert_message("syntax error at or near \"SELEC\"");
    const char *few[] = { "1" };
    assert_null(ex_store_execute(s, "SELECT $1::text, $2::text", 1, few));
    assert_int_equal(ex_store_failure(s), EX_STORE_OTHER);
    must(s, "CREATE TABLE twice (a INTEGER PRIMARY KEY)");
    must(s, "INSERT INTO twice VALUES (1)");
    fails(s, "INSERT INTO twice VALUES (1)", EX_STORE_CONSTRAINT);
    ex_store_free(s);
}

/* Two that changed the same: the later has to do it again, and then can. */
static void gives_way(void **state) {
    (void)state;
    ex_store *s = fresh(), *other = fresh();
    must(s, "CREATE TABLE common (a INTEGER)");
    must(s, "INSERT INTO common VALUES (0)");
    must(s, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    one(s, "SELECT a FROM common", "0");
    must(other, "UPDATE common SET a = a + 1");
    fails(s, "UPDATE common SET a = a + 1", EX_STORE_AGAIN);
    must(s, "ROLLBACK");
    must(s, "UPDATE common SET a = a + 1");
    one(s, "SELECT a FROM common", "2");
    ex_store_free(other);
    ex_store_free(s);
}

static void long_messages_are_cut(void **state) {
    (void)state;
    ex_store *s = fresh();
    fails(s, "DO $$ BEGIN RAISE EXCEPTION '%', repeat('x', 5000); END $$", EX_STORE_OTHER);
    assert_message("xxxxxxxx");
    assert_true(strlen(ex_error_message()) < 1024);
    ex_store_free(s);
}

static void notices_are_dropped(void **state) {
    (void)state;
    ex_store *s = fresh();
    const char *path = scratch_path("stderr");
    int before = dup(2);
    assert_non_null(freopen(path, "w", stderr));
    ex_rows *rows = run(s, "DO $$ BEGIN RAISE WARNING 'nobody asked'; END $$");
    fflush(stderr);
    dup2(before, 2);
    close(before);
    assert_non_null(rows);
    ex_rows_free(rows);
    size_t size = 0;
    free(scratch_read(path, &size));
    assert_int_equal(size, 0);
    ex_store_free(s);
}

/* -- A connection that goes away ------------------------------------------------------------------------------------- */

static void ended_by_the_server(void **state) {
    (void)state;
    ex_store *s = fresh(), *other = fresh();
    must(s, "SET application_name = 'victim'");
    must(s, "BEGIN");
    must(other, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
    fails(s, "SELECT 1", EX_STORE_LOST);
    fails(s, "SELECT 1", EX_STORE_LOST);                            /* as long as nobody reconnects */
    assert_int_equal(ex_store_reconnect(s), EX_OK);
    assert_int_equal(ex_store_failure(s), EX_STORE_NONE);
    one(s, "SELECT 7", "7");
    ex_store_free(other);
    ex_store_free(s);
}

static void a_server_that_is_away(void **state) {
    (void)state;
    ex_store *s = fresh();
    assert_int_equal(control("stop"), 0);
    fails(s, "SELECT 1", EX_STORE_LOST);
    assert_int_equal(ex_store_reconnect(s), EX_FAILED);
    assert_int_equal(ex_store_failure(s), EX_STORE_LOST);
    assert_null(ex_store_open(address));
    assert_message("No such file or directory Is the server running locally");
    assert_int_equal(control("start"), 0);
    assert_int_equal(ex_store_reconnect(s), EX_OK);
    one(s, "SELECT 7", "7");
    ex_store_free(s);
}

/* -- Addresses and libpq ------------------------------------------------------------------------------------------------ */

static void passwords_are_not_said(void **state) {
    (void)state;
    static const struct { const char *address, *said; } all[] = {
        { "postgresql://me:secret@localhost:1/db", "postgresql://me@localhost:1/db: " },
        { "postgres://me:secret@localhost:1", "postgres://me@localhost:1: " },
        { "postgresql://me:secret?secret@localhost:1/db?user=me", "postgresql://me@localhost:1/db?user=me: " },
        { "postgresql://localhost:1/db?password=secret", "postgresql://localhost:1/db: " },
        { "postgresql://localhost:1/db?password=secret&user=me", "postgresql://localhost:1/db?user=me: " },
        { "postgresql://localhost:1/db?user=me&sslpassword=secret&password=secret", "postgresql://localhost:1/db?user=me: " },
        { "postgresql://localhost:1/db@x:y?user=me", "postgresql://localhost:1/db@x:y?user=me: " },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_null(ex_store_open(all[i].address));
        assert_message(all[i].said);
        assert_null(strstr(ex_error_message(), "secret"));
        assert_null(strchr(ex_error_message(), '\n'));
    }
}

static void nonsense_in_the_address(void **state) {
    (void)state;
    assert_null(ex_store_open("postgresql://localhost:x/db"));
    assert_message("invalid");
    assert_null(ex_store_open("postgresql://localhost:1/db?colour=green"));
    assert_message("colour");
    char text[700];
    snprintf(text, sizeof text, "%s&dbname=nowhere", address);
    assert_null(ex_store_open(text));
    assert_message("database \"nowhere\" does not exist");
}

static int without_libpq;

/* The program's own: it finds no libpq where a test wants that. */
void *dlopen(const char *name, int flags) {      /* NOLINT(readability-inconsistent-declaration-parameter-name) */
    void *(*real)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    return without_libpq && name && strstr(name, "libpq") ? NULL : real(name, flags);
}

/* In a process of its own, since the library is looked for once. */
static void no_libpq(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        without_libpq = 1;
        ex_store *s = ex_store_open(address);
        if (!s) s = ex_store_open(address);                         /* it is looked for once; both times it is not there */
        _exit(!s && strstr(ex_error_message(), "PostgreSQL needs the library libpq, which is not here") ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static int stop(void **state) {
    (void)state;
    return control("stop");
}

int main(void) {
    const char *why = start();
    if (why) {
        printf("1..0 # SKIP %s\n", why);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_libpq),                                 /* first: the process must not have loaded it yet */
        cmocka_unit_test(statements), cmocka_unit_test(transactions), cmocka_unit_test(kinds), cmocka_unit_test(gives_way),
        cmocka_unit_test(long_messages_are_cut), cmocka_unit_test(notices_are_dropped), cmocka_unit_test(ended_by_the_server),
        cmocka_unit_test(a_server_that_is_away), cmocka_unit_test(passwords_are_not_said), cmocka_unit_test(nonsense_in_the_address),
    };
    return cmocka_run_group_tests_name("core/store/postgres", tests, NULL, stop);
}
