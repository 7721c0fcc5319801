/* conv_isa.h: what the convolution sources of one instruction set call of each other. */
#pragma once
#include "../conv.h"
#include "../simd.h"

/* conv_pixel.c: one image of one pixel, w.in == 1 */
void EX_SUFFIXED(ex_conv_pixel)(float *y, const float *x, ex_conv_filter w, const ex_conv_epilogue *e, const ex_conv_shape *s, ex_team *team);

/* conv_few.c: few input channels; fits: those of a kernel row are at most two vectors; cost: multiplications of vectors for a row of
 * dx, a kernel row and an output channel */
int EX_SUFFIXED(ex_conv_few_fits)(const ex_conv_shape *s);
double EX_SUFFIXED(ex_conv_few_cost)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_conv_few_scratch)(const ex_conv_shape *s, int32_t threads);
size_t EX_SUFFIXED(ex_conv_few_packed_bytes)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_few_pack)(float *packed, ex_conv_filter w, const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_few_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team, void *scratch);

/* conv_weight.c */
size_t EX_SUFFIXED(ex_conv_weight_scratch)(const ex_conv_shape *s, int32_t threads);
void EX_SUFFIXED(ex_conv_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s,
                                 ex_team *team, void *scratch);
size_t EX_SUFFIXED(ex_conv_weight_sums_floats)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_conv_weight_sums_scratch)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_weight_add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch);
void EX_SUFFIXED(ex_conv_weight_join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team);

/* conv_weight_wide.c: sums of `shares` shares of the images, each [kh][kw][ci][co], where it pays; scratch is beside the sums */
int EX_SUFFIXED(ex_conv_weight_wide_fits)(const ex_conv_shape *s);     /* for some number of images */
int EX_SUFFIXED(ex_conv_weight_wide_pays)(const ex_conv_shape *s);
int32_t EX_SUFFIXED(ex_conv_weight_wide_shares)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_conv_weight_wide_scratch)(const ex_conv_shape *s, int32_t threads);
void EX_SUFFIXED(ex_conv_weight_wide)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team, void *scratch);

/* conv_depthwise.c: groups == ci == co */
size_t EX_SUFFIXED(ex_conv_depthwise_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads);
size_t EX_SUFFIXED(ex_conv_depthwise_packed_bytes)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_depthwise_pack)(float *packed, ex_conv_filter w, const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_conv_depthwise_moments_scratch)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_depthwise_forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const ex_conv_epilogue *e,
                                            const ex_conv_shape *s, ex_team *team, void *scratch);
void EX_SUFFIXED(ex_conv_depthwise_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w,
                                               const ex_conv_shape *s, ex_team *team, void *scratch);

/* conv_depthwise_weight.c */
size_t EX_SUFFIXED(ex_conv_depthwise_weight_scratch)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_depthwise_grad_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy,
                                                const ex_conv_shape *s, ex_team *team, void *scratch);
size_t EX_SUFFIXED(ex_conv_depthwise_sums_floats)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_conv_depthwise_sums_scratch)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_conv_depthwise_add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch);
void EX_SUFFIXED(ex_conv_depthwise_join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team);

/* winograd.c, winograd_weight.c: what ex_conv_winograd_fits */
int EX_SUFFIXED(ex_winograd_pays)(ex_conv_direction direction, const ex_conv_shape *s, int packed);
int EX_SUFFIXED(ex_winograd_lean_pays)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_winograd_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads);
size_t EX_SUFFIXED(ex_winograd_moments_scratch)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_winograd_packed_bytes)(ex_conv_direction direction, const ex_conv_shape *s);
void EX_SUFFIXED(ex_winograd_pack)(float *packed, ex_conv_direction direction, ex_conv_filter w, const ex_conv_shape *s, ex_team *team);
void EX_SUFFIXED(ex_winograd_forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const ex_conv_epilogue *e,
                                      const ex_conv_shape *s, ex_team *team, void *scratch);
void EX_SUFFIXED(ex_winograd_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s,
                                         ex_team *team, void *scratch);
size_t EX_SUFFIXED(ex_winograd_weight_scratch)(const ex_conv_shape *s, int32_t threads);
void EX_SUFFIXED(ex_winograd_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team,
                                     void *scratch);
size_t EX_SUFFIXED(ex_winograd_weight_sums_floats)(const ex_conv_shape *s);
size_t EX_SUFFIXED(ex_winograd_weight_sums_scratch)(const ex_conv_shape *s);
void EX_SUFFIXED(ex_winograd_weight_add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch);
void EX_SUFFIXED(ex_winograd_weight_join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team);
