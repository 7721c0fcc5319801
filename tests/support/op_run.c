/* op_run.c: see op_run.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "op_run.h"
#include "../../core/base/error.h"
#include "../../core/base/random.h"
#include "../../core/tensor/tensor.h"

/* -- Arrays --------------------------------------------------------------------------------------------------------- */

static int64_t count_of(const ex_shape *s, int32_t n)
{
    return ex_shape_count(s) * (s->ndim && s->dim[0] == EX_BATCH ? n : 1);
}

op_array *op_zeros(ex_shape shape, int32_t n)
{
    op_array *a = calloc(1, sizeof *a);
    a->shape = shape;
    a->n = n;
    a->count = count_of(&shape, n);
    a->data = calloc((size_t)a->count, ex_dtype_size(shape.dtype));
    return a;
}

op_array *op_floats(const float *values, ex_shape shape, int32_t n)
{
    op_array *a = op_zeros(shape, n);
    memcpy(a->f, values, (size_t)a->count * sizeof *values);
    return a;
}

op_array *op_ints(const int32_t *values, ex_shape shape, int32_t n)
{
    shape.dtype = EX_INT32;
    op_array *a = op_zeros(shape, n);
    memcpy(a->i, values, (size_t)a->count * sizeof *values);
    return a;
}

static uint32_t draw(uint32_t seed, int64_t i)
{
    uint32_t word[4];
    ex_random4(word, seed, 17, (uint32_t)i, 0, 0);
    return word[0];
}

op_array *op_random(uint32_t seed, float low, float high, ex_shape shape, int32_t n)
{
    op_array *a = op_zeros(shape, n);
    for (int64_t i = 0; i < a->count; i++) a->f[i] = low + (high - low) * ex_unit_float(draw(seed, i));
    return a;
}

op_array *op_random_labels(uint32_t seed, int32_t classes, ex_shape shape, int32_t n)
{
    shape.dtype = EX_INT32;
    op_array *a = op_zeros(shape, n);
    for (int64_t i = 0; i < a->count; i++) a->i[i] = (int32_t)(draw(seed, i) % (uint32_t)classes);
    return a;
}

op_array *op_clone(const op_array *a)
{
    op_array *b = op_zeros(a->shape, a->n);
    memcpy(b->data, a->data, (size_t)a->count * ex_dtype_size(a->shape.dtype));
    return b;
}

void op_free(op_array *a)
{
    if (!a) return;
    free(a->data);
    free(a);
}

void op_free_inputs(op_case *c)
{
    for (int32_t i = 0; i < c->inputs; i++) { op_free(c->in[i]); c->in[i] = NULL; }
}

/* -- Operands --------------------------------------------------------------------------------------------------------- */

static const int32_t channels_last[] = { 0, 2, 3, 1 }, weight_order[] = { 2, 3, 1, 0 }, plain[] = { 0, 1, 2, 3, 4, 5, 6, 7 };

static size_t extent(const ex_operand *o)
{
    ptrdiff_t last = 0;
    for (int32_t i = 0; i < o->ndim; i++) last += (o->dim[i] - 1) * o->stride[i];
    return (size_t)(last + 1) * ex_dtype_size(o->dtype);
}

enum { UNTOUCHED = 0xa5 };

static ex_operand place(const ex_shape *s, int32_t n, op_layout layout)
{
    ex_operand o = { .dtype = s->dtype, .ndim = s->ndim };
    int batched = s->ndim && s->dim[0] == EX_BATCH;
    const int32_t *order = layout == OP_ROW_MAJOR || s->ndim != 4 ? plain : batched ? channels_last : weight_order;
    for (int32_t i = 0; i < s->ndim; i++) o.dim[i] = s->dim[i] == EX_BATCH ? n : s->dim[i];
    ptrdiff_t step = layout == OP_SPREAD ? 2 : 1;
    for (int32_t i = s->ndim; i-- > 0;) {
        o.stride[order[i]] = step;
        step = step * o.dim[order[i]] + (layout == OP_GAPS ? 3 : 0);
    }
    void *data = NULL;
    size_t bytes = extent(&o);
    if (posix_memalign(&data, 64, bytes ? bytes : 1)) fail_msg("no memory");
    memset(data, UNTOUCHED, bytes);
    o.data = data;
    return o;
}

static void natural_strides(ptrdiff_t *stride, const ex_operand *o)
{
    ptrdiff_t step = 1;
    for (int32_t i = o->ndim - 1; i >= 0; i--) { stride[i] = step; step *= o->dim[i]; }
}

static void load(const ex_operand *o, const op_array *a)
{
    ptrdiff_t dense[EX_MAX_DIMS];
    natural_strides(dense, o);
    ex_strided_copy(o->data, o->dtype, o->stride, a->data, o->dtype, dense, o->ndim, o->dim);
}

static void store(op_array *a, const ex_operand *o)
{
    ptrdiff_t dense[EX_MAX_DIMS];
    natural_strides(dense, o);
    ex_strided_copy(a->data, o->dtype, dense, o->data, o->dtype, o->stride, o->ndim, o->dim);
}

/* Whatever is no element still holds the first filling. */
static void check_gaps(const op_case *c, const ex_operand *o)
{
    size_t size = ex_dtype_size(o->dtype), bytes = extent(o);
    char *element = calloc(bytes / size + 1, 1);
    int64_t count = 1;
    for (int32_t i = 0; i < o->ndim; i++) count *= o->dim[i];
    for (int64_t k = 0; k < count; k++) {
        ptrdiff_t at = 0;
        int64_t rest = k;
        for (int32_t i = o->ndim - 1; i >= 0; i--) { at += rest % o->dim[i] * o->stride[i]; rest /= o->dim[i]; }
        element[at] = 1;
    }
    int whole = 1;
    for (size_t b = 0; b < bytes; b++)
        if (!element[b / size] && ((const unsigned char *)o->data)[b] != UNTOUCHED) whole = 0;
    free(element);
    if (!whole) fail_msg("%s wrote between the elements of an operand", c->op);
}

/* -- One run ------------------------------------------------------------------------------------------------------------ */

ex_status op_prepare(const op_case *c, op_ready *r)
{
    memset(r, 0, sizeof *r);
    r->op = ex_op_find(c->op);
    if (!r->op) return EX_FAILED;
    if (c->inputs < r->op->min_inputs || c->inputs > r->op->max_inputs) return ex_fail("%s: %d inputs", c->op, c->inputs);
    int32_t known = 0, used = 0;
    for (; r->op->attr && r->op->attr[known].name; known++) {
        const ex_attr_spec *spec = &r->op->attr[known];
        int given = 0;
        memcpy(r->attr[known], spec->value, sizeof r->attr[known]);
        r->attr_count[known] = spec->variable ? 0 : spec->count;
        for (int32_t i = 0; i < c->attrs; i++) {
            if (strcmp(c->attr[i].name, spec->name)) continue;
            for (int32_t k = 0; k < EX_MAX_ATTR; k++) r->attr[known][k] = c->attr[i].count == 1 && !spec->variable ? c->attr[i].value[0] : c->attr[i].value[k];
            if (spec->variable) r->attr_count[known] = c->attr[i].count;
            given = 1;
            used++;
        }
        if (spec->required && !given) return ex_fail("%s: attribute '%s' is required", c->op, spec->name);
    }
    if (used != c->attrs) return ex_fail("%s: an attribute that it does not know", c->op);
    for (int32_t i = 0; i < c->inputs; i++) r->in[i] = c->in[i]->shape;
    r->signature = (ex_signature){ c->inputs, r->op->outputs, r->in, r->out, (const ex_numbers *)r->attr, r->attr_count };
    return r->op->infer(&r->signature);
}

ex_status op_infer(const op_case *c, ex_shape *out)
{
    op_ready r;
    ex_status status = op_prepare(c, &r);
    memcpy(out, r.out, sizeof r.out[0] * (size_t)(r.op ? r.op->outputs : 0));
    return status;
}

/* No operator gets scratch for more inputs than EX_MAX_IN: a plan gives none either. */
static void *scratch_for(const op_case *c, const op_ready *r)
{
    void *scratch = NULL;
    size_t bytes = r->op->scratch && c->inputs <= EX_MAX_IN
                       ? r->op->scratch(&r->signature, c->batch ? c->batch : c->n, ex_team_size(c->team)) : 0;
    if (!bytes) return NULL;
    if (posix_memalign(&scratch, 64, bytes)) fail_msg("no memory");
    memset(scratch, UNTOUCHED, bytes);
    return scratch;
}

void op_run(const op_case *c, op_array **out)
{
    op_ready r;
    ex_operand in[40], to[EX_MAX_OUT];
    if (c->isa && ex_isa_select(c->isa)) fail_msg("%s", ex_error_message());
    if (op_prepare(c, &r)) fail_msg("%s: %s", c->op, ex_error_message());
    for (int32_t i = 0; i < c->inputs; i++) {
        if (c->in[i]->shape.ndim && c->in[i]->shape.dim[0] == EX_BATCH && c->in[i]->n < c->n) fail_msg("input %d has too few images", i);
        in[i] = place(&r.in[i], c->n, c->layout);
        load(&in[i], c->in[i]);
    }
    for (int32_t k = 0; k < r.op->outputs; k++) {
        to[k] = place(&r.out[k], c->n, c->layout);
        if (k == 0 && c->shares) { free(to[k].data); to[k].data = in[c->shares - 1].data; }
    }
    void *scratch = scratch_for(c, &r);
    ex_call call = { .name = "node", .inputs = c->inputs, .outputs = r.op->outputs, .n = c->n, .in = in, .out = to,
                     .attr = (const ex_numbers *)r.attr, .attr_count = r.attr_count, .team = c->team, .scratch = scratch,
                     .seed = c->seed, .step = c->step };
    r.op->forward(&call);
    for (int32_t k = 0; k < r.op->outputs; k++) {
        out[k] = op_zeros(r.out[k], c->n);
        store(out[k], &to[k]);
        check_gaps(c, &to[k]);
        if (k || !c->shares) free(to[k].data);
    }
    for (int32_t i = 0; i < c->inputs; i++) {
        check_gaps(c, &in[i]);
        if (ex_op_writes(r.op, i)) store(c->in[i], &in[i]);
        free(in[i].data);
    }
    free(scratch);
}

op_array *op_run1(const op_case *c)
{
    op_array *out[EX_MAX_OUT] = { NULL };
    op_run(c, out);
    for (int k = 1; k < EX_MAX_OUT; k++) op_free(out[k]);
    return out[0];
}

/* -- Checks ------------------------------------------------------------------------------------------------------------- */

void op_assert_floats(const op_array *a, const float *expected, int32_t count, float bound)
{
    assert_int_equal(a->count, count);
    for (int32_t i = 0; i < count; i++)
        if (!(fabsf(a->f[i] - expected[i]) <= bound) && !(isnan(a->f[i]) && isnan(expected[i])) && a->f[i] != expected[i])
            fail_msg("number %d is %.9g, expected %.9g", i, a->f[i], expected[i]);
}

void op_assert_near(const op_array *a, const double *expected, double bound)
{
    double largest = 1;
    for (int64_t i = 0; i < a->count; i++) largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < a->count; i++)
        if (!(fabs(a->f[i] - expected[i]) <= bound * largest)) fail_msg("number %d is %.9g, expected %.9g", (int)i, a->f[i], expected[i]);
}

void op_assert_same_bits(const op_array *a, const op_array *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->data, b->data, (size_t)a->count * ex_dtype_size(a->shape.dtype));
}

void op_assert_refused(const op_case *c, const char *part)
{
    ex_shape out[EX_MAX_OUT];
    if (op_infer(c, out) == EX_OK) fail_msg("%s was not refused; expected: %s", c->op, part);
    if (!strstr(ex_error_message(), part)) fail_msg("message: %s\nexpected in it: %s", ex_error_message(), part);
}

static void free_all(op_array **a)
{
    for (int k = 0; k < EX_MAX_OUT; k++) { op_free(a[k]); a[k] = NULL; }
}

/* Runs on copies of the state, so that every run starts alike; written state counts as a result. */
static int32_t run_copy(const op_case *c, op_array **out)
{
    op_case copy = *c;
    const ex_op *op = ex_op_find(c->op);
    for (int32_t i = 0; i < c->inputs; i++) copy.in[i] = op_clone(c->in[i]);
    op_run(&copy, out);
    int32_t results = op->outputs;
    for (int32_t i = 0; i < c->inputs; i++)
        if (ex_op_writes(op, i)) out[results++] = copy.in[i];
        else op_free(copy.in[i]);
    return results;
}

static void compare(const op_case *c, op_array *const *a, op_array *const *b, int32_t results, double bound)
{
    for (int32_t k = 0; k < results; k++) {
        double largest = 1e-30;
        if (!a[k] || !b[k]) { fail_msg("%s made no result %d", c->op, k); return; }
        if (a[k]->shape.dtype != EX_FLOAT32) { op_assert_same_bits(a[k], b[k]); continue; }
        for (int64_t i = 0; i < a[k]->count; i++) largest = fmax(largest, fabs((double)a[k]->f[i]));
        for (int64_t i = 0; i < a[k]->count; i++)
            if (!(fabs((double)a[k]->f[i] - b[k]->f[i]) <= bound * largest))
                fail_msg("%s, result %d, number %d: %.9g in layout %d with %s, %.9g in the first run", c->op, k, (int)i, b[k]->f[i],
                         c->layout, c->isa, a[k]->f[i]);
    }
}

const char *op_isa(int32_t i)
{
    static char text[256];
    char *name = text;
    strncpy(text, ex_isa_available(), sizeof text - 1);
    for (; name && i; i--) { name = strchr(name, ' '); if (name) name++; }
    if (name && strchr(name, ' ')) *strchr(name, ' ') = 0;
    return name && *name ? name : NULL;
}

void op_assert_everywhere(op_case *c, double bound)
{
    op_array *first[EX_MAX_OUT] = { NULL }, *other[EX_MAX_OUT] = { NULL };
    const char *isa;
    op_case run = *c;
    int32_t results = run_copy(c, first);
    for (int32_t i = 0; (isa = op_isa(i)); i++)
        for (int32_t layout = 0; layout < OP_LAYOUT_COUNT; layout++) {
            run.isa = isa;
            run.layout = (op_layout)layout;
            run.team = c->team;
            run_copy(&run, other);
            compare(&run, first, other, results, bound);
            op_array *team[EX_MAX_OUT] = { NULL };
            for (int32_t threads = 1; threads <= 3; threads++) {
                run.team = ex_team_new(threads);
                run_copy(&run, team);
                for (int32_t k = 0; k < results; k++) op_assert_same_bits(other[k], team[k]);
                free_all(team);
                ex_team_free(run.team);
            }
            free_all(other);
        }
    free_all(first);
    if (ex_isa_select(NULL)) fail_msg("%s", ex_error_message());
}
