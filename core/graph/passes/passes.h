/* passes.h: the passes of a plan. Each takes a graph and gives a new one; map[old value] = new value or EX_NONE. A pass
 * keeps the roots (what the plan's caller asked for) and the state writes, and may be switched off by its name
 * unless it is marked as needed. Files are one pass each. */
#pragma once
#include "../graph.h"

typedef ex_graph *(*ex_pass)(const ex_graph *g, int32_t *map);
/* One that asks how a plan with the batch and switches of `as` would lay the graph out. */
typedef ex_graph *(*ex_pass_placed)(const ex_graph *g, int32_t *map, const struct ex_plan *as);

ex_graph *ex_pass_dead(const ex_graph *g, int32_t *map);        /* drops what no root and no state write needs */
ex_graph *ex_pass_merge(const ex_graph *g, int32_t *map);       /* one node for equal nodes */
ex_graph *ex_pass_fold_bn(const ex_graph *g, int32_t *map);     /* inference: a batch norm into the convolution before it */
ex_graph *ex_pass_fold_affine(const ex_graph *g, int32_t *map); /* inference: any other batch norm and an activation in one pass */
ex_graph *ex_pass_fuse_bn(const ex_graph *g, int32_t *map);     /* training: a batch norm's input gradient in one pass */
ex_graph *ex_pass_concat_stats(const ex_graph *g, int32_t *map); /* training: statistics of a concat from those of its inputs */
ex_graph *ex_pass_fuse_conv(const ex_graph *g, int32_t *map);   /* a residual and an activation into the layer before them */
ex_graph *ex_pass_pack_conv(const ex_graph *g, int32_t *map);   /* inference: weights packed once, not at every call */
ex_graph *ex_pass_fuse_stats(const ex_graph *g, int32_t *map);  /* training: batch statistics into the convolution before them */
ex_graph *ex_pass_fuse_norm(const ex_graph *g, int32_t *map);   /* training: a batch norm and what follows it in one pass */
ex_graph *ex_pass_fuse_pool(const ex_graph *g, int32_t *map);   /* training: an activation's gradient into a pooling's */
ex_graph *ex_pass_fuse_update(const ex_graph *g, int32_t *map); /* training: the optimiser's steps of all parameters in one */
ex_graph *ex_pass_recompute(const ex_graph *g, int32_t *map);   /* training, with chains: activations again for weight gradients */
/* Training: what is idle at the peak of a large plan's memory again after it; _from: where the arena has `least` bytes. */
ex_graph *ex_pass_remake(const ex_graph *g, int32_t *map, const struct ex_plan *as);
ex_graph *ex_pass_remake_from(size_t least, const ex_graph *g, int32_t *map, const struct ex_plan *as);
/* Training: a chain that keeps much alive at the peak of a large plan's memory in two; _from as above. */
ex_graph *ex_pass_cut(const ex_graph *g, int32_t *map, const struct ex_plan *as);
ex_graph *ex_pass_cut_from(size_t least, const ex_graph *g, int32_t *map, const struct ex_plan *as);
ex_graph *ex_pass_dense(const ex_graph *g, int32_t *map);       /* row-major operands for operators written in Lua */

void ex_pass_winograd(ex_graph *g, int32_t batch, int32_t most, int packed);
                                        /* in place: marks what kernels of fewer multiplications do faster */

/* What passes share: a new graph with g's leaves copied; the node that makes `value` if it is an `op`, else NULL; and a node
 * appended under a name made from `owner`. */
ex_graph *ex_pass_begin(const ex_graph *g, int32_t *map);
const ex_node *ex_pass_maker(const ex_graph *g, int32_t value, const char *op);
ex_status ex_pass_node(ex_graph *to, const char *owner, const char *op, int32_t inputs, const int32_t *in, int32_t attrs,
                       const ex_attr *attr, int32_t *out);
/* A batch norm's eps, as the attribute of a node made from it. */
ex_attr ex_pass_eps(const ex_node *bn);
/* Runs node(out, g, n, map, context) for each node of g; a failure frees the new graph and gives NULL. */
ex_graph *ex_pass_each(const ex_graph *g, int32_t *map, void *context,
                       ex_status (*node)(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context));
/* All of g as it is. */
ex_graph *ex_pass_copy(const ex_graph *g, int32_t *map);
/* g scheduled and placed like the plan `as`, but for one thread: how sums over images are cut depends on the chains, so nothing here
 * may depend on threads. Free it with ex_pass_end_trial, which leaves g. */
struct ex_plan *ex_pass_trial(ex_graph *g, const struct ex_plan *as);
void ex_pass_end_trial(struct ex_plan *p);
