/* cache_test.c: what is written is read again and is a safetensors file; nothing has the name before the end; a full disk,
 * a cut file and foreign files are refused in one line and leave nothing; damage anywhere in a file is noticed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

enum { N = 5, C = 3, H = 4, W = 2, SIZE = N * C * H * W };

static const char metadata[] = "{\"b\": \"\\u00e9 \\\"\", \"a\":\"1\"}", normal[] = "{\"a\":\"1\",\"b\":\"\303\251 \\\"\"}";

static ex_cache *begin(const char *path) {
    ex_cache *c = ex_cache_create(path, N, C, H, W, metadata);
    if (!c) fail_msg("%s", ex_error_message());
    ex_tensor *images = ex_cache_images(c), *labels = ex_cache_labels(c);
    for (int i = 0; i < SIZE; i++) ((uint8_t *)images->data)[i] = (uint8_t)(3 * i);
    for (int i = 0; i < N; i++) ((int32_t *)labels->data)[i] = 1000 * i;
    ex_tensor_free(images);
    ex_tensor_free(labels);
    return c;
}

static const char *made(const char *name) {
    const char *path = scratch_path(name);
    ex_cache *c = begin(path);
    assert_int_equal(ex_cache_finish(c, NULL), EX_OK);
    ex_cache_free(c);
    return path;
}

static void assert_content(const ex_tensor *images, const ex_tensor *labels) {
    static const int32_t dim[] = { N, C, H, W };
    assert_int_equal(images->dtype, EX_UINT8);
    assert_int_equal(images->ndim, 4);
    assert_memory_equal(images->dim, dim, sizeof dim);
    assert_true(ex_tensor_dense(images));
    assert_int_equal(labels->dtype, EX_INT32);
    assert_int_equal(labels->ndim, 1);
    assert_int_equal(labels->dim[0], N);
    for (int i = 0; i < SIZE; i++) assert_int_equal(((uint8_t *)images->data)[i], (uint8_t)(3 * i));
    for (int i = 0; i < N; i++) assert_int_equal(((int32_t *)labels->data)[i], 1000 * i);
}

static void there_and_back(void **state) {
    (void)state;
    const char *path = scratch_path("a.cache");
    int before = scratch_count(scratch_folder());
    ex_cache *c = begin(path);
    assert_int_equal(ex_file_kind(path), 0);        /* only a temporary file yet */
    assert_int_equal(scratch_count(scratch_folder()), before + 1);
    assert_string_equal(ex_cache_metadata(c), normal);
    ex_tensor *images = ex_cache_images(c), *labels = ex_cache_labels(c);
    assert_int_equal(ex_cache_finish(c, NULL), EX_OK);
    assert_int_equal(ex_file_kind(path), 1);
    assert_int_equal(scratch_count(scratch_folder()), before + 1);
    assert_int_equal(ex_cache_finish(c, NULL), EX_FAILED);
    assert_message("a.cache: this cache is finished");
    ex_cache_free(c);
    assert_content(images, labels);                 /* views outlive the cache */
    assert_int_equal(ex_tensor_fill(images, 7), EX_OK);   /* and what they are given stays in memory */
    ex_tensor_free(images);
    ex_tensor_free(labels);
    if (!(c = ex_cache_open(path))) fail_msg("%s", ex_error_message());
    assert_string_equal(ex_cache_metadata(c), normal);
    images = ex_cache_images(c);
    labels = ex_cache_labels(c);
    assert_content(images, labels);
    assert_int_equal(ex_tensor_fill(images, 7), EX_OK);
    ex_cache_free(c);
    ex_tensor_free(images);
    ex_tensor_free(labels);
    c = ex_cache_open(path);
    images = ex_cache_images(c);
    assert_int_equal(((uint8_t *)images->data)[1], 3);
    ex_tensor_free(images);
    ex_cache_free(c);
    ex_cache_free(NULL);
}

static void is_a_safetensors_file(void **state) {
    (void)state;
    const char *path = made("b.cache");
    ex_safetensors *f = ex_safetensors_open(path);
    if (!f) fail_msg("%s", ex_error_message());
    assert_int_equal(ex_safetensors_count(f), 3);
    assert_string_equal(ex_safetensors_metadata(f, "b"), "\303\251 \"");
    ex_tensor *labels = ex_safetensors_read(f, 0), *sums = ex_safetensors_read(f, 1), *images = ex_safetensors_read(f, 2);
    assert_string_equal(ex_safetensors_name(f, 0), "labels");
    assert_content(images, labels);
    assert_int_equal(sums->dim[0], 2);
    ex_tensor_free(sums);
    ex_tensor_free(labels);
    ex_tensor_free(images);
    ex_safetensors_free(f);
    size_t size;
    char *bytes = scratch_read(path, &size);
    assert_int_equal(((uint8_t)bytes[0] | (uint8_t)bytes[1] << 8) % 8, 0);
    free(bytes);
}

static void given_up(void **state) {
    (void)state;
    const char *path = made("kept.cache");
    int before = scratch_count(scratch_folder());
    ex_cache *c = begin(path);
    ex_tensor *images = ex_cache_images(c);
    assert_int_equal(ex_tensor_fill(images, 9), EX_OK);
    ex_cache_free(c);
    assert_int_equal(scratch_count(scratch_folder()), before);
    assert_int_equal(ex_tensor_fill(images, 8), EX_OK);    /* a view keeps the mapping of a file that is gone */
    ex_tensor_free(images);
    if (!(c = ex_cache_open(path))) fail_msg("%s", ex_error_message());
    ex_tensor *labels = ex_cache_labels(c);
    images = ex_cache_images(c);
    assert_content(images, labels);
    ex_tensor_free(images);
    ex_tensor_free(labels);
    ex_cache_free(c);
}

static void refused_requests(void **state) {
    (void)state;
    const char *path = scratch_path("no.cache");
    int before = scratch_count(scratch_folder());
    assert_null(ex_cache_create(path, 0, 1, 1, 1, "{}"));
    assert_message("no.cache: a cache of shape (0, 1, 1, 1), expected 1 or more images");
    assert_null(ex_cache_create(path, 1, 5, 1, 1, "{}"));
    assert_null(ex_cache_create(path, 1, 1, 70000, 1, "{}"));
    assert_null(ex_cache_create(path, 1, 1, 1, 1, "{\"a\":1}"));
    assert_message("cache: metadata: byte 5: expected a string");
    assert_null(ex_cache_create(path, 1, 1, 1, 1, "{} x"));
    assert_null(ex_cache_create(path, 1, 1, 1, 1, ""));
    assert_null(ex_cache_create(path, 1, 1, 1, 1, "{\"a\":\"1\",\"a\":\"2\"}"));
    assert_message("cache: metadata has \"a\" twice");
    assert_null(ex_cache_create("/nowhere/at/all", 1, 1, 1, 1, "{}"));
    assert_message("cannot write /nowhere/at/all: No such file or directory");
    assert_int_equal(scratch_count(scratch_folder()), before);
}

/* What a disk that is full, or a limit on the size of files, does: an error before a byte is mapped. */
static void no_room(void **state) {
    (void)state;
    const char *path = scratch_path("large.cache");
    int before = scratch_count(scratch_folder());
    struct rlimit limit, less;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    less = (struct rlimit){ 10000, limit.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &less), 0);
    ex_cache *c = ex_cache_create(path, 100, 3, 64, 64, "{}");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_null(c);
    assert_message("large.cache (1.2 MB): File too large");
    assert_null(ex_cache_create(path, INT32_MAX, 4, 65500, 65500, "{}"));
    assert_message("large.cache");
    assert_int_equal(scratch_count(scratch_folder()), before);
}

static void cut_files(void **state) {
    (void)state;
    size_t size;
    char *bytes = scratch_read(made("whole.cache"), &size);
    for (size_t cut = 0; cut < size; cut += cut > 300 ? 7 : 1) {
        assert_null(ex_cache_open(scratch_file("cut.cache", bytes, cut)));
        assert_message("cut.cache: ");
        assert_null(strchr(ex_error_message(), '\n'));
    }
    free(bytes);
}

/* Opens and checks all; the message must hold `why`, or nothing be wrong where that is NULL. */
static void assert_checked(const char *path, const char *why, ex_team *team) {
    ex_cache *c = ex_cache_open(path);
    if (!c) fail_msg("%s", ex_error_message());
    ex_status status = ex_cache_check(c, 0, ex_cache_blocks(c), team);
    if (!why && status != EX_OK) fail_msg("%s", ex_error_message());
    if (why) {
        assert_int_equal(status, EX_FAILED);
        assert_message(why);
        assert_null(strchr(ex_error_message(), '\n'));
    }
    ex_cache_free(c);
}

/* Every bit of a small file, header and sums too: what still opens as a cache does not pass the check. */
static void every_flipped_bit_is_noticed(void **state) {
    (void)state;
    size_t size, opened = 0;
    char *bytes = scratch_read(made("sound.cache"), &size);
    assert_checked(scratch_path("sound.cache"), NULL, NULL);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        ex_cache *c = ex_cache_open(scratch_file("flipped.cache", bytes, size));
        if (c) {
            opened++;
            assert_int_equal(ex_cache_check(c, 0, ex_cache_blocks(c), NULL), EX_FAILED);
            assert_message("flipped.cache is damaged: bytes ");
        }
        ex_cache_free(c);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(opened > 8 * (SIZE + 4 * N));
    free(bytes);
}

/* Several blocks: which of them is damaged is said, the first where there are more, whoever finds it. */
static void damage_in_a_large_file(void **state) {
    (void)state;
    enum { SIDE = 1000, IMAGES = 5, MIB = 1 << 20 };
    const char *path = scratch_path("many.cache");
    ex_team *team = ex_team_new(3);
    ex_cache *c = ex_cache_create(path, IMAGES, 1, SIDE, SIDE, "{}");
    assert_int_equal(ex_cache_blocks(c), 1 + 5);    /* of 5e6 bytes */
    assert_int_equal(ex_cache_check(c, 0, 1, NULL), EX_FAILED);
    assert_message("many.cache: this cache is not finished");
    ex_tensor *images = ex_cache_images(c);
    for (int i = 0; i < IMAGES * SIDE * SIDE; i++) ((uint8_t *)images->data)[i] = (uint8_t)(1 + i % 251);
    ex_tensor_free(images);
    assert_int_equal(ex_cache_finish(c, team), EX_OK);
    assert_int_equal(ex_cache_check(c, 0, 6, team), EX_OK);
    assert_int_equal(ex_cache_check(c, 4, 3, team), EX_FAILED);
    assert_message("many.cache: blocks 4 to 6, expected some of 0 to 5");
    assert_int_equal(ex_cache_check(c, -1, 1, team), EX_FAILED);
    assert_int_equal(ex_cache_check(c, 0, 0, team), EX_FAILED);
    ex_cache_free(c);
    assert_checked(path, NULL, team);
    size_t size, after;
    char *bytes = scratch_read(path, &size), *damaged = malloc(size), why[128];
    after = size - (size_t)IMAGES * SIDE * SIDE;
    for (int block = 0; block < 5; block++) {
        size_t from = after + (size_t)block * MIB, to = block == 4 ? size : from + MIB;
        memcpy(damaged, bytes, size);
        memset(damaged + from + 5000, 0, 4096);     /* a page that never reached the disk */
        damaged[size - 1] ^= 1;
        snprintf(why, sizeof why, "many.cache is damaged: bytes %zu to %zu are not as they were written", from, to - 1);
        assert_checked(scratch_file("many.cache", damaged, size), why, block % 2 ? team : NULL);
    }
    c = ex_cache_open(scratch_file("many.cache", damaged, size));
    assert_int_equal(ex_cache_check(c, 0, 5, NULL), EX_OK);         /* the last block alone is damaged */
    assert_int_equal(truncate(path, (off_t)(size - MIB)), 0);       /* by another program, after the opening */
    assert_int_equal(ex_cache_check(c, 5, 1, NULL), EX_FAILED);
    assert_message("cannot read ");
    ex_cache_free(c);
    free(damaged);
    free(bytes);
    ex_team_free(team);
}

static ex_tensor *numbers(int32_t dtype, int32_t ndim, int32_t first) {
    return ex_tensor_new(dtype, ndim, (const int32_t[]){ first, 1, 1, 1 });
}

/* A file with other tensors under the names. */
static void foreign_files(void **state) {
    (void)state;
    const char *path = scratch_path("foreign.safetensors"), *known[] = { "labels", "sums", "images" },
               *unlabelled[] = { "a", "sums", "images" }, *unsummed[] = { "labels", "images" },
               *more[] = { "labels", "sums", "images", "a" };
    enum { IMAGES, FLAT, TWO, THREE, NONE, COUNT };
    ex_tensor *t[COUNT] = { numbers(EX_UINT8, 4, 2), numbers(EX_UINT8, 1, 2), numbers(EX_INT32, 1, 2), numbers(EX_INT32, 1, 3),
                            numbers(EX_UINT8, 4, 0) };
    const struct { const char **name; int count, use[4]; const char *message; } cases[] = {
        { known, 2, { TWO, TWO }, "not an image cache: it has no tensor \"images\"" },
        { unlabelled, 3, { TWO, TWO, IMAGES }, "not an image cache: it has no tensor \"labels\"" },
        { unsummed, 2, { TWO, IMAGES }, "an image cache of an older version, without checksums" },
        { known, 3, { TWO, TWO, FLAT }, "images are uint8 (2), expected uint8 (N, C, H, W)" },
        { known, 3, { TWO, TWO, NONE }, "images are uint8 (0, 1, 1, 1)" },
        { known, 3, { THREE, TWO, IMAGES }, "labels are int32 (3), expected int32 (2)" },
        { known, 3, { FLAT, TWO, IMAGES }, "labels are uint8 (2), expected int32 (2)" },
        { known, 3, { TWO, THREE, IMAGES }, "sums are int32 (3), expected int32 (2)" },
        { known, 3, { TWO, FLAT, IMAGES }, "sums are uint8 (2), expected int32 (2)" },
        { more, 4, { TWO, TWO, IMAGES, TWO }, "expected labels, sums and images alone, in this order" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ex_tensor *use[4];
        for (int k = 0; k < cases[i].count; k++) use[k] = t[cases[i].use[k]];
        assert_int_equal(ex_safetensors_write(path, cases[i].count, cases[i].name, use, 0, NULL, NULL), EX_OK);
        assert_null(ex_cache_open(path));
        assert_message(cases[i].message);
    }
    ex_tensor *use[] = { t[TWO], t[TWO], t[IMAGES] };       /* the writer sorts by size of type, then by name: our order */
    assert_int_equal(ex_safetensors_write(path, 3, known, use, 0, NULL, NULL), EX_OK);
    ex_cache *c = ex_cache_open(path);
    assert_non_null(c);
    assert_string_equal(ex_cache_metadata(c), "{}");
    ex_cache_free(c);
    assert_checked(path, "is damaged: bytes 0 to ", NULL);          /* sums of zero */
    for (int i = 0; i < COUNT; i++) ex_tensor_free(t[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(is_a_safetensors_file),
        cmocka_unit_test(given_up),
        cmocka_unit_test(refused_requests),
        cmocka_unit_test(no_room),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(damage_in_a_large_file),
        cmocka_unit_test(foreign_files),
    };
    return cmocka_run_group_tests_name("core/io/cache", tests, NULL, NULL);
}
