/* error_test.c: one message a thread; places put before it; the nearest name. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include "../../../core/base/error.h"

static void fail_formats_and_returns_the_status(void **state)
{
    (void)state;
    assert_int_equal(ex_fail("input has %d channels, weight expects %d", 32, 64), EX_FAILED);
    assert_string_equal(ex_error_message(), "input has 32 channels, weight expects 64");
    assert_int_equal(ex_fail_as(EX_NOT_FINITE, "loss is %s", "nan"), EX_NOT_FINITE);
    assert_string_equal(ex_error_message(), "loss is nan");
}

static void error_at_puts_places_before_the_message(void **state)
{
    (void)state;
    ex_fail("got 3");
    assert_int_equal(ex_error_at("conv%d", 2), EX_FAILED);
    ex_error_at("layer1.0");
    assert_string_equal(ex_error_message(), "layer1.0: conv2: got 3");
}

static void the_present_message_may_be_an_argument(void **state)
{
    (void)state;
    ex_fail("first");
    ex_fail("again: %s", ex_error_message());
    assert_string_equal(ex_error_message(), "again: first");
}

static void a_long_message_is_cut_and_says_so(void **state)
{
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    ex_fail("%s", text);
    size_t length = strlen(ex_error_message());
    assert_in_range(length, 500, 1023);
    assert_string_equal(ex_error_message() + length - 3, "...");
    ex_error_at("%s", text);
    assert_in_range(strlen(ex_error_message()), 500, 1023);
}

static void *fail_elsewhere(void *before)
{
    *(int *)before = (int)strlen(ex_error_message());
    ex_fail("theirs");
    return NULL;
}

static void each_thread_has_its_own_message(void **state)
{
    (void)state;
    pthread_t thread;
    int before = EX_NONE;
    ex_fail("mine");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &before), 0);
    pthread_join(thread, NULL);
    assert_int_equal(before, 0);            /* empty, never NULL */
    assert_string_equal(ex_error_message(), "mine");
}

static void nearest_finds_slips_and_refuses_strangers(void **state)
{
    (void)state;
    static const char *const names[] = { "epochs", "batch", "lr", "weighting", "train_limit" };
    assert_string_equal(ex_nearest("epoch", names, 5), "epochs");
    assert_string_equal(ex_nearest("btach", names, 5), "batch");              /* two neighbours swapped */
    assert_string_equal(ex_nearest("wieghtng", names, 5), "weighting");
    assert_string_equal(ex_nearest("trainlimit", names, 5), "train_limit");
    assert_string_equal(ex_nearest("lr", names, 5), "lr");
    assert_null(ex_nearest("colour", names, 5));
    assert_string_equal(ex_nearest("lt", names, 5), "lr");
    assert_null(ex_nearest("xy", names, 5));                                  /* not "lr": nothing in common */
    assert_null(ex_nearest("foo", names, 5));
    assert_null(ex_nearest("", names, 5));
    assert_null(ex_nearest("epochs", names, 0));
}

static void nearest_takes_names_of_any_length(void **state)
{
    (void)state;
    char longer[400];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    const char *const names[] = { "b", longer };
    assert_ptr_equal(ex_nearest(longer, names, 2), longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_formats_and_returns_the_status),
        cmocka_unit_test(error_at_puts_places_before_the_message),
        cmocka_unit_test(the_present_message_may_be_an_argument),
        cmocka_unit_test(a_long_message_is_cut_and_says_so),
        cmocka_unit_test(each_thread_has_its_own_message),
        cmocka_unit_test(nearest_finds_slips_and_refuses_strangers),
        cmocka_unit_test(nearest_takes_names_of_any_length),
    };
    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
