/* concat_stats.c: in training, the batch statistics of a concat along the channels are the concat of its inputs' statistics:
 *
 *     batch_stats(concat(a, b))  ->  concat(batch_stats(a), batch_stats(b)), of mean, variance and unbiased variance each
 *
 * and each value's statistics are taken once, so that in a dense block, whose every layer normalises all that came before, each
 * channel is summed once, when it is made. Concats of concats likewise. Statistics agree to rounding: their sums are cut into
 * other parts. It runs before fuse_stats, which then finds the convolutions that made the inputs. */
#include <string.h>
#include "passes.h"
#include "../../base/memory.h"

enum { STATS = 3 };

typedef struct known {
    int32_t values;                         /* room */
    int32_t (*stats)[STATS];                /* by value of the new graph; EX_NONE where they are not taken */
} known;

/* The concat along the channels that makes `value`, or NULL. */
static const ex_node *concat_of(const ex_graph *g, int32_t value)
{
    const ex_node *concat = ex_pass_maker(g, value, "concat");
    if (!concat || !ex_value_is_batched(&g->value[value])) return NULL;
    const double axis = concat->attr[0][0];
    return (axis < 0 ? axis + g->value[value].shape.ndim : axis) == 1 ? concat : NULL;
}

static ex_status take(ex_graph *out, const char *owner, int32_t value, known *k, int32_t stats[STATS]);

/* stats: concats of what the `inputs` values in `in` have. */
static ex_status join(ex_graph *out, const char *owner, int32_t inputs, const int32_t *in, known *k, int32_t stats[STATS])
{
    int32_t *part = ex_alloc_zero(sizeof *part * (size_t)inputs * STATS);
    const ex_attr axis = { "axis", 1, { 0 } };
    ex_status status = part ? EX_OK : EX_FAILED;
    for (int32_t i = 0; i < inputs && !status; i++) {
        int32_t of[STATS] = { 0 };
        status = take(out, owner, in[i], k, of);
        for (int32_t s = 0; s < STATS; s++) part[s * inputs + i] = of[s];
    }
    for (int32_t s = 0; s < STATS && !status; s++)
        status = ex_pass_node(out, owner, "concat", inputs, part + s * inputs, 1, &axis, &stats[s]);
    ex_free(part);
    return status;
}

/* The statistics of `value`: known, or those of its parts, or taken now. */
static ex_status take(ex_graph *out, const char *owner, int32_t value, known *k, int32_t stats[STATS])
{
    if (k->stats[value][0] != EX_NONE) {
        memcpy(stats, k->stats[value], sizeof k->stats[value]);
        return EX_OK;
    }
    const ex_node *concat = concat_of(out, value);
    ex_status status;
    if (!concat) status = ex_pass_node(out, owner, "batch_stats", 1, &value, 0, NULL, stats);
    else {                                  /* the graph's arrays move when nodes are added, a node's own list does not */
        const int32_t inputs = concat->inputs, *in = concat->in;
        status = join(out, owner, inputs, in, k, stats);
    }
    if (!status) memcpy(k->stats[value], stats, sizeof k->stats[value]);
    return status;
}

static ex_status split_node(ex_graph *out, const ex_graph *g, int32_t n, int32_t *map, void *context)
{
    known *k = context;
    const ex_node *node = &g->node[n];
    if (strcmp(node->op->name, "batch_stats")) return ex_graph_copy_node(out, g, n, map);
    const int32_t value = map[node->in[0]];
    int32_t stats[STATS];
    if (k->stats[value][0] == EX_NONE && !concat_of(out, value)) {      /* itself, under its own name */
        if (ex_graph_copy_node(out, g, n, map)) return EX_FAILED;
        for (int32_t s = 0; s < STATS; s++) k->stats[value][s] = map[node->out[s]];
        return EX_OK;
    }
    if (take(out, node->name, value, k, stats)) return EX_FAILED;
    for (int32_t s = 0; s < STATS; s++) ex_graph_replace(out, g, node->out[s], stats[s], map);
    return EX_OK;
}

/* Each value of the old graph gives at most one of its own and its statistics. */
ex_graph *ex_pass_concat_stats(const ex_graph *g, int32_t *map)
{
    known k = { .values = (g->values + 1) * (1 + STATS) };
    k.stats = ex_alloc(sizeof *k.stats * (size_t)k.values);
    for (int32_t v = 0; k.stats && v < k.values; v++) k.stats[v][0] = EX_NONE;
    ex_graph *out = k.stats ? ex_pass_each(g, map, &k, split_node) : NULL;
    ex_free(k.stats);
    return out;
}
