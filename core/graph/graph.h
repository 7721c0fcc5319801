/* graph.h: the inside of a graph, for the passes, the derived graphs and the plan. A graph is a list of nodes in
 * topological order over values; it owns its names and holds a reference on each leaf's tensor. It runs nothing. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"
#include "../ops/op.h"
#include "../tensor/tensor.h"

/* How a result lies in memory; leaves lie as their tensors do. */
typedef enum ex_layout {
    EX_LAYOUT_NATURAL,                      /* batched 4-D: channels-last; unbatched 4-D: kH, kW, in, out; else row-major */
    EX_LAYOUT_DENSE,                        /* row-major in the logical order, asked for by operators written in Lua */
    EX_LAYOUT_COUNT
} ex_layout;

typedef struct ex_value {
    char *name;
    ex_shape shape;
    int32_t kind;                           /* ex_value_kind */
    int32_t node, output;                   /* maker; EX_NONE for leaves */
    int32_t trainable;
    int32_t root;                           /* 1: an output or guard of the plan that is being compiled */
    int32_t layout;                         /* ex_layout */
    ex_tensor *tensor;                      /* parameters and buffers */
} ex_value;

typedef struct ex_node {
    char *name;
    const ex_op *op;
    int32_t inputs, outputs, attrs;
    int32_t late;                           /* 1: a plan does not run it before its turn, only with what reads it */
    int32_t cut;                            /* 1: no chain (chain.c) takes it in: it may begin one */
    int32_t *in, *out;                      /* values */
    ex_numbers *attr;                       /* in the order of op->attr */
    int32_t *attr_count;
} ex_node;

struct ex_graph {
    int32_t values, nodes, value_room, node_room;
    ex_value *value;
    ex_node *node;
    int32_t *bucket;                        /* names: open addressing, a power of two, EX_NONE where empty */
    int32_t buckets;
};

/* -- Building ------------------------------------------------------------------------------------------ */

/* A node from numbers already in the order of op->attr (a copy of an existing node's): its index or EX_NONE. */
int32_t ex_graph_add(ex_graph *g, const char *name, const ex_op *op, int32_t inputs, const int32_t *in,
                     const ex_numbers *attr, const int32_t *attr_count);
ex_status ex_graph_rename(ex_graph *g, int32_t value, const char *name);   /* fails if the name is taken */
/* "bn1" and "batch_stats" -> "bn1/batch_stats", or "bn1/batch_stats#2" if that is taken. */
void ex_graph_fresh_name(const ex_graph *g, char *out, size_t size, const char *base, const char *op);
int ex_value_is_batched(const ex_value *v);
/* What the node's operator is asked with; in and out have room for its first EX_MAX_IN inputs and its outputs. */
ex_signature ex_node_signature(const ex_graph *g, const ex_node *n, ex_shape *in, ex_shape *out);

/* -- Copying, the way every derived graph and pass is made ------------------------------------------------ */

/* Copies value `v` of `from` (a leaf) into `to`; map[v] is its index there. */
ex_status ex_graph_copy_leaf(ex_graph *to, const ex_graph *from, int32_t v, int32_t *map);
/* Copies node `n` with its inputs through map, and maps its outputs. Root and layout flags go along. */
ex_status ex_graph_copy_node(ex_graph *to, const ex_graph *from, int32_t n, int32_t *map);
/* map[old] = new for an output that other nodes now make: root flag goes along, and the name if it is free. */
void ex_graph_replace(ex_graph *to, const ex_graph *from, int32_t old, int32_t now, int32_t *map);
int32_t *ex_graph_new_map(const ex_graph *g);   /* all EX_NONE; ex_free it */
/* By node: 1 where it depends on parameters and buffers alone, writes none and draws no numbers; ex_free it. */
char *ex_graph_constants(const ex_graph *g);
int32_t *ex_graph_uses(const ex_graph *g);      /* how many inputs each value feeds, roots counted once; ex_free it */

/* -- The builder that gradient and training rules get ------------------------------------------------------ */

typedef struct ex_graph_builder {
    ex_builder base;                        /* first: rules see only this */
    ex_graph *graph;
    const char *owner;                      /* new nodes are named after it */
} ex_graph_builder;

ex_graph_builder ex_graph_builder_for(ex_graph *g, const char *owner);
