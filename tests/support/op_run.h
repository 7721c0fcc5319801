/* op_run.h: one operator by itself: infer and forward on given arrays, in any memory layout, with a given team and
 * instruction set. Arrays are dense and row-major in the logical order; the layout is that of the operands inside. What
 * lies between the elements of a strided operand must stay as it was, or the run fails. Include cmocka's headers before.
 *
 *     op_array *x = op_random(7, -1, 1, OP_SHAPE(EX_BATCH, 3, 4, 4), 2);        2 images
 *     op_case c = { .op = "relu", .inputs = 1, .in = { x }, .n = 2 };
 *     op_array *y[EX_MAX_OUT]; op_run(&c, y); ... op_free(y[0]); op_free(x);
 */
#pragma once
#include <stdint.h>
#include "../../core/ops/op.h"

typedef enum op_layout {
    OP_NATURAL,                             /* as in plans: channels-last images, kH,kW,in,out weights, else row-major */
    OP_ROW_MAJOR,
    OP_GAPS,                                /* natural, with gaps between rows, pixels, images */
    OP_SPREAD,                              /* natural, two floats between neighbours */
    OP_LAYOUT_COUNT
} op_layout;

typedef struct op_array {
    ex_shape shape;                         /* dim[0] is EX_BATCH where it is batched */
    int32_t n;                              /* of the batch; 1 otherwise */
    int64_t count;
    union { float *f; int32_t *i; uint8_t *u; void *data; };
} op_array;

typedef struct op_case {
    const char *op;
    int32_t inputs, attrs, n;               /* n: images in this run */
    op_array *in[40];
    ex_attr attr[EX_MAX_ATTRS];
    int32_t batch;                          /* the largest; 0: n */
    op_layout layout;
    const char *isa;                        /* NULL: as it is */
    ex_team *team;
    uint64_t seed;
    uint32_t step;
    int32_t shares;                         /* i + 1: out[0] is the same memory as in[i] */
} op_case;

#define OP_SHAPE(...) (ex_shape){ EX_FLOAT32, sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t), { __VA_ARGS__ } }
#define OP_LABELS(...) (ex_shape){ EX_INT32, sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t), { __VA_ARGS__ } }
#define OP_SCALAR (ex_shape){ EX_FLOAT32, 0, { 0 } }
#define OP_ATTR(name, ...) { name, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), { __VA_ARGS__ } }

op_array *op_zeros(ex_shape shape, int32_t n);
op_array *op_floats(const float *values, ex_shape shape, int32_t n);
op_array *op_ints(const int32_t *values, ex_shape shape, int32_t n);
op_array *op_random(uint32_t seed, float low, float high, ex_shape shape, int32_t n);
op_array *op_random_labels(uint32_t seed, int32_t classes, ex_shape shape, int32_t n);
op_array *op_clone(const op_array *a);
void op_free(op_array *a);
void op_free_inputs(op_case *c);

/* Orders attributes and infers; the message is that of the rule alone. */
ex_status op_infer(const op_case *c, ex_shape *out);
/* Infers and runs; fills out with new arrays. Inputs that are state are written back. Fails the test if it cannot. */
void op_run(const op_case *c, op_array **out);
/* The same for an operator with one output. */
op_array *op_run1(const op_case *c);

/* What op_run has of a case: for tests that call rules. */
typedef struct op_ready {
    const ex_op *op;
    ex_shape in[40], out[EX_MAX_OUT];
    ex_numbers attr[EX_MAX_ATTRS];
    int32_t attr_count[EX_MAX_ATTRS];
    ex_signature signature;
} op_ready;
ex_status op_prepare(const op_case *c, op_ready *r);

/* -- Checks ------------------------------------------------------------------------------------------------------- */

void op_assert_floats(const op_array *a, const float *expected, int32_t count, float bound);   /* absolute */
void op_assert_near(const op_array *a, const double *expected, double bound);      /* |a - e| <= bound max(1, max|e|) */
void op_assert_same_bits(const op_array *a, const op_array *b);
void op_assert_refused(const op_case *c, const char *part);                        /* infer fails, the message holds `part` */
/* Runs the case in every layout and instruction set and compares each output with the first run, up to `bound` relative
 * to its largest number; then with teams of 1, 2 and 3, which must give the same bits. */
void op_assert_everywhere(op_case *c, double bound);
/* Every instruction set that this CPU runs: for (int32_t i = 0; (isa = op_isa(i)); i++) */
const char *op_isa(int32_t i);
