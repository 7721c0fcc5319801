/* fuse_conv.c: what follows a convolution (or linear layer) element by element goes into its epilogue, in registers:
 *
 *     activation(conv2d(x, w, [b]))             activation: relu, relu6, silu, hard_swish
 *     activation(conv2d(x, w, [b]) + residual)  either way round, with or without an activation
 *     activation(linear(x, w, [b]))
 *
 * Done where nobody else reads what lies between, in training as well where the gradient rule of the activation reads its
 * result, which stays (those of silu and hard_swish read what goes in). The node takes the place of the last one, where the residual is there, and the layer's name. The
 * numbers keep their bits (conv.h). Measured in pairs, a sum in the epilogue takes 4 to 37 % off a dense block. Depthwise
 * ones take none: two equal plans differ by up to 23 % there with where their memory lies, so no gain could be shown.
 * Batch norms are not its business: fold_bn has taken them away before. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"
#include "../../kernels/conv.h"

/* A chain and what it ends in: nodes of the graph, EX_NONE where there is none. */
typedef struct chain { int32_t layer, sum, residual, activation; } chain;   /* residual: a value; activation: ex_conv_activation */

typedef struct fusing {
    const int32_t *uses;
    chain *chain;                           /* by the node at its end; layer EX_NONE: nothing ends here */
    char *taken;                            /* by node: lies inside a chain */
} fusing;

static int is(const ex_node *node, const char *op) { return !strcmp(node->op->name, op); }

/* The node that makes this value for one reader alone. */
static int32_t only_maker(const ex_graph *g, int32_t value, const int32_t *uses)
{
    return uses[value] == 1 ? g->value[value].node : EX_NONE;
}

static int depthwise(const ex_graph *g, const ex_node *conv)
{
    const int32_t *x = g->value[conv->in[0]].shape.dim, *w = g->value[conv->in[1]].shape.dim;
    return x[1] > 1 && w[1] == 1 && w[0] == x[1];
}

/* A convolution one of whose readers is this sum, the later one of two: what the sum adds to it is there by then. */
static void match_sum(const ex_graph *g, int32_t n, const int32_t *uses, chain *c)
{
    const ex_node *sum = &g->node[n];
    if (!is(sum, "add") || !ex_shape_same(&g->value[sum->in[0]].shape, &g->value[sum->in[1]].shape)) return;
    for (int32_t i = 0; i < 2; i++) {
        int32_t maker = only_maker(g, sum->in[i], uses);
        if (maker == EX_NONE || maker < c->layer || !is(&g->node[maker], "conv2d") || depthwise(g, &g->node[maker])) continue;
        *c = (chain){ .layer = maker, .sum = n, .residual = sum->in[1 - i], .activation = c->activation };
    }
}

static ex_conv_activation activation(const ex_node *node)
{
    static const char *const name[EX_CONV_ACTIVATION_COUNT] = { NULL, "relu", "relu6", "silu", "hard_swish" };
    int32_t a = EX_CONV_ACTIVATION_COUNT - 1;
    while (a > EX_CONV_LINEAR && !is(node, name[a])) a--;
    return (ex_conv_activation)a;
}

static chain match(const ex_graph *g, int32_t n, const int32_t *uses)
{
    chain c = { EX_NONE, EX_NONE, EX_NONE, EX_CONV_LINEAR };
    const ex_node *node = &g->node[n];
    c.activation = activation(node);
    if (c.activation == EX_CONV_LINEAR) { match_sum(g, n, uses, &c); return c; }
    int32_t maker = only_maker(g, node->in[0], uses);
    if (maker == EX_NONE) return c;
    if (is(&g->node[maker], "conv2d") || is(&g->node[maker], "linear")) c.layer = maker;
    else match_sum(g, maker, uses, &c);
    return c;
}

/* Backwards, so that the longest chain takes its nodes first. */
static void find_chains(const ex_graph *g, fusing *f)
{
    for (int32_t n = g->nodes - 1; n >= 0; n--) {
        chain c = { EX_NONE, EX_NONE, EX_NONE, EX_CONV_LINEAR };
        if (!f->taken[n]) c = match(g, n, f->uses);
        f->chain[n] = c;
        if (c.layer == EX_NONE) continue;
        f->taken[c.layer] = 1;
        if (c.sum != EX_NONE && c.sum != n) f->taken[c.sum] = 1;
    }
}

static ex_status fuse(ex_graph *out, const ex_graph *g, const chain *c, int32_t end, int32_t *map)
{
    const ex_node *layer = &g->node[c->layer];
    const ex_op *op = ex_op_find(is(layer, "linear") ? "linear_fused" : "conv2d_fused");
    int32_t in[4], inputs = 0, count[EX_MAX_ATTRS];
    ex_numbers attr[EX_MAX_ATTRS] = { { 0 } };
    if (!op) return EX_FAILED;
    for (; inputs < layer->inputs; inputs++) in[inputs] = map[layer->in[inputs]];
    if (c->residual != EX_NONE) in[inputs++] = map[c->residual];
    for (int32_t i = 0; op->attr[i].name; i++) {        /* the layer's own come first, in its order */
        if (i < layer->attrs) memcpy(attr[i], layer->attr[i], sizeof attr[i]);
        count[i] = i < layer->attrs ? layer->attr_count[i] : 1;
    }
    attr[layer->attrs][0] = c->activation;
    if (is(layer, "conv2d")) attr[layer->attrs + 1][0] = c->residual != EX_NONE;
    int32_t now = ex_graph_add(out, layer->name, op, inputs, in, (const ex_numbers *)attr, count);
    if (now == EX_NONE) return EX_FAILED;
    ex_graph_replace(out, g, g->node[end].out[0], out->node[now].out[0], map);
    return EX_OK;
}

static ex_status fuse_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    const fusing *f = context;
    if (f->taken[n]) return EX_OK;
    return f->chain[n].layer == EX_NONE ? ex_graph_copy_node(out, g, n, map) : fuse(out, g, &f->chain[n], n, map);
}

ex_graph *ex_pass_fuse_conv(const ex_graph *g, int32_t *map)
{
    int32_t *uses = ex_graph_uses(g);
    fusing f = { uses, ex_alloc_zero(sizeof *f.chain * (size_t)(g->nodes + 1)), ex_alloc_zero((size_t)g->nodes + 1) };
    ex_graph *out = NULL;
    if (uses && f.chain && f.taken) {
        find_chains(g, &f);
        out = ex_pass_each(g, map, &f, fuse_node);
    }
    ex_free(uses);
    ex_free(f.chain);
    ex_free(f.taken);
    return out;
}
