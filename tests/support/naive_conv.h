/* naive_conv.h: convolution by its definition, in double, over dense PyTorch layouts: x (N,Ci,H,W), w (Co,Ci/g,kH,kW),
 * y (N,Co,oH,oW). Slow and plain: the fast kernels are measured against it. */
#pragma once
#include "../../core/kernels/conv.h"

void naive_conv_forward(double *y, const double *x, const double *w, const double *bias, const ex_conv_shape *s);
void naive_conv_grad_input(double *dx, const double *dy, const double *w, const ex_conv_shape *s);
void naive_conv_grad_weight(double *dw, const double *x, const double *dy, const ex_conv_shape *s);
