/* safetensors.h: what the reader and the writer of the format share. */
#pragma once
#include "../exeunt.h"

#define EX_SAFETENSORS_METADATA "__metadata__"
#define EX_SAFETENSORS_HEADER_MAX 100000000  /* bytes: the format's own limit */

const char *ex_safetensors_dtype(int32_t dtype);   /* "F32" */

typedef struct ex_safetensors_place {       /* a tensor in an open file, checked */
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];
    int64_t begin, end;                     /* bytes from the start of the file */
} ex_safetensors_place;

ex_safetensors_place ex_safetensors_where(const ex_safetensors *f, int32_t i);   /* i: one of its tensors */
int ex_safetensors_descriptor(const ex_safetensors *f);                          /* open for reading; it stays f's */
