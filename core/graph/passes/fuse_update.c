/* fuse_update.c: in training, the optimiser's steps of parameters that share learning rate, scale, step count and numbers
 * become one node (ops/update.c), so that a network of many small tensors wakes the threads once:
 *
 *     sgd(p, g, lr, scale, velocity) ...       sgd_group(lr, scale, p1, g1, velocity1, ...)
 *     sgd(p, g, lr, scale) ...                 sgd_plain_group(lr, scale, p1, g1, ...)
 *     adam(p, g, lr, scale, t, m, v) ...       adam_group(lr, scale, t, p1, g1, m1, v1, ...)
 *
 * They write state, so they run in the commit group, where order means nothing: each stands for one parameter. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

/* One optimiser: inputs from 2 on that members share (lr, scale, t), then state, which each has of its own. */
typedef struct kind { const char *one, *group; int32_t inputs, shared; } kind;
static const kind kinds[] = { { "sgd", "sgd_group", 5, 2 }, { "sgd", "sgd_plain_group", 4, 2 }, { "adam", "adam_group", 7, 3 } };

static const kind *kind_of(const ex_node *n)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (!strcmp(n->op->name, kinds[k].one) && n->inputs == kinds[k].inputs) return &kinds[k];
    return NULL;
}

static int same_group(const ex_node *a, const ex_node *b)
{
    const kind *k = kind_of(a);
    if (!k || k != kind_of(b) || memcmp(&a->in[2], &b->in[2], sizeof *a->in * (size_t)k->shared)) return 0;
    for (int32_t i = 0; i < a->attrs; i++)
        if (a->attr[i][0] != b->attr[i][0]) return 0;
    return 1;
}

/* The group node of the members of n's group, all of which stand at or before n. */
static ex_status write_group(ex_graph *out, const ex_graph *g, const ex_node *n, int32_t members, const int32_t *map)
{
    const kind *k = kind_of(n);
    int32_t period = k->inputs - k->shared, inputs = 0, *in = ex_alloc(sizeof *in * (size_t)(k->shared + members * period));
    ex_attr attr[EX_MAX_ATTRS];
    if (!in) return EX_FAILED;
    for (; inputs < k->shared; inputs++) in[inputs] = map[n->in[2 + inputs]];
    for (const ex_node *m = g->node; m <= n; m++) {
        if (!same_group(m, n)) continue;
        for (int i = 0; i < 2; i++) in[inputs++] = map[m->in[i]];
        for (int32_t i = 2 + k->shared; i < k->inputs; i++) in[inputs++] = map[m->in[i]];
    }
    for (int32_t i = 0; i < n->attrs; i++) attr[i] = (ex_attr){ n->op->attr[i].name, 1, { n->attr[i][0] } };
    ex_status status = ex_pass_node(out, out->value[in[0]].name, k->group, inputs, in, n->attrs, attr, NULL);
    ex_free(in);
    return status;
}

/* A group is written where its last member stands; one of one stays as it is. */
static ex_status fuse_node(ex_graph *out, const ex_graph *g, int32_t index, int32_t *map, void *context)
{
    (void)context;
    const ex_node *n = &g->node[index];
    int32_t before = 0, after = 0;
    if (!kind_of(n)) return ex_graph_copy_node(out, g, index, map);
    for (int32_t m = 0; m < g->nodes; m++) *(m < index ? &before : &after) += m != index && same_group(&g->node[m], n);
    if (after) return EX_OK;
    return before ? write_group(out, g, n, before + 1, map) : ex_graph_copy_node(out, g, index, map);
}

ex_graph *ex_pass_fuse_update(const ex_graph *g, int32_t *map)
{
    return ex_pass_each(g, map, NULL, fuse_node);
}
