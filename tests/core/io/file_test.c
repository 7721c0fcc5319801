/* file_test.c: files are written whole or not at all, and every refusal names its path and reason. */
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
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../../core/exeunt.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

static const char *fresh_folder(const char *name) {
    const char *path = scratch_path(name);
    assert_int_equal(mkdir(path, 0755), 0);
    return path;
}

static void assert_holds(const char *path, const char *bytes, size_t size) {
    size_t got;
    char *text = scratch_read(path, &got);
    assert_int_equal(got, size);
    assert_memory_equal(text, bytes, size);
    free(text);
}

/* Files may not grow past `most` bytes while this holds: the disk is full as far as this process can tell. */
static void limit_size(size_t most) {
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most ? most : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void writes_and_replaces(void **state) {
    (void)state;
    fresh_folder("w");
    const char *path = scratch_path("w/data");
    assert_int_equal(ex_file_write(path, "one\0two", 7), EX_OK);
    assert_holds(path, "one\0two", 7);
    assert_int_equal(ex_file_write(path, "", 0), EX_OK);
    assert_holds(path, "", 0);
    assert_int_equal(scratch_count(scratch_path("w")), 1);       /* no temporary file stays */
}

static void write_needs_no_folder_name(void **state) {
    (void)state;
    char *here = getcwd(NULL, 0);
    assert_int_equal(chdir(fresh_folder("cwd")), 0);
    assert_int_equal(ex_file_write("plain", "x", 1), EX_OK);
    assert_holds("plain", "x", 1);
    assert_int_equal(chdir(here), 0);
    free(here);
}

static void write_refuses(void **state) {
    (void)state;
    const char *none = scratch_path("none/data"), *folder = fresh_folder("is-folder");
    assert_int_equal(ex_file_write(none, "x", 1), EX_FAILED);
    assert_message(none);
    assert_message("No such file or directory");
    assert_int_equal(ex_file_write(folder, "x", 1), EX_FAILED);
    assert_message("it exists and is not a file");
    assert_int_equal(ex_file_write(scratch_path("x"), "x", -1), EX_FAILED);
    assert_message("not a count of bytes");
    assert_int_equal(ex_file_write(scratch_path("x"), "x", 0.5), EX_FAILED);
    assert_int_equal(ex_file_kind(scratch_path("x")), 0);
}

static void unwritable_folder(void **state) {
    (void)state;
    const char *folder = fresh_folder("shut"), *path = scratch_path("shut/data");
    assert_int_equal(ex_file_write(path, "old", 3), EX_OK);
    assert_int_equal(chmod(folder, 0555), 0);
    if (scratch_as_nobody()) {
        ex_status write = ex_file_write(path, "new", 3), link = ex_file_link("data", scratch_path("shut/link"));
        ex_status make = ex_folder_make(scratch_path("shut/a/b"));
        scratch_as_before();
        assert_int_equal(write, EX_FAILED);
        assert_int_equal(link, EX_FAILED);
        assert_int_equal(make, EX_FAILED);
        assert_message("shut/a: Permission denied");
    }
    assert_int_equal(chmod(folder, 0755), 0);
    assert_holds(path, "old", 3);
    assert_int_equal(scratch_count(folder), 1);
}

static void full_disk_keeps_the_old_file(void **state) {
    (void)state;
    fresh_folder("full");
    const char *path = scratch_path("full/data");
    char *large = calloc(1, 1 << 20);
    assert_int_equal(ex_file_write(path, "old", 3), EX_OK);
    limit_size(100000);
    ex_status status = ex_file_write(path, large, 1 << 20);
    limit_size(0);
    free(large);
    assert_int_equal(status, EX_FAILED);
    assert_message(path);
    assert_message("File too large");
    assert_holds(path, "old", 3);
    assert_int_equal(scratch_count(scratch_path("full")), 1);
}

static void appends_whole_or_not_at_all(void **state) {
    (void)state;
    fresh_folder("log");
    const char *path = scratch_path("log/log.jsonl"), *other = scratch_path("log/other");
    assert_int_equal(ex_file_append(path, "one\n", 4), EX_OK);
    assert_int_equal(ex_file_append(path, "two\n", 4), EX_OK);
    assert_holds(path, "one\ntwo\n", 8);
    limit_size(10);
    ex_status old = ex_file_append(path, "three\n", 6), fresh = ex_file_append(other, "0123456789abc", 13);
    limit_size(0);
    assert_int_equal(old, EX_FAILED);
    assert_int_equal(fresh, EX_FAILED);
    assert_message("cannot append to");
    assert_message(other);
    assert_holds(path, "one\ntwo\n", 8);
    assert_int_equal(ex_file_kind(other), 0);
    assert_int_equal(ex_file_append("/dev/full", "x", 1), EX_FAILED);
    assert_message("/dev/full: No space left on device");
    assert_int_equal(ex_file_append(scratch_path("none/log"), "x", 1), EX_FAILED);
    assert_message("No such file or directory");
}

static void links_are_replaced(void **state) {
    (void)state;
    fresh_folder("links");
    const char *path = scratch_path("links/best");
    char target[64] = { 0 };
    assert_int_equal(ex_file_link("one", path), EX_OK);
    assert_int_equal(ex_file_kind(path), 0);                      /* leads nowhere yet */
    char *said = ex_file_target(path);
    assert_string_equal(said, "one");
    ex_text_free(said);
    assert_null(ex_file_target(scratch_path("links")));           /* no link */
    assert_null(ex_file_target(scratch_path("links/none")));
    assert_int_equal(ex_file_write(scratch_path("links/two"), "2", 1), EX_OK);
    assert_int_equal(ex_file_link("two", path), EX_OK);
    assert_int_equal(readlink(path, target, sizeof target - 1), 3);
    assert_string_equal(target, "two");
    assert_holds(path, "2", 1);
    assert_int_equal(scratch_count(scratch_path("links")), 2);
    fresh_folder("links/folder");
    assert_int_equal(ex_file_link("two", scratch_path("links/folder")), EX_FAILED);
    assert_message("links/folder to two: Is a directory");
    assert_int_equal(scratch_count(scratch_path("links")), 3);
}

static void kinds_and_removal(void **state) {
    (void)state;
    const char *path = scratch_file("kind", "x", 1);
    double size = 0, changed = 0;
    assert_int_equal(ex_file_kind(path), 1);
    assert_int_equal(ex_file_stat(path, &size, &changed), EX_OK);
    assert_true(size == 1 && changed > 1e9);
    assert_int_equal(ex_file_stat(scratch_path("none"), &size, &changed), EX_FAILED);
    assert_message("cannot look at ");
    assert_int_equal(ex_file_kind(scratch_folder()), 2);
    assert_int_equal(ex_file_kind("/dev/null"), 3);
    assert_int_equal(ex_file_remove(path), EX_OK);
    assert_int_equal(ex_file_kind(path), 0);
    assert_int_equal(ex_file_remove(path), EX_FAILED);
    assert_message("cannot remove");
}

static void makes_folders(void **state) {
    (void)state;
    const char *path = scratch_path("a/b//c/"), *file = scratch_file("a-file", "x", 1);
    assert_int_equal(ex_folder_make(path), EX_OK);
    assert_int_equal(ex_folder_make(path), EX_OK);
    assert_int_equal(ex_file_kind(scratch_path("a/b/c")), 2);
    assert_int_equal(ex_folder_make(file), EX_FAILED);
    assert_message("a-file: Not a directory");
    assert_int_equal(ex_folder_make(scratch_path("a-file/b")), EX_FAILED);
    assert_message("a-file: Not a directory");
    assert_int_equal(ex_folder_make(""), EX_FAILED);
    assert_int_equal(ex_folder_make("/"), EX_OK);
}

static void lists_folders(void **state) {
    (void)state;
    fresh_folder("list");
    char *text = ex_folder_list(scratch_path("list"));
    assert_string_equal(text, "");
    ex_text_free(text);
    scratch_file("list/b", "", 0);
    scratch_file("list/B", "", 0);
    scratch_file("list/.a", "", 0);
    scratch_file("list/a10", "", 0);
    text = ex_folder_list(scratch_path("list"));
    assert_string_equal(text, ".a\nB\na10\nb");
    ex_text_free(text);
    scratch_file("list/odd\nname", "", 0);
    assert_null(ex_folder_list(scratch_path("list")));
    assert_message("line break");
    assert_null(ex_folder_list(scratch_path("list/b")));
    assert_message("list/b: Not a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_replaces),
        cmocka_unit_test(write_needs_no_folder_name),
        cmocka_unit_test(write_refuses),
        cmocka_unit_test(unwritable_folder),
        cmocka_unit_test(full_disk_keeps_the_old_file),
        cmocka_unit_test(appends_whole_or_not_at_all),
        cmocka_unit_test(links_are_replaced),
        cmocka_unit_test(kinds_and_removal),
        cmocka_unit_test(makes_folders),
        cmocka_unit_test(lists_folders),
    };
    return cmocka_run_group_tests_name("core/io/file", tests, NULL, NULL);
}
