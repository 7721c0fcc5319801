/* conv_checks.h: what every convolution kernel owes, as checks that fail by cmocka's assertions: the definition, epilogues,
 * packed filters, weight gradients in pieces, moments, bits. i: the number of the geometry, which also picks layouts and
 * options; team may be NULL. Include cmocka's headers before. */
#pragma once
#include "conv_problem.h"

/* The three directions, each number within what rounding costs its sum. */
void check_conv_definition(uint32_t i, ex_conv_shape s, ex_team *team);

/* y has the bits of a convolution with a bias, an addition and an activation, one after the other (curves: to rounding). */
void check_conv_epilogue(uint32_t i, ex_conv_shape s, ex_team *team);

/* A filter packed for another number of images gives the same bits, and is all that is read of it. */
void check_conv_packed(uint32_t i, ex_conv_direction d, ex_conv_shape s, ex_team *team);

/* The weight gradient of a batch in two sets of sums, the first of them in two pieces, with scratch exactly as asked for. */
void check_conv_pieces(uint32_t i, ex_conv_shape s, ex_team *team);

/* Moments of what was written, far from zero so that a sum of squares would show; the same bits for any team. */
void check_conv_moments(uint32_t i, ex_conv_shape s, ex_team *team);

/* The same bits of outputs and weight gradients for any team, and of any image in any batch. */
void check_conv_bits(uint32_t i, ex_conv_shape s);
