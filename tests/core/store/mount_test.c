/* mount_test.c: file systems that machines share are refused by name. statfs is this program's own here, since no test can
 * mount one: it says of every path what the test wants. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/vfs.h>
#include <cmocka.h>
#include "../../../core/store/store.h"
#include "../../support/message.h"
#include "../../support/scratch.h"

static uint32_t magic;
static const char *missing;                 /* the path that is not there */
static char asked[256];

int statfs(const char *path, struct statfs *about) {    /* NOLINT(readability-inconsistent-declaration-parameter-name) */
    memset(about, 0, sizeof *about);
    strncpy(asked, path, sizeof asked - 1);
    if (missing && strcmp(path, missing) == 0) {
        errno = ENOENT;
        return -1;
    }
    about->f_type = (__fsword_t)magic;
    return 0;
}

static void by_magic(void **state) {
    (void)state;
    magic = 0xEF53;                         /* ext4 */
    assert_null(ex_network_file_system("/x"));
    magic = 0x01021994;                     /* tmpfs, one digit from 9P */
    assert_null(ex_network_file_system("/x"));
    magic = 0x6969;
    assert_string_equal(ex_network_file_system("/x"), "NFS");
    magic = 0xFF534D42;                     /* above 2^31 */
    assert_string_equal(ex_network_file_system("/x"), "CIFS");
    magic = 0x0BD00BD0;
    assert_string_equal(ex_network_file_system("/x"), "Lustre");
}

static void of_the_folder(void **state) {
    (void)state;
    magic = 0x6969;
    missing = "/a/b.db";
    assert_string_equal(ex_network_file_system("/a/b.db"), "NFS");
    assert_string_equal(asked, "/a");
    missing = "b.db";
    assert_string_equal(ex_network_file_system("b.db"), "NFS");
    assert_string_equal(asked, ".");
    missing = "/b.db";
    assert_string_equal(ex_network_file_system("/b.db"), "NFS");
    assert_string_equal(asked, "/");
    missing = NULL;
}

static void refused(void **state) {
    (void)state;
    magic = 0x6969;
    assert_null(ex_store_open(scratch_path("s.db")));
    assert_message("s.db: it is on a network file system (NFS), where SQLite's locks do not hold: put the file on a local disk, or use "
                   "a PostgreSQL server");
    assert_int_equal(scratch_count(scratch_folder()), 0);
    magic = 0xEF53;
    ex_store *s = ex_store_open(scratch_path("s.db"));
    assert_non_null(s);
    ex_store_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(by_magic), cmocka_unit_test(of_the_folder), cmocka_unit_test(refused) };
    return cmocka_run_group_tests_name("core/store/mount", tests, NULL, NULL);
}
