/* gemm.h: matrix products. BLIS lives behind this header and nowhere else. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

/* A matrix in memory: element (i, j) is data[i*row + j*col]; any strides. */
typedef struct ex_matrix {
    float *data;
    ptrdiff_t row, col;
} ex_matrix;

/* c (m,n) = a (m,k) b (k,n). Cut into parts by shape; an element's bits do not depend on the team. */
void ex_gemm(ex_matrix c, ex_matrix a, ex_matrix b, int32_t m, int32_t n, int32_t k, ex_team *team);
