/* error.h: how a failure travels. A function that fails writes one line for this thread and returns a status;
 * callers add where they stand with ex_error_at. Nothing here prints or exits. */
#pragma once
#include <stdint.h>
#include "../exeunt.h"

#define EX_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Sets this thread's message ("what: got X, expected Y") and returns EX_FAILED. */
ex_status ex_fail(const char *format, ...) EX_PRINTF(1, 2);
/* The same with another status. */
ex_status ex_fail_as(ex_status status, const char *format, ...) EX_PRINTF(2, 3);
/* Puts "where: " before the present message: ex_error_at("layer2.0.conv1: conv2d"). Returns EX_FAILED. */
ex_status ex_error_at(const char *format, ...) EX_PRINTF(1, 2);
