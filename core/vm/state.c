/* state.c: makes the Lua state. Memory comes from plain realloc, which the sanitizers can see. Lua source is loaded as
 * text only: load, loadfile, dofile and require refuse bytecode, which LuaJIT does not verify. os.exit closes the state,
 * so that every finaliser runs. EXEUNT_JIT=off switches the compiler off, for tests. */
#include <stdlib.h>
#include <string.h>
#include <luajit.h>
#include "vm.h"

static void *allocate(void *context, void *block, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    if (size == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size);
}

/* load(chunk, name, mode, env) and loadfile(name, mode, env) with mode "t", whatever was asked for. */
static int call_as_text(lua_State *L, int mode)
{
    lua_settop(L, mode + 1);
    lua_pushliteral(L, "t");
    lua_replace(L, mode);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, mode + 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int text_load(lua_State *L)
{
    return call_as_text(L, 3);
}

static int text_loadfile(lua_State *L)
{
    return call_as_text(L, 2);
}

static int text_dofile(lua_State *L)
{
    lua_settop(L, 1);
    if (luaL_loadfilex(L, luaL_optstring(L, 1, NULL), "t")) return lua_error(L);
    lua_call(L, 0, LUA_MULTRET);
    return lua_gettop(L) - 1;
}

/* package.loaders[2]: package.searchpath(name, package.path), then the file as text. */
static int text_searcher(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchpath");
    lua_pushvalue(L, 1);
    lua_getfield(L, -3, "path");
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2)) return 1;         /* the list of files that were tried */
    const char *file = lua_tostring(L, -2);
    if (luaL_loadfilex(L, file, "t"))
        return luaL_error(L, "cannot load module %s: %s", name, lua_tostring(L, -1));
    return 1;
}

static int closing_exit(lua_State *L)
{
    int code = lua_isboolean(L, 1) ? (lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE) : luaL_optint(L, 1, 0);
    ex_vm_close(L);
    exit(code);
}

static void wrap_global(lua_State *L, const char *name, lua_CFunction wrapper)
{
    lua_getglobal(L, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setglobal(L, name);
}

static void load_text_only(lua_State *L)
{
    wrap_global(L, "load", text_load);
    wrap_global(L, "loadstring", text_load);
    wrap_global(L, "loadfile", text_loadfile);
    lua_pushcfunction(L, text_dofile);
    lua_setglobal(L, "dofile");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    lua_pushcfunction(L, text_searcher);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, closing_exit);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}

static void preload(lua_State *L)
{
    static const luaL_Reg modules[] = {
        { "exeunt.header", ex_open_header },
        { "exeunt.system", ex_open_system },
        { "exeunt.yaml", ex_open_yaml },
        { "exeunt.signals", ex_open_signals },
        { "exeunt.line", ex_open_line },
        { NULL, NULL },
    };
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    luaL_register(L, NULL, modules);
    lua_pop(L, 2);
}

/* Puts the engine's own lua folder before the default paths, which find Debian's cjson, argparse, inspect, luaunit. */
static void set_path(lua_State *L, const char *root)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua;%s", root, root, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

lua_State *ex_vm_new(const char *argv0)
{
    lua_State *L = lua_newstate(allocate, NULL);
    if (!L) return NULL;
    luaL_openlibs(L);
    const char *jit = getenv("EXEUNT_JIT");
    if (jit && strcmp(jit, "off") == 0) luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    load_text_only(L);
    preload(L);
    set_path(L, ex_vm_root(argv0));
    ex_vm_signals_attach(L);
    return L;
}

void ex_vm_close(lua_State *L)
{
    ex_vm_signals_detach();
    lua_close(L);
}
