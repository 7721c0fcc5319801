/* header.c: carries the text of core/exeunt.h in the binary as the module "exeunt.header", so that what Lua declares is
 * what C was compiled with. The path is as seen from the project's root, where make runs the compiler. */
#include "vm.h"

__asm__(".section .rodata\n"
        "ex_header_text:\n"
        ".incbin \"core/exeunt.h\"\n"
        "ex_header_end:\n"
        ".byte 0\n"
        ".previous\n");

extern const char ex_header_text[] __attribute__((visibility("hidden")));
extern const char ex_header_end[] __attribute__((visibility("hidden")));

int ex_open_header(lua_State *L)
{
    lua_pushlstring(L, ex_header_text, (size_t)(ex_header_end - ex_header_text));
    return 1;
}
