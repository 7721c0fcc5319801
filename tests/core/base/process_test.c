/* process_test.c: the version, the clock that never goes back, and the interrupt flag, set from a signal handler. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include "../../../core/exeunt.h"

static void version_is_three_numbers(void **state)
{
    (void)state;
    int part[3], length = 0;
    assert_int_equal(sscanf(ex_version(), "%d.%d.%d%n", &part[0], &part[1], &part[2], &length), 3);
    assert_int_equal(ex_version()[length], 0);
}

static void the_clock_does_not_go_back(void **state)
{
    (void)state;
    double last = ex_clock();
    for (int i = 0; i < 1000; i++) {
        double now = ex_clock();
        assert_true(now >= last);
        last = now;
    }
}

static void on_signal(int number)
{
    (void)number;
    ex_interrupt();     /* NOLINT(bugprone-signal-handler): it stores one atomic flag, and this is the use that it is for */
}

static void an_interrupt_stays_until_it_is_cleared(void **state)
{
    (void)state;
    ex_interrupt_clear();
    assert_int_equal(ex_interrupted(), 0);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    assert_int_equal(ex_interrupted(), 1);
    assert_int_equal(ex_interrupted(), 1);
    ex_interrupt_clear();
    assert_int_equal(ex_interrupted(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_three_numbers),
        cmocka_unit_test(the_clock_does_not_go_back),
        cmocka_unit_test(an_interrupt_stays_until_it_is_cleared),
    };
    return cmocka_run_group_tests_name("base/process", tests, NULL, NULL);
}
