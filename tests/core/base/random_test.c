/* random_test.c: Philox against its published vectors, the hash of a name, and what makes streams differ. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../../core/base/random.h"

/* Random123's kat_vectors: "philox4x32 10 counter key result". */
static void philox_gives_the_published_numbers(void **state)
{
    (void)state;
    static const struct { uint64_t seed; uint32_t counter[4], expected[4]; } known[] = {
        { 0, { 0, 0, 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { ~UINT64_C(0), { ~0u, ~0u, ~0u, ~0u }, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { UINT64_C(0x299f31d0a4093822), { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int i = 0; i < 3; i++) {
        const uint32_t *c = known[i].counter;
        uint32_t out[4];
        ex_random4(out, known[i].seed, c[3], c[0], c[1], c[2]);
        for (int k = 0; k < 4; k++) assert_int_equal(out[k], known[i].expected[k]);
    }
}

static void each_coordinate_changes_the_numbers(void **state)
{
    (void)state;
    uint32_t base[4], other[4];
    ex_random4(base, 1, 2, 3, 4, 5);
    static const uint64_t changed[5][5] = { { 2, 2, 3, 4, 5 }, { 1, 9, 3, 4, 5 }, { 1, 2, 9, 4, 5 }, { 1, 2, 3, 9, 5 }, { 1, 2, 3, 4, 9 } };
    for (int i = 0; i < 5; i++) {
        const uint64_t *c = changed[i];
        ex_random4(other, c[0], (uint32_t)c[1], (uint32_t)c[2], (uint32_t)c[3], (uint32_t)c[4]);
        assert_memory_not_equal(base, other, sizeof base);
    }
    ex_random4(other, 1 + (UINT64_C(1) << 40), 2, 3, 4, 5);     /* the upper half of a seed counts */
    assert_memory_not_equal(base, other, sizeof base);
}

/* The FNV-1a test vectors of Fowler, Noll and Vo. */
static void names_hash_as_fnv1a(void **state)
{
    (void)state;
    assert_int_equal(ex_hash_name(""), 0x811c9dc5u);
    assert_int_equal(ex_hash_name("a"), 0xe40c292cu);
    assert_int_equal(ex_hash_name("foobar"), 0xbf9cf968u);
    assert_int_equal(ex_hash_name("\xff\xfe"), (((0x811c9dc5u ^ 0xffu) * 16777619u) ^ 0xfeu) * 16777619u);
}

static void unit_floats_are_in_zero_one(void **state)
{
    (void)state;
    assert_true(ex_unit_float(0) == 0.0f);
    assert_true(ex_unit_float(~0u) < 1.0f);
    assert_true(ex_unit_float(1u << 31) == 0.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(each_coordinate_changes_the_numbers),
        cmocka_unit_test(names_hash_as_fnv1a),
        cmocka_unit_test(unit_floats_are_in_zero_one),
    };
    return cmocka_run_group_tests_name("base/random", tests, NULL, NULL);
}
