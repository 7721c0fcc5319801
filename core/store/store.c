/* store.c: opens a database by its address and keeps what statements give back. An address that begins with postgresql:// or
 * postgres:// is a server's, anything else an SQLite file. It knows nothing of studies and trials: the schema and every
 * statement come from Lua. Parameters and results are texts, so that a number is kept digit by digit as it was written. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "store.h"

enum { FIRST_CELLS = 64, FIRST_TEXT = 1024, MESSAGE = 900 };

ex_status ex_store_fail(ex_store *s, int32_t kind, const char *format, ...) {
    char text[MESSAGE];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    s->failure = kind;
    return ex_fail("%s: %s", s->name, text);
}

/* -- Stores ------------------------------------------------------------------------------------------------ */

static int is_server(const char *address) {
    return strncmp(address, "postgresql://", 13) == 0 || strncmp(address, "postgres://", 11) == 0;
}

ex_store *ex_store_open(const char *address) {
    return is_server(address) ? ex_postgres_open(address) : ex_sqlite_open(address);
}

void ex_store_free(ex_store *s) {
    if (s) s->close(s);
}

const char *ex_store_name(const ex_store *s) { return s->name; }

int32_t ex_store_failure(const ex_store *s) { return s->failure; }

ex_status ex_store_reconnect(ex_store *s) {
    s->failure = EX_STORE_NONE;
    return s->reconnect(s);
}

ex_rows *ex_store_execute(ex_store *s, const char *sql, int32_t n, const char *const *parameter) {
    ex_rows *rows = ex_alloc_zero(sizeof *rows);
    if (!rows) return NULL;
    s->failure = EX_STORE_NONE;
    if (s->execute(s, rows, sql, n, parameter) == EX_OK) return rows;
    if (s->failure == EX_STORE_NONE) s->failure = EX_STORE_OTHER;
    ex_rows_free(rows);
    return NULL;
}

/* -- Rows ---------------------------------------------------------------------------------------------------- */

/* The block at *block with room for `need` items of `size` bytes; *room is what it has. */
static ex_status grow(void **block, size_t *room, size_t need, size_t size, size_t first) {
    if (need <= *room) return EX_OK;
    size_t more = *room ? *room : first;
    while (more < need) more *= 2;
    void *grown = ex_realloc(*block, more * size);
    if (!grown) return EX_FAILED;
    *block = grown;
    *room = more;
    return EX_OK;
}

ex_status ex_rows_add(ex_rows *rows, const char *text, size_t size) {
    void *at = rows->at, *all = rows->text;
    ex_status status = grow(&at, &rows->room, rows->cells + 1, sizeof *rows->at, FIRST_CELLS);
    rows->at = at;
    if (status == EX_OK && text) status = grow(&all, &rows->space, rows->size + size + 1, 1, FIRST_TEXT);
    rows->text = all;
    if (status != EX_OK) return status;
    rows->at[rows->cells++] = text ? rows->size : EX_NULL_CELL;
    if (!text) return EX_OK;
    memcpy(rows->text + rows->size, text, size);
    rows->text[rows->size + size] = 0;
    rows->size += size + 1;
    return EX_OK;
}

void ex_rows_free(ex_rows *rows) {
    if (!rows) return;
    ex_free(rows->at);
    ex_free(rows->text);
    ex_free(rows);
}

int32_t ex_rows_count(const ex_rows *rows) { return rows->rows; }

int32_t ex_rows_columns(const ex_rows *rows) { return rows->columns; }

const char *ex_rows_text(const ex_rows *rows, int32_t row, int32_t column) {
    if (row < 0 || row >= rows->rows || column < 0 || column >= rows->columns) return NULL;
    size_t at = rows->at[(size_t)row * (size_t)rows->columns + (size_t)column];
    return at == EX_NULL_CELL ? NULL : rows->text + at;
}
