/* table.c: every operator by name: the families, and those that a script has declared in Lua. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "op.h"
#include "../base/error.h"
#include "../base/memory.h"

static const ex_op *const *const families[] = {
    ex_ops_conv, ex_ops_linear, ex_ops_norm, ex_ops_norm_act, ex_ops_affine, ex_ops_pool, ex_ops_pool_adaptive, ex_ops_activation, ex_ops_elementwise,
    ex_ops_reduce, ex_ops_shape, ex_ops_loss, ex_ops_combine, ex_ops_scale_channels, ex_ops_random, ex_ops_update,
};

enum { MAX_DECLARED = 256, FAMILIES = sizeof families / sizeof *families };
static ex_op *declared[MAX_DECLARED];
static int32_t declared_count;

/* -- The list --------------------------------------------------------------------------------------- */

const ex_op *ex_op_at(int32_t i)
{
    for (int f = 0; f < (int)FAMILIES; f++)
        for (const ex_op *const *op = families[f]; *op; op++)
            if (i-- == 0) return *op;
    return i >= 0 && i < declared_count ? declared[i] : NULL;
}

int32_t ex_op_count(void)
{
    int32_t n = declared_count;
    for (int f = 0; f < (int)FAMILIES; f++)
        for (const ex_op *const *op = families[f]; *op; op++) n++;
    return n;
}

const char *ex_op_name(int32_t i) { const ex_op *op = ex_op_at(i); return op ? op->name : NULL; }
const char *ex_op_about(int32_t i) { const ex_op *op = ex_op_at(i); return op ? op->about : NULL; }

static const ex_op *find(const char *name)
{
    const ex_op *op;
    for (int32_t i = 0; (op = ex_op_at(i)); i++)
        if (!strcmp(op->name, name)) return op;
    return NULL;
}

const ex_op *ex_op_find(const char *name)
{
    const ex_op *op = find(name);
    if (op) return op;
    int32_t n = ex_op_count();
    const char **names = malloc(sizeof *names * (size_t)(n + 1));
    const char *near = NULL;
    if (names) {
        for (int32_t i = 0; i < n; i++) names[i] = ex_op_name(i);
        near = ex_nearest(name, names, n);
    }
    free(names);
    ex_fail(near ? "no operator '%s'; did you mean '%s'?" : "no operator '%s'", name, near);
    return NULL;
}

/* -- Operators written in Lua ------------------------------------------------------------------------- */

enum { SHAPE };   /* the first attribute of a declared operator */

static ex_status infer_declared(const ex_signature *s)
{
    s->out[0] = s->in[0];
    s->out[0].dtype = EX_FLOAT32;
    if (!s->attr_count[SHAPE]) return EX_OK;
    s->out[0].ndim = s->attr_count[SHAPE];
    for (int32_t i = 0; i < s->out[0].ndim; i++) s->out[0].dim[i] = (int32_t)s->attr[SHAPE][i];
    return EX_OK;
}

/* NAME.gradient: (dout, in..., out) -> din... */
static ex_status infer_declared_gradient(const ex_signature *s)
{
    for (int32_t i = 0; i < s->outputs; i++) s->out[i] = s->in[i + 1];
    return EX_OK;
}

static ex_status gradient_declared(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted,
                                   int32_t *din)
{
    (void)wanted;
    int32_t in[EX_MAX_IN] = { dout[0] }, n = 1;
    for (int32_t i = 0; i < node->inputs; i++) in[n++] = node->in[i];
    in[n++] = node->out[0];
    char name[256];
    snprintf(name, sizeof name, "%s.gradient", node->op);
    ex_attr attr[EX_MAX_ATTRS];
    const ex_op *op = ex_op_find(node->op);
    int32_t attrs = 0;
    for (int32_t i = 0; op->attr[i].name; i++) {
        if (!node->attr_count[i]) continue;
        attr[attrs].name = op->attr[i].name;
        attr[attrs].count = node->attr_count[i];
        memcpy(attr[attrs++].value, node->attr[i], sizeof *node->attr);
    }
    return b->node(b, name, n, in, attrs, attr, din);
}

/* Lists of attributes, every one kept for good: nodes of an operator that was defined again may still name an older list. */
typedef struct attr_list {
    struct attr_list *older;
    ex_attr_spec spec[];                    /* the shape, the operator's own, the end */
} attr_list;

static attr_list *attr_lists;

static const ex_attr_spec *keep_attrs(int32_t attrs, const char *const *attr)
{
    attr_list *list = ex_alloc_zero(sizeof *list + sizeof *list->spec * (size_t)(attrs + 2));
    if (!list) return NULL;
    list->older = attr_lists;
    attr_lists = list;
    list->spec[SHAPE] = (ex_attr_spec){ .name = "shape", .count = EX_MAX_ATTR, .variable = 1 };
    for (int32_t i = 0; i < attrs; i++) {
        list->spec[i + 1] = (ex_attr_spec){ .name = ex_strdup(attr[i]), .count = EX_MAX_ATTR, .variable = 1 };
        if (!list->spec[i + 1].name) return NULL;
    }
    return list->spec;
}

/* An operator that keeps its texts; redefined in place, so that a prompt may define it again. */
static ex_status declare(const char *name, int32_t inputs, int32_t outputs, uint32_t flags, int32_t attrs,
                         const char *const *attr, ex_op **result)
{
    ex_op *op = NULL;
    for (int32_t i = 0; i < declared_count; i++)
        if (!strcmp(declared[i]->name, name)) op = declared[i];
    if (!op && find(name)) return ex_fail("operator '%s' is built in: choose another name", name);
    if (!op) {
        if (declared_count == MAX_DECLARED) return ex_fail("operator '%s': %d operators in Lua are the most", name, MAX_DECLARED);
        op = ex_alloc_zero(sizeof *op);
        char *copy = op ? ex_strdup(name) : NULL;
        if (!copy) { ex_free(op); return EX_FAILED; }
        op->name = copy;
        op->about = "written in Lua";
        declared[declared_count++] = op;
    }
    const ex_attr_spec *spec = keep_attrs(attrs, attr);
    if (!spec) return EX_FAILED;
    op->attr = spec;
    op->min_inputs = op->max_inputs = inputs;
    op->outputs = outputs;
    op->flags = flags;
    *result = op;
    return EX_OK;
}

ex_status ex_op_declare(const char *name, int32_t inputs, int32_t elementwise, int32_t gradient, int32_t attrs,
                        const char *const *attr)
{
    if (inputs < 1 || inputs > EX_MAX_IN - 2) return ex_fail("operator '%s': got %d inputs, expected 1 to %d", name, inputs, EX_MAX_IN - 2);
    if (attrs < 0 || attrs > EX_MAX_ATTRS - 1) return ex_fail("operator '%s': got %d attributes, expected up to %d", name, attrs, EX_MAX_ATTRS - 1);
    ex_op *op, *back;
    uint32_t flags = EX_OP_LUA | (elementwise ? EX_OP_ELEMENTWISE : 0);
    if (declare(name, inputs, 1, flags, attrs, attr, &op)) return EX_FAILED;
    op->infer = infer_declared;
    op->gradient = gradient ? gradient_declared : NULL;
    if (!gradient) return EX_OK;
    char text[256];
    snprintf(text, sizeof text, "%s.gradient", name);
    if (declare(text, inputs + 2, inputs, flags, attrs, attr, &back)) return EX_FAILED;
    back->infer = infer_declared_gradient;
    return EX_OK;
}
