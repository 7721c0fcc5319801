/* error.h: how a failure travels. A function that fails writes one line for this thread and returns a status;
 * callers add where they stand with ex_error_at. Nothing here prints or exits. */
#pragma once
#include <stdint.h>
#include "../exeunt.h"

#define EX_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Sets this thread's message ("what: got X, expected Y") and returns the status. */
ex_status ex_fail_as(ex_status status, const char *format, ...) EX_PRINTF(2, 3);
/* The same with EX_FAILED, which stands here and not in error.c so that compilers and analysers see that what follows a
 * failed call is never reached with its results unset. */
#define ex_fail(...) ex_failed(ex_fail_as(EX_FAILED, __VA_ARGS__))
static inline ex_status ex_failed(ex_status status) { (void)status; return EX_FAILED; }
/* Puts "where: " before the present message: ex_error_at("layer2.0.conv1: conv2d"). Returns EX_FAILED. */
ex_status ex_error_at(const char *format, ...) EX_PRINTF(1, 2);
