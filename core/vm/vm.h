/* vm.h: the room that holds the Lua state: its making, and the modules that C preloads into it. Nothing below this
 * room knows Lua. Everything a user sees of the program beyond these modules is Lua, under lua/exeunt. */
#pragma once
#include <stdint.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

/* A state with the standard libraries, package.path set to the engine's lua folder, Lua loaded as text only and the
 * modules below preloaded. NULL only when memory is out. */
lua_State *ex_vm_new(const char *argv0);

/* Where the program is installed (system.c): the folder that holds lua/, datasets/ and recipes/. "" when not found. */
const char *ex_vm_root(const char *argv0);

/* Openers of the preloaded modules, each in the file named. */
int ex_open_header(lua_State *L);           /* exeunt.header: the text of core/exeunt.h     header.c */
int ex_open_system(lua_State *L);           /* exeunt.system: terminals, places, versions   system.c */
int ex_open_yaml(lua_State *L);             /* exeunt.yaml: YAML text to Lua values          yaml.c */
