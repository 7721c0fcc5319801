/* cpu_test.c: which kernel set is chosen, by name, by environment, and what is said about a wrong one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "../../../core/base/cpu.h"

/* The first word of ex_isa_available. */
static void best_name(char out[16])
{
    size_t length = strcspn(ex_isa_available(), " ");
    memcpy(out, ex_isa_available(), length);
    out[length] = 0;
}

static int clean(void **state)
{
    (void)state;
    unsetenv("EXEUNT_ISA");
    return ex_isa_select(NULL);
}

static void available_lists_what_is_supported(void **state)
{
    (void)state;
    const char *list = ex_isa_available();
    assert_int_equal(strstr(list, "avx512") != NULL, ex_isa_supported(EX_ISA_AVX512));
    assert_int_equal(strstr(list, "avx2") != NULL, ex_isa_supported(EX_ISA_AVX2));
    assert_non_null(strstr(list, "portable"));
    assert_true(ex_isa_supported(EX_ISA_PORTABLE));
}

static void the_best_is_the_default(void **state)
{
    (void)state;
    char best[16];
    best_name(best);
    assert_string_equal(ex_isa_name(), best);
}

static void a_set_is_chosen_by_name(void **state)
{
    (void)state;
    assert_int_equal(ex_isa_select("portable"), EX_OK);
    assert_string_equal(ex_isa_name(), "portable");
    assert_int_equal(ex_isa_current(), EX_ISA_PORTABLE);
}

static void a_set_is_chosen_by_the_environment(void **state)
{
    (void)state;
    setenv("EXEUNT_ISA", "portable", 1);
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    assert_string_equal(ex_isa_name(), "portable");
    setenv("EXEUNT_ISA", "", 1);            /* empty is as unset */
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    char best[16];
    best_name(best);
    assert_string_equal(ex_isa_name(), best);
}

static void a_wrong_name_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(ex_isa_select("portable"), EX_OK);
    assert_int_equal(ex_isa_select("sse9"), EX_FAILED);
    assert_string_equal(ex_error_message(), "instruction set: no kernel set 'sse9'; there are: avx512, avx2, portable");
    setenv("EXEUNT_ISA", "AVX", 1);
    assert_int_equal(ex_isa_select(NULL), EX_FAILED);
    assert_string_equal(ex_error_message(), "EXEUNT_ISA: no kernel set 'AVX'; there are: avx512, avx2, portable");
    assert_string_equal(ex_isa_name(), "portable");
}

/* Only where there is a set that this CPU lacks; elsewhere every name must be accepted. */
static void what_this_cpu_lacks_is_said(void **state)
{
    (void)state;
    static const char *const names[] = { "portable", "avx2", "avx512" };
    for (int isa = 0; isa < EX_ISA_COUNT; isa++) {
        ex_status status = ex_isa_select(names[isa]);
        assert_int_equal(status, ex_isa_supported(isa) ? EX_OK : EX_FAILED);
        if (status != EX_OK) assert_non_null(strstr(ex_error_message(), "this CPU cannot run"));
    }
}

static void the_model_is_one_line(void **state)
{
    (void)state;
    assert_true(strlen(ex_cpu_model()) > 0);
    assert_null(strchr(ex_cpu_model(), '\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(available_lists_what_is_supported),
        cmocka_unit_test_setup_teardown(the_best_is_the_default, clean, clean),
        cmocka_unit_test_setup_teardown(a_set_is_chosen_by_name, clean, clean),
        cmocka_unit_test_setup_teardown(a_set_is_chosen_by_the_environment, clean, clean),
        cmocka_unit_test_setup_teardown(a_wrong_name_is_refused_and_changes_nothing, clean, clean),
        cmocka_unit_test_setup_teardown(what_this_cpu_lacks_is_said, clean, clean),
        cmocka_unit_test(the_model_is_one_line),
    };
    return cmocka_run_group_tests_name("base/cpu", tests, NULL, NULL);
}
