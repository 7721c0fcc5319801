/* conv.c: see conv.h. */
#include "../simd.h"
#include "../conv.h"

#define EX_TEXT_(x) #x
#define EX_TEXT(x) EX_TEXT_(x)

const ex_conv_kernels EX_SUFFIXED(ex_conv_kernels) = { .name = EX_TEXT(EX_ISA_SUFFIX) };
