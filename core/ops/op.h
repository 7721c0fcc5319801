/* op.h: what an operator is. It knows no graph: it infers shapes, computes on operands, builds its gradient through a
 * small builder interface, and counts its cost. One file per operator family exports a NULL-terminated list; table.c
 * names the families. To add an operator: one struct in its family's file, and its mirrored test. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

enum { EX_MAX_IN = 16, EX_MAX_OUT = 16, EX_MAX_ATTRS = 12 };   /* n-ary operators take more inputs: see EX_OP_NARY */

/* The type of a value: dim[0] may be EX_BATCH. */
typedef struct ex_shape {
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];
} ex_shape;

/* A value as a kernel sees it in one run: dim[0] is n where the value is batched. Strides in elements, no density
 * assumed; a batched 4-D value is channels-last (stride[1] == 1), parameters have their tensor's strides, all else is
 * dense row-major. */
typedef struct ex_operand {
    void *data;
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];
    ptrdiff_t stride[EX_MAX_DIMS];
} ex_operand;

typedef double ex_numbers[EX_MAX_ATTR];

/* One attribute that an operator knows: count numbers at most, `required` or with defaults. A single number given for
 * an attribute of count 2 stands for both (as kernel_size=3 does in PyTorch). */
typedef struct ex_attr_spec {
    const char *name;
    int32_t count;
    int32_t required;
    double value[EX_MAX_ATTR];
    int32_t variable;                       /* 1: any number of values up to count is allowed (a shape, a list of axes) */
} ex_attr_spec;

/* What shape rules, cost and scratch see. attr[i] are the numbers of the operator's i-th attr_spec, attr_count[i] how many. */
typedef struct ex_signature {
    int32_t inputs, outputs;
    const ex_shape *in;
    ex_shape *out;                          /* the shape rule fills it */
    const ex_numbers *attr;
    const int32_t *attr_count;
} ex_signature;

/* Attributes of a call are found by index; name them with an enum beside the spec list.
 * What forward gets. Scratch is private to this call; nothing may be allocated. */
typedef struct ex_call {
    const char *name;                       /* of the node */
    int32_t inputs, outputs, n;             /* n: images in this run */
    const ex_operand *in;
    ex_operand *out;
    const ex_numbers *attr;
    const int32_t *attr_count;
    ex_team *team;
    void *scratch;                          /* 64-byte aligned */
    uint64_t seed;
    uint32_t step;
    void *shared;                           /* in pieces (ex_pieces), 64-byte aligned */
    int32_t parts, part, more;              /* of the run; this piece's; 1: it is not the part's first one */
} ex_call;

/* How an operator runs where a plan takes a batch a few images at a time through several nodes (graph/chain.c): in `parts`
 * parts, fixed by the shape, each a range of images that goes by in pieces, in order, on one thread. Sums over images belong
 * to parts and are added in their order, so that bits do not depend on threads. */
enum { EX_PART_IMAGES = 4 };                /* of a part with sums over images, at least */

/* Whether a filter of so many bytes is better read once for a whole batch than once a piece: it does not stay in a core's L2 cache,
 * and is more than the images of a part, of `image` bytes each, read and written. */
static inline int ex_filter_is_large(double filter, double image) { return filter > (1 << 20) && filter > EX_PART_IMAGES * image; }

typedef struct ex_pieces {
    size_t (*shared)(const ex_signature *s, int32_t parts);     /* bytes that all pieces share; SIZE_MAX: this shape has no such form */
    size_t (*scratch)(const ex_signature *s, int32_t images);   /* bytes, of a piece of so many images; NULL: 0 */
    void (*begin)(const ex_call *call);     /* before the first piece, whole operands, whose images may not be there yet; NULL: nothing */
    void (*piece)(const ex_call *call);     /* n images, operands that hold them alone, no team */
    void (*end)(const ex_call *call);       /* after the last piece: makes the outputs that are not images; NULL: there are none */
} ex_pieces;

/* How a gradient rule appends nodes. Values are indices. Implemented by the graph. `node` names the new node itself
 * from the operator and the node it belongs to. Optional inputs are left off at the end. */
typedef struct ex_builder ex_builder;
struct ex_builder {
    ex_status (*node)(ex_builder *b, const char *op, int32_t inputs, const int32_t *input, int32_t attrs,
                      const ex_attr *attr, int32_t *output);      /* output: room for the operator's outputs */
    const ex_shape *(*shape)(ex_builder *b, int32_t value);
};

/* The node whose rule is asked for, as value indices. */
typedef struct ex_node_ref {
    const char *name, *op;
    int32_t inputs, outputs;
    const int32_t *in, *out;
    const ex_numbers *attr;
    const int32_t *attr_count;
    const char *const *in_name;             /* names of the input values ("bn1.running_mean") */
} ex_node_ref;

typedef enum ex_op_flag {
    EX_OP_RANDOM = 1,                       /* draws numbers: never merged with its like */
    EX_OP_NARY = 2,                         /* any number of inputs from min_inputs on */
    EX_OP_LUA = 4,                          /* written in Lua */
    EX_OP_ELEMENTWISE = 8,                  /* out[0] has the strides of in[0] (used by Lua operators) */
    EX_OP_STOPS = 16,                       /* no gradient flows through it (stop_gradient, comparisons, counts) */
    EX_OP_VIEW = 32,                        /* out[0] holds in[0]'s numbers in the same logical order (reshape, flatten, identities):
                                               a plan makes it an alias where the memory order allows */
    EX_OP_BY_IMAGE = 64,                    /* each image's outputs follow from its inputs alone, with the same bits in any batch, and
                                               scratch is for images: forward serves for pieces too */
    EX_OP_SOLID = 128                       /* its sums follow the runs of memory: a plan gives it operands without gaps, so that bits
                                               do not depend on where values lie */
} ex_op_flag;

/* How a plan uses its nodes. Numbers depend on `batch` alone. */
typedef struct ex_usage {
    int32_t batch, most;                    /* images to be fast for; at most in a run */
    int packed, far;                        /* weights are packed once for many runs; and are in no cache when their turn comes */
} ex_usage;

typedef struct ex_op {
    const char *name, *about;               /* about: one line of help */
    int32_t min_inputs, max_inputs, outputs;
    const ex_attr_spec *attr;               /* ends with a NULL name; NULL: none */
    uint32_t flags;
    uint32_t writes;                        /* bit i: input i is state that forward writes (optimiser, running stats);
                                               such a node has no outputs and runs in the commit group */
    int32_t period;                         /* n-ary: from input min_inputs - period on, inputs come in groups of so many that
                                               are alike (`writes` shows the first one); 0: no groups */
    uint32_t in_place;                      /* bit i: out[0] may share in[i]'s memory if that value dies here and
                                               its shape is the same */
    /* Shapes of out from in and attr; a failure is "input has 32 channels, weight expects 64": the caller adds where. */
    ex_status (*infer)(const ex_signature *s);
    void (*forward)(const ex_call *call);
    /* dout[k] is the gradient towards output k or EX_NONE; fill din[i] (EX_NONE on entry) where wanted[i]. NULL: none. */
    ex_status (*gradient)(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din);
    /* The form that a training graph has instead of this node (batch norm, dropout): fill out[]. `trains[i]`: input i
     * is a trainable parameter. Leave out[0] EX_NONE to keep the node as it is. NULL: the node itself. */
    ex_status (*training)(ex_builder *b, const ex_node_ref *node, const int32_t *trains, int32_t *out);
    double (*macs)(const ex_signature *s);  /* of one image; NULL: 0. dim[0] == EX_BATCH counts as 1 */
    size_t (*scratch)(const ex_signature *s, int32_t batch, int32_t threads);  /* bytes; NULL: 0 */
    /* The attribute which, set to *value, lets this node run faster with more rounding; EX_NONE where nothing pays. A plan sets
     * it (the pass "winograd"); NULL: none. */
    int32_t (*faster)(const ex_signature *s, const ex_usage *u, double *value);
    const ex_pieces *pieces;                /* NULL: not in pieces, unless EX_OP_BY_IMAGE */
    const char *(*kernel)(const ex_signature *s);   /* what will run, in a word, for `exeunt plan` (of inputs past EX_MAX_IN
                                               it sees nothing); NULL: "simple" */
} ex_op;

/* The table (table.c). */
const ex_op *ex_op_find(const char *name);  /* NULL and a message with the nearest name */
const ex_op *ex_op_at(int32_t i);

/* Families. */
extern const ex_op *const ex_ops_conv[], *const ex_ops_linear[], *const ex_ops_norm[], *const ex_ops_norm_act[],
    *const ex_ops_affine[], *const ex_ops_pool[], *const ex_ops_pool_adaptive[], *const ex_ops_activation[],
    *const ex_ops_elementwise[], *const ex_ops_reduce[], *const ex_ops_shape[], *const ex_ops_loss[], *const ex_ops_combine[],
    *const ex_ops_scale_channels[], *const ex_ops_random[], *const ex_ops_update[];

int ex_op_writes(const ex_op *op, int32_t input);   /* whether forward writes this input (shape_rules.c) */
/* Small helpers that shape rules share (shape_rules.c). */
int64_t ex_shape_count(const ex_shape *s);  /* elements; EX_BATCH counts as 1 */
int ex_shape_same(const ex_shape *a, const ex_shape *b);
/* "input must be a batch of images (N, C, H, W) in float32, got (N, 10) int32" */
ex_status ex_expect_images(const char *what, const ex_shape *s);
ex_status ex_expect(const char *what, const ex_shape *s, int32_t dtype, int32_t ndim);
