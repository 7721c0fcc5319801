/* json.c: strict JSON tokens (RFC 8259): no comments, no trailing commas, no leading zeros; UTF-8 checked; escapes
 * decoded, with surrogate pairs. A string that holds the character 0 is refused, since callers keep C strings. */
#include <stdio.h>
#include <string.h>
#include "../base/error.h"
#include "json.h"

ex_status ex_json_fail(const ex_json *j, const char *what) {
    return ex_fail("%s: byte %zu: %s", j->where, j->at, what);
}

int ex_json_next(ex_json *j) {
    while (j->at < j->size && j->text[j->at] && strchr(" \t\n\r", j->text[j->at])) j->at++;
    return j->at < j->size ? (unsigned char)j->text[j->at] : -1;
}

ex_status ex_json_take(ex_json *j, char c) {
    char what[] = "expected '?'";
    int next = ex_json_next(j);
    what[10] = c;
    if (next != c) return ex_json_fail(j, next < 0 ? "ends too early" : what);
    j->at++;
    return EX_OK;
}

int ex_json_item(ex_json *j, char close, int64_t item) {
    int next = ex_json_next(j);
    if (next == close) {
        j->at++;
        return 0;
    }
    if (item == 0) return 1;
    if (next != ',') {
        ex_json_fail(j, next < 0 ? "ends too early" : close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        return -1;
    }
    j->at++;
    if (ex_json_next(j) == close) {
        ex_json_fail(j, "nothing after ','");
        return -1;
    }
    return 1;
}

/* -- Strings ------------------------------------------------------------------------------------------- */

size_t ex_utf8_length(const char *s, size_t size) {
    const unsigned char *u = (const unsigned char *)s;
    if (size == 0) return 0;
    if (u[0] < 0x80) return 1;
    size_t length = u[0] >= 0xC2 && u[0] <= 0xDF ? 2 : (u[0] & 0xF0) == 0xE0 ? 3 : u[0] >= 0xF0 && u[0] <= 0xF4 ? 4 : 0;
    if (length == 0 || length > size) return 0;
    for (size_t i = 1; i < length; i++)
        if ((u[i] & 0xC0) != 0x80) return 0;
    int bad = (u[0] == 0xE0 && u[1] < 0xA0) || (u[0] == 0xED && u[1] > 0x9F) || (u[0] == 0xF0 && u[1] < 0x90)
           || (u[0] == 0xF4 && u[1] > 0x8F);
    return bad ? 0 : length;
}

int ex_utf8_valid(const char *s) {
    size_t size = strlen(s), length;
    for (; size > 0; s += length, size -= length)
        if ((length = ex_utf8_length(s, size)) == 0) return 0;
    return 1;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) { out[0] = (char)c; return 1; }
    if (c < 0x800) { out[0] = (char)(0xC0 | c >> 6); out[1] = (char)(0x80 | (c & 63)); return 2; }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12); out[1] = (char)(0x80 | (c >> 6 & 63)); out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18); out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63)); out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits at j->at; -1 if they are not there. */
static int32_t take_hex(ex_json *j) {
    int32_t value = 0;
    for (int i = 0; i < 4; i++, j->at++) {
        int digit = j->at < j->size ? hex_digit(j->text[j->at]) : -1;
        if (digit < 0) return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The escape after a backslash; gives the bytes written to out, 0 and a message if it is none. */
static size_t take_escape(ex_json *j, char *out) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = j->at < j->size ? j->text[j->at] : 0;
    const char *plain = c ? strchr(from, c) : NULL;
    if (plain) {
        j->at++;
        *out = to[plain - from];
        return 1;
    }
    if (c != 'u') { ex_json_fail(j, "unknown escape in a string"); return 0; }
    j->at++;
    int32_t code = take_hex(j);
    if (code >= 0xD800 && code <= 0xDBFF) {
        int32_t low = -1;
        if (j->size - j->at >= 6 && j->text[j->at] == '\\' && j->text[j->at + 1] == 'u') {
            j->at += 2;
            low = take_hex(j);
        }
        code = low >= 0xDC00 && low <= 0xDFFF ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : -1;
    } else if (code >= 0xDC00 && code <= 0xDFFF) code = -1;
    if (code < 0) { ex_json_fail(j, "\\u is not followed by the digits of a character"); return 0; }
    if (code == 0) { ex_json_fail(j, "a string holds the character 0"); return 0; }
    return put_utf8(out, (uint32_t)code);
}

char *ex_json_string(ex_json *j) {
    if (ex_json_next(j) != '"') {
        ex_json_fail(j, ex_json_next(j) < 0 ? "ends too early" : "expected a string");
        return NULL;
    }
    j->at++;
    char *start = j->text + j->at, *out = start;           /* never passes the text that is still to be read */
    for (;;) {
        if (j->at >= j->size) { ex_json_fail(j, "ends inside a string"); return NULL; }
        unsigned char c = (unsigned char)j->text[j->at];
        if (c == '"') break;
        if (c < 0x20) { ex_json_fail(j, "control character in a string"); return NULL; }
        size_t length;
        if (c == '\\') {
            j->at++;
            if ((length = take_escape(j, out)) == 0) return NULL;
        } else {
            if ((length = ex_utf8_length(j->text + j->at, j->size - j->at)) == 0) {
                ex_json_fail(j, "not UTF-8");
                return NULL;
            }
            memmove(out, j->text + j->at, length);
            j->at += length;
        }
        out += length;
    }
    j->at++;
    *out = 0;
    return start;
}

size_t ex_json_quote(char *out, const char *text) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    size_t size = 0;
#define PUT(c) do { if (out) out[size] = (c); size++; } while (0)
    PUT('"');
    for (; *text; text++) {
        const char *plain = strchr(from, *text);
        if (plain) {
            PUT('\\');
            PUT(to[plain - from]);
        } else if ((unsigned char)*text < 0x20) {
            char code[7];
            snprintf(code, sizeof code, "\\u%04x", (unsigned)*text);
            for (int i = 0; i < 6; i++) PUT(code[i]);
        } else PUT(*text);
    }
    PUT('"');
#undef PUT
    return size;
}

/* -- Numbers and the end --------------------------------------------------------------------------------- */

ex_status ex_json_count(ex_json *j, int64_t *out) {
    int next = ex_json_next(j);
    if (next < '0' || next > '9') return ex_json_fail(j, next < 0 ? "ends too early" : "expected a whole number, 0 or more");
    size_t start = j->at;
    int64_t value = 0;
    for (; j->at < j->size && j->text[j->at] >= '0' && j->text[j->at] <= '9'; j->at++) {
        int digit = j->text[j->at] - '0';
        if (value > (INT64_MAX - digit) / 10) return ex_json_fail(j, "number too large");
        value = value * 10 + digit;
    }
    if (next == '0' && j->at - start > 1) return ex_json_fail(j, "number with a leading zero");
    if (j->at < j->size && j->text[j->at] && strchr(".eE", j->text[j->at]))
        return ex_json_fail(j, "expected a whole number, got a fraction or an exponent");
    *out = value;
    return EX_OK;
}

ex_status ex_json_end(ex_json *j) {
    return ex_json_next(j) < 0 ? EX_OK : ex_json_fail(j, "text after the end");
}
