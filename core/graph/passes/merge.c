/* merge.c: common subexpressions. Two nodes with the same operator, inputs and numbers make the same values, so the second
 * becomes the first; nodes that draw random numbers or write state are left alone. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

static int same(const ex_node *a, const ex_graph *g, int32_t n, const int32_t *map)
{
    const ex_node *b = &g->node[n];
    if (a->op != b->op || a->inputs != b->inputs) return 0;
    for (int32_t i = 0; i < b->inputs; i++)
        if (a->in[i] != map[b->in[i]]) return 0;
    for (int32_t i = 0; i < b->attrs; i++) {
        if (a->attr_count[i] != b->attr_count[i]) return 0;
        if (memcmp(a->attr[i], b->attr[i], sizeof(double) * (size_t)b->attr_count[i])) return 0;
    }
    return 1;
}

static uint32_t hash(const ex_graph *g, int32_t n, const int32_t *map)
{
    uint32_t h = (uint32_t)((uintptr_t)g->node[n].op >> 4);
    for (int32_t i = 0; i < g->node[n].inputs; i++) h = h * 16777619u ^ (uint32_t)map[g->node[n].in[i]];
    return h;
}

enum { BUCKETS = 1024 };

typedef struct merge_table { int32_t head[BUCKETS], *next; } merge_table;

static ex_status merge_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    merge_table *t = context;
    const ex_node *node = &g->node[n];
    if (node->op->writes || (node->op->flags & (EX_OP_RANDOM | EX_OP_LUA))) return ex_graph_copy_node(out, g, n, map);
    int32_t *head = &t->head[hash(g, n, map) % BUCKETS];
    for (int32_t m = *head; m != EX_NONE; m = t->next[m]) {
        if (!same(&out->node[m], g, n, map)) continue;
        for (int32_t k = 0; k < node->outputs; k++) ex_graph_replace(out, g, node->out[k], out->node[m].out[k], map);
        return EX_OK;
    }
    if (ex_graph_copy_node(out, g, n, map)) return EX_FAILED;
    t->next[out->nodes - 1] = *head;
    *head = out->nodes - 1;
    return EX_OK;
}

ex_graph *ex_pass_merge(const ex_graph *g, int32_t *map)
{
    merge_table t = { .next = ex_alloc(sizeof *t.next * (size_t)(g->nodes + 1)) };
    if (!t.next) return NULL;
    for (int32_t i = 0; i < BUCKETS; i++) t.head[i] = EX_NONE;
    ex_graph *out = ex_pass_each(g, map, &t, merge_node);
    ex_free(t.next);
    return out;
}
