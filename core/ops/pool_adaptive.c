/* pool_adaptive.c: the mean over windows that share the image evenly, whatever its size, as PyTorch cuts them:
 *
 *     y[n,c,i,j] = mean of x[n,c,h,w] over floor(i H / oh) <= h < ceil((i + 1) H / oh), and w likewise
 *
 * x (N, C, H, W), y (N, C, oh, ow). Windows overlap by a row or a column where H is no multiple of oh, and repeat pixels where
 * oh > H. Its gradient adds up each window's share, an image on one thread. 1 x 1 of (N, C) is global_avg_pool's (pool.c). */
#include <string.h>
#include "loop.h"
#include "../base/error.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { SIZE };                              /* of y forward, of x in the gradient */
static const ex_attr_spec size_attr[] = { { .name = "size", .count = 2, .required = 1 }, { 0 } };

static ex_status infer_sized(const ex_signature *s, const char *what)
{
    if (ex_expect_images(what, &s->in[0])) return EX_FAILED;
    s->out[0] = s->in[0];
    for (int i = 0; i < 2; i++) {
        double size = s->attr[SIZE][i];
        if (!(size >= 1 && size <= INT32_MAX && size == (int32_t)size)) return ex_fail("size: got %g, expected a whole number from 1 on", size);
        s->out[0].dim[2 + i] = (int32_t)size;
    }
    return EX_OK;
}

static ex_status infer(const ex_signature *s) { return infer_sized(s, "input"); }
static ex_status infer_grad(const ex_signature *s) { return infer_sized(s, "gradient"); }

typedef struct pooling {
    const ex_operand *x, *y;                /* the image, what windows make of it; in the gradient dx and dy */
    const ex_pool_kernels *k;
    int gradient, dense;                    /* dense: channels side by side in both */
    int32_t images;                         /* of a part */
} pooling;

static float *pixel(const ex_operand *x, int32_t n, int32_t row, int32_t column)
{
    return (float *)x->data + n * x->stride[0] + row * x->stride[2] + column * x->stride[3];
}

static int32_t start(int32_t i, int32_t size, int32_t out) { return (int32_t)((int64_t)i * size / out); }
static int32_t end(int32_t i, int32_t size, int32_t out) { return (int32_t)(((int64_t)(i + 1) * size + out - 1) / out); }

static void window(const pooling *p, int32_t n, int32_t i, int32_t j)
{
    const ex_operand *x = p->x, *y = p->y;
    int32_t row = start(i, x->dim[2], y->dim[2]), column = start(j, x->dim[3], y->dim[3]);
    ex_window w = { end(i, x->dim[2], y->dim[2]) - row, end(j, x->dim[3], y->dim[3]) - column, x->stride[2], x->stride[3] };
    float *image = pixel(x, n, row, column), *mean = pixel(y, n, i, j), factor = 1.0f / ((float)w.rows * (float)w.columns);
    int32_t step = p->dense ? x->dim[1] : 1;
    for (int32_t c = 0; c < x->dim[1]; c += step) {
        if (p->gradient) p->k->sum_window_grad(image + c * x->stride[1], &w, mean + c * y->stride[1], factor, step);
        else p->k->sum_window(mean + c * y->stride[1], image + c * x->stride[1], &w, factor, step);
    }
}

static void clear(const ex_operand *x, int32_t n)
{
    for (int32_t r = 0; r < x->dim[2]; r++)
        for (int32_t k = 0; k < x->dim[3]; k++) {
            float *to = pixel(x, n, r, k);
            if (x->stride[1] == 1) memset(to, 0, (size_t)x->dim[1] * sizeof *to);
            else for (int32_t c = 0; c < x->dim[1]; c++) to[c * x->stride[1]] = 0;
        }
}

static void images(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const pooling *p = context;
    for (int32_t n = part * p->images; n < (part + 1) * p->images && n < p->x->dim[0]; n++) {
        if (p->gradient) clear(p->x, n);
        for (int32_t i = 0; i < p->y->dim[2]; i++)
            for (int32_t j = 0; j < p->y->dim[3]; j++) window(p, n, i, j);
    }
}

static void run(const ex_operand *x, const ex_operand *y, int gradient, ex_team *team)
{
    int64_t width = (int64_t)x->dim[1] * x->dim[2] * x->dim[3];
    pooling p = { x, y, ex_kernels_current()->pool, gradient, x->stride[1] == 1 && y->stride[1] == 1,
                  width < EX_LOOP_PART ? (int32_t)(EX_LOOP_PART / width) : 1 };
    ex_team_run(team, (x->dim[0] + p.images - 1) / p.images, images, &p);
}

static void forward(const ex_call *call) { run(&call->in[0], &call->out[0], 0, call->team); }
static void forward_grad(const ex_call *call) { run(&call->out[0], &call->in[0], 1, call->team); }

static ex_status gradient(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    const ex_shape *x = b->shape(b, node->in[0]);
    ex_attr size = { "size", 2, { x->dim[2], x->dim[3] } };
    return wanted[0] ? b->node(b, "adaptive_avg_pool_grad", 1, &dout[0], 1, &size, &din[0]) : EX_OK;
}

static const char *kernel(const ex_signature *s) { (void)s; return "vector"; }

static const ex_op adaptive_avg = {
    .name = "adaptive_avg_pool", .about = "adaptive_avg_pool(x (N, C, H, W); size): means over windows that share the image evenly",
    .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = size_attr, .flags = EX_OP_BY_IMAGE, .infer = infer, .forward = forward,
    .gradient = gradient, .kernel = kernel };
static const ex_op adaptive_avg_grad = {
    .name = "adaptive_avg_pool_grad", .about = "adaptive_avg_pool_grad(dy; size = H, W of x)", .min_inputs = 1, .max_inputs = 1,
    .outputs = 1, .attr = size_attr, .flags = EX_OP_BY_IMAGE, .infer = infer_grad, .forward = forward_grad, .kernel = kernel };

const ex_op *const ex_ops_pool_adaptive[] = { &adaptive_avg, &adaptive_avg_grad, NULL };
