/* lineedit.c: one line from a person at a terminal, through libedit, as the module "exeunt.line". It edits UTF-8, keeps a
 * history and asks Lua for completions; it knows nothing of what the lines mean and is of no use without a terminal.
 *
 *     line.read(prompt)       text; nil at the end of input (Ctrl-D); nil, "SIGINT" when Ctrl-C cleared the line,
 *                             nil, "SIGTERM"
 *     line.add(text)          into the history, unless it repeats the last entry
 *     line.load(file), line.save(file)     the history; false where the file cannot be read or written
 *     line.complete(f)        f(word) -> list of whole words that may stand for it */
#define _GNU_SOURCE                         /* ppoll */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <editline/readline.h>
#include <histedit.h>
#include "vm.h"

enum { HISTORY_LENGTH = 2000 };

static lua_State *state;                    /* who is reading: libedit's callbacks carry no context */
static int completer = LUA_NOREF;

/* -- Keys -------------------------------------------------------------------------------------------- */

/* One byte; -1 at the end of input, -2 when a signal came. Signals are let in only while it waits. */
static int read_byte(int fd)
{
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_BLOCK, &held, &before);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    int ready = 0;
    while (!ex_vm_signal_pending() && (ready = ppoll(&wait, 1, NULL, &before)) < 0 && errno == EINTR) {}
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (ex_vm_signal_pending()) return -2;
    unsigned char byte;
    return ready > 0 && read(fd, &byte, 1) == 1 ? byte : -1;
}

/* What libedit calls for a key: a code point, or -1. A signal reads as the end of the line. */
static int read_key(FILE *stream)
{
    mbstate_t shift;
    memset(&shift, 0, sizeof shift);
    for (;;) {
        int byte = read_byte(fileno(stream));
        if (byte == -2) {
            fputs("^C", stdout);
            fflush(stdout);
            return '\n';
        }
        if (byte < 0) return -1;
        wchar_t key;
        char piece = (char)byte;
        size_t used = mbrtowc(&key, &piece, 1, &shift);
        if (used == (size_t)-1) return '?';
        if (used != (size_t)-2) return byte == 0 ? 0 : (int)key;
    }
}

/* -- Completion --------------------------------------------------------------------------------------- */

/* The matches lie in the table at the top of the stack; libedit takes them one at a time. */
static char *next_match(const char *word, int again)
{
    static int index;
    (void)word;
    index = again ? index + 1 : 1;
    lua_rawgeti(state, -1, index);
    char *match = lua_isstring(state, -1) ? strdup(lua_tostring(state, -1)) : NULL;
    lua_pop(state, 1);
    return match;
}

static char **complete(const char *word, int start, int end)
{
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1;       /* no file names */
    rl_completion_append_character = 0;
    int top = lua_gettop(state);
    char **matches = NULL;
    lua_rawgeti(state, LUA_REGISTRYINDEX, completer);
    lua_pushstring(state, word);
    if (lua_pcall(state, 1, 1, 0) == 0 && lua_istable(state, -1)) matches = rl_completion_matches(word, next_match);
    lua_settop(state, top);
    return matches;
}

/* -- The module ------------------------------------------------------------------------------------- */

static void start(void)
{
    static int started;
    if (started) return;
    started = 1;
    rl_readline_name = "exeunt";
    rl_getc_function = read_key;
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " \t\n\"'`@$><=;|&{}()[]+-*/%^,#~";
    rl_initialize();
    using_history();
    stifle_history(HISTORY_LENGTH);
}

static int read_line(lua_State *L)
{
    const char *prompt = luaL_checkstring(L, 1);
    start();
    state = L;
    ex_vm_prompt_enter();
    char *text = readline(prompt);
    int signal_number = ex_vm_prompt_leave(L);
    if (signal_number) {
        free(text);
        lua_pushnil(L);
        lua_pushstring(L, ex_vm_signal_name(signal_number));
        return 2;
    }
    if (!text) {
        putchar('\n');
        return 0;
    }
    lua_pushstring(L, text);
    free(text);
    return 1;
}

static int add_entry(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    start();
    HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    if (*text && (!last || strcmp(last->line, text) != 0)) add_history(text);
    return 0;
}

static int load_history(lua_State *L)
{
    start();
    lua_pushboolean(L, read_history(luaL_checkstring(L, 1)) == 0);
    return 1;
}

static int save_history(lua_State *L)
{
    start();
    lua_pushboolean(L, write_history(luaL_checkstring(L, 1)) == 0);
    return 1;
}

static int set_completer(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    luaL_unref(L, LUA_REGISTRYINDEX, completer);
    lua_settop(L, 1);
    completer = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int ex_open_line(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "read", read_line }, { "add", add_entry }, { "load", load_history }, { "save", save_history },
        { "complete", set_completer }, { NULL, NULL },
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    lua_pushfstring(L, "%d.%d", LIBEDIT_MAJOR, LIBEDIT_MINOR);
    lua_setfield(L, -2, "version");
    return 1;
}
