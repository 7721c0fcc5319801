/* mount.c: what a path lies on. Knows the magic numbers (statfs(2), linux/magic.h and the file systems' own headers) of file
 * systems that several machines share. A folder that cannot be looked at counts as local: opening the file will say why. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include "../base/error.h"
#include "store.h"

static const struct { uint32_t magic; const char *name; } shared[] = {
    { 0x00006969, "NFS" }, { 0x0000517B, "SMB" }, { 0xFF534D42, "CIFS" }, { 0xFE534D42, "SMB2" }, { 0x0000564C, "NCP" },
    { 0x01021997, "9P" }, { 0x0BD00BD0, "Lustre" }, { 0x47504653, "GPFS" }, { 0x19830326, "BeeGFS" }, { 0x00C36400, "Ceph" },
    { 0x5346414F, "AFS" }, { 0x6B414653, "AFS" }, { 0x73757245, "Coda" }, { 0x01161970, "GFS2" }, { 0x7461636F, "OCFS2" },
    { 0xAAD7AAEA, "PanFS" }, { 0x20030528, "OrangeFS" }, { 0x786F4256, "a folder shared by VirtualBox" },
};

const char *ex_network_file_system(const char *path) {
    struct statfs about;
    char folder[4096];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder) return NULL;
    if (statfs(folder, &about) != 0) {                      /* not there yet: its folder */
        char *slash = strrchr(folder, '/');
        if (!slash) memcpy(folder, ".", 2);
        else slash[slash == folder] = 0;
        if (statfs(folder, &about) != 0) return NULL;
    }
    for (size_t i = 0; i < sizeof shared / sizeof *shared; i++)
        if (shared[i].magic == (uint32_t)about.f_type) return shared[i].name;
    return NULL;
}
