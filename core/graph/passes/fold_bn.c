/* fold_bn.c: at inference a batch norm is a scale and a shift by channel, which the convolution (or linear layer) before it
 * can carry in its own weights: w' = w * gamma / sqrt(var + eps), b' = beta + (b - mean) * gamma / sqrt(var + eps).
 * Done where the batch norm is the only reader. The folding nodes read parameters alone, so they run only after a change. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

enum { X, GAMMA, BETA, MEAN, VAR };         /* batch_norm's inputs */

static int foldable(const ex_graph *g, const ex_node *bn, const int32_t *uses)
{
    if (strcmp(bn->op->name, "batch_norm")) return 0;
    int32_t maker = g->value[bn->in[X]].node;
    if (maker == EX_NONE || uses[bn->in[X]] != 1) return 0;
    const ex_node *layer = &g->node[maker];
    if (strcmp(layer->op->name, "conv2d") && strcmp(layer->op->name, "linear")) return 0;
    for (int32_t i = 1; i < layer->inputs; i++)
        if (g->value[layer->in[i]].node != EX_NONE) return 0;
    for (int32_t i = GAMMA; i <= VAR; i++)
        if (g->value[bn->in[i]].node != EX_NONE) return 0;
    return 1;
}

static ex_status fold(ex_graph *out, const ex_graph *g, const ex_node *bn, int32_t *map)
{
    const ex_node *layer = &g->node[g->value[bn->in[X]].node];
    int32_t in[6] = { map[layer->in[1]], map[bn->in[GAMMA]], map[bn->in[BETA]], map[bn->in[MEAN]], map[bn->in[VAR]] };
    int32_t inputs = 5, folded[2];
    if (layer->inputs > 2) in[inputs++] = map[layer->in[2]];
    const ex_attr eps = ex_pass_eps(bn);
    if (ex_pass_node(out, bn->name, "fold_batch_norm", inputs, in, 1, &eps, folded)) return EX_FAILED;
    int32_t again[3] = { map[layer->in[0]], folded[0], folded[1] };
    char name[512];
    ex_graph_fresh_name(out, name, sizeof name, bn->name, layer->op->name);
    int32_t now = ex_graph_add(out, name, layer->op, 3, again, (const ex_numbers *)layer->attr, layer->attr_count);
    if (now == EX_NONE) return EX_FAILED;
    ex_graph_replace(out, g, bn->out[0], out->node[now].out[0], map);
    return EX_OK;
}

static ex_status fold_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *uses)
{
    const ex_node *node = &g->node[n];
    return foldable(g, node, uses) ? fold(out, g, node, map) : ex_graph_copy_node(out, g, n, map);
}

ex_graph *ex_pass_fold_bn(const ex_graph *g, int32_t *map)
{
    int32_t *uses = ex_graph_uses(g);
    ex_graph *out = uses ? ex_pass_each(g, map, uses, fold_node) : NULL;
    ex_free(uses);
    return out;
}
