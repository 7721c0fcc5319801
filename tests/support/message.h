/* message.h: the engine's last message, checked. Include after cmocka.h. */
#pragma once
#include <string.h>
#include "../../core/exeunt.h"

#define assert_message(part) do { \
    if (!strstr(ex_error_message(), part)) fail_msg("message: %s\nexpected in it: %s", ex_error_message(), part); \
} while (0)
