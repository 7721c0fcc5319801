/* loop.h: how operators walk strided operands. Axes of one element vanish and axes that lie one in the other in every
 * operand become one, so dense operands that share any layout are a single flat run.
 *
 * Work is cut into parts of a fixed number of elements: a function of shape, never of the team. Partial results belong
 * to parts and are added in part order. It computes nothing itself. */
#pragma once
#include "op.h"

enum {
    EX_LOOP_OPERANDS = 8,
    EX_LOOP_PART = 1 << 15,                 /* elements of a part: 128 KiB of floats, smaller nodes stay on one thread */
    EX_LOOP_SUMS = 32                       /* the most parts of a reduction: bounds its scratch */
};

typedef struct ex_loop {
    int32_t operands, ndim;
    int64_t count;                          /* steps of the walk */
    int64_t dim[EX_MAX_DIMS];
    ptrdiff_t stride[EX_LOOP_OPERANDS][EX_MAX_DIMS];
    char *data[EX_LOOP_OPERANDS];
    size_t size[EX_LOOP_OPERANDS];          /* bytes of an element */
} ex_loop;

/* One run of n steps: step i of operand k is at data[k] + i * stride[k] (in elements). */
typedef void ex_loop_body(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n);
/* One run of n contiguous floats of every operand. */
typedef void ex_loop_row(void *context, float *const *data, int64_t n);

int64_t ex_operand_count(const ex_operand *o);
/* All elements of operand[0]'s shape; the others broadcast against it (aligned at the last axis). */
void ex_loop_over(ex_loop *l, int32_t operands, const ex_operand *const *operand);
/* The pixels of values (N, C, H, W) or (N, C): every axis but the channels. */
void ex_loop_over_pixels(ex_loop *l, int32_t operands, const ex_operand *const *operand);
/* Every axis but the last: the rows of a matrix. */
void ex_loop_over_rows(ex_loop *l, int32_t operands, const ex_operand *const *operand);
/* Steps [begin, end) of the walk, on this thread. */
void ex_loop_walk(const ex_loop *l, int64_t begin, int64_t end, int32_t part, ex_loop_body *body, void *context);
/* The whole walk in parts of `step` steps. */
void ex_loop_run(const ex_loop *l, ex_team *team, int64_t step, ex_loop_body *body, void *context);
/* The same parts from the last one to the first: after a pass over memory that does not fit the caches, its end is what
 * they still hold. */
void ex_loop_run_back(const ex_loop *l, ex_team *team, int64_t step, ex_loop_body *body, void *context);
/* The whole walk over float operands as contiguous rows: rows that are not contiguous go through a small copy. The
 * first `written` operands are read and written back, the others only read. */
void ex_loop_rows(const ex_loop *l, ex_team *team, int32_t written, ex_loop_row *row, void *context);
/* Steps [begin, end) of such a walk, on this thread. */
void ex_loop_rows_walk(const ex_loop *l, int64_t begin, int64_t end, int32_t written, ex_loop_row *row, void *context);
/* Steps per part of a reduction over `count` steps of `width` elements each: at most EX_LOOP_SUMS parts. */
int64_t ex_loop_sum_step(int64_t count, int64_t width);

/* n floats past the caches (kernels/vector.h: stream). */
void ex_stream_floats(float *out, const float *in, int64_t n);
/* Axes of operand o are renamed: out.dim[i] = o.dim[order[i]]. */
ex_operand ex_operand_permute(const ex_operand *o, const int32_t *order);
/* A dense row-major operand of the shape of `like`, at `data`. */
ex_operand ex_operand_dense(const ex_operand *like, void *data);
/* Copies between operands of one shape, any layouts and types, over the team. */
void ex_operand_copy(const ex_operand *out, const ex_operand *in, ex_team *team);
/* The one number of a scalar operand, or number i of a vector; float32 or int32. */
double ex_operand_number(const ex_operand *o, int64_t i);
