/* recompute.c: in training, a normalised activation that a convolution's weight gradient reads is made anew for it, from what
 * was normalised, which the backward pass reads anyway:
 *
 *     conv2d_grad_weight(z, dy), z = normalise_act(x, ...)  ->  conv2d_grad_weight(normalise_act(x, ...), dy)
 *
 * Then z is known to the forward chain alone (../chain.c) and is never in memory as a whole. It is cheap arithmetic on what
 * is in the cache, and the same bits. Left as they are: results that something else of the whole batch reads, those with a
 * shortcut (the sum's other half would have to be made anew too), pooled ones (small), and weight gradients that do not run by image. */
#include <string.h>
#include "passes.h"
#include "../plan.h"
#include "../../base/memory.h"

static int is(const ex_node *node, const char *op) { return !strcmp(node->op->name, op); }

/* The attribute `kernel` of normalise_act is its third. */
static int is_plain(const ex_node *n) { return is(n, "normalise_act") && n->inputs == 5 && n->attr[2][0] == 1 && n->attr[2][1] == 1; }

static int reads_in_pieces(const ex_graph *g, const ex_node *n) { return is(n, "conv2d_grad_weight") && ex_chain_admits(g, n); }

/* again[n]: 1 where node n's result is made anew for the weight gradients that read it. */
static void find(const ex_graph *g, char *again)
{
    for (int32_t n = 0; n < g->nodes; n++) again[n] = is_plain(&g->node[n]) && !g->value[g->node[n].out[0]].root;
    for (int32_t r = 0; r < g->nodes; r++) {
        const ex_node *reader = &g->node[r];
        for (int32_t i = 0; i < reader->inputs; i++) {
            const int32_t maker = g->value[reader->in[i]].node;
            const int forward = is(reader, "conv2d") || is(reader, "conv2d_stats") || is(reader, "conv2d_fused") || is(reader, "global_avg_pool");
            if (maker != EX_NONE && !forward && !reads_in_pieces(g, reader)) again[maker] = 0;
        }
    }
}

static ex_status make_again(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    const char *again = context;
    const ex_node *node = &g->node[n];
    const int32_t maker = node->inputs ? g->value[node->in[0]].node : EX_NONE;
    if (maker == EX_NONE || !again[maker] || !is(node, "conv2d_grad_weight")) return ex_graph_copy_node(out, g, n, map);
    const ex_node *made = &g->node[maker];
    int32_t in[5], z;
    ex_attr attr[3];
    for (int32_t i = 0; i < made->inputs; i++) in[i] = map[made->in[i]];
    for (int32_t i = 0; i < 3; i++)
        attr[i] = (ex_attr){ made->op->attr[i].name, made->op->attr[i].count, { made->attr[i][0], made->attr[i][1] } };
    if (ex_pass_node(out, node->name, made->op->name, made->inputs, in, 3, attr, &z)) return EX_FAILED;
    const int32_t before = map[node->in[0]];
    map[node->in[0]] = z;
    const ex_status status = ex_graph_copy_node(out, g, n, map);
    map[node->in[0]] = before;
    return status;
}

ex_graph *ex_pass_recompute(const ex_graph *g, int32_t *map)
{
    char *again = ex_alloc_zero((size_t)g->nodes + 1);
    if (again) find(g, again);
    ex_graph *out = again ? ex_pass_each(g, map, again, make_again) : NULL;
    ex_free(again);
    return out;
}
