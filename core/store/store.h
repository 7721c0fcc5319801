/* store.h: a database behind three calls: execute a statement with text parameters, read its rows, close. What a kind of
 * database does otherwise (how it waits, what its failures mean) stays in its file: sqlite.c, postgres.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

/* A result: rows x columns texts, each ended by 0, all in one block. */
struct ex_rows {
    int32_t rows, columns;
    size_t cells, room;                     /* of `at` */
    size_t size, space;                     /* of `text` */
    size_t *at;                             /* where cell i begins; EX_NULL_CELL: NULL */
    char *text;
};

#define EX_NULL_CELL SIZE_MAX

ex_status ex_rows_add(ex_rows *rows, const char *text, size_t size);    /* the next cell; NULL: NULL */

struct ex_store {
    const char *name;                       /* for messages: the file, or the address without its password */
    int32_t failure;                        /* ex_store_failure_kind of the last call */
    ex_status (*execute)(ex_store *s, ex_rows *rows, const char *sql, int32_t n, const char *const *parameter);
    ex_status (*reconnect)(ex_store *s);
    void (*close)(ex_store *s);             /* frees s too */
};

ex_store *ex_sqlite_open(const char *path);
ex_store *ex_postgres_open(const char *address);

/* What kind of network file system `path` lies on, by statfs's magic number; NULL where it is none. */
const char *ex_network_file_system(const char *path);

/* Sets s->failure and the message "NAME: ...". */
ex_status ex_store_fail(ex_store *s, int32_t kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
