/* vector.c: see vector.h. */
#include "../simd.h"
#include "../vector.h"

#define EX_TEXT_(x) #x
#define EX_TEXT(x) EX_TEXT_(x)

const ex_vector_kernels EX_SUFFIXED(ex_vector_kernels) = { .name = EX_TEXT(EX_ISA_SUFFIX) };
