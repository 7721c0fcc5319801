/* system.c: what Lua asks about the process itself, as the module "exeunt.system": where the program lies, whether a
 * stream is a terminal and of what size, and the versions of the libraries that only this room links. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <luajit.h>
#include "vm.h"

#ifndef EX_PREFIX
#define EX_PREFIX "/usr/local"
#endif

static char program[PATH_MAX];              /* the binary, absolute where it could be found */
static char root[PATH_MAX];

/* -- Where the program is -------------------------------------------------------------------------- */

static int find_on_path(const char *name, char *out)
{
    char candidate[PATH_MAX];
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        if (snprintf(candidate, sizeof candidate, "%.*s/%s", (int)length, path, name) < (int)sizeof candidate &&
            access(candidate, X_OK) == 0 && realpath(candidate, out)) return 1;
        path += length + (path[length] == ':');
    }
    return 0;
}

/* /proc/self/exe, or argv[0] where /proc is missing (a bare chroot). */
static void find_program(const char *argv0)
{
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0) {
        program[length] = 0;
        return;
    }
    if (strchr(argv0, '/') ? realpath(argv0, program) != NULL : find_on_path(argv0, program)) return;
    snprintf(program, sizeof program, "%s", argv0);
}

static int holds_engine(const char *folder, const char *suffix)
{
    char probe[PATH_MAX];
    if (snprintf(root, sizeof root, "%s%s", folder, suffix) >= (int)sizeof root) return 0;
    return snprintf(probe, sizeof probe, "%s/lua/exeunt/core.lua", root) < (int)sizeof probe && access(probe, R_OK) == 0;
}

/* The project's root is the binary's folder, or above it for builds in build/...; an installed binary has
 * ../share/exeunt, or the prefix it was compiled for. */
const char *ex_vm_root(const char *argv0)
{
    char folder[PATH_MAX];
    if (*program) return root;              /* looked for already */
    find_program(argv0);
    snprintf(folder, sizeof folder, "%s", program);
    for (int level = 0; level < 3; level++) {
        char *slash = strrchr(folder, '/');
        if (!slash) break;
        *slash = 0;
        if (holds_engine(folder, "")) return root;
        if (level == 1 && holds_engine(folder, "/share/exeunt")) return root;
    }
    if (!holds_engine(EX_PREFIX, "/share/exeunt")) root[0] = 0;
    return root;
}

/* -- The module ------------------------------------------------------------------------------------ */

/* tty(fd): is this stream (0, 1, 2) a terminal? */
static int is_tty(lua_State *L)
{
    lua_pushboolean(L, isatty(luaL_checkint(L, 1)));
    return 1;
}

/* columns(fd): the width of a terminal, or nil. */
static int columns(lua_State *L)
{
    struct winsize size;
    if (ioctl(luaL_checkint(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 0;
    lua_pushinteger(L, size.ws_col);
    return 1;
}

/* rows(fd): the height of a terminal, or nil. */
static int rows(lua_State *L)
{
    struct winsize size;
    if (ioctl(luaL_checkint(L, 1), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return 0;
    lua_pushinteger(L, size.ws_row);
    return 1;
}

/* folder(): the current folder. */
static int current_folder(lua_State *L)
{
    char path[PATH_MAX];
    if (!getcwd(path, sizeof path)) return 0;
    lua_pushstring(L, path);
    return 1;
}

int ex_open_system(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "tty", is_tty }, { "columns", columns }, { "rows", rows }, { "folder", current_folder }, { NULL, NULL },
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushstring(L, program);
    lua_setfield(L, -2, "program");
    lua_pushstring(L, root);
    lua_setfield(L, -2, "root");
    lua_pushliteral(L, LUAJIT_VERSION);
    lua_setfield(L, -2, "luajit");
    return 1;
}
