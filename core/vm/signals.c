/* signals.c: SIGINT and SIGTERM, as the module "exeunt.signals". Without install() they keep their default action.
 *
 *     signals.install(mode)   "step": the first signal is only noted, for a loop that asks requested() after each step, and
 *                             standard error says so
 *                             "now": the first signal also stops what runs: C before its next node, and interpreted
 *                             Lua through a hook that raises "interrupted" or "terminated" (compiled Lua does not
 *                             look at hooks)
 *     signals.requested()     "SIGINT", "SIGTERM" or nil
 *     signals.check()         raises "interrupted" or "terminated" if one was requested
 *     signals.reset()         forgets it: the next signal is a first one again
 *
 * A second signal before reset() ends the process at once with 130 or 143. */
#include <pthread.h>
#include <stdint.h>
#include <signal.h>
#include <unistd.h>
#include "../exeunt.h"
#include "vm.h"

typedef enum signal_mode { MODE_STEP, MODE_NOW } signal_mode;

static volatile sig_atomic_t pending, mode, at_prompt;
static lua_State *state;                    /* the main state: the hook belongs to all of its coroutines */
static pthread_t state_thread;

static const char *reason(void)
{
    return pending == SIGTERM ? "terminated" : "interrupted";
}

static void raise_interrupted(lua_State *L, lua_Debug *at)
{
    (void)at;
    lua_sethook(L, NULL, 0, 0);
    lua_pushstring(L, reason());            /* without luaL_error's position: it is not the code's fault */
    lua_error(L);
}

static void on_signal(int number)
{
    if (!pthread_equal(pthread_self(), state_thread)) {      /* the hook may only be set from the state's own thread */
        pthread_kill(state_thread, number);
        return;
    }
    if (pending && !at_prompt) _exit(128 + number);
    pending = number;
    if (at_prompt) return;
    if (mode == MODE_STEP) {
        static const char notice[] = "\nexeunt: stopping after this step; again to stop at once\n";
        ssize_t ignored = write(STDERR_FILENO, notice, sizeof notice - 1);
        (void)ignored;
        return;
    }
    ex_interrupt();
    lua_sethook(state, raise_interrupted, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

static void forget(lua_State *L)
{
    pending = 0;
    lua_sethook(L, NULL, 0, 0);
    ex_interrupt_clear();
}

void ex_vm_signals_attach(lua_State *L)
{
    state = L;
    state_thread = pthread_self();
}

void ex_vm_signals_detach(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

void ex_vm_prompt_enter(void)
{
    at_prompt = 1;
}

int ex_vm_prompt_leave(lua_State *L)
{
    int number = pending;
    forget(L);
    at_prompt = 0;
    return number;
}

int ex_vm_signal_pending(void)
{
    return pending;
}

const char *ex_vm_signal_name(int number)
{
    return number == SIGTERM ? "SIGTERM" : "SIGINT";
}

static int install(lua_State *L)
{
    static const char *const modes[] = { "step", "now", NULL };
    mode = luaL_checkoption(L, 1, NULL, modes);
    struct sigaction action = { .sa_handler = on_signal };   /* no SA_RESTART: a read at the prompt must return */
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return 0;
}

static int requested(lua_State *L)
{
    if (pending) lua_pushstring(L, ex_vm_signal_name(pending));
    else lua_pushnil(L);
    return 1;
}

static int check(lua_State *L)
{
    if (!pending) return 0;
    lua_pushstring(L, reason());
    return lua_error(L);
}

static int reset(lua_State *L)
{
    forget(L);
    return 0;
}

int ex_open_signals(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "install", install }, { "requested", requested }, { "check", check }, { "reset", reset }, { NULL, NULL },
    };
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
