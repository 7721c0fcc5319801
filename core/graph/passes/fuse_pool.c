/* fuse_pool.c: in training, the gradient of an activation behind that of a maximum pooling goes into its pass over memory:
 *     relu_grad(r, max_pool2d_grad(r, y, dy))      max_pool2d_grad(r, y, dy; act = 1), relu6_grad alike with act = 2
 * A window's maximum is also the activation's result where its gradient goes. The two read and write whole maps twice. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

enum { ATTRS = 5 };                         /* of max_pool2d */

static ex_status fuse_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *uses)
{
    const ex_node *mask = &g->node[n], *pool = NULL;
    int relu = !strcmp(mask->op->name, "relu_grad"), relu6 = !strcmp(mask->op->name, "relu6_grad");
    if (relu || relu6) pool = ex_pass_maker(g, mask->in[1], "max_pool2d_grad");
    if (!pool || pool->in[0] != mask->in[0] || ((int32_t *)uses)[mask->in[1]] != 1 || pool->attr[ATTRS][0] != 0)
        return ex_graph_copy_node(out, g, n, map);
    int32_t in[3] = { map[pool->in[0]], map[pool->in[1]], map[pool->in[2]] }, made;
    ex_attr attr[ATTRS + 1];
    for (int i = 0; i < ATTRS; i++) {
        attr[i] = (ex_attr){ pool->op->attr[i].name, pool->attr_count[i], { 0 } };
        memcpy(attr[i].value, pool->attr[i], sizeof attr[i].value);
    }
    attr[ATTRS] = (ex_attr){ "act", 1, { relu ? 1 : 2 } };
    if (ex_pass_node(out, mask->name, "max_pool2d_grad", 3, in, ATTRS + 1, attr, &made)) return EX_FAILED;
    ex_graph_replace(out, g, mask->out[0], made, map);
    return EX_OK;
}

ex_graph *ex_pass_fuse_pool(const ex_graph *g, int32_t *map)
{
    int32_t *uses = ex_graph_uses(g);
    ex_graph *out = uses ? ex_pass_each(g, map, uses, fuse_node) : NULL;
    ex_free(uses);
    return out;
}
