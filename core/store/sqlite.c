/* sqlite.c: an SQLite file as a store: WAL, statements prepared once, and waiting in place of "database is locked": whoever
 * finds the file busy tries again, for WAIT_SECONDS, which only a process that was stopped in the middle can exceed.
 * It refuses files on network file systems, whose locks do not hold what WAL needs, and says of a damaged file or a full
 * disk what to do. A file that this user may not write is opened to be read. `ex_clock()` is a function in its SQL: seconds of
 * this machine since its start, which nobody can set. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "store.h"

enum { STATEMENTS = 64, WAIT_SECONDS = 300, LONGEST_NAP = 20000 };

typedef struct sqlite_store {
    ex_store base;
    sqlite3 *db;
    int statements;
    sqlite3_stmt *statement[STATEMENTS];    /* prepared; their SQL is the key */
    double waiting_since;                   /* ex_clock() of the first refusal in a row; 0: none */
    unsigned jitter;
} sqlite_store;

/* -- Waiting ------------------------------------------------------------------------------------------------- */

/* Sleeps a little, longer from try to try; 0: it has been long enough, or somebody wants to stop. */
static int nap(sqlite_store *s, int tries) {
    double now = ex_clock();
    if (tries == 0 || s->waiting_since == 0) s->waiting_since = now;
    if (ex_interrupted() || now - s->waiting_since > WAIT_SECONDS) return 0;
    unsigned longest = tries < 5 ? 500u << tries : LONGEST_NAP;
    s->jitter = s->jitter * 1103515245u + 12345u;           /* so that those who wait do not come back together */
    usleep(longest / 4 + (s->jitter >> 8) % longest);
    return 1;
}

static int busy(void *context, int tries) { return nap(context, tries); }

/* -- What a failure means -------------------------------------------------------------------------------------- */

static ex_status failed(sqlite_store *s, int code) {
    ex_store *base = &s->base;
    const char *text = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_BUSY: case SQLITE_LOCKED:
        if (ex_interrupted()) return ex_store_fail(base, EX_STORE_OTHER, "interrupted");
        return ex_store_fail(base, EX_STORE_OTHER, "another process has held it for more than %d s: is one stopped in the middle?",
                             WAIT_SECONDS);
    case SQLITE_CORRUPT: case SQLITE_NOTADB:
        return ex_store_fail(base, EX_STORE_DAMAGED, "it is damaged (%s)", text);
    case SQLITE_FULL:
        return ex_store_fail(base, EX_STORE_OTHER, "the disk is full: nothing was written; free some space and go on");
    case SQLITE_READONLY: case SQLITE_PERM:
        return ex_store_fail(base, EX_STORE_OTHER, "it may only be read, by its permissions or its file system's");
    case SQLITE_IOERR: {
        int error = s->db && sqlite3_system_errno(s->db) ? sqlite3_system_errno(s->db) : errno;   /* a commit's is but in errno */
        if (error == ENOSPC || error == EDQUOT || error == EFBIG)
            return ex_store_fail(base, EX_STORE_OTHER, "the disk is full: nothing was written; free some space and go on");
        return ex_store_fail(base, EX_STORE_OTHER, "%s%s%s", text, error ? ": " : "", error ? strerrordesc_np(error) : "");
    }
    case SQLITE_CONSTRAINT: return ex_store_fail(base, EX_STORE_CONSTRAINT, "%s", text);
    default: return ex_store_fail(base, EX_STORE_OTHER, "%s", text);
    }
}

/* -- Statements --------------------------------------------------------------------------------------------------- */

/* The statement for this SQL, prepared before or now. Where there is no place left, the oldest goes. */
static sqlite3_stmt *prepared(sqlite_store *s, const char *sql) {
    for (int i = 0; i < s->statements; i++)
        if (strcmp(sqlite3_sql(s->statement[i]), sql) == 0) return s->statement[i];
    sqlite3_stmt *made = NULL;
    int code;
    for (int tries = 0; (code = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL)) != SQLITE_OK; tries++)
        if ((code & 0xff) != SQLITE_BUSY || !nap(s, tries)) {
            failed(s, code);
            return NULL;
        }
    if (!made) {
        ex_store_fail(&s->base, EX_STORE_OTHER, "an empty statement");
        return NULL;
    }
    if (s->statements == STATEMENTS) {
        sqlite3_finalize(s->statement[0]);
        memmove(s->statement, s->statement + 1, (STATEMENTS - 1) * sizeof *s->statement);
        s->statements--;
    }
    return s->statement[s->statements++] = made;
}

/* $1 is parameter[0], as in PostgreSQL: SQLite takes "$1" for a name. */
static ex_status bind(sqlite_store *s, sqlite3_stmt *statement, int32_t n, const char *const *parameter) {
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        const char *name = sqlite3_bind_parameter_name(statement, i);
        long which = name && name[0] == '$' ? strtol(name + 1, NULL, 10) : 0;
        if (which < 1 || which > n)
            return ex_store_fail(&s->base, EX_STORE_OTHER, "parameter %s: %d were given", name ? name : "?", (int)n);
        int code = sqlite3_bind_text(statement, i, parameter[which - 1], -1, SQLITE_STATIC);
        if (code != SQLITE_OK) return failed(s, code);
    }
    return EX_OK;
}

static ex_status add_row(ex_rows *rows, sqlite3_stmt *statement) {
    for (int i = 0; i < rows->columns; i++) {
        const char *text = (const char *)sqlite3_column_text(statement, i);
        if (ex_rows_add(rows, text, text ? strlen(text) : 0) != EX_OK) return EX_FAILED;
    }
    rows->rows++;
    return EX_OK;
}

static void forget_rows(ex_rows *rows) {
    rows->rows = 0;
    rows->cells = rows->size = 0;
}

/* Does the file still have its name? Else what is written to it would be lost, unnoticed. */
static ex_status check_place(sqlite_store *s) {
    int moved = 0;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK || !moved) return EX_OK;
    return ex_store_fail(&s->base, EX_STORE_OTHER, "it was removed or replaced while it was in use: start again");
}

static ex_status sqlite_execute(ex_store *base, ex_rows *rows, const char *sql, int32_t n, const char *const *parameter) {
    sqlite_store *s = (sqlite_store *)base;
    sqlite3_stmt *statement = prepared(s, sql);
    if (!statement) return EX_FAILED;
    ex_status status = bind(s, statement, n, parameter);
    if (status == EX_OK && strncmp(sql, "BEGIN", 5) == 0) status = check_place(s);
    int tries = 0;
    while (status == EX_OK) {
        rows->columns = sqlite3_column_count(statement);
        errno = 0;
        int code = sqlite3_step(statement);
        if (code == SQLITE_ROW) {
            status = add_row(rows, statement);
            continue;
        }
        if (code == SQLITE_DONE) break;
        if ((code & 0xff) == SQLITE_BUSY && sqlite3_get_autocommit(s->db) && nap(s, tries++)) {
            sqlite3_reset(statement);
            forget_rows(rows);
            continue;
        }
        status = failed(s, code);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return status;
}

/* -- Opening and closing -------------------------------------------------------------------------------------------- */

static void sqlite_close(ex_store *base) {
    sqlite_store *s = (sqlite_store *)base;
    for (int i = 0; i < s->statements; i++) sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    ex_free((char *)s->base.name);
    ex_free(s);
}

/* A file does not go away as a server does. */
static ex_status sqlite_reconnect(ex_store *base) {
    (void)base;
    return EX_OK;
}

/* CLOCK_BOOTTIME: it goes on while the machine sleeps, and no clock that is set moves it. */
static void clock_function(sqlite3_context *context, int n, sqlite3_value **value) {
    struct timespec now;
    (void)n;
    (void)value;
    clock_gettime(CLOCK_BOOTTIME, &now);
    sqlite3_result_double(context, (double)now.tv_sec + (double)now.tv_nsec * 1e-9);
}

static ex_status set_up(sqlite_store *s) {
    static const char *const pragma[] = {                   /* the first is not for a file that may only be read */
        "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = OFF", "PRAGMA trusted_schema = OFF",
    };
    sqlite3_busy_handler(s->db, busy, s);
    sqlite3_extended_result_codes(s->db, 1);
    int code = sqlite3_create_function_v2(s->db, "ex_clock", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, clock_function, NULL, NULL, NULL);
    if (code != SQLITE_OK) return failed(s, code);
    for (size_t i = sqlite3_db_readonly(s->db, "main") == 1; i < sizeof pragma / sizeof *pragma; i++) {
        ex_rows *rows = ex_store_execute(&s->base, pragma[i], 0, NULL);
        if (!rows) return EX_FAILED;
        ex_rows_free(rows);
    }
    return EX_OK;
}

const char *ex_sqlite_version(void) { return sqlite3_libversion(); }

/* Is what a log may hold in the file itself? Only then the file alone is all there is. */
static int has_no_log(const char *path) {
    char log[PATH_MAX];
    struct stat about;
    if (snprintf(log, sizeof log, "%s-wal", path) >= (int)sizeof log) return 0;
    return stat(log, &about) != 0 ? errno == ENOENT : about.st_size == 0;
}

/* A file that this user may not write, in a folder where it may not make the log that a reader needs: it is opened as one that
 * nobody changes, unless somebody is just at it. Returns SQLite's code. */
static int open_to_read(sqlite_store *s, const char *path) {
    if (sqlite3_db_readonly(s->db, "main") != 1) return SQLITE_OK;
    int code = sqlite3_exec(s->db, "SELECT 1 FROM sqlite_master LIMIT 1", NULL, NULL, NULL);
    if (((code & 0xff) != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY) || !has_no_log(path)) return SQLITE_OK;
    char uri[3 * PATH_MAX], *to = uri;
    to += snprintf(uri, sizeof uri, *path == '/' ? "file://" : "file:");      /* an empty host: else that of "//x" would be one, x */
    for (; *path && to < uri + sizeof uri - 32; path++)
        if (strchr("%?#", *path)) to += snprintf(to, 4, "%%%02X", (unsigned char)*path);
        else *to++ = *path;
    snprintf(to, 32, "?immutable=1");
    sqlite3_close(s->db);
    s->db = NULL;
    return sqlite3_open_v2(uri, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
}

ex_store *ex_sqlite_open(const char *path) {
    const char *network = ex_network_file_system(path);
    if (network) {
        ex_fail("%s: it is on a network file system (%s), where SQLite's locks do not hold: put the file on a local disk, or use a "
                "PostgreSQL server for several machines (--store postgresql://HOST/DATABASE)", path, network);
        return NULL;
    }
    sqlite_store *s = ex_alloc_zero(sizeof *s);
    if (!s) return NULL;
    s->base = (ex_store){ .execute = sqlite_execute, .reconnect = sqlite_reconnect, .close = sqlite_close };
    s->jitter = (unsigned)getpid();
    s->base.name = ex_strdup(path);
    int code = s->base.name ? sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL)
                            : SQLITE_NOMEM;
    if (code == SQLITE_OK) code = open_to_read(s, path);
    if (code == SQLITE_OK && set_up(s) == EX_OK) return &s->base;
    if (code != SQLITE_OK && s->base.name) failed(s, code);
    sqlite_close(&s->base);
    return NULL;
}
