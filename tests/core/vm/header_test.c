/* The border has one layout: LuaJIT's FFI, given the text of core/exeunt.h, puts every field of every struct where the C
 * compiler does. The Lua side finds structs and fields in the text itself, so a new one that LAYOUT lacks fails too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
#include "../../../core/exeunt.h"

typedef struct layout {
    const char *type, *field;               /* field NULL: offset is the size of the whole */
    size_t offset;
} layout;

#define W(s) { #s, NULL, sizeof(s) }
#define F(s, f) { #s, #f, offsetof(s, f) }

static const layout LAYOUT[] = {
    W(ex_tensor_info), F(ex_tensor_info, data), F(ex_tensor_info, dtype), F(ex_tensor_info, ndim), F(ex_tensor_info, dim),
    F(ex_tensor_info, dense), F(ex_tensor_info, stride), F(ex_tensor_info, count), F(ex_tensor_info, version),
    W(ex_attr), F(ex_attr, name), F(ex_attr, count), F(ex_attr, value),
    W(ex_value_info), F(ex_value_info, name), F(ex_value_info, kind), F(ex_value_info, dtype), F(ex_value_info, ndim),
    F(ex_value_info, dim), F(ex_value_info, node), F(ex_value_info, output), F(ex_value_info, trainable),
    W(ex_node_info), F(ex_node_info, name), F(ex_node_info, op), F(ex_node_info, inputs), F(ex_node_info, outputs),
    F(ex_node_info, attrs), F(ex_node_info, macs),
    W(ex_cost), F(ex_cost, parameters), F(ex_cost, macs), F(ex_cost, activation_bytes),
    W(ex_plan_options), F(ex_plan_options, batch), F(ex_plan_options, training), F(ex_plan_options, passes),
    W(ex_plan_node_info), F(ex_plan_node_info, name), F(ex_plan_node_info, op), F(ex_plan_node_info, kernel),
    F(ex_plan_node_info, macs), F(ex_plan_node_info, bytes), F(ex_plan_node_info, traffic),
    F(ex_plan_node_info, scratch), F(ex_plan_node_info, live), F(ex_plan_node_info, seconds), F(ex_plan_node_info, dtype), F(ex_plan_node_info, ndim), F(ex_plan_node_info, dim), F(ex_plan_node_info, commit),
    F(ex_plan_node_info, constant), F(ex_plan_node_info, chain), F(ex_plan_node_info, in_pieces), F(ex_plan_node_info, at_peak),
    W(ex_plan_info), F(ex_plan_info, nodes), F(ex_plan_info, batch), F(ex_plan_info, threads), F(ex_plan_info, arena_bytes),
    F(ex_plan_info, sum_bytes), F(ex_plan_info, macs), F(ex_plan_info, runs), F(ex_plan_info, peak_bytes), F(ex_plan_info, peak),
    W(ex_operand_info), F(ex_operand_info, data), F(ex_operand_info, dtype), F(ex_operand_info, ndim), F(ex_operand_info, dim),
    F(ex_operand_info, count),
    W(ex_pause), F(ex_pause, name), F(ex_pause, op), F(ex_pause, inputs), F(ex_pause, outputs), F(ex_pause, attrs),
    F(ex_pause, n), F(ex_pause, input), F(ex_pause, output), F(ex_pause, attr),
    W(ex_score), F(ex_score, top1), F(ex_score, top5),
    W(ex_images_options), F(ex_images_options, channels), F(ex_images_options, height), F(ex_images_options, width),
    F(ex_images_options, resize), F(ex_images_options, workers), F(ex_images_options, memory_bytes), F(ex_images_options, seconds),
    W(ex_images_progress), F(ex_images_progress, done), F(ex_images_progress, failed), F(ex_images_progress, total),
    W(ex_loader_options), F(ex_loader_options, batch), F(ex_loader_options, shift), F(ex_loader_options, flip),
    F(ex_loader_options, channels), F(ex_loader_options, mean), F(ex_loader_options, deviation),
};

/* compare(text, at) -> count of things compared, text of what differs; at(type[, field]) -> offset or nil */
static const char COMPARE[] =
    "local ffi, text, at = require 'ffi', ...\n"
    "ffi.cdef(text)\n"
    "local plain, compared, wrong = text:gsub('/%*.-%*/', ''), 0, {}\n"
    "local function compare(what, lua, c)\n"
    "  compared = compared + 1\n"
    "  if lua ~= c then wrong[#wrong + 1] = what .. ': ' .. tostring(lua) .. ' in Lua, ' .. tostring(c) .. ' in C' end\n"
    "end\n"
    "for name, body in plain:gmatch 'typedef struct ([%w_]+)%s*(%b{})' do\n"
    "  compare(name, ffi.sizeof(name), at(name))\n"
    "  for declaration in body:sub(2, -2):gmatch '[^;]+' do\n"
    "    for field in (declaration:gsub('%b[]', '') .. ','):gmatch '([%w_]+)%s*,' do\n"
    "      compare(name .. '.' .. field, ffi.offsetof(name, field), at(name, field))\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return compared, table.concat(wrong, '; ')\n";

static void *allocate(void *context, void *block, size_t old_size, size_t size)
{
    (void)context;
    (void)old_size;
    if (size) return realloc(block, size);
    free(block);
    return NULL;
}

static int layout_of(lua_State *L)
{
    const char *type = luaL_checkstring(L, 1), *field = luaL_optstring(L, 2, NULL);
    for (size_t i = 0; i < sizeof LAYOUT / sizeof *LAYOUT; i++) {
        const layout *l = &LAYOUT[i];
        if (strcmp(l->type, type) || (field ? !l->field || strcmp(l->field, field) : l->field != NULL)) continue;
        lua_pushnumber(L, (double)l->offset);
        return 1;
    }
    return 0;
}

static void push_file(lua_State *L, const char *path)
{
    luaL_loadstring(L, "local f = assert(io.open(..., 'r')) local text = f:read '*a' f:close() return text");
    lua_pushstring(L, path);
    if (lua_pcall(L, 1, 1, 0)) fail_msg("%s", lua_tostring(L, -1));
}

static void fields_lie_where_the_compiler_puts_them(void **unused)
{
    (void)unused;
    lua_State *L = lua_newstate(allocate, NULL);
    assert_non_null(L);
    luaL_openlibs(L);
    assert_int_equal(luaL_loadstring(L, COMPARE), 0);
    push_file(L, "core/exeunt.h");
    lua_pushcfunction(L, layout_of);
    if (lua_pcall(L, 2, 2, 0)) fail_msg("%s", lua_tostring(L, -1));
    assert_string_equal(lua_tostring(L, -1), "");
    assert_int_equal(lua_tointeger(L, -2), sizeof LAYOUT / sizeof *LAYOUT);
    lua_close(L);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fields_lie_where_the_compiler_puts_them) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
