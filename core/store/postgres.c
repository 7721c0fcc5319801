/* postgres.c: a PostgreSQL server as a store. */
#include "../base/error.h"
#include "store.h"

ex_store *ex_postgres_open(const char *address) {
    (void)address;
    ex_fail("PostgreSQL is not there yet");
    return NULL;
}
