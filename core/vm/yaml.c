/* yaml.c: YAML text to Lua values through libyaml's events, as the module "exeunt.yaml".
 *
 *     yaml.load(text, source) -> value, lines source names the text in errors: "source:line:column: what"; lines: for each map
 *                                             and list of the value, the lines of its keys: lines[map][key]
 *     yaml.null                               stands for null (the same value as cjson.null)
 *
 * The core schema of YAML 1.2: null, booleans, decimal, octal (0o) and hexadecimal integers, floats; everything else,
 * and whatever is quoted, is a string. One document. It refuses aliases and anchors (so no text grows when it is read),
 * tags other than !!str, duplicate keys, keys that are neither strings nor integers, integers that a double does not
 * hold, nesting deeper than MAX_DEPTH and texts over MAX_BYTES. Nothing in the text is executed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "vm.h"

enum { MAX_DEPTH = 64, MAX_BYTES = 16 << 20, LINES = 2 };     /* LINES: where the table of lines is on the stack */

typedef struct reader {
    lua_State *L;
    const char *source, *text;
    size_t length;
    yaml_parser_t parser;
    yaml_event_t event;                     /* the present one; cleared when it has been taken */
    int has_event;
} reader;

/* -- Errors and events ------------------------------------------------------------------------------ */

/* Raises "source:line:column: what"; the caller of the protected call frees the reader. */
static int fail(reader *r, yaml_mark_t mark, const char *what)
{
    lua_pushfstring(r->L, "%s:%d:%d: %s", r->source, (int)mark.line + 1, (int)mark.column + 1, what);
    return lua_error(r->L);
}

/* The byte at a mark, which counts characters; 0 at the end. */
static char byte_at(const reader *r, yaml_mark_t mark)
{
    size_t at = 0;
    for (size_t n = mark.index; at < r->length; at++)
        if ((r->text[at] & 0xc0) != 0x80 && n-- == 0) return r->text[at];
    return 0;
}

static void next_event(reader *r)
{
    if (r->has_event) yaml_event_delete(&r->event);
    r->has_event = 0;
    if (yaml_parser_parse(&r->parser, &r->event)) {
        r->has_event = 1;
        return;
    }
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR) {    /* the reader knows a byte, not a line */
        lua_pushfstring(r->L, "%s: byte %d: %s", r->source, (int)p->problem_offset + 1, p->problem);
        lua_error(r->L);
    }
    if (p->error == YAML_MEMORY_ERROR) luaL_error(r->L, "%s: out of memory", r->source);
    if (byte_at(r, p->problem_mark) == '\t') fail(r, p->problem_mark, "a tab: YAML indents by spaces");
    fail(r, p->problem_mark, p->problem ? p->problem : "not readable as YAML");
}

/* -- Scalars: the core schema ----------------------------------------------------------------------- */

static int is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return 1;
    return 0;
}

/* Digits of a base at `text`, at least one, and nothing after them. */
static int all_digits(const char *text, const char *digits)
{
    return *text && text[strspn(text, digits)] == 0;
}

/* 1: an integer of the core schema, its value in *out; 0: something else; -1: too large for a double. */
static int read_integer(const char *text, double *out)
{
    const char *body = text + (*text == '-' || *text == '+');
    if (all_digits(body, "0123456789")) *out = strtod(text, NULL);
    else if (strncmp(text, "0o", 2) == 0 && all_digits(text + 2, "01234567")) *out = (double)strtoull(text + 2, NULL, 8);
    else if (strncmp(text, "0x", 2) == 0 && all_digits(text + 2, "0123456789abcdefABCDEF"))
        *out = (double)strtoull(text + 2, NULL, 16);
    else return 0;
    return fabs(*out) <= 0x1p53 ? 1 : -1;
}

/* 1: a float of the core schema: [-+]? (. digits | digits (. digits?)?) ([eE] [-+]? digits)?, .inf, .nan */
static int read_float(const char *text, double *out)
{
    static const char *const infinities[] = { ".inf", ".Inf", ".INF", NULL }, *const nans[] = { ".nan", ".NaN", ".NAN", NULL };
    const char *at = text + (*text == '-' || *text == '+');
    if (is_one_of(at, infinities)) {
        *out = *text == '-' ? -HUGE_VAL : HUGE_VAL;
        return 1;
    }
    if (is_one_of(text, nans)) {
        *out = NAN;
        return 1;
    }
    size_t before = strspn(at, "0123456789"), after = 0;
    at += before;
    if (*at == '.') after = strspn(++at, "0123456789"), at += after;
    if (before + after == 0) return 0;
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '-' || *at == '+';
        if (!all_digits(at, "0123456789")) return 0;
    } else if (*at) {
        return 0;
    }
    *out = strtod(text, NULL);
    return 1;
}

static void push_plain(reader *r, const char *text, yaml_mark_t mark)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const yes[] = { "true", "True", "TRUE", NULL }, *const no[] = { "false", "False", "FALSE", NULL };
    double number = 0;
    int integer = read_integer(text, &number);
    if (integer < 0) fail(r, mark, "integer is too large to be held exactly");
    if (is_one_of(text, nulls)) lua_pushlightuserdata(r->L, NULL);
    else if (is_one_of(text, yes)) lua_pushboolean(r->L, 1);
    else if (is_one_of(text, no)) lua_pushboolean(r->L, 0);
    else if (integer || read_float(text, &number)) lua_pushnumber(r->L, number);
    else lua_pushstring(r->L, text);
}

static void check_tag(reader *r, const yaml_char_t *anchor, const yaml_char_t *tag, int scalar)
{
    if (anchor) fail(r, r->event.start_mark, "anchors are not allowed here");
    if (!tag || strcmp((const char *)tag, "!") == 0) return;
    if (!scalar || strcmp((const char *)tag, YAML_STR_TAG) != 0) fail(r, r->event.start_mark, "tags are not allowed here");
}

static void push_scalar(reader *r)
{
    const char *text = (const char *)r->event.data.scalar.value;
    size_t length = r->event.data.scalar.length;
    check_tag(r, r->event.data.scalar.anchor, r->event.data.scalar.tag, 1);
    int plain = r->event.data.scalar.plain_implicit && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain) push_plain(r, text, r->event.start_mark);
    else lua_pushlstring(r->L, text, length);
}

/* -- Collections ------------------------------------------------------------------------------------ */

static void push_value(reader *r, int depth);

/* A new map or list, and in LINES the table for its lines. */
static void push_table(reader *r)
{
    lua_newtable(r->L);
    lua_pushvalue(r->L, -1);
    lua_newtable(r->L);
    lua_rawset(r->L, LINES);
}

/* Keeps the line of the key on top of the stack, whose map or list is below it. */
static void keep_line(reader *r, yaml_mark_t mark)
{
    lua_State *L = r->L;
    lua_pushvalue(L, -2);
    lua_rawget(L, LINES);
    lua_pushvalue(L, -2);
    lua_pushinteger(L, (lua_Integer)mark.line + 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static void push_sequence(reader *r, int depth)
{
    check_tag(r, r->event.data.sequence_start.anchor, r->event.data.sequence_start.tag, 0);
    push_table(r);
    for (int i = 1;; i++) {
        next_event(r);
        if (r->event.type == YAML_SEQUENCE_END_EVENT) return;
        lua_pushinteger(r->L, i);
        keep_line(r, r->event.start_mark);
        push_value(r, depth + 1);
        lua_rawset(r->L, -3);
    }
}

/* Leaves the key on the stack; it is a string or an integer, and new in the map below it. */
static void push_key(reader *r)
{
    yaml_mark_t mark = r->event.start_mark;
    if (r->event.type == YAML_ALIAS_EVENT) fail(r, mark, "aliases are not allowed here");
    if (r->event.type != YAML_SCALAR_EVENT) fail(r, mark, "a key must be a string or an integer");
    push_scalar(r);
    lua_State *L = r->L;
    if (lua_type(L, -1) == LUA_TNUMBER) {
        double number = lua_tonumber(L, -1);
        if (number != floor(number) || isinf(number)) fail(r, mark, "a key must be a string or an integer");
    } else if (lua_type(L, -1) != LUA_TSTRING) {
        fail(r, mark, "a key must be a string or an integer");
    }
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (!lua_isnil(L, -1)) {
        lua_pushvalue(L, -2);
        fail(r, mark, lua_pushfstring(L, "key %s is here twice", lua_tostring(L, -1)));
    }
    lua_pop(L, 1);
    keep_line(r, mark);
}

static void push_mapping(reader *r, int depth)
{
    check_tag(r, r->event.data.mapping_start.anchor, r->event.data.mapping_start.tag, 0);
    push_table(r);
    for (;;) {
        next_event(r);
        if (r->event.type == YAML_MAPPING_END_EVENT) return;
        push_key(r);
        next_event(r);
        push_value(r, depth + 1);
        lua_rawset(r->L, -3);
    }
}

static void push_value(reader *r, int depth)
{
    if (depth > MAX_DEPTH) fail(r, r->event.start_mark, "nested too deeply");
    luaL_checkstack(r->L, 8, "too many values");
    switch (r->event.type) {
    case YAML_SCALAR_EVENT: push_scalar(r); break;
    case YAML_SEQUENCE_START_EVENT: push_sequence(r, depth); break;
    case YAML_MAPPING_START_EVENT: push_mapping(r, depth); break;
    case YAML_ALIAS_EVENT: fail(r, r->event.start_mark, "aliases are not allowed here"); break;
    default: fail(r, r->event.start_mark, "a value was expected");
    }
}

/* -- The module ------------------------------------------------------------------------------------- */

static int read_document(lua_State *L)
{
    reader *r = lua_touserdata(L, 1);
    lua_newtable(L);                        /* at LINES */
    next_event(r);                          /* the stream's start */
    next_event(r);                          /* the document's, or the stream's end */
    if (r->event.type == YAML_STREAM_END_EVENT) {
        lua_pushlightuserdata(L, NULL);
        lua_pushvalue(L, LINES);
        return 2;
    }
    next_event(r);
    push_value(r, 1);
    next_event(r);                          /* the document's end */
    next_event(r);
    if (r->event.type != YAML_STREAM_END_EVENT) fail(r, r->event.start_mark, "a second document is not allowed");
    lua_pushvalue(L, LINES);
    return 2;
}

static int load(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    reader r = { .L = L, .source = luaL_optstring(L, 2, "yaml"), .text = text, .length = length };
    if (length > MAX_BYTES) {
        lua_pushfstring(L, "%s: larger than %d bytes", r.source, MAX_BYTES);
        return lua_error(L);
    }
    if (!yaml_parser_initialize(&r.parser)) return luaL_error(L, "%s: out of memory", r.source);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    lua_pushcfunction(L, read_document);
    lua_pushlightuserdata(L, &r);
    int status = lua_pcall(L, 1, 2, 0);
    if (r.has_event) yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    return status ? lua_error(L) : 2;
}

int ex_open_yaml(lua_State *L)
{
    lua_newtable(L);
    lua_pushcfunction(L, load);
    lua_setfield(L, -2, "load");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    lua_pushstring(L, yaml_get_version_string());
    lua_setfield(L, -2, "version");
    return 1;
}
