/* graph.c: nodes, values and names; building with shape inference, and looking at what was built.
 * It derives nothing (derive.c, extract.c) and runs nothing (plan.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "graph.h"
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/random.h"

/* -- Names ------------------------------------------------------------------------------------------------ */

static int32_t *bucket_of(const ex_graph *g, const char *name)
{
    uint32_t i = ex_hash_name(name);
    for (;; i++) {
        int32_t *b = &g->bucket[i & (uint32_t)(g->buckets - 1)];
        if (*b == EX_NONE || !strcmp(g->value[*b].name, name)) return b;
    }
}

static ex_status rehash(ex_graph *g, int32_t buckets)
{
    int32_t *fresh = ex_alloc(sizeof *fresh * (size_t)buckets);
    if (!fresh) return EX_FAILED;
    for (int32_t i = 0; i < buckets; i++) fresh[i] = EX_NONE;
    ex_free(g->bucket);
    g->bucket = fresh;
    g->buckets = buckets;
    for (int32_t v = 0; v < g->values; v++) *bucket_of(g, g->value[v].name) = v;
    return EX_OK;
}

int32_t ex_graph_find(const ex_graph *g, const char *name) { return *bucket_of(g, name); }

/* Empties the value's bucket. Those behind it that were pushed past it move up, so that no search ends before it finds them. */
static void forget(ex_graph *g, int32_t value)
{
    const uint32_t mask = (uint32_t)(g->buckets - 1);
    uint32_t hole = (uint32_t)(bucket_of(g, g->value[value].name) - g->bucket);
    for (uint32_t i = (hole + 1) & mask; g->bucket[i] != EX_NONE; i = (i + 1) & mask) {
        const uint32_t home = ex_hash_name(g->value[g->bucket[i]].name);
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        g->bucket[hole] = g->bucket[i];
        hole = i;
    }
    g->bucket[hole] = EX_NONE;
}

ex_status ex_graph_rename(ex_graph *g, int32_t value, const char *name)
{
    if (ex_graph_find(g, name) != EX_NONE) return ex_fail("the name '%s' is taken", name);
    char *copy = ex_strdup(name);
    if (!copy) return EX_FAILED;
    forget(g, value);
    ex_free(g->value[value].name);
    g->value[value].name = copy;
    *bucket_of(g, name) = value;
    return EX_OK;
}

void ex_graph_fresh_name(const ex_graph *g, char *out, size_t size, const char *base, const char *op)
{
    snprintf(out, size, "%s/%s", base, op);
    for (int k = 2; ex_graph_find(g, out) != EX_NONE; k++) snprintf(out, size, "%s/%s#%d", base, op, k);
}

/* -- Life ------------------------------------------------------------------------------------------------- */

ex_graph *ex_graph_new(void)
{
    ex_graph *g = ex_alloc_zero(sizeof *g);
    if (!g) return NULL;
    if (rehash(g, 64)) { ex_free(g); return NULL; }
    return g;
}

static void node_clear(ex_node *n)
{
    ex_free(n->name);
    ex_free(n->in);
    ex_free(n->out);
    ex_free(n->attr);
    ex_free(n->attr_count);
}

void ex_graph_free(ex_graph *g)
{
    if (!g) return;
    for (int32_t i = 0; i < g->nodes; i++) node_clear(&g->node[i]);
    for (int32_t i = 0; i < g->values; i++) {
        ex_free(g->value[i].name);
        ex_tensor_free(g->value[i].tensor);
    }
    ex_free(g->value);
    ex_free(g->node);
    ex_free(g->bucket);
    ex_free(g);
}

/* -- Values ------------------------------------------------------------------------------------------------- */

int ex_value_is_batched(const ex_value *v) { return v->shape.ndim > 0 && v->shape.dim[0] == EX_BATCH; }

ex_signature ex_node_signature(const ex_graph *g, const ex_node *n, ex_shape *in, ex_shape *out)
{
    for (int32_t i = 0; i < n->inputs && i < EX_MAX_IN; i++) in[i] = g->value[n->in[i]].shape;
    for (int32_t k = 0; k < n->outputs; k++) out[k] = g->value[n->out[k]].shape;
    return (ex_signature){ .inputs = n->inputs, .outputs = n->outputs, .in = in, .out = out, .attr = (const ex_numbers *)n->attr,
                           .attr_count = n->attr_count };
}

/* Appends a value whose name is new; gives its index or EX_NONE. */
static int32_t add_value(ex_graph *g, const char *name, int32_t kind, const ex_shape *shape)
{
    if (!*name) { ex_fail("a value needs a name"); return EX_NONE; }
    if (ex_graph_find(g, name) != EX_NONE) { ex_fail("the name '%s' is taken: names are unique in a graph", name); return EX_NONE; }
    if (g->values == g->value_room) {
        int32_t room = g->value_room ? 2 * g->value_room : 64;
        ex_value *grown = ex_realloc(g->value, sizeof *grown * (size_t)room);
        if (!grown) return EX_NONE;
        g->value = grown;
        g->value_room = room;
    }
    ex_value v = { .name = ex_strdup(name), .shape = *shape, .kind = kind, .node = EX_NONE, .trainable = kind == EX_VALUE_PARAMETER };
    if (!v.name) return EX_NONE;
    g->value[g->values] = v;
    *bucket_of(g, name) = g->values++;
    if (2 * g->values > g->buckets && rehash(g, 2 * g->buckets)) return EX_NONE;
    return g->values - 1;
}

/* Axes must be positive; only the first may be the batch. */
static ex_status check_shape(const char *name, const ex_shape *s)
{
    if (s->ndim < 0 || s->ndim > EX_MAX_DIMS) return ex_fail("%s: got %d axes, expected 0 to %d", name, s->ndim, EX_MAX_DIMS);
    double count = 1;
    for (int32_t i = 0; i < s->ndim; i++) {
        if (i == 0 && s->dim[0] == EX_BATCH) continue;
        if (s->dim[i] < 1) return ex_fail("%s: axis %d is %d, expected at least 1", name, i + 1, s->dim[i]);
        count *= s->dim[i];
    }
    if (count > INT32_MAX) return ex_fail("%s: %.0f elements are more than a value may have (%d)", name, count, INT32_MAX);
    return EX_OK;
}

int32_t ex_graph_input(ex_graph *g, const char *name, int32_t dtype, int32_t ndim, const int32_t *dim)
{
    ex_shape s = { .dtype = dtype, .ndim = ndim };
    if (dtype < 0 || dtype >= EX_DTYPE_COUNT) { ex_fail("%s: no type has the number %d", name, dtype); return EX_NONE; }
    if (ndim > 0 && ndim <= EX_MAX_DIMS) memcpy(s.dim, dim, sizeof *dim * (size_t)ndim);
    if (check_shape(name, &s)) return EX_NONE;
    return add_value(g, name, EX_VALUE_INPUT, &s);
}

int32_t ex_graph_leaf(ex_graph *g, const char *name, int32_t kind, ex_tensor *tensor)
{
    if (kind != EX_VALUE_PARAMETER && kind != EX_VALUE_BUFFER) { ex_fail("%s: a leaf with a tensor is a parameter or a buffer", name); return EX_NONE; }
    if (!tensor) { ex_fail("%s: no tensor given", name); return EX_NONE; }
    ex_shape s = { .dtype = tensor->dtype, .ndim = tensor->ndim };
    memcpy(s.dim, tensor->dim, sizeof s.dim);
    if (check_shape(name, &s)) return EX_NONE;
    ex_tensor *view = ex_tensor_view(tensor);
    if (!view) return EX_NONE;
    int32_t v = add_value(g, name, kind, &s);
    if (v == EX_NONE) ex_tensor_free(view);
    else g->value[v].tensor = view;
    return v;
}

/* -- Nodes -------------------------------------------------------------------------------------------------- */

static int32_t attr_specs(const ex_op *op)
{
    int32_t n = 0;
    while (op->attr && op->attr[n].name) n++;
    return n;
}

static ex_status unknown_attr(const ex_op *op, const char *name)
{
    const char *known[EX_MAX_ATTRS];
    int32_t n = attr_specs(op);
    for (int32_t i = 0; i < n; i++) known[i] = op->attr[i].name;
    const char *near = ex_nearest(name, known, n);
    return near ? ex_fail("no attribute '%s'; did you mean '%s'?", name, near) : ex_fail("no attribute '%s'", name);
}

static ex_status take_attr(const ex_attr_spec *spec, const ex_attr *given, double *value, int32_t *count)
{
    int32_t n = given->count;
    if (n < 0 || n > spec->count || (n != spec->count && n != 1 && !spec->variable))
        return ex_fail("attribute '%s' has %d numbers, expected %d", spec->name, n, spec->count);
    for (int32_t i = 0; i < n; i++) value[i] = given->value[i];
    for (int32_t i = n; n == 1 && !spec->variable && i < spec->count; i++) value[i] = given->value[0];
    *count = spec->variable ? n : spec->count;
    return EX_OK;
}

/* Named attributes -> numbers in the order of op->attr, defaults filled in. */
static ex_status order_attrs(const ex_op *op, int32_t attrs, const ex_attr *given, ex_numbers *attr, int32_t *count)
{
    int32_t n = attr_specs(op);
    int32_t seen[EX_MAX_ATTRS] = { 0 };
    for (int32_t i = 0; i < n; i++) {
        memcpy(attr[i], op->attr[i].value, sizeof attr[i]);
        count[i] = op->attr[i].variable ? 0 : op->attr[i].count;
    }
    for (int32_t a = 0; a < attrs; a++) {
        int32_t i = 0;
        while (i < n && strcmp(op->attr[i].name, given[a].name)) i++;
        if (i == n) return unknown_attr(op, given[a].name);
        if (take_attr(&op->attr[i], &given[a], attr[i], &count[i])) return EX_FAILED;
        seen[i] = 1;
    }
    for (int32_t i = 0; i < n; i++)
        if (op->attr[i].required && !seen[i]) return ex_fail("attribute '%s' is required", op->attr[i].name);
    return EX_OK;
}

static ex_status check_inputs(const ex_graph *g, const ex_op *op, int32_t inputs, const int32_t *in)
{
    int nary = (op->flags & EX_OP_NARY) != 0;
    if (inputs < op->min_inputs || (!nary && inputs > op->max_inputs))
        return ex_fail("got %d inputs, expected %s%d%s", inputs, nary ? "at least " : "", op->min_inputs,
                       !nary && op->max_inputs != op->min_inputs ? " or more" : "");
    for (int32_t i = 0; i < inputs; i++)
        if (in[i] < 0 || in[i] >= g->values) return ex_fail("input %d is no value of this graph", i + 1);
    for (int32_t i = 1; i < inputs && (op->flags & EX_OP_ELEMENTWISE); i++)
        if (!ex_shape_same(&g->value[in[0]].shape, &g->value[in[i]].shape)) return ex_fail("an elementwise operator needs inputs of one shape");
    return EX_OK;
}

static ex_status infer(const ex_graph *g, const ex_op *op, int32_t inputs, const int32_t *in, const ex_numbers *attr,
                       const int32_t *attr_count, ex_shape *out)
{
    ex_shape few[EX_MAX_IN], *shape = inputs <= EX_MAX_IN ? few : ex_alloc(sizeof *shape * (size_t)inputs);
    if (!shape) return EX_FAILED;
    for (int32_t i = 0; i < inputs; i++) shape[i] = g->value[in[i]].shape;
    memset(out, 0, sizeof *out * EX_MAX_OUT);
    ex_signature s = { .inputs = inputs, .outputs = op->outputs, .in = shape, .out = out, .attr = attr, .attr_count = attr_count };
    ex_status status = op->infer(&s);
    for (int32_t i = 0; !status && i < op->outputs; i++) status = check_shape("result", &out[i]);
    if (shape != few) ex_free(shape);
    return status;
}

static int32_t *copy_ints(const int32_t *from, int32_t n)
{
    int32_t *to = ex_alloc(sizeof *to * (size_t)(n ? n : 1));
    if (to && n) memcpy(to, from, sizeof *to * (size_t)n);
    return to;
}

/* Room for one more node, filled but for its outputs. */
static ex_node *new_node(ex_graph *g, const char *name, const ex_op *op, int32_t inputs, const int32_t *in,
                         const ex_numbers *attr, const int32_t *attr_count)
{
    if (g->nodes == g->node_room) {
        int32_t room = g->node_room ? 2 * g->node_room : 32;
        ex_node *grown = ex_realloc(g->node, sizeof *grown * (size_t)room);
        if (!grown) return NULL;
        g->node = grown;
        g->node_room = room;
    }
    ex_node *n = &g->node[g->nodes];
    int32_t attrs = attr_specs(op);
    *n = (ex_node){ .name = ex_strdup(name), .op = op, .inputs = inputs, .outputs = op->outputs, .attrs = attrs,
                    .in = copy_ints(in, inputs), .out = copy_ints(in, 0), .attr_count = copy_ints(attr_count, attrs),
                    .attr = ex_alloc_zero(sizeof *n->attr * (size_t)(attrs + 1)) };
    if (op->outputs > 1) {
        ex_free(n->out);
        n->out = ex_alloc(sizeof *n->out * (size_t)op->outputs);
    }
    if (!n->name || !n->in || !n->out || !n->attr_count || !n->attr) { node_clear(n); return NULL; }
    if (attrs) memcpy(n->attr, attr, sizeof *attr * (size_t)attrs);
    return n;
}

int32_t ex_graph_add(ex_graph *g, const char *name, const ex_op *op, int32_t inputs, const int32_t *in,
                     const ex_numbers *attr, const int32_t *attr_count)
{
    ex_shape out[EX_MAX_OUT];
    if (check_inputs(g, op, inputs, in) || infer(g, op, inputs, in, attr, attr_count, out)) {
        ex_error_at("%s: %s", name, op->name);
        return EX_NONE;
    }
    if (op->outputs && ex_graph_find(g, name) != EX_NONE) {
        ex_fail("%s: %s: the name is taken: names are unique in a graph", name, op->name);
        return EX_NONE;
    }
    ex_node *n = new_node(g, name, op, inputs, in, attr, attr_count);
    if (!n) return EX_NONE;
    int32_t index = g->nodes++;
    for (int32_t k = 0; k < op->outputs; k++) {
        char text[512];
        if (k) snprintf(text, sizeof text, "%s:%d", name, k);
        int32_t v = add_value(g, k ? text : name, EX_VALUE_RESULT, &out[k]);
        if (v == EX_NONE) {                 /* undo: the node never was */
            node_clear(n);
            g->nodes--;
            return EX_NONE;
        }
        g->value[v].node = index;
        g->value[v].output = k;
        n->out[k] = v;
    }
    return index;
}

int32_t ex_graph_node(ex_graph *g, const char *name, const char *op_name, int32_t inputs, const int32_t *input,
                      int32_t attrs, const ex_attr *attr)
{
    const ex_op *op = ex_op_find(op_name);
    if (!op) { ex_error_at("%s", name); return EX_NONE; }
    ex_numbers numbers[EX_MAX_ATTRS];
    int32_t count[EX_MAX_ATTRS];
    if (order_attrs(op, attrs, attr, numbers, count)) { ex_error_at("%s: %s", name, op_name); return EX_NONE; }
    return ex_graph_add(g, name, op, inputs, input, numbers, count);
}

/* -- Looking ------------------------------------------------------------------------------------------------ */

int32_t ex_graph_value_count(const ex_graph *g) { return g->values; }
int32_t ex_graph_node_count(const ex_graph *g) { return g->nodes; }

ex_status ex_graph_value(const ex_graph *g, int32_t value, ex_value_info *info)
{
    if (value < 0 || value >= g->values) return ex_fail("no value %d: the graph has %d", value, g->values);
    const ex_value *v = &g->value[value];
    *info = (ex_value_info){ .name = v->name, .kind = v->kind, .dtype = v->shape.dtype, .ndim = v->shape.ndim,
                             .node = v->node, .output = v->output, .trainable = v->trainable };
    memcpy(info->dim, v->shape.dim, sizeof info->dim);
    return EX_OK;
}

static const ex_node *node_at(const ex_graph *g, int32_t node)
{
    if (node >= 0 && node < g->nodes) return &g->node[node];
    ex_fail("no node %d: the graph has %d", node, g->nodes);
    return NULL;
}

int32_t ex_graph_node_input(const ex_graph *g, int32_t node, int32_t i)
{
    const ex_node *n = node_at(g, node);
    return n && i >= 0 && i < n->inputs ? n->in[i] : EX_NONE;
}

int32_t ex_graph_node_output(const ex_graph *g, int32_t node, int32_t i)
{
    const ex_node *n = node_at(g, node);
    return n && i >= 0 && i < n->outputs ? n->out[i] : EX_NONE;
}

ex_status ex_graph_node_attr(const ex_graph *g, int32_t node, int32_t i, ex_attr *attr)
{
    const ex_node *n = node_at(g, node);
    if (!n) return EX_FAILED;
    if (i < 0 || i >= n->attrs) return ex_fail("%s: no attribute %d", n->name, i);
    attr->name = n->op->attr[i].name;
    attr->count = n->attr_count[i];
    memcpy(attr->value, n->attr[i], sizeof attr->value);
    return EX_OK;
}

ex_tensor *ex_graph_tensor(const ex_graph *g, int32_t value)
{
    if (value < 0 || value >= g->values || !g->value[value].tensor) {
        ex_fail("value %d has no tensor: only parameters and buffers do", value);
        return NULL;
    }
    return ex_tensor_view(g->value[value].tensor);
}

ex_status ex_graph_set_trainable(ex_graph *g, int32_t parameter, int32_t trainable)
{
    if (parameter < 0 || parameter >= g->values || g->value[parameter].kind != EX_VALUE_PARAMETER)
        return ex_fail("value %d is no parameter", parameter);
    g->value[parameter].trainable = trainable != 0;
    return EX_OK;
}
