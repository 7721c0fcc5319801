/* decode_test.c: many files through worker processes: the pixels of one after the other; a reader that crashes, hangs or
 * devours memory costs its own image; no zombie, no descriptor, no process is left, with other threads at work meanwhile. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../../core/base/error.h"
#include "../../../core/base/memory.h"
#include "../../../core/io/decode.h"
#include "../../../core/tensor/tensor.h"
#include "../../support/images.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

static const ex_images_options usual = { 3, 8, 8, EX_RESIZE_BILINEAR, 2, 256e6, 20 };

static int32_t descriptors(void) { return scratch_count("/proc/self/fd"); }

static void assert_no_child(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static ex_tensor *room_for(int32_t count, const ex_images_options *o) {
    return ex_tensor_new(EX_UINT8, 4, (const int32_t[]){ count, o->channels, o->height, o->width });
}

/* Runs to the end. */
static ex_images_progress finish(ex_images *d) {
    ex_images_progress p = { 0 };
    if (!d) fail_msg("%s", ex_error_message());
    do
        if (ex_images_wait(d, 5, &p) != EX_OK) fail_msg("%s", ex_error_message());
    while (p.done + p.failed < p.total);
    return p;
}

static void as_one_by_one(void **state) {
    (void)state;
    const char *path[3 * 20];
    char *kept[20];
    int n = 0, before = descriptors();
    for (int i = 0; sample_names[i]; i++, n++) kept[i] = strdup(sample_path(sample_names[i]));
    for (int i = 0; i < 3 * n; i++) path[i] = kept[i % n];
    ex_tensor *out = room_for(3 * n, &usual);
    ex_images *d = ex_images_start(out, path, 3 * n, &usual);
    for (int i = 0; i < 3 * n; i++) path[i] = NULL;         /* they were copied */
    ex_images_progress p = finish(d);
    assert_int_equal(p.done, 3 * n);
    assert_int_equal(p.total, 3 * n);
    int32_t index;
    assert_null(ex_images_problem(d, 0, &index));
    ex_images_free(d);
    const ex_image_form form = { 3, 8, 8, EX_RESIZE_BILINEAR, 256e6 };
    for (int i = 0; i < 3 * n; i++) {
        uint8_t one[192];
        assert_int_equal(ex_image_load(one, kept[i % n], &form), EX_OK);
        assert_memory_equal((uint8_t *)out->data + (ptrdiff_t)i * 192, one, 192);
    }
    for (int i = 0; i < n; i++) free(kept[i]);
    ex_tensor_free(out);
    assert_no_child();
    assert_int_equal(descriptors(), before);
}

static void into_a_cache(void **state) {
    (void)state;
    const char *path[] = { "tests/golden/images/grey.pgm", "tests/golden/images/none.png", "tests/golden/images/rgb.png" };
    ex_cache *c = ex_cache_create(scratch_path("images.cache"), 3, 1, 19, 26, "{}");
    ex_images_options o = { 1, 19, 26, EX_RESIZE_NONE, 3, 256e6, 20 };
    ex_tensor *out = ex_cache_images(c);
    assert_true(out->storage->shared);
    ex_images *d = ex_images_start(out, path, 3, &o);
    ex_images_progress p = finish(d);
    assert_int_equal(p.done, 1);
    assert_int_equal(p.failed, 2);
    int32_t index = 9;
    assert_string_equal(ex_images_problem(d, 0, &index), "cannot read tests/golden/images/none.png: No such file or directory");
    assert_int_equal(index, 1);
    assert_string_equal(ex_images_problem(d, 1, &index),
                        "tests/golden/images/rgb.png: 31 x 23 pixels, expected 26 x 19 (no resizing was asked for)");
    assert_int_equal(index, 2);
    assert_null(ex_images_problem(d, 2, &index));
    ex_images_free(d);
    ex_tensor_free(out);
    assert_int_equal(ex_cache_finish(c, NULL), EX_OK);
    ex_cache_free(c);
    c = ex_cache_open(scratch_path("images.cache"));
    out = ex_cache_images(c);
    size_t size;
    uint8_t *pgm = sample_read("grey.pgm", &size);
    assert_memory_equal(out->data, pgm + size - (size_t)19 * 26, (size_t)19 * 26);
    for (int i = 19 * 26; i < 3 * 19 * 26; i++) assert_int_equal(((uint8_t *)out->data)[i], 0);
    free(pgm);
    ex_tensor_free(out);
    ex_cache_free(c);
}

/* -- Bad readers ----------------------------------------------------------------------------------------------- */

static ex_status obey(uint8_t *out, const char *path, const ex_image_form *form) {
    memset(out, path[1] - '0', (size_t)form->channels * (size_t)form->height * (size_t)form->width);
    if (path[0] == 'c') raise(SIGSEGV);
    if (path[0] == 'x') _exit(3);
    if (path[0] == 'h') for (;;) pause();
    if (path[0] == 'm') {
        void *block = ex_alloc((size_t)1 << 30);
        if (!block) return ex_error_at("%s", path);
        ex_free(block);
    }
    if (path[0] == 'f') return ex_fail("%s: %0600d", path, 1);
    return EX_OK;
}

static void assert_image(const ex_tensor *out, int i, int value) {
    for (int k = 0; k < 192; k++) assert_int_equal(((uint8_t *)out->data)[i * 192 + k], value);
}

static void costs_its_own_image(void **state) {
    (void)state;
    static const char *const path[] = { "a1", "c2", "a3", "x4", "h5", "a6", "m7", "f8", "c9", "a1", "h1", "a2" };
    static const char *const why[] = {
        NULL, "c2: its decoder died of signal 11 (Segmentation fault)", NULL, "x4: its decoder ended with exit status 3",
        "h5: not decoded within 1.5 seconds", NULL, "m7: out of memory: cannot allocate 1073.7 MB", "f8: 0000",
        "c9: its decoder died", NULL, "h1: not decoded", NULL };
    int before = descriptors();
    ex_images_options o = usual;
    o.seconds = 1.5;
    o.memory_bytes = 200e6;
    ex_tensor *out = room_for(12, &o);
    ex_images *d = ex_images_start_with(obey, out, path, 12, &o);
    ex_images_progress p = finish(d);
    assert_int_equal(p.failed, 7);
    assert_int_equal(p.done, 5);
    for (int32_t i = 0, k = 0, index; i < 12; i++) {
        if (!why[i]) {
            assert_image(out, i, path[i][1] - '0');
            continue;
        }
        const char *line = ex_images_problem(d, k++, &index);
        assert_int_equal(index, i);
        if (!strstr(line, why[i])) fail_msg("%s\nexpected in it: %s", line, why[i]);
        if (path[i][0] != 'm' && path[i][0] != 'f') assert_image(out, i, 0);
    }
    ex_images_free(d);
    ex_tensor_free(out);
    assert_no_child();
    assert_int_equal(descriptors(), before);
}

/* All of them crash: as many workers come and go as there are images. */
static void every_image_kills(void **state) {
    (void)state;
    const char *path[60];
    for (int i = 0; i < 60; i++) path[i] = "c1";
    ex_tensor *out = room_for(60, &usual);
    ex_images *d = ex_images_start_with(obey, out, path, 60, &usual);
    ex_images_progress p = finish(d);
    assert_int_equal(p.failed, 60);
    ex_images_free(d);
    ex_tensor_free(out);
    assert_no_child();
}

static void ended_early(void **state) {
    (void)state;
    static const char *const path[] = { "h1", "h2", "h3", "a4" };
    int before = descriptors();
    ex_tensor *out = room_for(4, &usual);
    ex_images *d = ex_images_start_with(obey, out, path, 4, &usual);
    ex_images_progress p;
    double from = ex_clock();
    assert_int_equal(ex_images_wait(d, 0.05, &p), EX_OK);
    assert_true(ex_clock() - from < 15);
    assert_int_equal(p.done + p.failed, 0);
    assert_int_equal(p.total, 4);
    ex_interrupt();
    assert_int_equal(ex_images_wait(d, 1000, &p), EX_OK);    /* returns at once */
    ex_interrupt_clear();
    ex_images_free(d);
    ex_images_free(NULL);
    ex_tensor_free(out);
    assert_no_child();
    assert_int_equal(descriptors(), before);
}

/* Workers do not outlive a parent that is killed: here they become this process's, which sees how they ended. */
static void dies_with_its_parent(void **state) {
    (void)state;
    int ends[2], how;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    pid_t pid = fork();
    if (pid == 0) {
        static const char *const path[] = { "h1", "h2" };
        static ex_tensor *out;              /* static: still pointed to at the kill, for those who look for leaks */
        static ex_images *d;
        out = room_for(2, &usual);
        d = ex_images_start_with(obey, out, path, 2, &usual);
        if (d && write(ends[1], "x", 1) == 1) raise(SIGKILL);
        _exit(1);
    }
    char byte;
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how));
    while (waitpid(-1, &how, 0) > 0) assert_true(WIFSIGNALED(how) ? WTERMSIG(how) == SIGKILL : WEXITSTATUS(how) == 0);
    assert_no_child();
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* -- Threads ----------------------------------------------------------------------------------------------------- */

static atomic_int stop;

static void *churn(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        void *block = malloc(1 + (size_t)rand() % 100000);
        ex_free(ex_alloc(1000));
        ex_fail("noise %d", 1);
        free(block);
    }
    return NULL;
}

static void with_threads(void **state) {
    (void)state;
    pthread_t thread[3];
    static const char *const path[] = { "tests/golden/images/rgb.png", "tests/golden/images/baseline.jpg", "tests/run" };
    for (int i = 0; i < 3; i++) assert_int_equal(pthread_create(&thread[i], NULL, churn, NULL), 0);
    for (int round = 0; round < 30; round++) {
        ex_tensor *out = room_for(3, &usual);
        ex_images *d = ex_images_start(out, path, 3, &usual);
        ex_images_progress p = finish(d);
        assert_int_equal(p.done, 2);
        int32_t index;
        assert_non_null(strstr(ex_images_problem(d, 0, &index), "tests/run: not an image"));
        ex_images_free(d);
        ex_tensor_free(out);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    assert_no_child();
}

/* -- Requests, mutants ------------------------------------------------------------------------------------------- */

static void refused(void **state) {
    (void)state;
    static const char *const path[] = { "a" };
    ex_tensor *out = room_for(1, &usual);
#define REFUSE(field, value, message) do { \
    ex_images_options o = usual; \
    o.field = value; \
    assert_null(ex_images_start(out, path, 1, &o)); \
    assert_message("images: " message); \
} while (0)
    REFUSE(channels, 2, "2 channels, expected 1 or 3");
    REFUSE(channels, 1, "the tensor is uint8 (1, 3, 8, 8), expected dense uint8 (1, 1, 8, 8)");
    REFUSE(height, 0, "8 x 0 pixels, expected sides of 1 to 65500");
    REFUSE(resize, 3, "resize is 3, expected 0 to 2");
    REFUSE(workers, 0, "0 workers, expected 1 to 256");
    REFUSE(memory_bytes, 10, "a memory limit of 10 bytes, expected a million or more");
    REFUSE(seconds, 0, "a time limit of 0 seconds, expected more than 0");
    assert_null(ex_images_start(out, path, 2, &usual));
    assert_message("expected dense uint8 (2, 3, 8, 8)");
    ex_tensor_free(out);
}

/* Damaged files through the workers: each gets pixels or a line of its own, and no worker is lost. */
static void mutants(void **state) {
    (void)state;
    enum { FILES = 250 };
    const char *asked = getenv("EXEUNT_MUTANTS");
    int count = asked ? atoi(asked) : 1000, lost = 0;
    mutation m = { 99 };
    ex_tensor *out = room_for(FILES, &usual);
    for (int done = 0; done < count; done += FILES) {
        char *path[FILES];
        for (int i = 0; i < FILES; i++) {
            char name[32];
            size_t size;
            snprintf(name, sizeof name, "mutant%d", i);
            uint8_t *bytes = sample_mutant(&m, done + i, &size);
            path[i] = strdup(scratch_file(name, bytes, size));
            free(bytes);
        }
        ex_images *d = ex_images_start(out, (const char *const *)path, FILES, &usual);
        finish(d);
        const char *line;
        for (int32_t i = 0, index; (line = ex_images_problem(d, i, &index)); i++) {
            if (strstr(line, "its decoder") || strstr(line, "not decoded")) {
                print_message("%s\n", line);
                lost++;
            }
            assert_non_null(strstr(line, path[index]));
            assert_null(strchr(line, '\n'));
        }
        ex_images_free(d);
        for (int i = 0; i < FILES; i++) free(path[i]);
    }
    ex_tensor_free(out);
    assert_int_equal(lost, 0);
    assert_no_child();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_one_by_one),
        cmocka_unit_test(into_a_cache),
        cmocka_unit_test(costs_its_own_image),
        cmocka_unit_test(every_image_kills),
        cmocka_unit_test(ended_early),
        cmocka_unit_test(dies_with_its_parent),
        cmocka_unit_test(with_threads),
        cmocka_unit_test(refused),
        cmocka_unit_test(mutants),
    };
    return cmocka_run_group_tests_name("core/io/decode", tests, NULL, NULL);
}
