/* json.h: a strict reader for the small JSON that file headers are made of, and its quoting. It reads objects, strings
 * and counts token by token; the caller knows the grammar, so nothing nests without bound. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

typedef struct ex_json {
    const char *where;                      /* for messages: "FILE: safetensors header" */
    char *text;                             /* is changed: strings are decoded in place */
    size_t size, at;
} ex_json;

ex_status ex_json_fail(const ex_json *j, const char *what);   /* "WHERE: byte 12: what" */
int ex_json_next(ex_json *j);               /* the next byte that is no white space, not taken; -1 at the end */
ex_status ex_json_take(ex_json *j, char c); /* takes that byte, which must be c */
/* Within an object or array: 1 if a further item follows, 0 if `close` was taken, -1 failed. `item`: 0 for the first. */
int ex_json_item(ex_json *j, char close, int64_t item);
char *ex_json_string(ex_json *j);           /* decoded UTF-8, ended by 0, inside j->text; NULL and a message */
ex_status ex_json_count(ex_json *j, int64_t *out);   /* digits only: no sign, fraction or exponent */
ex_status ex_json_end(ex_json *j);          /* only white space may follow */

/* Length of the UTF-8 sequence at s, of at most `size` bytes; 0 if it is none (overlong, surrogate, past U+10FFFF). */
size_t ex_utf8_length(const char *s, size_t size);
int ex_utf8_valid(const char *s);
/* Writes `text` as a JSON string with its quotes; gives its length. out NULL: only counts. */
size_t ex_json_quote(char *out, const char *text);
