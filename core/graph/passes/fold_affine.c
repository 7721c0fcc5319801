/* fold_affine.c: at inference, a batch norm that no convolution before it can carry (fold_bn), and the activation after it where
 * nobody else reads the batch norm, in one pass over memory with numbers that are made once (ops/affine.c):
 *
 *     relu(batch_norm(x, gamma, beta, mean, var))      affine_act(x, mean, batch_norm_scale(gamma, var), beta)
 *
 * relu6, silu and hard_swish alike, or none. Done where gamma, beta, mean and var are parameters. As in a dense block, whose
 * batch norms read a concat. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

enum { X, GAMMA, BETA, MEAN, VAR };         /* batch_norm's inputs */

static int foldable(const ex_graph *g, const ex_node *bn)
{
    if (strcmp(bn->op->name, "batch_norm")) return 0;
    for (int32_t i = GAMMA; i <= VAR; i++)
        if (g->value[bn->in[i]].node != EX_NONE || g->value[bn->in[i]].kind == EX_VALUE_INPUT) return 0;
    return 1;
}

/* affine_act's number for an activation; 0: it is none. */
static int act_of(const ex_node *node)
{
    static const char *const name[] = { "relu", "relu6", "silu", "hard_swish" };
    for (int i = 0; i < 4; i++)
        if (!strcmp(node->op->name, name[i])) return i + 1;
    return 0;
}

/* The batch norm that ends in this node, alone or with an activation; NULL: none. */
static const ex_node *match(const ex_graph *g, const ex_node *node, const int32_t *uses, int *act)
{
    *act = act_of(node);
    if (!*act) return foldable(g, node) ? node : NULL;
    const ex_node *bn = uses[node->in[0]] == 1 ? ex_pass_maker(g, node->in[0], "batch_norm") : NULL;
    return bn && foldable(g, bn) ? bn : NULL;
}

static ex_status fold_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *uses)
{
    int act;
    const ex_node *node = &g->node[n], *bn = match(g, node, uses, &act);
    if (!bn) return ex_graph_copy_node(out, g, n, map);
    const ex_attr eps = ex_pass_eps(bn), attr = { .name = "act", .count = 1, .value = { act } };
    int32_t scale, now;
    if (ex_pass_node(out, bn->name, "batch_norm_scale", 2, (int32_t[]){ map[bn->in[GAMMA]], map[bn->in[VAR]] }, 1, &eps, &scale)) return EX_FAILED;
    if (ex_pass_node(out, bn->name, "affine_act", 4, (int32_t[]){ map[bn->in[X]], map[bn->in[MEAN]], scale, map[bn->in[BETA]] }, 1, &attr, &now))
        return EX_FAILED;
    ex_graph_replace(out, g, node->out[0], now, map);
    return EX_OK;
}

ex_graph *ex_pass_fold_affine(const ex_graph *g, int32_t *map)
{
    int32_t *uses = ex_graph_uses(g);
    ex_graph *out = uses ? ex_pass_each(g, map, uses, fold_node) : NULL;
    ex_free(uses);
    return out;
}
