/* peak_test.c: the rate of multiply-adds is there for every kernel set that this CPU has and for any team. How large it is
 * is the machine's business. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "../../../core/base/cpu.h"

static void every_kernel_set_has_a_rate(void **state)
{
    (void)state;
    static const char *const names[] = { "portable", "avx2", "avx512" };
    for (int i = 0; i < EX_ISA_COUNT; i++) {
        if (!ex_isa_supported(i)) continue;
        assert_int_equal(ex_isa_select(names[i]), EX_OK);
        double rate = ex_peak_flops(NULL);
        assert_true(isfinite(rate) && rate > 1e6);
    }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

static void a_team_works_together(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(3);
    assert_true(ex_peak_flops(team) > 1e6);
    ex_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_kernel_set_has_a_rate), cmocka_unit_test(a_team_works_together) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
