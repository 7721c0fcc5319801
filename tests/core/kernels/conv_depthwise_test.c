/* conv_depthwise_test.c: the depthwise kernels of every instruction set that this CPU has: all that convolution kernels owe, and
 * the same bits wherever a pixel lies in tiles and rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/conv_checks.h"

/* What tiles are made for (3 and 5 taps, strides 1 and 2, paddings up to half a kernel) at every width of a tile and rest of the
 * channels, with now and then what they do not cover; batches of tiny images, and images beyond a cache. */
static ex_conv_shape depthwise_geometry(uint32_t i)
{
    static const int32_t channels[] = { 24, 33, 40, 144, 176, 16, 2, 200, 32, 70 };
    static const ex_conv_shape real[] = {
        SQUARE(10, 144, 16, 144, 3, 1, 1, 1, 144), SQUARE(5, 96, 32, 96, 3, 2, 1, 1, 96), SQUARE(5, 72, 28, 72, 5, 2, 2, 1, 72),
        SQUARE(1, 960, 7, 960, 5, 1, 2, 1, 960), SQUARE(1, 48, 56, 48, 3, 1, 1, 1, 48), SQUARE(60, 8, 4, 8, 3, 1, 1, 1, 8),
        SQUARE(7, 40, 45, 40, 5, 1, 2, 1, 40), SQUARE(4, 33, 63, 33, 3, 2, 1, 1, 33),
    };
    const uint32_t n = sizeof real / sizeof *real;
    if (i < n) return conv_finish(real[i]);
    for (uint32_t k = 0;; k += 16) {
        const int32_t c = channels[i % 10], kernel = conv_draw(i, k, 0, 4) ? conv_draw(i, k + 14, 1, 2) * 2 + 1 : conv_draw(i, k + 1, 1, 4), stride = conv_draw(i, k + 2, 1, 2);
        ex_conv_shape s = {
            .n = conv_draw(i, k + 3, 1, 6), .ci = c, .h = conv_draw(i, k + 4, 1, 20), .w = conv_draw(i, k + 5, 1, 34), .co = c, .kh = conv_draw(i, k + 6, 0, 3) ? kernel : conv_draw(i, k + 7, 1, 5),
            .kw = kernel, .groups = c, .stride = { conv_draw(i, k + 8, 0, 3) ? stride : conv_draw(i, k + 9, 1, 3), stride }, .padding = { conv_draw(i, k + 10, 0, 3), kernel / 2 },
            .dilation = { conv_draw(i, k + 11, 0, 5) ? 1 : 2, 1 },
        };
        if (!conv_draw(i, k + 12, 0, 3)) s.padding[1] = conv_draw(i, k + 13, 0, kernel);
        if (conv_valid(&s)) return conv_finish(s);
    }
}

enum { DEPTHWISE_CASES = 80 };

/* Where all pixels of x are equal, so are the bits of all outputs that read no border, wherever they lie in tiles and rows. */
static void check_places(uint32_t i, ex_conv_shape s)
{
    problem p = problem_pose(&s, 0, i % 2);
    for (ptrdiff_t k = 0; k < p.xi.image * s.n; k++) p.xi.data[k] = p.xi.data[k % s.ci];
    problem_solve(&p, EX_CONV_FORWARD, conv_pair, 1);
    const float *first = NULL;
    EACH_NUMBER(s) {
        const int32_t top = h * s.stride[0] - s.padding[0], left = w * s.stride[1] - s.padding[1];
        if (top < 0 || left < 0 || top + (s.kh - 1) * s.dilation[0] >= s.h || left + (s.kw - 1) * s.dilation[1] >= s.w) continue;
        if (!first) first = pixel_at(p.yi, n, h, w, 0);
        assert_int_equal(float_bits(first[c]), float_bits(*pixel_at(p.yi, n, h, w, c)));
    }
    problem_dispose(&p);
}

static void depthwise(void)
{
    for (uint32_t i = 0; i < DEPTHWISE_CASES; i++) {
        const ex_conv_shape s = depthwise_geometry(i);
        ex_team *team = i % 2 ? conv_pair : conv_three;
        check_conv_definition(i, s, team);
        check_conv_epilogue(i, s, team);
        check_conv_moments(i, s, team);
        check_conv_packed(i, EX_CONV_FORWARD, s, team);
        check_conv_packed(i, EX_CONV_GRAD_INPUT, s, team);
        check_conv_pieces(i, s, team);
        check_places(i, s);
        if (s.n >= 4) check_conv_bits(i, s);
    }
}

static void the_depthwise_kernels(void **state) { (void)state; isa_each(depthwise); }

int main(void)
{
    conv_teams_make();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_depthwise_kernels),
    };
    const int failed = cmocka_run_group_tests_name("depthwise kernels", tests, NULL, NULL);
    conv_teams_free();
    return failed;
}
