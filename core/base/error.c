/* error.c: the message of the last failure, one buffer per thread, and the nearest name for "did you mean".
 * It never prints: whoever is at the top decides what becomes of a message. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "error.h"

enum { MESSAGE_SIZE = 1024, NAME_SIZE = 64 };

static _Thread_local char message[MESSAGE_SIZE];

const char *ex_error_message(void) { return message; }

/* Formats into a buffer of its own first: the arguments may point into the present message. */
static void set_message(const char *format, va_list list)
{
    char text[MESSAGE_SIZE];
    int length = vsnprintf(text, sizeof text, format, list);
    if (length < 0) snprintf(text, sizeof text, "an error whose message could not be formatted");
    if (length >= (int)sizeof text) memcpy(text + sizeof text - 4, "...", 4);
    memcpy(message, text, strlen(text) + 1);
}

ex_status ex_fail_as(ex_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    set_message(format, list);
    va_end(list);
    return status;
}

ex_status ex_error_at(const char *format, ...)
{
    char where[MESSAGE_SIZE];
    va_list list;
    va_start(list, format);
    vsnprintf(where, sizeof where, format, list);
    va_end(list);
    return ex_fail("%s: %s", where, message);
}

/* -- Nearest name ------------------------------------------------------------------------------------ */

static int min3(int a, int b, int c) { return a < b ? (a < c ? a : c) : (b < c ? b : c); }

/* Edits that turn a into b: insert, delete, change, and swap two neighbours (restricted Damerau-Levenshtein).
 * Names longer than NAME_SIZE - 1 are compared by their beginnings. */
static int edit_distance(const char *a, const char *b)
{
    int row[3][NAME_SIZE];
    int n = (int)strnlen(a, NAME_SIZE - 1), m = (int)strnlen(b, NAME_SIZE - 1);
    for (int j = 0; j <= m; j++) row[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
    }
    return row[n % 3][m];
}

const char *ex_nearest(const char *name, const char *const *names, int32_t n)
{
    const char *best = NULL;
    int least = 0;
    for (int32_t i = 0; i < n; i++) {
        int distance = edit_distance(name, names[i]);
        if (!best || distance < least) { best = names[i]; least = distance; }
    }
    /* near: a third of the letters, 2 of 4 or 5, and 1 of fewer */
    int length = (int)strnlen(name, NAME_SIZE - 1);
    int allowed = length >= 6 ? length / 3 : length >= 4 ? 2 : 1;
    return best && least <= allowed && least < (int)strlen(best) ? best : NULL;
}
