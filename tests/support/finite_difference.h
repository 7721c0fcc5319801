/* finite_difference.h: the gradient that an operator's rule builds against central differences of a naive double
 * reference. A builder of this file's own runs each node at once through op_run. Include cmocka's headers before. */
#pragma once
#include "op_run.h"

/* out[k] = the operator's outputs from in[i], all dense and row-major in double (integers too); c->n images. Inputs and
 * outputs have the shapes of the case, with n in the place of the batch. */
typedef void (*fd_reference)(const op_case *c, double *const *in, double *const *out);

/* Draws a weight for every float output (bit k of `silent`: output k has no gradient), and compares d sum(weight out) /
 * d in[i] for each input with bit i in `wanted`, up to `bound` relative to the largest. Also compares forward. */
void fd_check(const op_case *c, fd_reference reference, uint32_t wanted, uint32_t silent, double bound);
/* Asks the rule for the gradient and expects none for any input. */
void fd_check_stops(const op_case *c);
