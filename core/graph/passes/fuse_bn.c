/* fuse_bn.c: in training, the gradient towards a batch norm's input comes from the rules of two operators and a sum:
 *     add_n(normalise_grad_input(dy, var, gamma), batch_stats_grad(x, mean, dmean, dvar))
 * with (dmean, dvar) = normalise_grad_stats(dgamma, dbeta, gamma, var). The three read memory five times; this pass puts
 * batch_norm_grad_input(x, dy, mean, var, gamma, dgamma, dbeta) in their place, which reads it twice. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

/* The seven inputs and eps of the fused node, if values a and b are the two halves of one batch norm's gradient. */
static int halves(const ex_graph *g, int32_t a, int32_t b, int32_t fused[7], ex_attr *eps)
{
    const ex_node *direct = ex_pass_maker(g, a, "normalise_grad_input"), *through = ex_pass_maker(g, b, "batch_stats_grad");
    if (!direct || !through) return 0;
    const ex_node *stats = ex_pass_maker(g, through->in[2], "normalise_grad_stats");
    if (!stats || stats != ex_pass_maker(g, through->in[3], "normalise_grad_stats")) return 0;
    int32_t dy = direct->in[0], var = direct->in[1], gamma = direct->in[2];
    if (stats->in[2] != gamma || stats->in[3] != var) return 0;
    if (through->in[2] != stats->out[0] || through->in[3] != stats->out[1]) return 0;
    int32_t in[7] = { through->in[0], dy, through->in[1], var, gamma, stats->in[0], stats->in[1] };
    memcpy(fused, in, sizeof in);
    *eps = (ex_attr){ .name = "eps", .count = 1, .value = { direct->attr[0][0] } };
    return 1;
}

static ex_status fuse_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    (void)context;
    const ex_node *sum = &g->node[n];
    if (strcmp(sum->op->name, "add_n")) return ex_graph_copy_node(out, g, n, map);
    int32_t in[7];
    ex_attr eps;
    for (int32_t i = 0; i < sum->inputs; i++)
        for (int32_t j = 0; j < sum->inputs; j++) {
            if (!halves(g, sum->in[i], sum->in[j], in, &eps)) continue;
            int32_t fused;
            for (int32_t k = 0; k < 7; k++) in[k] = map[in[k]];
            if (ex_pass_node(out, sum->name, "batch_norm_grad_input", 7, in, 1, &eps, &fused)) return EX_FAILED;
            if (sum->inputs > 2) {          /* the others are added as before, in their order */
                int32_t rest[EX_MAX_IN], m = 0;
                if (sum->inputs > EX_MAX_IN) return ex_graph_copy_node(out, g, n, map);
                for (int32_t k = 0; k < sum->inputs; k++)
                    if (k == i) rest[m++] = fused;
                    else if (k != j) rest[m++] = map[sum->in[k]];
                if (ex_pass_node(out, sum->name, "add_n", m, rest, 0, NULL, &fused)) return EX_FAILED;
            }
            ex_graph_replace(out, g, sum->out[0], fused, map);
            return EX_OK;
        }
    return ex_graph_copy_node(out, g, n, map);
}

ex_graph *ex_pass_fuse_bn(const ex_graph *g, int32_t *map)
{
    return ex_pass_each(g, map, NULL, fuse_node);
}
