/* json_test.c: strings decode to the right UTF-8 and back; what is not strict JSON is refused with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "../../../core/io/json.h"
#include "../../support/message.h"

static char text[256];

static ex_json over(const char *source) {
    snprintf(text, sizeof text, "%s", source);
    return (ex_json){ .where = "test", .text = text, .size = strlen(source) };
}

static void strings(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        { "\"\"", "" },
        { "\"plain\"", "plain" },
        { " \t\r\n\"a\"", "a" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
        { "\"\\u0041\\u00e9\\u20AC\"", "A\xC3\xA9\xE2\x82\xAC" },
        { "\"\\ud83d\\ude00\"", "\xF0\x9F\x98\x80" },
        { "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80" },
        { "\"\xF4\x8F\xBF\xBF\xEE\x80\x80\"", "\xF4\x8F\xBF\xBF\xEE\x80\x80" },
        { "\"\x7F\"", "\x7F" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ex_json j = over(cases[i][0]);
        char *got = ex_json_string(&j);
        if (!got) fail_msg("%s: %s", cases[i][0], ex_error_message());
        assert_string_equal(got, cases[i][1]);
        assert_int_equal(ex_json_end(&j), EX_OK);
    }
}

static void bad_strings(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        { "", "byte 0: ends too early" },
        { "12", "byte 0: expected a string" },
        { "\"abc", "byte 4: ends inside a string" },
        { "\"\\", "unknown escape" },
        { "\"\\x\"", "byte 2: unknown escape" },
        { "\"\\u12\"", "\\u is not followed" },
        { "\"\\u12G4\"", "\\u is not followed" },
        { "\"\\u\x10\x11\x12\x13\"", "\\u is not followed" },
        { "\"\\ud83d\"", "\\u is not followed" },
        { "\"\\ud83dx\\ude00\"", "\\u is not followed" },
        { "\"\\ud83d\\u0041\"", "\\u is not followed" },
        { "\"\\ude00\"", "\\u is not followed" },
        { "\"\\u0000\"", "holds the character 0" },
        { "\"a\nb\"", "byte 2: control character" },
        { "\"\x80\"", "byte 1: not UTF-8" },
        { "\"\xC3\"", "not UTF-8" },
        { "\"\xC0\xAF\"", "not UTF-8" },
        { "\"\xE0\x80\xAF\"", "not UTF-8" },
        { "\"\xED\xA0\x80\"", "not UTF-8" },
        { "\"\xF0\x80\x80\x80\"", "not UTF-8" },
        { "\"\xF4\x90\x80\x80\"", "not UTF-8" },
        { "\"\xF5\x80\x80\x80\"", "not UTF-8" },
        { "\"\xFF\"", "not UTF-8" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ex_json j = over(cases[i][0]);
        if (ex_json_string(&j)) fail_msg("accepted: %s", cases[i][0]);
        assert_message(cases[i][1]);
    }
}

static void quotes_and_back(void **state) {
    (void)state;
    const char *odd = "\"\\/\b\f\n\r\t\x01\x1F\x7F \xC3\xA9\xF0\x9F\x98\x80";
    char out[128] = { 0 };
    size_t size = ex_json_quote(NULL, odd);
    assert_int_equal(ex_json_quote(out, odd), size);
    assert_string_equal(out, "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7F \xC3\xA9\xF0\x9F\x98\x80\"");
    ex_json j = over(out);
    assert_string_equal(ex_json_string(&j), odd);
    assert_true(ex_utf8_valid(odd));
    assert_false(ex_utf8_valid("a\xFFz"));
}

static void counts(void **state) {
    (void)state;
    int64_t n = -1;
    ex_json j = over(" 0");
    assert_int_equal(ex_json_count(&j, &n), EX_OK);
    assert_true(n == 0);
    j = over("9223372036854775807,");
    assert_int_equal(ex_json_count(&j, &n), EX_OK);
    assert_true(n == INT64_MAX);
    static const char *const cases[][2] = {
        { "9223372036854775808", "number too large" }, { "-1", "expected a whole number" }, { "01", "leading zero" },
        { "1.5", "a fraction" }, { "1e3", "an exponent" }, { "", "ends too early" }, { "\"1\"", "expected a whole number" },
        { "+1", "expected a whole number" }, { "NaN", "expected a whole number" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        j = over(cases[i][0]);
        assert_int_equal(ex_json_count(&j, &n), EX_FAILED);
        assert_message(cases[i][1]);
    }
}

/* Counts the items of a list of counts; -1: refused. */
static int items(const char *source) {
    ex_json j = over(source);
    int more, n = 0;
    int64_t value;
    if (ex_json_take(&j, '[') != EX_OK) return -1;
    for (; (more = ex_json_item(&j, ']', n)) == 1; n++)
        if (ex_json_count(&j, &value) != EX_OK) return -1;
    return more < 0 || ex_json_end(&j) != EX_OK ? -1 : n;
}

static void lists(void **state) {
    (void)state;
    assert_int_equal(items("[]"), 0);
    assert_int_equal(items(" [ 1 ] "), 1);
    assert_int_equal(items("[1,2 , 3]"), 3);
    assert_int_equal(items("[1,]"), -1);
    assert_message("byte 3: nothing after ','");
    assert_int_equal(items("[,1]"), -1);
    assert_int_equal(items("[1 2]"), -1);
    assert_message("byte 3: expected ',' or ']'");
    assert_int_equal(items("[1"), -1);
    assert_message("ends too early");
    assert_int_equal(items("[1]x"), -1);
    assert_message("byte 3: text after the end");
    assert_int_equal(items("{1]"), -1);
    assert_message("expected '['");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(bad_strings),
        cmocka_unit_test(quotes_and_back),
        cmocka_unit_test(counts),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests_name("core/io/json", tests, NULL, NULL);
}
