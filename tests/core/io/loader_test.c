/* loader_test.c: batches hold what the formula says, whatever the timing, the first batch or what ran before. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../../core/base/random.h"
#include "../../../core/tensor/tensor.h"
#include "../../support/message.h"

enum { N = 23, H = 5, W = 4, M = 19, BATCH = 4, BATCHES = 5 };

typedef struct bench {                      /* a small set of C channels, its index, a loader on it */
    ex_tensor *images, *labels, *index;
    ex_loader *loader;
    ex_loader_options options;
} bench;

static uint8_t pixel(int i, int c, int y, int x) { return (uint8_t)(i * 97 + c * 41 + y * 13 + x * 7 + 1); }

static bench set_up(int channels, int shift, int flip) {
    bench b = { .options = { .batch = BATCH, .shift = shift, .flip = flip, .channels = channels,
                             .mean = { 0.25, 0.5, 0.75, 0.1 }, .deviation = { 0.5, 0.25, 1, 2 } } };
    b.images = ex_tensor_new(EX_UINT8, 4, (int32_t[]){ N, channels, H, W });
    b.labels = ex_tensor_new(EX_INT32, 1, (int32_t[]){ N });
    b.index = ex_tensor_new(EX_INT32, 1, (int32_t[]){ M });
    uint8_t *out = (uint8_t *)b.images->data;
    for (int i = 0; i < N; i++) {
        ((int32_t *)b.labels->data)[i] = i * 3 % 10;
        for (int c = 0; c < channels; c++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) *out++ = pixel(i, c, y, x);
    }
    for (int i = 0; i < M; i++) ((int32_t *)b.index->data)[i] = (i * 5 + 2) % N;
    if (!(b.loader = ex_loader_new(b.images, b.labels, &b.options))) fail_msg("%s", ex_error_message());
    return b;
}

static void tear_down(bench *b) {
    ex_loader_free(b->loader);
    ex_tensor_free(b->images);
    ex_tensor_free(b->labels);
    ex_tensor_free(b->index);
}

static void start(bench *b, double seed, double epoch, int first) {
    if (ex_loader_start(b->loader, b->index, seed, epoch, first) != EX_OK) fail_msg("%s", ex_error_message());
}

/* The formula of loader.c, a pixel at a time. */
static float expected(const bench *b, uint64_t seed, uint32_t epoch, int image, int c, int y, int x) {
    const ex_loader_options *o = &b->options;
    uint32_t word[4], range = 2 * (uint32_t)o->shift + 1;
    ex_random4(word, seed, ex_hash_name("loader"), epoch, (uint32_t)image, 0);
    int dy = (int)((uint64_t)word[0] * range >> 32) - o->shift, dx = (int)((uint64_t)word[1] * range >> 32) - o->shift;
    if (o->flip && word[2] >> 31) x = W - 1 - x;
    y += dy;
    x += dx;
    if (y < 0 || y >= H || x < 0 || x >= W) return 0;
    return (float)((pixel(image, c, y, x) / 255.0 - o->mean[c]) / o->deviation[c]);
}

static void assert_batch(const bench *b, int batch, int n, uint64_t seed, uint32_t epoch) {
    ex_tensor *images = ex_loader_images(b->loader), *labels = ex_loader_labels(b->loader);
    for (int k = 0; k < n; k++) {
        int image = ((batch * BATCH + k) * 5 + 2) % N;
        assert_int_equal(((int32_t *)labels->data)[k], image * 3 % 10);
        for (int c = 0; c < b->options.channels; c++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) {
                    double got = ex_tensor_get(images, (int32_t[]){ k, c, y, x });
                    assert_true(got == expected(b, seed, epoch, image, c, y, x));
                }
    }
    ex_tensor_free(images);
    ex_tensor_free(labels);
}

/* Runs a pass from `first` on and checks it whole. */
static void assert_pass(bench *b, double seed, double epoch, int first) {
    start(b, seed, epoch, first);
    for (int batch = first; batch < BATCHES; batch++) {
        int n = ex_loader_next(b->loader);
        assert_int_equal(n, batch < BATCHES - 1 ? BATCH : M - (BATCHES - 1) * BATCH);
        assert_batch(b, batch, n, (uint64_t)seed, (uint32_t)epoch);
    }
    assert_int_equal(ex_loader_next(b->loader), 0);
    assert_int_equal(ex_loader_next(b->loader), 0);
}

static void plain_batches(void **state) {
    (void)state;
    for (int channels = 1; channels <= 4; channels++) {
        bench b = set_up(channels, 0, 0);
        assert_pass(&b, 1, 0, 0);
        tear_down(&b);
    }
}

static void augmented_batches(void **state) {
    (void)state;
    for (int shift = 0; shift <= 3; shift++)
        for (int flip = 0; flip <= 1; flip++) {
            bench b = set_up(shift % 2 ? 3 : 1, shift, flip);
            for (int epoch = 0; epoch < 3; epoch++) assert_pass(&b, 77, epoch, 0);
            tear_down(&b);
        }
}

static void from_any_batch(void **state) {
    (void)state;
    bench b = set_up(3, 2, 1);
    for (int first = 0; first <= BATCHES; first++) assert_pass(&b, 0x1p53, 4294967295.0, first);
    tear_down(&b);
}

static void a_new_pass_cancels_the_old(void **state) {
    (void)state;
    bench b = set_up(3, 2, 1);
    for (int taken = 0; taken <= BATCHES; taken++) {
        start(&b, 5, 1, 0);
        for (int i = 0; i < taken; i++) assert_true(ex_loader_next(b.loader) > 0);
        assert_pass(&b, 6, 2, 1);
    }
    tear_down(&b);
}

/* Freed while the thread fills, waits for room, or has done all. */
static void freed_at_any_time(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        bench b = set_up(1, 1, 1);
        if (i > 0) start(&b, 1, 1, 0);
        if (i % 4 == 1) usleep(500);
        for (int k = 0; k < i % 7; k++) ex_loader_next(b.loader);
        tear_down(&b);
    }
    ex_loader_free(NULL);
}

/* Source views of any strides give the same batches as dense ones. */
static void strided_source(void **state) {
    (void)state;
    bench b = set_up(3, 2, 1);
    ex_tensor *last = ex_tensor_new_ordered(EX_UINT8, 4, b.images->dim, (int32_t[]){ 2, 0, 3, 1 });
    ex_tensor *pairs = ex_tensor_new(EX_INT32, 2, (int32_t[]){ N, 2 }), *column, *labels;
    assert_int_equal(ex_tensor_copy(last, b.images), EX_OK);
    column = ex_tensor_slice(pairs, 1, 1, 1, 1);
    for (int i = 0; i < N; i++) ex_tensor_set(column, (int32_t[]){ i, 0 }, i * 3 % 10);
    labels = ex_tensor_view(column);
    labels->ndim = 1;
    ex_loader_free(b.loader);
    b.loader = ex_loader_new(last, labels, &b.options);
    assert_non_null(b.loader);
    ex_tensor_free(last);
    ex_tensor_free(labels);
    ex_tensor_free(column);
    ex_tensor_free(pairs);                  /* the loader holds its own references */
    assert_pass(&b, 3, 3, 0);
    tear_down(&b);
}

static void tensors_stay_where_they_are(void **state) {
    (void)state;
    bench b = set_up(3, 1, 1);
    ex_tensor *images = ex_loader_images(b.loader), *labels = ex_loader_labels(b.loader);
    assert_int_equal(images->dim[0], BATCH);
    assert_int_equal(images->stride[1], 1);                    /* channels-last */
    assert_int_equal(images->stride[3], 3);
    assert_int_equal(images->stride[2], 3 * W);
    const void *at = images->data;
    assert_pass(&b, 1, 1, 0);
    double warm = ex_memory_allocations();
    double version = images->storage->version;
    start(&b, 1, 2, 0);
    while (ex_loader_next(b.loader) > 0) assert_ptr_equal(images->data, at);
    assert_true(ex_memory_allocations() == warm);              /* a warm pass allocates nothing */
    assert_true(images->storage->version == version + BATCHES);
    assert_true(ex_loader_wait(b.loader) >= 0 && ex_loader_wait(b.loader) < 60);
    ex_tensor_free(images);
    ex_tensor_free(labels);
    tear_down(&b);
}

static void index_may_change_after_start(void **state) {
    (void)state;
    bench b = set_up(1, 1, 0);
    start(&b, 9, 9, 0);
    ex_tensor_fill(b.index, 0);
    for (int batch = 0; batch < BATCHES; batch++) assert_batch(&b, batch, ex_loader_next(b.loader), 9, 9);
    tear_down(&b);
}

static void empty_pass(void **state) {
    (void)state;
    bench b = set_up(1, 0, 0);
    ex_tensor *none = ex_tensor_new(EX_INT32, 1, (int32_t[]){ 0 });
    assert_int_equal(ex_loader_start(b.loader, none, 0, 0, 0), EX_OK);
    assert_int_equal(ex_loader_next(b.loader), 0);
    ex_tensor_free(none);
    tear_down(&b);
}

/* A signal sent to the process must reach the thread that runs the program. */
static volatile sig_atomic_t caught_elsewhere, caught;
static _Thread_local int is_program;
static void on_signal(int number) {
    (void)number;
    caught++;
    if (!is_program) caught_elsewhere++;
}

static void thread_takes_no_signals(void **state) {
    (void)state;
    bench b = set_up(1, 0, 0);
    is_program = 1;
    start(&b, 1, 1, 0);
    signal(SIGUSR1, on_signal);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &one, NULL);                    /* only the loader's thread could take it now */
    kill(getpid(), SIGUSR1);
    usleep(2000);
    assert_int_equal(caught, 0);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    assert_int_equal(caught, 1);
    assert_int_equal(caught_elsewhere, 0);
    signal(SIGUSR1, SIG_DFL);
    tear_down(&b);
}

static void refuses_options(void **state) {
    (void)state;
    bench b = set_up(3, 0, 0);
    struct { ex_loader_options o; const char *message; } cases[8];
    for (int i = 0; i < 8; i++) cases[i].o = b.options;
    cases[0].o.batch = 0, cases[0].message = "batch is 0, expected 1 or more";
    cases[1].o.shift = -1, cases[1].message = "shift is -1, expected 0 to 3";
    cases[2].o.shift = 4, cases[2].message = "shift is 4";
    cases[3].o.flip = 2, cases[3].message = "flip is 2";
    cases[4].o.channels = 1, cases[4].message = "for 1 channels, the images have 3";
    cases[5].o.channels = 5, cases[5].message = "5 channels, expected 1 to 4";
    cases[6].o.deviation[1] = 0, cases[6].message = "channel 2 has mean 0.5 and deviation 0";
    cases[7].o.mean[0] = NAN, cases[7].message = "channel 1 has mean";
    for (int i = 0; i < 8; i++) {
        assert_null(ex_loader_new(b.images, b.labels, &cases[i].o));
        assert_message(cases[i].message);
    }
    assert_null(ex_loader_new(b.labels, b.labels, &b.options));
    assert_message("images are int32 (23), expected uint8 (N, C, H, W)");
    assert_null(ex_loader_new(b.images, b.images, &b.options));
    assert_message("labels are uint8 (23, 3, 5, 4), expected int32 (23)");
    assert_null(ex_loader_new(b.images, b.index, &b.options));
    assert_message("labels are int32 (19), expected int32 (23)");
    tear_down(&b);
}

static void refuses_passes(void **state) {
    (void)state;
    bench b = set_up(1, 0, 0);
    assert_int_equal(ex_loader_next(b.loader), -1);
    assert_message("no pass was started");
    assert_int_equal(ex_loader_start(b.loader, b.images, 0, 0, 0), EX_FAILED);
    assert_message("the index is uint8 (23, 1, 5, 4), expected int32 (M)");
    assert_int_equal(ex_loader_start(b.loader, b.index, -1, 0, 0), EX_FAILED);
    assert_message("seed is -1");
    assert_int_equal(ex_loader_start(b.loader, b.index, 0, 0.5, 0), EX_FAILED);
    assert_message("epoch is 0.5");
    assert_int_equal(ex_loader_start(b.loader, b.index, 0, 4294967296.0, 0), EX_FAILED);
    assert_int_equal(ex_loader_start(b.loader, b.index, 0, 0, 6), EX_FAILED);
    assert_message("first batch is 6, expected 0 to 5");
    ex_tensor_set(b.index, (int32_t[]){ 3 }, N);
    assert_int_equal(ex_loader_start(b.loader, b.index, 0, 0, 0), EX_FAILED);
    assert_message("index 4 is 23, there are images 0 to 22");
    ex_tensor_set(b.index, (int32_t[]){ 3 }, 17);
    assert_pass(&b, 1, 1, 0);
    tear_down(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_batches),
        cmocka_unit_test(augmented_batches),
        cmocka_unit_test(from_any_batch),
        cmocka_unit_test(a_new_pass_cancels_the_old),
        cmocka_unit_test(freed_at_any_time),
        cmocka_unit_test(strided_source),
        cmocka_unit_test(tensors_stay_where_they_are),
        cmocka_unit_test(index_may_change_after_start),
        cmocka_unit_test(empty_pass),
        cmocka_unit_test(thread_takes_no_signals),
        cmocka_unit_test(refuses_options),
        cmocka_unit_test(refuses_passes),
    };
    return cmocka_run_group_tests_name("core/io/loader", tests, NULL, NULL);
}
