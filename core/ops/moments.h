/* moments.h: means and sums of squared deviations of channels, gathered by the parts of a batch (ex_pieces) and then joined in
 * their order, in double (Chan, Golub, LeVeque 1983: Algorithms for computing the sample variance, eq. 2.1). Of each part
 * are kept how many numbers a channel had so far, C means and C sums of squared deviations from them. */
#pragma once
#include "op.h"

size_t ex_moments_bytes(int32_t channels, int32_t parts);
/* A piece's C means and C sums of squares, of `count` numbers a channel, into those of its part, which starts anew with c->more 0. */
void ex_moments_add(double *parts, const ex_call *c, int32_t channels, const double *piece, double count);
/* out[0..2] = mean, biased and unbiased variance of all parts; of one number a channel the unbiased one is 0. Writes over parts. */
void ex_moments_give(const ex_call *c, int32_t channels, double *parts, ex_operand *out);
