/* memory_test.c: blocks small and large: alignment, zeros, counts, and sizes that no machine has. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "../../../core/base/error.h"
#include "../../../core/base/memory.h"

static const size_t sizes[] = { 0, 1, 63, 64, 65, 4096, (2 << 20) - 64, (2 << 20) - 63, 2 << 20, 5 << 20 };
enum { SIZES = sizeof sizes / sizeof *sizes };

static void blocks_are_aligned_counted_and_given_back(void **state)
{
    (void)state;
    double held = ex_memory_bytes(), calls = ex_memory_allocations(), sum = 0;
    void *block[SIZES];
    for (int i = 0; i < SIZES; i++) {
        block[i] = ex_alloc(sizes[i]);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 64, 0);
        memset(block[i], 0xA5, sizes[i]);
        sum += (double)sizes[i];
    }
    assert_true(ex_memory_bytes() - held == sum);
    assert_true(ex_memory_allocations() - calls == SIZES);
    for (int i = 0; i < SIZES; i++) ex_free(block[i]);
    assert_true(ex_memory_bytes() == held);
    assert_true(ex_memory_allocations() - calls == SIZES);      /* freeing is no allocation */
}

static void alloc_zero_clears_used_memory(void **state)
{
    (void)state;
    for (int i = 0; i < SIZES; i++) {
        unsigned char *dirty = ex_alloc(sizes[i]);
        assert_non_null(dirty);
        memset(dirty, 0xFF, sizes[i]);
        ex_free(dirty);
        unsigned char *block = ex_alloc_zero(sizes[i]);
        size_t set = 0;
        for (size_t k = 0; k < sizes[i]; k++) set += block[k] != 0;
        assert_int_equal(set, 0);
        ex_free(block);
    }
}

static void realloc_keeps_what_fits(void **state)
{
    (void)state;
    double held = ex_memory_bytes();
    unsigned char *block = ex_realloc(NULL, 1000);
    for (int i = 0; i < 1000; i++) block[i] = (unsigned char)i;
    block = ex_realloc(block, 3 << 20);
    assert_non_null(block);
    for (int i = 0; i < 1000; i++) assert_int_equal(block[i], (unsigned char)i);
    block = ex_realloc(block, 10);
    for (int i = 0; i < 10; i++) assert_int_equal(block[i], i);
    assert_true(ex_memory_bytes() - held == 10);
    ex_free(block);
}

static void strdup_copies(void **state)
{
    (void)state;
    char text[] = "layer1.0.conv1";
    char *copy = ex_strdup(text);
    text[0] = 'X';
    assert_string_equal(copy, "layer1.0.conv1");
    ex_free(copy);
}

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    double held = ex_memory_bytes();
    ex_free(NULL);
    assert_true(ex_memory_bytes() == held);
}

static void impossible_sizes_fail_with_a_message(void **state)
{
    (void)state;
    static const size_t impossible[] = { SIZE_MAX, SIZE_MAX - 63, (size_t)PTRDIFF_MAX, (size_t)1 << 60 };
    double held = ex_memory_bytes();
    for (int i = 0; i < 4; i++) {
        ex_fail("nothing yet");
        assert_null(ex_alloc(impossible[i]));
        assert_non_null(strstr(ex_error_message(), "out of memory"));
        assert_null(ex_alloc_zero(impossible[i]));
    }
    unsigned char *block = ex_alloc(16);
    block[3] = 7;
    assert_null(ex_realloc(block, SIZE_MAX));
    assert_int_equal(block[3], 7);          /* still the caller's */
    ex_free(block);
    assert_true(ex_memory_bytes() == held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_counted_and_given_back),
        cmocka_unit_test(alloc_zero_clears_used_memory),
        cmocka_unit_test(realloc_keeps_what_fits),
        cmocka_unit_test(strdup_copies),
        cmocka_unit_test(free_of_null_does_nothing),
        cmocka_unit_test(impossible_sizes_fail_with_a_message),
    };
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
