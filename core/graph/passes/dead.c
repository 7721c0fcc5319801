/* dead.c: drops nodes and leaves that neither a root nor a state write needs. State writes are never dropped. */
#include "passes.h"
#include "../../base/memory.h"

ex_graph *ex_pass_dead(const ex_graph *g, int32_t *map)
{
    char *value = ex_alloc_zero((size_t)g->values + 1), *node = ex_alloc_zero((size_t)g->nodes + 1);
    ex_graph *out = value && node ? ex_graph_new() : NULL;
    ex_status status = out ? EX_OK : EX_FAILED;
    for (int32_t v = 0; v < g->values && !status; v++) {
        map[v] = EX_NONE;
        value[v] = g->value[v].root != 0;
    }
    for (int32_t n = g->nodes - 1; n >= 0 && !status; n--) {
        node[n] = g->node[n].op->writes != 0;
        for (int32_t k = 0; k < g->node[n].outputs; k++) node[n] |= value[g->node[n].out[k]];
        for (int32_t i = 0; node[n] && i < g->node[n].inputs; i++) value[g->node[n].in[i]] = 1;
    }
    for (int32_t v = 0; v < g->values && !status; v++)
        if (value[v] && g->value[v].kind != EX_VALUE_RESULT) status = ex_graph_copy_leaf(out, g, v, map);
    for (int32_t n = 0; n < g->nodes && !status; n++)
        if (node[n]) status = ex_graph_copy_node(out, g, n, map);
    ex_free(value);
    ex_free(node);
    if (!status) return out;
    ex_graph_free(out);
    return NULL;
}
