/* finite_difference.c: see finite_difference.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "finite_difference.h"
#include "../../core/base/error.h"

enum { MAX_VALUES = 128, SAMPLES = 150 };

/* -- A builder that runs what it is asked to build ----------------------------------------------------------------------- */

typedef struct runner {
    ex_builder base;
    const op_case *like;                    /* n, layout, team, instruction set */
    int32_t values, given;                  /* values below `given` belong to others */
    op_array *value[MAX_VALUES];
} runner;

static int32_t add(runner *r, op_array *a)
{
    assert_true(r->values < MAX_VALUES);
    r->value[r->values] = a;
    return r->values++;
}

static ex_status run_node(ex_builder *b, const char *op, int32_t inputs, const int32_t *input, int32_t attrs, const ex_attr *attr,
                          int32_t *output)
{
    runner *r = (runner *)b;
    op_case c = *r->like;
    op_array *out[EX_MAX_OUT];
    c.op = op;
    c.inputs = inputs;
    c.attrs = attrs;
    c.shares = 0;
    for (int32_t i = 0; i < inputs; i++) {
        assert_in_range(input[i], 0, r->values - 1);
        c.in[i] = r->value[input[i]];
    }
    for (int32_t i = 0; i < attrs; i++) c.attr[i] = attr[i];
    op_run(&c, out);
    for (int32_t k = 0; k < ex_op_find(op)->outputs; k++) output[k] = add(r, out[k]);
    return EX_OK;
}

static const ex_shape *shape_of(ex_builder *b, int32_t value) { return &((runner *)b)->value[value]->shape; }

static void release(runner *r)
{
    for (int32_t i = r->given; i < r->values; i++) op_free(r->value[i]);
}

/* -- Gradients of the rule -------------------------------------------------------------------------------------------------- */

/* Runs forward and the rule; the builder's values start with the case's inputs. */
static void run_rule(const op_case *c, runner *r, uint32_t wanted, uint32_t silent, int32_t *out, int32_t *dout, int32_t *din)
{
    op_ready ready;
    op_array *result[EX_MAX_OUT];
    int32_t in[40], want[40] = { 0 };
    const char *in_name[40];
    if (op_prepare(c, &ready)) fail_msg("%s: %s", c->op, ex_error_message());
    for (int32_t i = 0; i < c->inputs; i++) {
        in[i] = add(r, c->in[i]);
        want[i] = wanted >> i & 1;
        din[i] = EX_NONE;
        in_name[i] = "input";
    }
    r->given = r->values;
    op_run(c, result);
    for (int32_t k = 0; k < ready.op->outputs; k++) {
        out[k] = add(r, result[k]);
        int has = !(silent >> k & 1) && ready.out[k].dtype == EX_FLOAT32;
        dout[k] = has ? add(r, op_random(100 + (uint32_t)k, -1, 1, ready.out[k], c->n)) : EX_NONE;
    }
    ex_node_ref ref = { "node", c->op, c->inputs, ready.op->outputs, in, out, (const ex_numbers *)ready.attr, ready.attr_count, in_name };
    assert_non_null(ready.op->gradient);
    if (ready.op->gradient(&r->base, &ref, dout, want, din)) fail_msg("%s: %s", c->op, ex_error_message());
}

/* -- The reference -------------------------------------------------------------------------------------------------------------- */

static double *in_double(const op_array *a)
{
    double *d = malloc(sizeof *d * (size_t)(a->count ? a->count : 1));
    for (int64_t i = 0; i < a->count; i++) d[i] = a->shape.dtype == EX_FLOAT32 ? a->f[i] : a->shape.dtype == EX_INT32 ? a->i[i] : a->u[i];
    return d;
}

static double loss(const op_case *c, fd_reference reference, double *const *in, double *const *out, int32_t outputs, const runner *r,
                   const int32_t *dout)
{
    double sum = 0;
    reference(c, in, out);
    for (int32_t k = 0; k < outputs; k++)
        for (int64_t i = 0; dout[k] != EX_NONE && i < r->value[dout[k]]->count; i++) sum += out[k][i] * r->value[dout[k]]->f[i];
    return sum;
}

void fd_check(const op_case *c, fd_reference reference, uint32_t wanted, uint32_t silent, double bound)
{
    runner r = { .base = { run_node, shape_of }, .like = c };
    int32_t out[EX_MAX_OUT], dout[EX_MAX_OUT], din[40], outputs = ex_op_find(c->op)->outputs;
    double *x[40], *y[EX_MAX_OUT];
    run_rule(c, &r, wanted, silent, out, dout, din);
    for (int32_t i = 0; i < c->inputs; i++) x[i] = in_double(c->in[i]);
    for (int32_t k = 0; k < outputs; k++) y[k] = in_double(r.value[out[k]]);
    reference(c, x, y);
    for (int32_t k = 0; k < outputs; k++)
        if (r.value[out[k]]->shape.dtype == EX_FLOAT32) op_assert_near(r.value[out[k]], y[k], bound);
    for (int32_t i = 0; i < c->inputs; i++) {
        if (!(wanted >> i & 1)) { assert_int_equal(din[i], EX_NONE); continue; }
        if (din[i] == EX_NONE) fail_msg("%s: no gradient towards input %d", c->op, i);
        const op_array *g = r.value[din[i]];
        assert_true(ex_shape_same(&g->shape, &c->in[i]->shape));
        double largest = 1e-3;
        int64_t step = 1 + c->in[i]->count / SAMPLES;
        for (int64_t e = 0; e < g->count; e++) largest = fmax(largest, fabs((double)g->f[e]));
        for (int64_t e = 0; e < c->in[i]->count; e += step) {
            double at = x[i][e], h = 1e-5, side[2];
            for (int s = 0; s < 2; s++) {
                x[i][e] = at + (s ? h : -h);
                side[s] = loss(c, reference, x, y, outputs, &r, dout);
            }
            x[i][e] = at;
            double expected = (side[1] - side[0]) / (2 * h);
            if (!(fabs(expected - g->f[e]) <= bound * largest))
                fail_msg("%s: gradient of input %d at %d: rule %.9g, differences %.9g", c->op, i, (int)e, g->f[e], expected);
        }
    }
    for (int32_t i = 0; i < c->inputs; i++) free(x[i]);
    for (int32_t k = 0; k < outputs; k++) free(y[k]);
    release(&r);
}

void fd_check_stops(const op_case *c)
{
    runner r = { .base = { run_node, shape_of }, .like = c };
    int32_t out[EX_MAX_OUT], dout[EX_MAX_OUT], din[40];
    run_rule(c, &r, ~0u, 0, out, dout, din);
    for (int32_t i = 0; i < c->inputs; i++) assert_int_equal(din[i], EX_NONE);
    release(&r);
}
