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

void ex_vm_close(lua_State *L);

/* Where the program is installed (system.c): the folder that holds lua/, datasets/ and recipes/. "" when not found. */
const char *ex_vm_root(const char *argv0);

/* Signals (signals.c). At the prompt a signal only makes the reading of a line end; leaving gives its number or 0. */
void ex_vm_signals_attach(lua_State *L);
void ex_vm_signals_detach(void);
void ex_vm_prompt_enter(void);
int ex_vm_prompt_leave(lua_State *L);
int ex_vm_signal_pending(void);
const char *ex_vm_signal_name(int number);

/* Openers of the preloaded modules, each in the file named. */
int ex_open_header(lua_State *L);           /* exeunt.header: the text of core/exeunt.h     header.c */
int ex_open_system(lua_State *L);           /* exeunt.system: terminals, places, versions   system.c */
int ex_open_yaml(lua_State *L);             /* exeunt.yaml: YAML text to Lua values          yaml.c */
int ex_open_signals(lua_State *L);          /* exeunt.signals: SIGINT and SIGTERM           signals.c */
int ex_open_line(lua_State *L);             /* exeunt.line: a line from a terminal          lineedit.c */
