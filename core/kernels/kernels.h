/* kernels.h: the tables of inner loops, one per instruction set, and which one is in use. Each source in kernels/isa/
 * fills the table that its own header declares. */
#pragma once
#include "conv.h"
#include "norm.h"
#include "pool.h"
#include "vector.h"

typedef struct ex_kernels {
    const ex_conv_kernels *conv;            /* convolution: conv.h */
    const ex_vector_kernels *vector;        /* what is bound by memory: vector.h */
    const ex_pool_kernels *pool;            /* pooling: pool.h */
    const ex_norm_kernels *norm;            /* normalisation and what follows it: norm.h */
} ex_kernels;

const ex_kernels *ex_kernels_current(void); /* follows ex_isa_current() */
