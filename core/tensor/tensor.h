/* tensor.h: the inside of a tensor, for the rooms that compute on it. A tensor is a view (shape, strides, offset) of a
 * reference-counted storage. It does no arithmetic: that is the operators' room. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include "../exeunt.h"

typedef struct ex_storage {
    atomic_int references;
    size_t bytes;
    double version;                         /* grows with every write */
    void *data;
    size_t mapped;                          /* 0: of the engine's allocator; else bytes of a mapping, which goes with it */
    int shared;                             /* what is written to the mapping is seen by forked processes */
} ex_storage;

struct ex_tensor {
    ex_storage *storage;
    char *data;                             /* first element of this view */
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];
    ptrdiff_t stride[EX_MAX_DIMS];          /* in elements; 0 where broadcast */
};

size_t ex_dtype_size(int32_t dtype);        /* bytes */
const char *ex_dtype_name(int32_t dtype);   /* "float32" */
ex_tensor *ex_tensor_view(const ex_tensor *t);   /* the same view again, one more reference */
/* Takes over a mapping, which is unmapped with its last view, on failure too; gives a view () of its first byte. */
ex_tensor *ex_tensor_over_mapping(void *mapping, size_t bytes, int shared);
/* A dense view of another type and shape of t's storage, `offset` bytes from its start. Nothing is checked. */
ex_tensor *ex_tensor_part(const ex_tensor *t, size_t offset, int32_t dtype, int32_t ndim, const int32_t *dim);
int64_t ex_tensor_count(const ex_tensor *t);
int ex_tensor_dense(const ex_tensor *t);    /* row-major without gaps */
void ex_tensor_touch(ex_tensor *t);         /* its numbers were written: the version grows */
/* Writes "(64, 3, 28, 28)" (the batch as N) into out; returns out. For messages. */
char *ex_shape_text(char *out, size_t size, int32_t ndim, const int32_t *dim);

/* Copies between strided blocks of the same shape, converting the type: the one place that knows how. */
void ex_strided_copy(void *out, int32_t out_dtype, const ptrdiff_t *out_stride, const void *in, int32_t in_dtype,
                     const ptrdiff_t *in_stride, int32_t ndim, const int32_t *dim);

/* Writes one number as an element; refuses one that the type cannot hold (a fraction, NaN or 300 as uint8). */
ex_status ex_element_from(void *out, int32_t dtype, double value);
