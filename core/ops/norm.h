/* norm.h: what the files of batch normalisation share: checks of their inputs and numbers per channel. */
#pragma once
#include <math.h>
#include "loop.h"
#include "../kernels/norm.h"

/* What an operator's act applies after the norm. */
enum { EX_ACT_NONE, EX_ACT_RELU, EX_ACT_RELU6, EX_ACT_SILU, EX_ACT_HARD_SWISH, EX_ACT_COUNT };
ex_status ex_expect_norm_act(double act);
/* The act's limits or curve. */
void ex_norm_set_act(ex_norm_numbers *n, double act);

/* in[0] is a value with channels; inputs first..last-1 are one number per channel. what[i] names input i. */
ex_status ex_expect_norm_inputs(const ex_signature *s, int32_t first, int32_t last, const char *const *what);
/* (C), float32 */
ex_shape ex_per_channel(int32_t channels);

static inline void ex_operand_set(const ex_operand *o, int64_t c, double value) { ((float *)o->data)[c * o->stride[0]] = (float)value; }
static inline double ex_norm_inverse(const ex_operand *var, int64_t c, double eps) { return 1.0 / sqrt(ex_operand_number(var, c) + eps); }
static inline size_t ex_round_up(size_t bytes) { return (bytes + 63) & ~(size_t)63; }
