/* graph_build.c: see graph_build.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "graph_build.h"

ex_tensor *tensor_of(const char *name, const float *values, int32_t ndim, const int32_t *dim)
{
    static const int32_t weight[4] = { 2, 3, 1, 0 };
    ex_tensor *t = ndim == 4 && !values ? ex_tensor_new_ordered(EX_FLOAT32, ndim, dim, weight) : ex_tensor_new(EX_FLOAT32, ndim, dim);
    if (!t) fail_msg("tensor %s: %s", name, ex_error_message());
    if (values) memcpy(t->data, values, sizeof(float) * (size_t)ex_tensor_count(t));
    else OK(ex_tensor_uniform(t, 7, name, -0.5, 0.5));
    return t;
}

static int32_t leaf(ex_graph *g, const char *name, int32_t kind, ex_tensor *t)
{
    int32_t v = ex_graph_leaf(g, name, kind, t);
    if (v == EX_NONE) fail_msg("%s", ex_error_message());
    ex_tensor_free(t);
    return v;
}

int32_t add_input(ex_graph *g, const char *name, int32_t ndim, const int32_t *dim)
{
    int32_t v = ex_graph_input(g, name, EX_FLOAT32, ndim, dim);
    if (v == EX_NONE) fail_msg("%s", ex_error_message());
    return v;
}

int32_t add_param(ex_graph *g, const char *name, int32_t ndim, const int32_t *dim)
{
    return leaf(g, name, EX_VALUE_PARAMETER, tensor_of(name, NULL, ndim, dim));
}

int32_t add_buffer(ex_graph *g, const char *name, int32_t ndim, const int32_t *dim, double fill)
{
    ex_tensor *t = tensor_of(name, NULL, ndim, dim);
    OK(ex_tensor_fill(t, fill));
    return leaf(g, name, EX_VALUE_BUFFER, t);
}

int32_t add_node_with(ex_graph *g, const char *name, const char *op, int32_t inputs, const int32_t *in, int32_t attrs, const ex_attr *attr)
{
    int32_t n = ex_graph_node(g, name, op, inputs, in, attrs, attr);
    if (n == EX_NONE) fail_msg("%s", ex_error_message());
    return ex_graph_node_output(g, n, 0);
}

int32_t add_node(ex_graph *g, const char *name, const char *op, int32_t inputs, const int32_t *in)
{
    return add_node_with(g, name, op, inputs, in, 0, NULL);
}

int32_t add_conv(ex_graph *g, const char *name, int32_t x, int32_t to, int32_t kernel, int32_t groups)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    const ex_attr attr[] = { { "padding", 1, { kernel >> 1 } }, { "groups", 1, { groups } } };
    const int32_t w = add_param(g, weight, LIST(to, g->value[x].shape.dim[1] / groups, kernel, kernel));
    return add_node_with(g, name, "conv2d", LIST(x, w), 2, attr);
}

int32_t add_linear(ex_graph *g, const char *name, int32_t x, int32_t to)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    return add_node(g, name, "linear", LIST(x, add_param(g, weight, LIST(to, g->value[x].shape.dim[1]))));
}

int32_t add_norm(ex_graph *g, const char *name, int32_t x)
{
    static const char *const part[] = { "weight", "bias", "mean", "var" };
    int32_t in[5] = { x }, channels = g->value[x].shape.dim[1];
    char text[64];
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%s.%s", name, part[i]);
        in[1 + i] = i < 2 ? add_param(g, text, LIST(channels)) : add_buffer(g, text, LIST(channels), i == 3);
    }
    return add_node(g, name, "batch_norm", 5, in);
}

static int32_t add_block(ex_graph *g, const char *name, const char *activation, int32_t x, int32_t in_channels, int32_t out_channels)
{
    char n[8][64];
    const char *const part[] = { ".conv.weight", ".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var", ".conv", ".bn", ".relu" };
    for (int i = 0; i < 8; i++) snprintf(n[i], sizeof n[i], "%s%s", name, part[i]);
    ex_attr padding = { "padding", 1, { 1 } };
    int32_t w = add_param(g, n[0], LIST(out_channels, in_channels, 3, 3));
    int32_t gamma = add_param(g, n[1], LIST(out_channels)), beta = add_param(g, n[2], LIST(out_channels));
    int32_t mean = add_buffer(g, n[3], LIST(out_channels), 0.1), var = add_buffer(g, n[4], LIST(out_channels), 0.8);
    x = add_node_with(g, n[5], "conv2d", LIST(x, w), 1, &padding);
    x = add_node(g, n[6], "batch_norm", LIST(x, gamma, beta, mean, var));
    return add_node(g, n[7], activation, LIST(x));
}

ex_graph *small_network(void) { return small_network_of("relu"); }

ex_graph *small_network_of(const char *activation)
{
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 2, 6, 6));
    x = add_block(g, "one", activation, x, 2, 5);
    x = add_block(g, "two", activation, x, 5, 7);
    x = add_node(g, "pool", "global_avg_pool", LIST(x));
    int32_t w = add_param(g, "fc.weight", LIST(3, 7)), b = add_param(g, "fc.bias", LIST(3));
    x = add_node(g, "fc", "linear", LIST(x, w, b));
    int32_t y = ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH));
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, y));
    return g;
}

int32_t nodes_of(const ex_graph *g, const char *op)
{
    int32_t n = 0;
    for (int32_t i = 0; i < g->nodes; i++) n += !strcmp(g->node[i].op->name, op);
    return n;
}

ex_plan *plan_for(const ex_graph *g, int32_t outputs, const int32_t *output, int32_t guards, const int32_t *guard,
                  int32_t batch, int32_t training, const char *passes, ex_team *team)
{
    ex_plan_options options = { .batch = batch, .training = training, .passes = passes };
    ex_plan *p = ex_plan_new(g, outputs, output, guards, guard, &options, team);
    if (!p) fail_msg("%s", ex_error_message());
    return p;
}

static void bind(ex_plan *p, const char *input, ex_tensor *t)
{
    int32_t slot = ex_plan_slot(p, input);
    if (slot != EX_NONE) OK(ex_plan_bind(p, slot, t));
    ex_tensor_free(t);
}

ex_plan *plan_of_gradients(const char *activation, const char *passes, int32_t batch)
{
    ex_graph *g = small_network_of(activation), *t = ex_graph_training(g);
    int32_t of[] = { ex_graph_find(t, "one.conv.weight"), ex_graph_find(t, "two.conv.weight") }, dw[2];
    OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), 2, of, dw));
    ex_plan *p = plan_for(t, 2, dw, 0, NULL, batch, 1, passes, NULL);
    ex_graph_free(t);
    ex_graph_free(g);
    return p;
}

void bind_random(ex_plan *p, const char *input, int32_t ndim, const int32_t *dim)
{
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, ndim, dim);
    OK(ex_tensor_normal(t, 3, input, 0, 1));
    bind(p, input, t);
}

void bind_labels(ex_plan *p, const char *input, int32_t n, int32_t classes)
{
    ex_tensor *t = ex_tensor_new(EX_INT32, 1, &n);
    for (int32_t i = 0; i < n; i++) OK(ex_tensor_set(t, &i, (i * 7 + 1) % classes));
    bind(p, input, t);
}

void run_ok(ex_plan *p, int32_t n, double step) { OK(ex_plan_run(p, n, 11, step)); }

const ex_step *step_named(const ex_plan *p, const char *name)
{
    for (int32_t s = 0; s < p->steps; s++)
        if (!strcmp(p->step[s].node->name, name)) return &p->step[s];
    fail_msg("no step is named %s", name);
    return NULL;
}

float *read_output(ex_plan *p, int32_t i, int32_t ndim, const int32_t *dim)
{
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, ndim, dim);
    OK(ex_plan_output(p, i, t));
    size_t bytes = sizeof(float) * (size_t)ex_tensor_count(t);
    float *copy = malloc(bytes);
    memcpy(copy, t->data, bytes);
    ex_tensor_free(t);
    return copy;
}

void give(drawing *d, int32_t value)
{
    assert_true(d->outputs < DRAWING_OUTPUTS);
    d->out[d->outputs++] = value;
}

int32_t numbers_of(ex_plan *p, const drawing *d, int32_t n, float *to, int32_t room)
{
    int32_t count = 0;
    run_ok(p, n, 0);
    for (int32_t i = 0; i < d->outputs; i++) {
        const ex_shape *s = &d->g->value[d->out[i]].shape;
        int32_t dim[EX_MAX_DIMS], size = 1;
        for (int32_t k = 0; k < s->ndim; k++) size *= dim[k] = s->dim[k] == EX_BATCH ? n : s->dim[k];
        assert_true(count + size < room);
        float *numbers = read_output(p, i, s->ndim, dim);
        memcpy(to + count, numbers, sizeof *to * (size_t)size);
        free(numbers);
        count += size;
    }
    return count;
}

learner learner_start(const ex_graph *g, int32_t batch, const char *passes, ex_team *team)
{
    learner t = { .g = ex_graph_training(g) };
    for (int32_t v = 0; v < t.g->values; v++)
        if (t.g->value[v].kind == EX_VALUE_PARAMETER) {
            assert_true(t.count < LEARNER_PARAMETERS);
            t.of[t.count++] = v;
        }
    const int32_t loss = ex_graph_find(t.g, "loss");
    int32_t dim[4];
    memcpy(dim, t.g->value[ex_graph_find(t.g, "images")].shape.dim, sizeof dim);
    dim[0] = batch;
    OK(ex_graph_gradient(t.g, loss, t.count, t.of, t.gradient));
    t.p = plan_for(t.g, t.count, t.gradient, 1, &loss, batch, 1, passes, team);
    bind_random(t.p, "images", 4, dim);
    bind_labels(t.p, "labels", batch, 3);
    return t;
}

void learner_stop(learner *t)
{
    ex_plan_free(t->p);
    ex_graph_free(t->g);
}

float *gradient_of(learner *t, int32_t i, int32_t *count)
{
    const ex_shape *s = &t->g->value[t->of[i]].shape;
    *count = (int32_t)ex_shape_count(s);
    return read_output(t->p, i, s->ndim, s->dim);
}

void assert_close(const float *a, const float *b, int32_t n, double bound)
{
    double worst = 0, largest = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!isfinite(a[i])) fail_msg("element %d is %g", i, (double)a[i]);
        worst = fmax(worst, fabs((double)a[i] - b[i]));
        largest = fmax(largest, fabs((double)b[i]));
    }
    if (!(worst <= bound * largest)) fail_msg("largest difference %g, largest value %g, bound %g of it", worst, largest, bound);
}

const char *gradient_that_differs(learner *a, learner *b)
{
    for (int32_t i = 0; i < a->count; i++) {
        int32_t count;
        float *x = gradient_of(a, i, &count), *y = gradient_of(b, i, &count);
        const int differs = memcmp(x, y, sizeof *x * (size_t)count);
        free(x);
        free(y);
        if (differs) return a->g->value[a->of[i]].name;
    }
    return NULL;
}
