/* postgres.c: a PostgreSQL server as a store. libpq is loaded when the first address asks for it, so that whoever needs none
 * needs no libpq, nor waits for the libraries that it brings. It says whether a failure means that the connection is gone
 * (EX_STORE_LOST) or that the transaction should be done again (EX_STORE_AGAIN); what then happens is the caller's affair.
 * Nothing is printed: the server's notices are dropped. Messages never hold the password. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "store.h"

enum { TEXT = 700, NAP = 100000 };

/* -- The library ----------------------------------------------------------------------------------------------- */

#define FUNCTIONS(f) f(PQconnectdbParams) f(PQreset) f(PQfinish) f(PQstatus) f(PQerrorMessage) f(PQexecParams) f(PQresultStatus) \
    f(PQresultErrorMessage) f(PQresultErrorField) f(PQntuples) f(PQnfields) f(PQgetvalue) f(PQgetisnull) f(PQgetlength) f(PQclear) \
    f(PQsetNoticeProcessor) f(PQlibVersion)

static struct {
    void *library;
#define MEMBER(name) __typeof__(&name) name;                                   /* NOLINT(bugprone-macro-parentheses) */
    FUNCTIONS(MEMBER)
} pq;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
#define FIND(name) if (!(pq.name = (__typeof__(&name))dlsym(library, #name))) return;     /* NOLINT(bugprone-macro-parentheses) */
    FUNCTIONS(FIND)
    pq.library = library;
}

static ex_status need_library(void) {
    pthread_once(&once, load);
    return pq.library ? EX_OK : ex_fail("PostgreSQL needs the library libpq, which is not here: apt-get install libpq5");
}

/* 150020 -> "15.20": two numbers since version 10. */
const char *ex_libpq_version(void) {
    static _Thread_local char text[24];
    if (need_library() != EX_OK) return NULL;
    int version = pq.PQlibVersion();
    snprintf(text, sizeof text, "%d.%d", version / 10000, version % 10000);
    return text;
}

/* -- Messages ---------------------------------------------------------------------------------------------------- */

typedef struct postgres_store {
    ex_store base;
    PGconn *connection;
} postgres_store;

static void no_notice(void *context, const char *message) {
    (void)context;
    (void)message;
}

/* libpq's text in one line. */
static const char *one_line(char out[TEXT], const char *text) {
    size_t n = 0;
    for (; *text && n + 1 < TEXT; text++) {
        int space = *text == '\n' || *text == '\t' || *text == ' ';
        if (!space) out[n++] = *text;
        else if (n > 0 && out[n - 1] != ' ') out[n++] = ' ';
    }
    while (n > 0 && out[n - 1] == ' ') n--;
    out[n] = 0;
    return out;
}

/* Takes password=... and sslpassword=... out of what stands behind an address's '?'. */
static void drop_passwords(char *query) {
    char *from = query + 1, *to = from;
    while (*from) {
        size_t size = strcspn(from, "&");
        char *next = from + size + (from[size] == '&');
        if (strncmp(from, "password=", 9) != 0 && strncmp(from, "sslpassword=", 12) != 0) {
            if (to > query + 1) *to++ = '&';
            memmove(to, from, size);
            to += size;
        }
        from = next;
    }
    *(to > query + 1 ? to : query) = 0;
}

/* The address without its passwords: between ':' and '@' in its user part, and behind its '?'. */
static char *public_name(const char *address) {
    char *name = ex_strdup(address);
    if (!name) return NULL;
    char *user = strstr(name, "://") + 3, *at = memchr(user, '@', strcspn(user, "/"));      /* libpq's rule: a '?' may be in it */
    char *colon = at ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (colon) memmove(colon, at, strlen(at) + 1);
    char *query = strchr(name, '?');
    if (query) drop_passwords(query);
    return name;
}

static int begins(const char *state, const char *with) { return state && strncmp(state, with, strlen(with)) == 0; }

static ex_status failed(postgres_store *s, const PGresult *result) {
    char text[TEXT];
    if (pq.PQstatus(s->connection) == CONNECTION_BAD)
        return ex_store_fail(&s->base, EX_STORE_LOST, "%s", one_line(text, pq.PQerrorMessage(s->connection)));
    const char *state = result ? pq.PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    one_line(text, result ? pq.PQresultErrorMessage(result) : pq.PQerrorMessage(s->connection));
    int32_t kind = EX_STORE_OTHER;          /* without a state the server did not say it: libpq found the connection gone */
    if (!state || (begins(state, "08") && !begins(state, "08P")) || begins(state, "57P")) kind = EX_STORE_LOST;     /* 08P: misuse */
    else if (begins(state, "40")) kind = EX_STORE_AGAIN;
    else if (begins(state, "23")) kind = EX_STORE_CONSTRAINT;
    else if (begins(state, "XX001") || begins(state, "XX002")) kind = EX_STORE_DAMAGED;
    return ex_store_fail(&s->base, kind, "%s", text);
}

/* -- Statements ---------------------------------------------------------------------------------------------------- */

static ex_status add_rows(ex_rows *rows, const PGresult *result) {
    rows->columns = pq.PQnfields(result);
    int count = pq.PQntuples(result);
    for (int r = 0; r < count; r++) {
        for (int c = 0; c < rows->columns; c++) {
            int null = pq.PQgetisnull(result, r, c);
            const char *text = null ? NULL : pq.PQgetvalue(result, r, c);
            if (ex_rows_add(rows, text, null ? 0 : (size_t)pq.PQgetlength(result, r, c)) != EX_OK) return EX_FAILED;
        }
        rows->rows++;
    }
    return EX_OK;
}

static ex_status postgres_execute(ex_store *base, ex_rows *rows, const char *sql, int32_t n, const char *const *parameter) {
    postgres_store *s = (postgres_store *)base;
    PGresult *result = pq.PQexecParams(s->connection, sql, n, NULL, parameter, NULL, NULL, 0);
    ExecStatusType got = result ? pq.PQresultStatus(result) : PGRES_FATAL_ERROR;
    ex_status status = EX_OK;
    if (got == PGRES_TUPLES_OK) status = add_rows(rows, result);
    else if (got != PGRES_COMMAND_OK) status = failed(s, result);
    pq.PQclear(result);
    return status;
}

static ex_status postgres_reconnect(ex_store *base) {
    postgres_store *s = (postgres_store *)base;
    pq.PQreset(s->connection);
    if (pq.PQstatus(s->connection) == CONNECTION_OK) return EX_OK;
    usleep(NAP);                            /* whoever tries again need not hurry */
    return failed(s, NULL);
}

static void postgres_close(ex_store *base) {
    postgres_store *s = (postgres_store *)base;
    if (s->connection) pq.PQfinish(s->connection);
    ex_free((char *)base->name);
    ex_free(s);
}

/* A machine that goes out of reach says no good-bye. Half a minute of silence ends a connection on both sides, or the server would
 * hold for hours what a transaction of such a machine holds, and a worker wait for a server that is no more. */
static const char SILENCE[] = "-c idle_in_transaction_session_timeout=30s -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 "
    "-c tcp_keepalives_count=4";

ex_store *ex_postgres_open(const char *address) {
    static const char *const keyword[] = { "connect_timeout", "client_encoding", "fallback_application_name", "options",
        "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "dbname", NULL };
    const char *const value[] = { "10", "UTF8", "exeunt", SILENCE, "10", "5", "4", "30000", address, NULL };    /* the address's win */
    if (need_library() != EX_OK) return NULL;
    postgres_store *s = ex_alloc_zero(sizeof *s);
    if (!s) return NULL;
    s->base = (ex_store){ .execute = postgres_execute, .reconnect = postgres_reconnect, .close = postgres_close };
    s->base.name = public_name(address);
    s->connection = s->base.name ? pq.PQconnectdbParams(keyword, value, 1) : NULL;
    if (s->connection && pq.PQstatus(s->connection) == CONNECTION_OK) {
        pq.PQsetNoticeProcessor(s->connection, no_notice, NULL);
        return &s->base;
    }
    if (s->connection) failed(s, NULL);
    else if (s->base.name) ex_fail("%s: memory is out", s->base.name);
    postgres_close(&s->base);
    return NULL;
}
