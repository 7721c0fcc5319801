/* store_test.c: what is the same for every kind of store: which file an address goes to, how rows are kept, and what a failure
 * says. The store here is one of the test's own: it gives the rows and fails in the ways that a test wants. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../core/base/error.h"
#include "../../../core/base/memory.h"
#include "../../../core/store/store.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

/* -- A store of the test's own ------------------------------------------------------------------------------ */

enum { GIVE, FAIL_SILENTLY, FAIL_AGAIN };

static int mode, closed;

static ex_status own_execute(ex_store *s, ex_rows *rows, const char *sql, int32_t n, const char *const *parameter) {
    if (mode == FAIL_SILENTLY) return ex_fail("%s: out of everything", s->name);
    if (mode == FAIL_AGAIN) return ex_store_fail(s, EX_STORE_AGAIN, "%s gave way to %d", sql, 7);
    rows->columns = n;
    for (int32_t i = 0; i < n; i++)
        if (ex_rows_add(rows, parameter[i], parameter[i] ? strlen(parameter[i]) : 0) != EX_OK) return EX_FAILED;
    rows->rows = 1;
    return EX_OK;
}

static ex_status own_reconnect(ex_store *s) { return mode == GIVE ? EX_OK : ex_store_fail(s, EX_STORE_LOST, "still gone"); }

static void own_close(ex_store *s) {
    (void)s;
    closed++;
}

static ex_store own(void) {
    return (ex_store){ .name = "own", .execute = own_execute, .reconnect = own_reconnect, .close = own_close };
}

static void failures(void **state) {
    (void)state;
    ex_store s = own();
    assert_string_equal(ex_store_name(&s), "own");
    mode = FAIL_SILENTLY;
    assert_null(ex_store_execute(&s, "x", 0, NULL));
    assert_int_equal(ex_store_failure(&s), EX_STORE_OTHER);         /* a failure is never none */
    assert_message("own: out of everything");
    mode = FAIL_AGAIN;
    assert_null(ex_store_execute(&s, "update", 0, NULL));
    assert_int_equal(ex_store_failure(&s), EX_STORE_AGAIN);
    assert_message("own: update gave way to 7");
    assert_int_equal(ex_store_reconnect(&s), EX_FAILED);
    assert_int_equal(ex_store_failure(&s), EX_STORE_LOST);
    mode = GIVE;
    assert_int_equal(ex_store_reconnect(&s), EX_OK);
    assert_int_equal(ex_store_failure(&s), EX_STORE_NONE);
    mode = FAIL_AGAIN;
    assert_null(ex_store_execute(&s, "update", 0, NULL));
    mode = GIVE;
    ex_rows_free(ex_store_execute(&s, "x", 0, NULL));
    assert_int_equal(ex_store_failure(&s), EX_STORE_NONE);          /* an earlier one is forgotten */
}

static void long_messages_are_cut(void **state) {
    (void)state;
    ex_store s = own();
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(ex_store_fail(&s, EX_STORE_OTHER, "%s", text), EX_FAILED);
    assert_message("own: xxxx");
    assert_true(strlen(ex_error_message()) < 1024);
}

static void closing(void **state) {
    (void)state;
    ex_store s = own();
    closed = 0;
    ex_store_free(&s);
    ex_store_free(NULL);
    assert_int_equal(closed, 1);
}

/* -- Rows ---------------------------------------------------------------------------------------------------- */

static void cells(void **state) {
    (void)state;
    ex_store s = own();
    mode = GIVE;
    const char *given[] = { "a", NULL, "", "a text that is longer" };
    ex_rows *rows = ex_store_execute(&s, "x", 4, given);
    assert_int_equal(ex_rows_count(rows), 1);
    assert_int_equal(ex_rows_columns(rows), 4);
    assert_string_equal(ex_rows_text(rows, 0, 0), "a");
    assert_null(ex_rows_text(rows, 0, 1));
    assert_string_equal(ex_rows_text(rows, 0, 2), "");              /* an empty text is one */
    assert_string_equal(ex_rows_text(rows, 0, 3), "a text that is longer");
    assert_null(ex_rows_text(rows, 0, 4));
    assert_null(ex_rows_text(rows, 0, -1));
    assert_null(ex_rows_text(rows, 1, 0));
    assert_null(ex_rows_text(rows, -1, 0));
    ex_rows_free(rows);
    ex_rows_free(NULL);
}

/* As many and as long as make both blocks grow often; all of it stays as it was. */
static void they_grow(void **state) {
    (void)state;
    ex_rows *rows = ex_alloc_zero(sizeof *rows);
    assert_non_null(rows);
    rows->columns = 3;
    static char large[100000];
    memset(large, 'y', sizeof large - 1);
    char text[32];
    for (int i = 0; i < 20000; i++) {
        int size = snprintf(text, sizeof text, "cell %d", i);
        assert_int_equal(ex_rows_add(rows, i % 7 == 3 ? NULL : text, (size_t)size), EX_OK);
        if (i == 9999) assert_int_equal(ex_rows_add(rows, large, sizeof large - 1), EX_OK);
    }
    rows->rows = 20001 / 3;
    for (int i = 0; i < 20001; i++) {
        const char *got = ex_rows_text(rows, i / 3, i % 3);
        int n = i > 10000 ? i - 1 : i;
        snprintf(text, sizeof text, "cell %d", n);
        if (i == 10000) assert_string_equal(got, large);
        else if (n % 7 == 3) assert_null(got);
        else assert_string_equal(got, text);
    }
    ex_rows_free(rows);
}

/* A size given apart from the text: what is not ended by 0 is. */
static void sizes_count(void **state) {
    (void)state;
    ex_rows *rows = ex_alloc_zero(sizeof *rows);
    assert_non_null(rows);
    rows->columns = rows->rows = 1;
    const char three[3] = { 'a', 'b', 'c' };
    assert_int_equal(ex_rows_add(rows, three, 3), EX_OK);
    assert_string_equal(ex_rows_text(rows, 0, 0), "abc");
    ex_rows_free(rows);
}

/* -- Addresses ------------------------------------------------------------------------------------------------- */

static void addresses(void **state) {
    (void)state;
    const char *files[] = { "a.db", "postgresql", "postgresql:x", "xpostgres:y" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        ex_store *s = ex_store_open(scratch_path(files[i]));
        if (!s) fail_msg("%s: %s", files[i], ex_error_message());
        ex_rows *rows = ex_store_execute(s, "SELECT sqlite_version()", 0, NULL);
        assert_non_null(rows);
        ex_rows_free(rows);
        assert_int_equal(ex_store_reconnect(s), EX_OK);             /* a file does not go away */
        ex_store_free(s);
    }
    const char *servers[] = { "postgresql://localhost:1/none", "postgres://localhost:1/none" };
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        assert_null(ex_store_open(servers[i]));
        assert_non_null(strcasestr(ex_error_message(), "postgres"));        /* its name, or that libpq is not here */
    }
    assert_int_equal(scratch_count(scratch_folder()), 4);           /* a server's address makes no file */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures), cmocka_unit_test(long_messages_are_cut), cmocka_unit_test(closing), cmocka_unit_test(cells),
        cmocka_unit_test(they_grow), cmocka_unit_test(sizes_count), cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests_name("core/store/store", tests, NULL, NULL);
}
