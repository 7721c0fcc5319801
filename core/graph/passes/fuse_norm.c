/* fuse_norm.c: in training, what follows a batch norm goes into its pass over memory, forward and backward (ops/norm_act.c):
 *
 *     relu(normalise(x))                              normalise_act(x); relu6, silu, hard_swish alike
 *     max_pool2d(relu(normalise(x)))                  normalise_act(x), where windows do not overlap and nothing else reads
 *                                                     the relu: it is never written
 *     relu(normalise(x) + shortcut)                   normalise_act(x, shortcut)
 *     normalise(x) + shortcut                         the same without an activation
 *     normalise_grad_affine(x, dz), dz = [relu_grad of] [max_pool2d_grad of] dy      normalise_act_grad_affine(x, dy)
 *     batch_norm_grad_input(x, dz)                                                   normalise_act_grad_input(x, dy)
 *     dz = silu_grad or hard_swish_grad of (normalise(x), dy)                        the same two
 *     relu_grad and normalise_grad_affine behind a sum                               normalise_add_grad, which also adds up
 *                                                     what two readers of the relu send back
 *
 * Each node is replaced by one that makes the same value from values further up, which is right whoever else reads what
 * lies between; that dies in the next pass if nobody does. mean and var may come from anywhere. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

enum { X, MEAN, VAR, GAMMA, BETA, NORMALISE_INPUTS };           /* normalise's inputs */
enum { KERNEL, STRIDE, PADDING, DILATION, CEIL };               /* max_pool2d's numbers */

typedef struct fusing {
    int32_t *uses;                          /* of each value of the old graph */
    int32_t (*sums)[2];                     /* by node: dgamma and dbeta in the new graph, made before their time; or EX_NONE */
} fusing;

/* What a chain of nodes computes, from its end. */
typedef struct chain {
    const ex_node *normalise, *pool;        /* pool: NULL without */
    int32_t shortcut;                       /* EX_NONE without */
    int act;                                /* 0, 1: relu, 2: relu6, 3: silu, 4: hard_swish */
} chain;

static int is_op(const ex_node *n, const char *op) { return !strcmp(n->op->name, op); }

/* -- Reading the graph ------------------------------------------------------------------------------------------ */

static const ex_node *activation(const ex_graph *g, int32_t value, int *act)
{
    const ex_node *relu = ex_pass_maker(g, value, "relu"), *relu6 = ex_pass_maker(g, value, "relu6");
    *act = relu ? 1 : relu6 ? 2 : 0;
    return relu ? relu : relu6;
}

/* silu or hard_swish: whose gradients read what goes in, not what comes out. */
static int curve(const ex_node *n) { return is_op(n, "silu") ? 3 : is_op(n, "hard_swish") ? 4 : 0; }
static int curve_grad(const ex_node *n) { return is_op(n, "silu_grad") ? 3 : is_op(n, "hard_swish_grad") ? 4 : 0; }

/* Whether the curve at n and its own gradient are all that reads what goes in. */
static int reads_alone(const ex_graph *g, const ex_node *n)
{
    int32_t value = n->in[0];
    if (g->value[value].root) return 0;
    for (const ex_node *reader = g->node; reader < g->node + g->nodes; reader++)
        for (int32_t i = 0; i < reader->inputs; i++)
            if (reader->in[i] == value && reader != n && (i || curve_grad(reader) != curve(n))) return 0;
    return 1;
}

/* relu_grad or relu6_grad as the maker of `value`. */
static const ex_node *activation_grad(const ex_graph *g, int32_t value)
{
    const ex_node *relu = ex_pass_maker(g, value, "relu_grad");
    return relu ? relu : ex_pass_maker(g, value, "relu6_grad");
}

/* Windows side by side, none clipped or half outside. */
static int is_tiling(const ex_graph *g, const ex_node *pool)
{
    const ex_shape *x = &g->value[pool->in[0]].shape;
    for (int i = 0; i < 2; i++) {
        double k = pool->attr[KERNEL][i], s = pool->attr[STRIDE][i];
        if ((s > 0 && s != k) || pool->attr[PADDING][i] != 0 || pool->attr[DILATION][i] != 1) return 0;
        if (pool->attr[CEIL][0] != 0 && x->dim[2 + i] % (int32_t)k) return 0;
    }
    return 1;
}

/* Whether every reader of `value` is one of this pass's patterns, so that nobody reads it afterwards. */
static int is_absorbed(const ex_graph *g, int32_t value)
{
    if (g->value[value].root) return 0;
    for (int32_t n = 0; n < g->nodes; n++)
        for (int32_t i = 0; i < g->node[n].inputs; i++) {
            const ex_node *reader = &g->node[n];
            if (reader->in[i] != value || is_op(reader, "relu_grad") || is_op(reader, "relu6_grad")) continue;
            if (!is_op(reader, "max_pool2d") && !is_op(reader, "max_pool2d_grad")) return 0;
            if (!is_tiling(g, reader)) return 0;
        }
    return 1;
}

/* The sum at `value` with a batch norm among its two terms, which nobody else reads. */
static int read_sum(const ex_graph *g, const int32_t *uses, int32_t value, chain *c)
{
    const ex_node *add = ex_pass_maker(g, value, "add");
    for (int i = 0; add && i < 2; i++) {
        c->normalise = ex_pass_maker(g, add->in[i], "normalise");
        c->shortcut = add->in[1 - i];
        if (c->normalise && uses[add->in[i]] == 1 && ex_shape_same(&g->value[add->in[0]].shape, &g->value[add->in[1]].shape)) return 1;
    }
    return 0;
}

/* The chain that ends in node n, forward. */
static int read_chain(const ex_graph *g, const int32_t *uses, const ex_node *n, chain *c)
{
    *c = (chain){ .shortcut = EX_NONE };
    if (is_op(n, "add")) return read_sum(g, uses, n->out[0], c);
    if ((c->act = curve(n))) return (c->normalise = ex_pass_maker(g, n->in[0], "normalise")) && reads_alone(g, n);
    int32_t value = n->out[0];
    if (is_op(n, "max_pool2d")) {
        value = n->in[0];
        if (!is_tiling(g, n) || !is_absorbed(g, value)) return 0;
        c->pool = n;
    }
    const ex_node *act = activation(g, value, &c->act);
    if (!act) return 0;
    c->normalise = ex_pass_maker(g, act->in[0], "normalise");
    if (c->normalise) return uses[act->in[0]] == 1;
    return !c->pool && uses[act->in[0]] == 1 && read_sum(g, uses, act->in[0], c);
}

/* The chain whose gradient at the batch norm's result is dz; *dy: the gradient at its end. */
static int read_gradient(const ex_graph *g, int32_t x, int32_t dz, int32_t mean, int32_t var, double eps, chain *c, int32_t *dy)
{
    *c = (chain){ .shortcut = EX_NONE };
    const ex_node *mask = activation_grad(g, dz), *act = mask ? activation(g, mask->in[0], &c->act) : NULL;
    if (!mask && g->value[dz].node != EX_NONE && (c->act = curve_grad(&g->node[g->value[dz].node]))) {
        mask = &g->node[g->value[dz].node];
        c->normalise = ex_pass_maker(g, mask->in[0], "normalise");
    } else if (act && !strncmp(mask->op->name, act->op->name, strlen(act->op->name))) {
        c->normalise = ex_pass_maker(g, act->in[0], "normalise");
    }
    if (!c->normalise) return 0;
    const int32_t *in = c->normalise->in;
    if (in[X] != x || in[MEAN] != mean || in[VAR] != var || c->normalise->attr[0][0] != eps) return 0;
    const ex_node *pool = ex_pass_maker(g, mask->in[1], "max_pool2d_grad");
    if (act && pool && pool->in[0] == mask->in[0] && is_tiling(g, pool)) c->pool = pool;
    *dy = c->pool ? pool->in[2] : mask->in[1];
    return 1;
}

/* -- Writing the new one ------------------------------------------------------------------------------------------ */

static int32_t attributes(const chain *c, ex_attr attr[3])
{
    attr[0] = (ex_attr){ "eps", 1, { c->normalise->attr[0][0] } };
    attr[1] = (ex_attr){ "act", 1, { c->act } };
    if (!c->pool) return 2;
    attr[2] = (ex_attr){ "kernel", 2, { c->pool->attr[KERNEL][0], c->pool->attr[KERNEL][1] } };
    return 3;
}

static ex_status write_forward(ex_graph *out, const ex_graph *g, const ex_node *n, const chain *c, int32_t *map)
{
    ex_attr attr[3];
    int32_t in[NORMALISE_INPUTS + 1], inputs = 0, made;
    for (; inputs < NORMALISE_INPUTS; inputs++) in[inputs] = map[c->normalise->in[inputs]];
    if (c->shortcut != EX_NONE) in[inputs++] = map[c->shortcut];
    if (ex_pass_node(out, n->name, "normalise_act", inputs, in, attributes(c, attr), attr, &made)) return EX_FAILED;
    ex_graph_replace(out, g, n->out[0], made, map);
    return EX_OK;
}

static ex_status write_grad(ex_graph *out, const ex_graph *g, const ex_node *n, const chain *c, int32_t dy, int32_t *map)
{
    const int32_t *of = c->normalise->in;
    int whole = is_op(n, "batch_norm_grad_input");
    int32_t in[8] = { map[of[X]], map[dy], map[of[MEAN]], map[of[VAR]], map[of[GAMMA]], map[of[BETA]] }, made[2];
    for (int i = 6; whole && i < 8; i++) in[i] = map[n->in[i - 1]];
    ex_attr attr[3];
    if (ex_pass_node(out, n->name, whole ? "normalise_act_grad_input" : "normalise_act_grad_affine", whole ? 8 : 6, in,
                     attributes(c, attr), attr, made)) return EX_FAILED;
    for (int32_t k = 0; k < n->outputs; k++) ex_graph_replace(out, g, n->out[k], made[k], map);
    return EX_OK;
}

/* The node after n that sums the gradient of a batch norm which took part in the sum before `mask`'s activation. */
static const ex_node *sums_after(const ex_graph *g, const int32_t *uses, const ex_node *mask)
{
    chain c;
    int act;
    const ex_node *relu = activation(g, mask->in[0], &act);
    if (!relu || !read_chain(g, uses, relu, &c) || c.shortcut == EX_NONE) return NULL;
    for (const ex_node *n = mask + 1; n < g->node + g->nodes; n++)
        if (is_op(n, "normalise_grad_affine") && n->in[0] == c.normalise->in[X] && n->in[1] == mask->out[0] &&
            n->in[2] == c.normalise->in[MEAN] && n->in[3] == c.normalise->in[VAR]) return n;
    return NULL;
}

static ex_status write_add_grad(ex_graph *out, const ex_graph *g, const ex_node *mask, const ex_node *sums, int32_t *map, fusing *f)
{
    const ex_node *both = ex_pass_maker(g, mask->in[1], "add_n");
    int two = both && both->inputs == 2 && f->uses[mask->in[1]] == 1;
    int32_t in[6] = { map[sums->in[0]], map[mask->in[0]], map[two ? both->in[0] : mask->in[1]], map[sums->in[2]], map[sums->in[3]],
                      two ? map[both->in[1]] : EX_NONE }, made[3];
    ex_attr attr[2] = { { "eps", 1, { sums->attr[0][0] } }, { "act", 1, { is_op(mask, "relu_grad") ? 1 : 2 } } };
    if (ex_pass_node(out, mask->name, "normalise_add_grad", 5 + two, in, 2, attr, made)) return EX_FAILED;
    ex_graph_replace(out, g, mask->out[0], made[0], map);
    memcpy(f->sums[sums - g->node], &made[1], sizeof *f->sums);
    return EX_OK;
}

static ex_status fuse_node(ex_graph *out, const ex_graph *g, int32_t index, int32_t *map, void *context)
{
    fusing *f = context;
    const ex_node *n = &g->node[index], *sums;
    chain c;
    int32_t dy;
    int affine = is_op(n, "normalise_grad_affine");
    if (affine && f->sums[index][0] != EX_NONE) {
        for (int k = 0; k < 2; k++) ex_graph_replace(out, g, n->out[k], f->sums[index][k], map);
        return EX_OK;
    }
    if (affine || is_op(n, "batch_norm_grad_input")) {
        if (read_gradient(g, n->in[0], n->in[1], n->in[2], n->in[3], n->attr[0][0], &c, &dy)) return write_grad(out, g, n, &c, dy, map);
    } else if (is_op(n, "relu_grad") || is_op(n, "relu6_grad")) {
        if ((sums = sums_after(g, f->uses, n))) return write_add_grad(out, g, n, sums, map, f);
    } else if (is_op(n, "relu") || is_op(n, "relu6") || is_op(n, "max_pool2d") || is_op(n, "add") || curve(n)) {
        if (read_chain(g, f->uses, n, &c)) return write_forward(out, g, n, &c, map);
    }
    return ex_graph_copy_node(out, g, index, map);
}

ex_graph *ex_pass_fuse_norm(const ex_graph *g, int32_t *map)
{
    fusing f = { ex_graph_uses(g), ex_alloc(sizeof *f.sums * (size_t)(g->nodes + 1)) };
    for (int32_t n = 0; f.sums && n < g->nodes; n++) f.sums[n][0] = f.sums[n][1] = EX_NONE;
    ex_graph *out = f.uses && f.sums ? ex_pass_each(g, map, &f, fuse_node) : NULL;
    ex_free(f.uses);
    ex_free(f.sums);
    return out;
}
