/* conv_problem.h: what the tests of convolution kernels share: geometries, operands with gaps that nobody may touch, one
 * direction solved by the kernels of the chosen instruction set or by the definition, and how far apart they are. Include
 * cmocka's headers before. */
#pragma once
#include <stdint.h>
#include <stddef.h>
#include "../../core/base/team.h"
#include "../../core/kernels/kernels.h"

/* -- Geometries ------------------------------------------------------------------------------------------- */

#define SQUARE(N, CI, H, CO, K, S, P, D, G) \
    { .n = (N), .ci = (CI), .h = (H), .w = (H), .co = (CO), .kh = (K), .kw = (K), .groups = (G), .stride = { S, S }, .padding = { P, P }, \
      .dilation = { D, D } }

/* With the outputs' height and width. */
ex_conv_shape conv_finish(ex_conv_shape s);

/* Whether the kernel fits into the padded image. */
int conv_valid(const ex_conv_shape *s);

/* The k-th number of geometry i, from low to high. */
int32_t conv_draw(uint32_t i, uint32_t k, int32_t low, int32_t high);

/* Says which geometry failed, and by how much. */
void conv_describe(const char *what, uint32_t i, const ex_conv_shape *s, double error);

/* -- Operands --------------------------------------------------------------------------------------------- */

/* A tensor of doubles that floats hold exactly, and its images or filter as the kernels see them: with gaps in `gap`. */
typedef struct block { double *exact; float *fast; size_t size; } block;

/* One convolution with random operands: x (N,Ci,H,W), w (Co,Ci/g,kH,kW), y (N,Co,oH,oW), bias (Co). */
typedef struct problem {
    ex_conv_shape s;
    block x, w, y, bias;
    ex_conv_image xi, yi;
    ex_conv_filter wf;
    float *b;
    int32_t gap;
} problem;

block block_make(size_t n, uint32_t stream);
void block_drop(block *b);
/* Channels-last with `gap` floats after each pixel, row and image, filled with NaN: nobody may read or write them. */
ex_conv_image block_image(block *b, int32_t n, int32_t c, int32_t h, int32_t w, int32_t gap);
ex_conv_filter block_filter(block *b, const ex_conv_shape *s, int pytorch);

/* gap: floats after each pixel, row and image; pytorch: the filter lies as PyTorch's. */
problem problem_pose(const ex_conv_shape *s, int32_t gap, int pytorch);
void problem_dispose(problem *p);

/* Element (n, h, w, c). */
float *pixel_at(ex_conv_image v, int32_t n, int32_t h, int32_t w, int32_t c);

#define EACH_NUMBER(s) for (int32_t n = 0; n < (s).n; n++) for (int32_t h = 0; h < (s).oh; h++) for (int32_t w = 0; w < (s).ow; w++) \
    for (int32_t c = 0; c < (s).co; c++)

/* -- Solving and comparing -------------------------------------------------------------------------------- */

/* Runs one direction into what p holds (y, x or w), with scratch that is exactly as large as was asked for. */
void problem_solve_with(problem *p, ex_conv_direction d, ex_team *team, const ex_conv_epilogue *e);

void problem_solve(problem *p, ex_conv_direction d, ex_team *team, int bias);

/* What the definition makes of p, in p's own doubles; and how far the kernels are from it, as a share of the largest number. */
void problem_define(problem *p, ex_conv_direction d, int bias);

/* The largest error; writes into the gaps count as infinite. */
double conv_image_worst(const block *want, ex_conv_image got, int32_t n, int32_t c, int32_t h, int32_t w);
/* The same as a share of the terms in a sum, of which rounding costs a little each. */
double conv_image_error(const block *want, ex_conv_image got, int32_t n, int32_t c, int32_t h, int32_t w, double terms);
double conv_filter_worst(const block *want, ex_conv_filter got, const ex_conv_shape *s);
double conv_filter_error(const block *want, ex_conv_filter got, const ex_conv_shape *s, double terms);
double problem_error(const problem *p, ex_conv_direction d);
double block_largest(const block *b);
uint32_t float_bits(float x);

/* Rounding costs a sum of t terms less than this times t + 8. */
#define ROUNDING 1.2e-7

/* -- Instruction sets and teams ------------------------------------------------------------------------------ */

extern ex_team *conv_pair, *conv_three;     /* of two and three threads, between conv_teams_make and _free */
void conv_teams_make(void);
void conv_teams_free(void);

enum { ISA_NAMES = 3 };
extern const char *const isa_names[ISA_NAMES];

/* Chooses a set; 0 where this CPU has none such. */
int isa_use(const char *isa);

/* check() under each set that there is. */
void isa_each(void (*check)(void));
