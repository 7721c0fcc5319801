/* plan.h: the inside of a plan: where every value lies, in which order nodes run, and the state of the run in progress. */
#pragma once
#include "graph.h"

/* Where a value lies: with the group of values that share one block of memory (aliases, results written in place). */
typedef struct ex_place {
    int32_t group;                          /* the value that stands for the group */
    size_t offset, bytes;                   /* in the arena, of the group (kept at its standing value) */
    ptrdiff_t start;                        /* elements from where the group begins */
    ptrdiff_t stride[EX_MAX_DIMS];          /* elements */
    int32_t solid;                          /* 1: what makes or reads the value wants its memory without gaps */
    int32_t first, last;                    /* of the group: steps at which it is written first and read last */
    int32_t chain;                          /* the chain that alone knows the group, or EX_NONE: `offset` is then where a piece of
                                               `bytes` lies in each thread's share of the chain's memory */
    int32_t staged;                         /* the chain that makes the group there in pieces of `stage_bytes` at `stage` of each thread's
                                               share, and copies each past the caches to where the batch lies; EX_NONE */
    size_t stage, stage_bytes;
    size_t whole;                           /* in the arena: where all images lie when such a chain runs step by step */
} ex_place;

/* A node, compiled. Operands are copies of the plan's, ready for the call. */
typedef struct ex_step {
    const ex_node *node;
    ex_operand *in, *out;
    int32_t alias, commit, constant;
    size_t scratch_offset, scratch_bytes;
    int32_t chain;                          /* EX_NONE: it runs alone */
    size_t shared_offset, shared_bytes;     /* in a chain: what all pieces share, in the arena */
    size_t piece_offset, piece_bytes;       /* in a chain: scratch of a piece, in a thread's share of its memory */
    double seconds;
} ex_step;

/* Steps [from, to) that run one after another on a few images at a time (chain.c). */
typedef struct ex_chain {
    int32_t from, to, images, parts;        /* images in a piece; parts of the largest batch */
    int32_t sums;                           /* 1: some step adds over images */
} ex_chain;

typedef struct ex_slot {
    int32_t value;
    ex_tensor *tensor;                      /* bound, or NULL */
    int32_t direct;                         /* the kernels read the tensor's own memory */
} ex_slot;

struct ex_plan {
    ex_graph *graph;                        /* after the passes; owned */
    ex_team *team;                          /* borrowed */
    int32_t batch, training;
    int32_t use_chains, use_in_place, use_parts, use_pixels;   /* which of the passes that place values are on */
    const char *isa;                        /* the kernels that scratch and packed weights are made for */
    int32_t steps, constants, commit_from;  /* [0, constants) constants, [.., commit_from) the step, [.., steps) state writes */
    ex_step *step;
    int32_t chains;
    ex_chain *chain;
    ex_place *place;                        /* by value */
    ex_operand *operand;                    /* by value */
    ex_operand *step_operands;              /* all steps' in and out */
    char *arena;
    size_t thread_offset, thread_bytes;     /* in the arena: of the threads' blocks for chains; from one to the next */
    size_t arena_bytes, sum_bytes;
    size_t *live;                           /* by step: bytes of the arena in use */
    int32_t peak;                           /* the step with most of them */
    int32_t outputs, guards, slots;
    int32_t *output, *guard;                /* values */
    ex_slot *slot;

    const char *bad;                        /* the guard that was not finite, and its value */
    double bad_value;
    int32_t n, cursor, checking, paused, done, stale;   /* stale: operands must be copied to the steps again */
    double constants_version;               /* sum of the leaves' versions when the constants last ran; -1: never */
    int32_t profile;
    double *thread_seconds;                 /* while profiling: of each thread, of each step of a chain */
    double seed, at, runs;
    double paused_at;                       /* while profiling: when the operator written in Lua began */
};

/* memory.c */
ex_status ex_plan_place(ex_plan *p);                 /* strides, aliases, in-place results, lifetimes, offsets; no arena yet */
size_t ex_plan_value_bytes(const ex_plan *p, int32_t value);

/* live.c */
ex_status ex_plan_measure(ex_plan *p);               /* fills live and peak, once all is placed */
int ex_plan_lives_at(const ex_plan *p, int32_t value, int32_t step);   /* its memory is taken, in the arena, for the whole batch */
int ex_plan_is_there(const ex_plan *p, int32_t value, int32_t step);   /* and the value is in it, made and yet to be read */

/* pixels.c */
void ex_pixels_part(ex_plan *p);                     /* before parts: pixels that would meet in one set of a cache lie further apart */

/* parts.c */
void ex_parts_join(ex_plan *p);                      /* before views are aliases: what concat joins lies in the result's memory */
int ex_parts_alias(ex_plan *p, const ex_node *n);    /* whether n is a concat or a slice with nothing to copy; a slice's place is set */

/* chain.c */
enum { EX_CHAIN_BATCH = 16 };                        /* fewer images than this are split over threads by the kernels themselves */
int ex_chain_admits(const ex_graph *g, const ex_node *n);   /* whether the node can be a member of a chain */
ex_status ex_plan_chain(ex_plan *p, int32_t *node, int32_t count);   /* orders the nodes and finds chains: from, to count from node[0] */

/* chain_run.c */
int ex_chain_serves(const ex_plan *p, const ex_chain *c);   /* whether it runs in pieces for p->n images, or step by step */
ex_status ex_chain_run(ex_plan *p, const ex_chain *c, ex_status (*check)(ex_plan *p, const ex_step *s, const ex_operand *out, int32_t outputs));

/* schedule.c */
ex_status ex_plan_schedule(ex_plan *p);              /* order of steps: constants, nodes, state writes */
