/* update_test.c: SGD and Adam over several steps against numbers of torch.optim and a double reference; norms, clipping. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

enum { LR = 2, SCALE, SGD_VELOCITY, ADAM_T = 4, ADAM_M, ADAM_V };

static op_array *one(float value) { return op_floats(&value, OP_SCALAR, 1); }

static op_case sgd_case(ex_shape shape, float lr, double momentum, double nesterov, double decay)
{
    op_case c = { .op = "sgd", .inputs = momentum != 0 ? 5 : 4, .n = 1, .attrs = 3 };
    c.attr[0] = (ex_attr)OP_ATTR("momentum", momentum);
    c.attr[1] = (ex_attr)OP_ATTR("nesterov", nesterov);
    c.attr[2] = (ex_attr)OP_ATTR("weight_decay", decay);
    c.in[0] = op_random(70, -1, 1, shape, 1);
    c.in[1] = op_random(71, -1, 1, shape, 1);
    c.in[LR] = one(lr);
    c.in[SCALE] = one(1);
    if (momentum != 0) c.in[SGD_VELOCITY] = op_zeros(shape, 1);
    return c;
}

static op_case adam_case(ex_shape shape, float lr, double beta1, double beta2, double eps, double decay, double decoupled)
{
    op_case c = { .op = "adam", .inputs = 7, .n = 1, .attrs = 5 };
    c.attr[0] = (ex_attr)OP_ATTR("beta1", beta1);
    c.attr[1] = (ex_attr)OP_ATTR("beta2", beta2);
    c.attr[2] = (ex_attr)OP_ATTR("eps", eps);
    c.attr[3] = (ex_attr)OP_ATTR("weight_decay", decay);
    c.attr[4] = (ex_attr)OP_ATTR("decoupled", decoupled);
    c.in[0] = op_random(70, -1, 1, shape, 1);
    c.in[1] = op_random(71, -1, 1, shape, 1);
    c.in[LR] = one(lr);
    c.in[SCALE] = one(1);
    c.in[ADAM_T] = one(1);
    c.in[ADAM_M] = op_zeros(shape, 1);
    c.in[ADAM_V] = op_zeros(shape, 1);
    return c;
}

/* -- Numbers of PyTorch 1.13: p = (1, -2, .5), three steps with gradients (.5, -1, .25) t - .1, lr .1 ------------------- */

static void three_steps(op_case c, const float *expected)
{
    const float p[] = { 1, -2, 0.5f }, g[] = { 0.5f, -1, 0.25f };
    memcpy(c.in[0]->f, p, sizeof p);
    for (int t = 1; t <= 3; t++) {
        for (int i = 0; i < 3; i++) c.in[1]->f[i] = g[i] * (float)t - 0.1f;
        if (c.inputs == 7) *c.in[ADAM_T]->f = (float)t;
        op_run(&c, NULL);
    }
    op_assert_floats(c.in[0], expected, 3, 3e-7f);
    op_free_inputs(&c);
}

static void as_torch_optim(void **state)
{
    (void)state;
    ex_shape s = OP_SHAPE(3);
    three_steps(sgd_case(s, 0.1f, 0, 0, 0), (float[]){ 0.730000019f, -1.37f, 0.379999995f });
    three_steps(sgd_case(s, 0.1f, 0.9, 0, 0.01), (float[]){ 0.575236738f, -0.982317567f, 0.315644354f });
    three_steps(sgd_case(s, 0.1f, 0.9, 1, 0.01), (float[]){ 0.345241457f, -0.449429929f, 0.212796226f });
    three_steps(adam_case(s, 0.1f, 0.9, 0.999, 1e-8, 0, 0), (float[]){ 0.710205138f, -1.70670784f, 0.213858351f });
    three_steps(adam_case(s, 0.1f, 0.8, 0.99, 1e-3, 0.1, 0), (float[]){ 0.702895343f, -1.70088863f, 0.205213636f });
    three_steps(adam_case(s, 0.1f, 0.9, 0.999, 1e-8, 0.1, 1), (float[]){ 0.683446229f, -1.65026593f, 0.201929823f });
}

/* -- Against the definition in double, many steps, every layout ------------------------------------------------------------ */

static double attr(const op_case *c, int i) { return c->attr[i].value[0]; }

static void sgd_reference(const op_case *c, double *p, double *v, double g)
{
    g = g * *c->in[SCALE]->f + attr(c, 2) * *p;
    *v = attr(c, 0) * *v + g;
    *p -= *c->in[LR]->f * (attr(c, 1) != 0 ? g + attr(c, 0) * *v : *v);
}

static void adam_reference(const op_case *c, double *p, double *m, double *v, double g, int t)
{
    double lr = *c->in[LR]->f, decay = attr(c, 3);
    g *= *c->in[SCALE]->f;
    if (attr(c, 4) != 0) *p *= 1 - lr * decay;
    else g += decay * *p;
    *m = attr(c, 0) * *m + (1 - attr(c, 0)) * g;
    *v = attr(c, 1) * *v + (1 - attr(c, 1)) * g * g;
    *p -= lr / (1 - pow(attr(c, 0), t)) * *m / (sqrt(*v) / sqrt(1 - pow(attr(c, 1), t)) + attr(c, 2));
}

static void many_steps(op_case c)
{
    int64_t count = c.in[0]->count;
    int adam = c.inputs == 7;
    double *p = calloc((size_t)count, sizeof *p), *m = calloc((size_t)count, sizeof *m), *v = calloc((size_t)count, sizeof *v);
    for (int64_t i = 0; i < count; i++) p[i] = c.in[0]->f[i];
    *c.in[SCALE]->f = 0.5f;
    for (int t = 1; t <= 12; t++) {
        *c.in[LR]->f = 0.1f / (float)t;     /* a schedule */
        if (adam) *c.in[ADAM_T]->f = (float)t;
        for (int64_t i = 0; i < count; i++) {
            c.in[1]->f[i] = (float)sin((double)(i * 7 + t));
            if (adam) adam_reference(&c, &p[i], &m[i], &v[i], c.in[1]->f[i], t);
            else sgd_reference(&c, &p[i], &v[i], c.in[1]->f[i]);
        }
        op_run(&c, NULL);
    }
    op_assert_near(c.in[0], p, 2e-6);
    op_assert_everywhere(&c, 2e-6);
    free(p);
    free(m);
    free(v);
    op_free_inputs(&c);
}

static void many_steps_everywhere(void **state)
{
    (void)state;
    const ex_shape shapes[] = { OP_SHAPE(5, 3, 3, 3), OP_SHAPE(37), OP_SHAPE(10, 20), OP_SCALAR };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        many_steps(sgd_case(shapes[s], 0.1f, 0, 0, 0.1));
        many_steps(sgd_case(shapes[s], 0.1f, 0.9, 0, 0));
        many_steps(sgd_case(shapes[s], 0.1f, 0.8, 1, 0.05));
        many_steps(adam_case(shapes[s], 0.1f, 0.9, 0.999, 1e-8, 0.1, 0));
        many_steps(adam_case(shapes[s], 0.1f, 0.7, 0.9, 1e-4, 0.1, 1));
    }
    many_steps(adam_case(OP_SHAPE(70001), 0.1f, 0.9, 0.999, 1e-8, 0, 0));      /* several parts */
}

static void what_is_not_state_stays(void **state)
{
    (void)state;
    op_case c = adam_case(OP_SHAPE(9), 0.1f, 0.9, 0.999, 1e-8, 0, 0);
    uint32_t written = 1 | 1 << ADAM_M | 1 << ADAM_V;
    assert_int_equal(ex_op_find("adam")->writes, written);
    assert_int_equal(ex_op_find("sgd")->writes, 1 | 1 << SGD_VELOCITY);
    assert_int_equal(ex_op_find("sgd")->outputs, 0);
    op_free_inputs(&c);
}

/* -- Groups ----------------------------------------------------------------------------------------------------------------- */

enum { MEMBERS = 4 };

/* The case of a whole group from those of its members, which share what is not their own; its inputs are theirs. */
static op_case group_of(const char *op, const op_case *member, int32_t shared)
{
    op_case c = { .op = op, .n = 1, .attrs = member->attrs };
    memcpy(c.attr, member->attr, sizeof c.attr);
    for (; c.inputs < shared; c.inputs++) c.in[c.inputs] = member->in[LR + c.inputs];
    for (int m = 0; m < MEMBERS; m++) {
        for (int32_t i = 0; i < LR; i++) c.in[c.inputs++] = member[m].in[i];
        for (int32_t i = LR + shared; i < member->inputs; i++) c.in[c.inputs++] = member[m].in[i];
    }
    return c;
}

/* A group does to each parameter, bit by bit, what its own node does. Sizes that parts cut, and that share a part. */
static void groups_are_their_members(void **state)
{
    (void)state;
    const ex_shape shapes[MEMBERS] = { OP_SHAPE(5, 3, 3, 3), OP_SHAPE(40001), OP_SCALAR, OP_SHAPE(70, 900) };
    static const char *const name[] = { "sgd_group", "sgd_plain_group", "adam_group" };
    for (int kind = 0; kind < 3; kind++) {
        op_case member[MEMBERS];
        op_array *before[MEMBERS][7];
        for (int m = 0; m < MEMBERS; m++) {
            member[m] = kind == 2 ? adam_case(shapes[m], 0.1f, 0.9, 0.99, 1e-8, 0.1, 1) : sgd_case(shapes[m], 0.1f, kind ? 0 : 0.9, 0, 0.01);
            for (int64_t i = 0; i < member[m].in[1]->count; i++) member[m].in[1]->f[i] *= (float)m + 1;
            for (int64_t i = 0; member[m].inputs == 5 && i < member[m].in[4]->count; i++) member[m].in[4]->f[i] = (float)(i % 7);
            for (int32_t i = 0; i < member[m].inputs; i++) before[m][i] = op_clone(member[m].in[i]);
        }
        op_case group = group_of(name[kind], member, kind == 2 ? 3 : 2);
        op_assert_everywhere(&group, 2e-6);
        op_run(&group, NULL);
        for (int m = 0; m < MEMBERS; m++) {
            op_case alone = member[m];
            memcpy(alone.in, before[m], sizeof before[m]);
            op_run(&alone, NULL);
            for (int32_t i = 0; i < alone.inputs; i++) op_assert_same_bits(alone.in[i], member[m].in[i]);
            assert_true(member[m].in[0]->f[0] != 0);
            op_free_inputs(&alone);
            op_free_inputs(&member[m]);
        }
    }
}

static void groups_write_what_their_members_write(void **state)
{
    (void)state;
    static const struct { const char *op; int32_t shared, period, own; } groups[] = { { "sgd_group", 2, 3, 1 | 4 }, { "sgd_plain_group", 2, 2, 1 },
                                                                                    { "adam_group", 3, 4, 1 | 4 | 8 } };
    for (int k = 0; k < 3; k++)
        for (int32_t i = 0; i < 200; i++) {
            int own = i < groups[k].shared ? 0 : groups[k].own >> (i - groups[k].shared) % groups[k].period & 1;
            assert_int_equal(ex_op_writes(ex_op_find(groups[k].op), i), own);
        }
    assert_int_equal(ex_op_writes(ex_op_find("sgd"), 4), 1);
    assert_int_equal(ex_op_writes(ex_op_find("add_n"), 40), 0);
}

static void wrong_groups_are_refused(void **state)
{
    (void)state;
    op_array *p = op_zeros(OP_SHAPE(3), 1), *other = op_zeros(OP_SHAPE(4), 1), *lr = one(1);
    op_case c = { .op = "sgd_group", .inputs = 6, .n = 1, .in = { lr, lr, p, p, p, p } };
    op_assert_refused(&c, "got 6 inputs, expected 2 and 3 for each parameter");
    c.inputs = 5;
    c.in[4] = other;
    op_assert_refused(&c, "state: got (4) float32, expected the parameter's (3) float32");
    c.in[1] = p;
    op_assert_refused(&c, "scale: got (3) float32, expected one float32");
    c = (op_case){ .op = "sgd_plain_group", .inputs = 4, .n = 1, .in = { lr, lr, p, p }, .attrs = 1, .attr = { OP_ATTR("momentum", 0.5) } };
    op_assert_refused(&c, "momentum: got 0.5 without velocities");
    op_free(p);
    op_free(other);
    op_free(lr);
}

/* -- Norms --------------------------------------------------------------------------------------------------------------------- */

static void norms_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "global_norm", .inputs = 3, .n = 1 };
    c.in[0] = op_floats((float[]){ 2, -4 }, OP_SHAPE(2), 1);
    c.in[1] = op_floats((float[]){ 5, 1, 1, -1 }, OP_SHAPE(2, 2), 1);
    c.in[2] = op_floats((float[]){ 1 }, OP_SCALAR, 1);
    op_array *y = op_run1(&c);              /* sqrt(4 + 16 + 25 + 1 + 1 + 1 + 1) */
    op_assert_floats(y, (float[]){ 7 }, 1, 0);
    op_case k = { .op = "clip_scale", .inputs = 1, .n = 1, .in = { y }, .attrs = 1, .attr = { OP_ATTR("max", 3.5) } };
    op_array *scale = op_run1(&k);
    op_assert_floats(scale, (float[]){ (float)(3.5 / 7.000001) }, 1, 1e-7f);
    op_free(scale);
    k.attr[0] = (ex_attr)OP_ATTR("max", 8);
    scale = op_run1(&k);
    op_assert_floats(scale, (float[]){ 1 }, 1, 0);
    op_free(scale);
    *y->f = NAN;                            /* stays visible */
    scale = op_run1(&k);
    assert_true(isnan(*scale->f));
    op_free(scale);
    op_free(y);
    op_free_inputs(&c);
}

/* More inputs than fit into scratch, several parts, and squares beyond float32. */
static void norms_of_many_gradients(void **state)
{
    (void)state;
    op_case c = { .op = "global_norm", .inputs = 33, .n = 1 };
    double sum = 0;
    for (int32_t i = 0; i < c.inputs; i++) {
        c.in[i] = op_random(80 + (uint32_t)i, -1, 1, i == 5 ? OP_SHAPE(100, 700) : OP_SHAPE(3, 2, 3, 3), 1);
        for (int64_t k = 0; k < c.in[i]->count; k++) sum += (double)c.in[i]->f[k] * c.in[i]->f[k];
    }
    op_array *y = op_run1(&c);
    assert_true(fabs(*y->f - sqrt(sum)) < 1e-6 * sqrt(sum));
    op_assert_everywhere(&c, 1e-7);
    op_free(y);
    c.in[0]->f[0] = 3e30f;
    y = op_run1(&c);
    assert_true(fabsf(*y->f - 3e30f) < 1e24f);
    op_free(y);
    op_free_inputs(&c);
}

/* -- Rules ---------------------------------------------------------------------------------------------------------------------- */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = sgd_case(OP_SHAPE(3), 0.1f, 0, 0, 0);
    c.attr[0] = (ex_attr)OP_ATTR("momentum", 0.9);
    op_assert_refused(&c, "momentum: got 0.9 without a velocity, expected a fifth input");
    op_free(c.in[LR]);
    c.in[LR] = op_zeros(OP_SHAPE(2), 1);
    op_assert_refused(&c, "lr: got (2) float32, expected one float32");
    op_free(c.in[1]);
    c.in[1] = op_zeros(OP_SHAPE(4), 1);
    op_assert_refused(&c, "gradient: got (4) float32, expected the parameter's (3) float32");
    op_free_inputs(&c);
    c = adam_case(OP_SHAPE(3), 0.1f, 0.9, 0.999, 1e-8, 0, 0);
    op_free(c.in[ADAM_V]);
    c.in[ADAM_V] = op_zeros(OP_SHAPE(1), 1);
    op_assert_refused(&c, "second moment: got (1) float32, expected the parameter's (3) float32");
    op_free_inputs(&c);
    c = (op_case){ .op = "clip_scale", .inputs = 1, .n = 1, .in = { one(1) }, .attrs = 1, .attr = { OP_ATTR("max", 0) } };
    op_assert_refused(&c, "max: got 0, expected more than 0");
    op_free_inputs(&c);
    c = (op_case){ .op = "global_norm", .inputs = 1, .n = 1, .in = { op_zeros(OP_LABELS(2), 1) } };
    op_assert_refused(&c, "gradient 1: got int32, expected float32");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_torch_optim), cmocka_unit_test(many_steps_everywhere), cmocka_unit_test(what_is_not_state_stays),
        cmocka_unit_test(groups_are_their_members), cmocka_unit_test(groups_write_what_their_members_write),
        cmocka_unit_test(wrong_groups_are_refused), cmocka_unit_test(norms_by_hand), cmocka_unit_test(norms_of_many_gradients), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
