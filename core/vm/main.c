/* main.c: starts the Lua state and hands the arguments to lua/exeunt/cli, which is all of the command line. Only a
 * failure to get that far is reported from here. */
#include <locale.h>
#include <stdio.h>
#include "vm.h"

/* require("exeunt.cli")(arguments) -> exit code */
static int run_cli(lua_State *L)
{
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "exeunt.cli");
    lua_call(L, 1, 1);
    lua_createtable(L, argc, 0);
    for (int i = 1; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i);
    }
    lua_call(L, 1, 1);
    return 1;
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *name = argc > 0 ? argv[0] : "exeunt";
    lua_State *L = ex_vm_new(name);
    if (!L) {
        fputs("exeunt: out of memory\n", stderr);
        return 1;
    }
    int code = 1;
    if (!*ex_vm_root(name)) {
        fputs("exeunt: cannot find its lua folder, neither beside the program nor in share/exeunt\n", stderr);
    } else {
        lua_pushcfunction(L, run_cli);
        lua_pushinteger(L, argc);
        lua_pushlightuserdata(L, argv);
        if (lua_pcall(L, 2, 1, 0) == 0) code = (int)lua_tointeger(L, -1);
        else fprintf(stderr, "exeunt: %s\n", lua_tostring(L, -1));
    }
    ex_vm_close(L);
    return code;
}
