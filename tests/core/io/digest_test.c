/* digest_test.c: the published test vectors (FIPS 180-2 and RFC 1321), across the reader's block size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/message.h"
#include "../../support/scratch.h"

static void assert_digest(const char *path, const char *algorithm, const char *expected) {
    char hex[65];
    assert_int_equal(ex_file_digest(path, algorithm, hex), EX_OK);
    assert_string_equal(hex, expected);
}

static void vectors(void **state) {
    (void)state;
    const char *abc = scratch_file("abc", "abc", 3), *empty = scratch_file("empty", "", 0);
    char *as = malloc(1000000);
    memset(as, 'a', 1000000);
    const char *million = scratch_file("million", as, 1000000);
    free(as);
    assert_digest(abc, "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(empty, "sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(million, "sha256", "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_digest(abc, "md5", "900150983cd24fb0d6963f7d28e17f72");
    assert_digest(empty, "md5", "d41d8cd98f00b204e9800998ecf8427e");
    assert_digest(million, "md5", "7707d6ae4e027c70eea2a935c2296f21");
}

static void bytes_in_memory(void **state) {
    (void)state;
    char hex[65];
    assert_int_equal(ex_text_digest("abc", 3, "md5", hex), EX_OK);
    assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
    assert_int_equal(ex_text_digest("", 0, "sha256", hex), EX_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(ex_text_digest("", -1, "sha256", hex), EX_FAILED);
    assert_message("size -1 is not a count");
}

static void refuses(void **state) {
    (void)state;
    char hex[65];
    assert_int_equal(ex_file_digest(scratch_path("none"), "sha256", hex), EX_FAILED);
    assert_message("none: No such file or directory");
    assert_int_equal(ex_file_digest(scratch_folder(), "md5", hex), EX_FAILED);
    assert_message("Is a directory");
    assert_int_equal(ex_file_digest(scratch_file("abc", "abc", 3), "sha1", hex), EX_FAILED);
    assert_message("unknown digest sha1");
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(vectors), cmocka_unit_test(bytes_in_memory),
                                        cmocka_unit_test(refuses) };
    return cmocka_run_group_tests_name("core/io/digest", tests, NULL, NULL);
}
