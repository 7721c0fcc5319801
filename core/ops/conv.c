/* conv.c: convolution of images, and its two gradients. PyTorch's conventions.
 *
 *     conv2d             x (N,C,H,W), w (O,C/g,kH,kW), [bias (O)] -> y (N,O,oH,oW)
 *                        oH = floor((H + 2 padding - dilation (kH - 1) - 1) / stride) + 1
 *     conv2d_grad_input  dy (N,O,oH,oW), w -> dx (N,C,H,W), where size = H,W
 *     conv2d_grad_weight x, dy -> dw (O,C/g,kH,kW), where kernel = kH,kW
 *
 * More are made by passes of a plan, out of conv2d and what reads it, and have no gradient:
 *
 *     conv2d_fused       x, w, [bias], [residual (N,O,oH,oW)] -> y = activation(conv2d + residual)
 *     conv2d_stats       x, w, [bias] -> y, and of its channels mean, biased and unbiased variance (O)
 *     conv2d_pack        w -> the filter as forward reads it, for images of H,W = size; what is in it is the kernels' business
 *     conv2d_packed      conv2d_fused with such a filter in the place of w, whose kH,kW and O are attributes
 *
 * winograd = 1 asks for fewer multiplications and more rounding, 2 for the same with a small packed filter (kernels/conv.h,
 * ex_winograd): plans set it where that is faster. The arithmetic is
 * kernels/conv.h's. It refuses unbatched images, and makes no second derivatives. */
#include "conv.h"
#include "../base/error.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { STRIDE, PADDING, DILATION, GROUPS, WINOGRAD, SIZE };   /* SIZE: of the image or of the kernel */
/* ACTIVATION: ex_conv_activation; RESIDUAL: 1: the last input is one */
enum { ACTIVATION = WINOGRAD + 1, RESIDUAL, KERNEL, CHANNELS };
enum { LARGEST = 1 << 24 };                         /* of any attribute: sums of a few stay in 32 bits */

#define CONV_ATTR { .name = "stride", .count = 2, .value = { 1, 1 } }, { .name = "padding", .count = 2 }, \
    { .name = "dilation", .count = 2, .value = { 1, 1 } }, { .name = "groups", .count = 1, .value = { 1 } }, \
    { .name = "winograd", .count = 1 }
static const ex_attr_spec forward_attr[] = { CONV_ATTR, { 0 } };
#define FUSED_ATTR CONV_ATTR, { .name = "activation", .count = 1 }, { .name = "residual", .count = 1 }
static const ex_attr_spec fused_attr[] = { FUSED_ATTR, { 0 } };
static const ex_attr_spec packed_attr[] = { FUSED_ATTR, { .name = "kernel", .count = 2, .required = 1 },
                                            { .name = "channels", .count = 1, .required = 1 }, { 0 } };
static const ex_attr_spec input_attr[] = { CONV_ATTR, { .name = "size", .count = 2, .required = 1 }, { 0 } };
static const ex_attr_spec weight_attr[] = { CONV_ATTR, { .name = "kernel", .count = 2, .required = 1 }, { 0 } };

/* -- Shapes ------------------------------------------------------------------------------------------------- */

static ex_status whole(const char *what, const double *value, int32_t count, int32_t low)
{
    for (int32_t i = 0; i < count; i++)
        if (!(value[i] >= low && value[i] <= LARGEST && value[i] == (int32_t)value[i]))
            return ex_fail("%s: got %g, expected a whole number from %d to %d", what, value[i], low, LARGEST);
    return EX_OK;
}

static ex_status read_attributes(const ex_numbers *attr, const char *size, ex_conv_shape *g)
{
    if (whole("stride", attr[STRIDE], 2, 1) || whole("padding", attr[PADDING], 2, 0)
        || whole("dilation", attr[DILATION], 2, 1) || whole("groups", attr[GROUPS], 1, 1) || whole("winograd", attr[WINOGRAD], 1, 0))
        return EX_FAILED;
    if (size && whole(size, attr[SIZE], 2, 1)) return EX_FAILED;
    for (int32_t i = 0; i < 2; i++) {
        g->stride[i] = (int32_t)attr[STRIDE][i];
        g->padding[i] = (int32_t)attr[PADDING][i];
        g->dilation[i] = (int32_t)attr[DILATION][i];
    }
    g->groups = (int32_t)attr[GROUPS][0];
    g->winograd = (int32_t)attr[WINOGRAD][0];
    return EX_OK;
}

/* Channels against groups, and the size of the output along both axes. */
static ex_status complete(ex_conv_shape *g)
{
    if (g->ci % g->groups) return ex_fail("groups: got %d, which does not divide the input's %d channels", g->groups, g->ci);
    if (g->co % g->groups) return ex_fail("groups: got %d, which does not divide the output's %d channels", g->groups, g->co);
    if (g->winograd && (g->winograd >= EX_WINOGRAD_COUNT || !ex_conv_winograd_fits(g)))
        return ex_fail("winograd: got %d, expected 0, or 1 or 2 for a 3x3 kernel with stride, dilation and groups of 1", g->winograd);
    const int32_t size[2] = { g->h, g->w }, kernel[2] = { g->kh, g->kw };
    int32_t out[2];
    for (int32_t i = 0; i < 2; i++) {
        const int64_t padded = size[i] + 2 * (int64_t)g->padding[i], reach = g->dilation[i] * (int64_t)(kernel[i] - 1) + 1;
        if (reach > padded)
            return ex_fail("kernel of %dx%d at dilation %d,%d is larger than the %dx%d image with padding %d,%d", g->kh, g->kw,
                           g->dilation[0], g->dilation[1], g->h, g->w, g->padding[0], g->padding[1]);
        out[i] = (int32_t)((padded - reach) / g->stride[i] + 1);
    }
    g->oh = out[0];
    g->ow = out[1];
    return EX_OK;
}

static ex_status expect_filter(const ex_shape *w)
{
    if (ex_expect("weight", w, EX_FLOAT32, 4)) return EX_FAILED;
    return w->dim[0] == EX_BATCH ? ex_fail("weight must not depend on the batch") : EX_OK;
}

static void set_images(ex_shape *out, int32_t n, int32_t c, int32_t h, int32_t w)
{
    *out = (ex_shape){ .dtype = EX_FLOAT32, .ndim = 4, .dim = { n, c, h, w } };
}

/* dy must be what a forward pass over this geometry gives. */
static ex_status expect_gradient(const ex_shape *dy, const ex_conv_shape *g)
{
    if (dy->dim[1] == g->co && dy->dim[2] == g->oh && dy->dim[3] == g->ow) return EX_OK;
    return ex_fail("gradient has %d channels of %dx%d, expected %d of %dx%d", dy->dim[1], dy->dim[2], dy->dim[3], g->co, g->oh,
                   g->ow);
}

ex_conv_shape ex_conv_geometry(int32_t n, const int32_t *x, const int32_t *w, const int32_t *y, const ex_numbers *attr)
{
    ex_conv_shape g = { .n = n, .ci = x[1], .h = x[2], .w = x[3], .co = y[1], .oh = y[2], .ow = y[3], .kh = w[2], .kw = w[3] };
    read_attributes(attr, NULL, &g);
    return g;
}

ex_conv_shape ex_conv_of_forward(const ex_signature *s, int32_t n)
{
    return ex_conv_geometry(n, s->in[0].dim, s->in[1].dim, s->out[0].dim, s->attr);
}

/* The weight that was packed. */
static ex_shape filter_shape(const ex_signature *s)
{
    ex_shape w;
    set_images(&w, (int32_t)s->attr[CHANNELS][0], s->in[0].dim[1] / (int32_t)s->attr[GROUPS][0], (int32_t)s->attr[KERNEL][0],
               (int32_t)s->attr[KERNEL][1]);
    return w;
}

static ex_conv_shape signature_packed(const ex_signature *s, int32_t n)
{
    const ex_shape w = filter_shape(s);
    return ex_conv_geometry(n, s->in[0].dim, w.dim, s->out[0].dim, s->attr);
}

ex_conv_shape ex_conv_of_input(const ex_signature *s, int32_t n)
{
    return ex_conv_geometry(n, s->out[0].dim, s->in[1].dim, s->in[0].dim, s->attr);
}

ex_conv_shape ex_conv_of_weight(const ex_signature *s, int32_t n)
{
    return ex_conv_geometry(n, s->in[0].dim, s->out[0].dim, s->in[1].dim, s->attr);
}

static ex_status infer_forward(const ex_signature *s)
{
    ex_conv_shape g = {0};
    if (ex_expect_images("input", &s->in[0]) || expect_filter(&s->in[1]) || read_attributes(s->attr, NULL, &g)) return EX_FAILED;
    const int32_t *x = s->in[0].dim, *w = s->in[1].dim;
    g.ci = x[1], g.h = x[2], g.w = x[3], g.co = w[0], g.kh = w[2], g.kw = w[3];
    if ((int64_t)w[1] * g.groups != g.ci) {
        if (g.groups == 1) return ex_fail("input has %d channels, weight expects %d", g.ci, w[1]);
        return ex_fail("input has %d channels, weight expects %d in each of %d groups", g.ci, w[1], g.groups);
    }
    if (complete(&g)) return EX_FAILED;
    if (s->inputs > 2) {
        if (ex_expect("bias", &s->in[2], EX_FLOAT32, 1)) return EX_FAILED;
        if (s->in[2].dim[0] != g.co) return ex_fail("bias has %d numbers, weight makes %d channels", s->in[2].dim[0], g.co);
    }
    set_images(&s->out[0], x[0], g.co, g.oh, g.ow);
    return EX_OK;
}

static int has_residual(const ex_numbers *attr) { return attr[RESIDUAL][0] != 0; }

static ex_status infer_fused(const ex_signature *s)
{
    ex_signature plain = *s;
    const double activation = s->attr[ACTIVATION][0];
    char got[96], expected[96];
    if (!(activation >= 0 && activation < EX_CONV_ACTIVATION_COUNT && activation == (int32_t)activation))
        return ex_fail("activation: got %g, expected a whole number from 0 to %d", activation, EX_CONV_ACTIVATION_COUNT - 1);
    plain.inputs -= has_residual(s->attr);
    if (plain.inputs < 2) return ex_fail("residual: got no input for it");
    if (plain.inputs > 3) return ex_fail("got %d inputs without a residual, expected up to 3", plain.inputs);
    if (infer_forward(&plain)) return EX_FAILED;
    const ex_shape *r = &s->in[s->inputs - 1];
    if (!has_residual(s->attr) || ex_shape_same(r, &s->out[0])) return EX_OK;
    return ex_fail("residual: got %s, expected the output's shape %s", ex_shape_text(got, sizeof got, r->ndim, r->dim),
                   ex_shape_text(expected, sizeof expected, s->out[0].ndim, s->out[0].dim));
}

static ex_status infer_stats(const ex_signature *s)
{
    if (infer_forward(s)) return EX_FAILED;
    for (int32_t i = 1; i < 4; i++) s->out[i] = (ex_shape){ .dtype = EX_FLOAT32, .ndim = 1, .dim = { s->out[0].dim[1] } };
    return EX_OK;
}

static ex_status expect_packed(const ex_shape *p, const ex_conv_shape *g)
{
    const int32_t floats = (int32_t)(ex_kernels_current()->conv->packed_bytes(EX_CONV_FORWARD, g) / sizeof(float));
    if (ex_expect("packed weight", p, EX_FLOAT32, 1)) return EX_FAILED;
    return p->dim[0] == floats ? EX_OK : ex_fail("packed weight has %d numbers, expected %d", p->dim[0], floats);
}

static ex_status infer_packed(const ex_signature *s)
{
    ex_shape in[4];
    ex_signature fused = *s;
    if (ex_expect_images("input", &s->in[0]) || whole("groups", s->attr[GROUPS], 1, 1) || whole("kernel", s->attr[KERNEL], 2, 1) ||
        whole("channels", s->attr[CHANNELS], 1, 1)) return EX_FAILED;
    for (int32_t i = 0; i < s->inputs; i++) in[i] = s->in[i];
    in[1] = filter_shape(s);
    fused.in = in;
    if (infer_fused(&fused)) return EX_FAILED;
    const ex_conv_shape g = signature_packed(s, 1);
    return expect_packed(&s->in[1], &g);
}

/* What is packed: the weight w of a convolution of one image. */
static ex_status read_pack(const int32_t *w, const ex_numbers *attr, ex_conv_shape *g)
{
    *g = (ex_conv_shape){ .n = 1 };
    if (read_attributes(attr, "size", g)) return EX_FAILED;
    if ((int64_t)w[1] * g->groups > LARGEST) return ex_fail("groups: got %d for a weight of %d channels", g->groups, w[1]);
    g->ci = w[1] * g->groups, g->h = (int32_t)attr[SIZE][0], g->w = (int32_t)attr[SIZE][1];
    g->co = w[0], g->kh = w[2], g->kw = w[3];
    return complete(g);
}

static ex_status infer_pack(const ex_signature *s)
{
    ex_conv_shape g;
    if (expect_filter(&s->in[0]) || read_pack(s->in[0].dim, s->attr, &g)) return EX_FAILED;
    const size_t floats = ex_kernels_current()->conv->packed_bytes(EX_CONV_FORWARD, &g) / sizeof(float);
    if (floats > INT32_MAX) return ex_fail("weight is too large to be packed");
    s->out[0] = (ex_shape){ .dtype = EX_FLOAT32, .ndim = 1, .dim = { (int32_t)floats } };
    return EX_OK;
}

static ex_status infer_input(const ex_signature *s)
{
    ex_conv_shape g = {0};
    if (ex_expect_images("gradient", &s->in[0]) || expect_filter(&s->in[1]) || read_attributes(s->attr, "size", &g)) return EX_FAILED;
    const int32_t *dy = s->in[0].dim, *w = s->in[1].dim;
    if ((int64_t)w[1] * g.groups > LARGEST) return ex_fail("groups: got %d for a weight of %d channels", g.groups, w[1]);
    g.ci = w[1] * g.groups, g.h = (int32_t)s->attr[SIZE][0], g.w = (int32_t)s->attr[SIZE][1];
    g.co = w[0], g.kh = w[2], g.kw = w[3];
    if (complete(&g) || expect_gradient(&s->in[0], &g)) return EX_FAILED;
    set_images(&s->out[0], dy[0], g.ci, g.h, g.w);
    return EX_OK;
}

static ex_status infer_weight(const ex_signature *s)
{
    ex_conv_shape g = {0};
    if (ex_expect_images("input", &s->in[0]) || ex_expect_images("gradient", &s->in[1]) || read_attributes(s->attr, "kernel", &g))
        return EX_FAILED;
    const int32_t *x = s->in[0].dim, *dy = s->in[1].dim;
    g.ci = x[1], g.h = x[2], g.w = x[3], g.co = dy[1];
    g.kh = (int32_t)s->attr[SIZE][0], g.kw = (int32_t)s->attr[SIZE][1];
    if (complete(&g) || expect_gradient(&s->in[1], &g)) return EX_FAILED;
    set_images(&s->out[0], g.co, g.ci / g.groups, g.kh, g.kw);
    return EX_OK;
}

/* -- Cost ------------------------------------------------------------------------------------------------------ */

/* Each number of the filter meets each pixel of the images that the forward pass makes, once. */
static double count_macs(const ex_shape *w, const ex_shape *y)
{
    return (double)ex_shape_count(w) * y->dim[2] * y->dim[3];
}

static double macs_forward(const ex_signature *s) { return count_macs(&s->in[1], &s->out[0]); }
static double macs_packed(const ex_signature *s)
{
    const ex_conv_shape g = signature_packed(s, 1);
    return (double)g.oh * g.ow * g.co * g.kh * g.kw * ((double)g.ci / g.groups);
}
static double macs_input(const ex_signature *s) { return count_macs(&s->in[1], &s->in[0]); }
static double macs_weight(const ex_signature *s) { return count_macs(&s->out[0], &s->in[1]); }

static size_t scratch_forward(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = ex_conv_of_forward(s, batch);
    return ex_kernels_current()->conv->scratch(EX_CONV_FORWARD, &g, threads);
}

static size_t scratch_packed(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = signature_packed(s, batch);
    return ex_kernels_current()->conv->scratch(EX_CONV_FORWARD, &g, threads) - ex_kernels_current()->conv->packed_bytes(EX_CONV_FORWARD, &g);
}

size_t ex_conv_moments_bytes(int32_t channels) { return ((size_t)channels * 2 * sizeof(double) + 63) & ~(size_t)63; }

static size_t scratch_stats(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = ex_conv_of_forward(s, batch);
    return ex_conv_moments_bytes(g.co) + scratch_forward(s, batch, threads) + ex_kernels_current()->conv->moments_scratch(&g);
}

static size_t scratch_input(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = ex_conv_of_input(s, batch);
    return ex_kernels_current()->conv->scratch(EX_CONV_GRAD_INPUT, &g, threads);
}

static size_t scratch_weight(const ex_signature *s, int32_t batch, int32_t threads)
{
    const ex_conv_shape g = ex_conv_of_weight(s, batch);
    return ex_kernels_current()->conv->scratch(EX_CONV_GRAD_WEIGHT, &g, threads);
}

static int32_t faster(const ex_conv_shape *g, ex_conv_direction d, const ex_usage *u, double *value)
{
    *value = EX_WINOGRAD_FULL;
    return ex_kernels_current()->conv->winograd_pays(d, g, u->packed) ? WINOGRAD : EX_NONE;
}

static int32_t faster_forward(const ex_signature *s, const ex_usage *u, double *value)
{
    const ex_conv_shape g = ex_conv_of_forward(s, u->batch), most = ex_conv_of_forward(s, u->most);
    const int32_t attribute = faster(&g, EX_CONV_FORWARD, u, value);
    if (attribute != EX_NONE && u->packed && u->far && ex_kernels_current()->conv->lean_pays(&most)) *value = EX_WINOGRAD_LEAN;
    return attribute;
}

static int32_t faster_input(const ex_signature *s, const ex_usage *u, double *value)
{
    const ex_conv_shape g = ex_conv_of_input(s, u->batch);
    return faster(&g, EX_CONV_GRAD_INPUT, u, value);
}

static int32_t faster_weight(const ex_signature *s, const ex_usage *u, double *value)
{
    const ex_conv_shape g = ex_conv_of_weight(s, u->batch);
    return faster(&g, EX_CONV_GRAD_WEIGHT, u, value);
}

static const char *word(const ex_conv_shape *g)
{
    if (g->winograd) return g->winograd == EX_WINOGRAD_LEAN ? "winograd lean" : "winograd";
    return g->groups > 1 && g->ci == g->groups && g->co == g->groups ? "depthwise" : "direct";
}

static const char *kernel_forward(const ex_signature *s) { const ex_conv_shape g = ex_conv_of_forward(s, 1); return word(&g); }
static const char *kernel_packed(const ex_signature *s) { const ex_conv_shape g = signature_packed(s, 1); return word(&g); }
static const char *kernel_pack(const ex_signature *s)
{
    ex_conv_shape g;
    read_pack(s->in[0].dim, s->attr, &g);
    return word(&g);
}
static const char *kernel_input(const ex_signature *s) { const ex_conv_shape g = ex_conv_of_input(s, 1); return word(&g); }
static const char *kernel_weight(const ex_signature *s) { const ex_conv_shape g = ex_conv_of_weight(s, 1); return word(&g); }

/* -- Work -------------------------------------------------------------------------------------------------------- */

ex_conv_image ex_conv_image_of(const ex_operand *o) { return (ex_conv_image){ o->data, o->stride[0], o->stride[2], o->stride[3] }; }

ex_conv_filter ex_conv_filter_of(const ex_operand *o)
{
    return (ex_conv_filter){ o->data, o->stride[0], o->stride[1], o->stride[2], o->stride[3], NULL };
}

void ex_conv_forward(const ex_call *c, const int32_t *kernel, ex_conv_filter w, int32_t inputs, ex_conv_epilogue *e, void *scratch)
{
    const ex_operand *x = &c->in[0];
    const ex_conv_shape g = ex_conv_geometry(x->dim[0], x->dim, kernel, c->out[0].dim, c->attr);
    if (inputs > 2) {
        e->bias = c->in[2].data;
        e->bias_step = c->in[2].stride[0];
    }
    ex_kernels_current()->conv->forward(ex_conv_image_of(&c->out[0]), ex_conv_image_of(x), w, e, &g, c->team, scratch);
}

static void forward(const ex_call *c)
{
    ex_conv_forward(c, c->in[1].dim, ex_conv_filter_of(&c->in[1]), c->inputs, &(ex_conv_epilogue){0}, c->scratch);
}

void ex_conv_forward_fused(const ex_call *c, const int32_t *kernel, ex_conv_filter w)
{
    const int residual = has_residual(c->attr);
    ex_conv_epilogue e = { .activation = (ex_conv_activation)c->attr[ACTIVATION][0] };
    if (residual) e.residual = ex_conv_image_of(&c->in[c->inputs - 1]);
    ex_conv_forward(c, kernel, w, c->inputs - residual, &e, c->scratch);
}

static void forward_fused(const ex_call *c) { ex_conv_forward_fused(c, c->in[1].dim, ex_conv_filter_of(&c->in[1])); }

static void forward_packed(const ex_call *c)
{
    const int32_t kernel[4] = { 0, 0, (int32_t)c->attr[KERNEL][0], (int32_t)c->attr[KERNEL][1] };
    ex_conv_forward_fused(c, kernel, (ex_conv_filter){ .packed = c->in[1].data });
}

static void pack(const ex_call *c)
{
    ex_conv_shape g;
    if (read_pack(c->in[0].dim, c->attr, &g) == EX_OK)      /* as when the node was made */
        ex_kernels_current()->conv->pack(c->out[0].data, EX_CONV_FORWARD, ex_conv_filter_of(&c->in[0]), &g, c->team);
}

static void set(const ex_operand *o, int32_t c, double value) { ((float *)o->data)[c * o->stride[0]] = (float)value; }

/* With one number per channel the unbiased variance is 0. */
static void forward_stats(const ex_call *c)
{
    const ex_operand *y = &c->out[0];
    const int32_t channels = y->dim[1];
    const double count = (double)y->dim[0] * y->dim[2] * y->dim[3];
    double *mean = c->scratch, *square = mean + channels;
    ex_conv_forward(c, c->in[1].dim, ex_conv_filter_of(&c->in[1]), c->inputs, &(ex_conv_epilogue){ .moments = mean },
             (char *)c->scratch + ex_conv_moments_bytes(channels));
    for (int32_t i = 0; i < channels; i++) {
        set(&c->out[1], i, mean[i]);
        set(&c->out[2], i, square[i] / count);
        set(&c->out[3], i, count > 1 ? square[i] / (count - 1) : 0);
    }
}

static void grad_input(const ex_call *c)
{
    const ex_operand *dy = &c->in[0], *w = &c->in[1];
    const ex_conv_shape g = ex_conv_geometry(dy->dim[0], c->out[0].dim, w->dim, dy->dim, c->attr);
    ex_kernels_current()->conv->grad_input(ex_conv_image_of(&c->out[0]), ex_conv_image_of(dy), ex_conv_filter_of(w), &g, c->team, c->scratch);
}

static void grad_weight(const ex_call *c)
{
    const ex_operand *x = &c->in[0], *dy = &c->in[1];
    const ex_conv_shape g = ex_conv_geometry(x->dim[0], x->dim, c->out[0].dim, dy->dim, c->attr);
    ex_kernels_current()->conv->grad_weight(ex_conv_filter_of(&c->out[0]), ex_conv_image_of(x), ex_conv_image_of(dy), &g, c->team, c->scratch);
}

/* -- Gradient ---------------------------------------------------------------------------------------------------- */

static ex_status gradient(ex_builder *b, const ex_node_ref *node, const int32_t *dout, const int32_t *wanted, int32_t *din)
{
    const ex_attr_spec *spec = forward_attr;
    ex_attr attr[SIZE + 1];
    for (int32_t i = 0; i < SIZE; i++)
        attr[i] = (ex_attr){ spec[i].name, node->attr_count[i], { node->attr[i][0], node->attr[i][1] } };
    if (wanted[0]) {
        const ex_shape *x = b->shape(b, node->in[0]);
        attr[SIZE] = (ex_attr){ "size", 2, { x->dim[2], x->dim[3] } };
        const int32_t in[] = { dout[0], node->in[1] };
        if (b->node(b, "conv2d_grad_input", 2, in, SIZE + 1, attr, &din[0])) return EX_FAILED;
    }
    if (wanted[1]) {
        const ex_shape *w = b->shape(b, node->in[1]);
        attr[SIZE] = (ex_attr){ "kernel", 2, { w->dim[2], w->dim[3] } };
        const int32_t in[] = { node->in[0], dout[0] };
        if (b->node(b, "conv2d_grad_weight", 2, in, SIZE + 1, attr, &din[1])) return EX_FAILED;
    }
    if (node->inputs > 2 && wanted[2] && b->node(b, "channel_sum", 1, dout, 0, NULL, &din[2])) return EX_FAILED;
    return EX_OK;
}

/* -- The family ------------------------------------------------------------------------------------------------- */

static const ex_op conv2d = {
    .name = "conv2d", .about = "convolution of images (N,C,H,W) with weights (O,C/groups,kH,kW) and an optional bias (O)",
    .min_inputs = 2, .max_inputs = 3, .outputs = 1, .attr = forward_attr, .infer = infer_forward, .forward = forward,
    .gradient = gradient, .macs = macs_forward, .scratch = scratch_forward, .faster = faster_forward, .pieces = &ex_conv_forward_pieces, .kernel = kernel_forward,
};
static const ex_op conv2d_fused = {
    .name = "conv2d_fused", .about = "made by plans: conv2d, plus a residual if the last input is one, then 0 nothing, 1 relu, 2 relu6, 3 silu or 4 hard_swish",
    .min_inputs = 2, .max_inputs = 4, .outputs = 1, .attr = fused_attr, .in_place = 1 << 2 | 1 << 3, .infer = infer_fused,
    .forward = forward_fused, .macs = macs_forward, .scratch = scratch_forward, .faster = faster_forward, .pieces = &ex_conv_fused_pieces, .kernel = kernel_forward,
};
static const ex_op conv2d_pack = {
    .name = "conv2d_pack", .about = "made by plans: the weights of a convolution in the order in which it reads them",
    .min_inputs = 1, .max_inputs = 1, .outputs = 1, .attr = input_attr, .infer = infer_pack, .forward = pack,
    .kernel = kernel_pack,
};
static const ex_op conv2d_packed = {
    .name = "conv2d_packed", .about = "made by plans: conv2d_fused with packed weights",
    .min_inputs = 2, .max_inputs = 4, .outputs = 1, .attr = packed_attr, .in_place = 1 << 2 | 1 << 3, .infer = infer_packed,
    .forward = forward_packed, .macs = macs_packed, .scratch = scratch_packed, .flags = EX_OP_BY_IMAGE, .kernel = kernel_packed,
};
static const ex_op conv2d_stats = {
    .name = "conv2d_stats", .about = "made by plans: conv2d, and mean, biased and unbiased variance of each of its channels",
    .min_inputs = 2, .max_inputs = 3, .outputs = 4, .attr = forward_attr, .infer = infer_stats, .forward = forward_stats,
    .macs = macs_forward, .scratch = scratch_stats, .faster = faster_forward, .pieces = &ex_conv_stats_pieces, .kernel = kernel_forward,
};
static const ex_op conv2d_grad_input = {
    .name = "conv2d_grad_input", .about = "the gradient of conv2d towards its images of the given size",
    .min_inputs = 2, .max_inputs = 2, .outputs = 1, .attr = input_attr, .infer = infer_input, .forward = grad_input,
    .macs = macs_input, .scratch = scratch_input, .faster = faster_input, .pieces = &ex_conv_input_pieces, .kernel = kernel_input,
};
static const ex_op conv2d_grad_weight = {
    .name = "conv2d_grad_weight", .about = "the gradient of conv2d towards its weights of the given kernel size",
    .min_inputs = 2, .max_inputs = 2, .outputs = 1, .attr = weight_attr, .infer = infer_weight, .forward = grad_weight,
    .macs = macs_weight, .scratch = scratch_weight, .faster = faster_weight, .pieces = &ex_conv_weight_pieces, .kernel = kernel_weight,
};

const ex_op *const ex_ops_conv[] = { &conv2d, &conv2d_fused, &conv2d_pack, &conv2d_packed, &conv2d_stats,
                                     &conv2d_grad_input, &conv2d_grad_weight, NULL };
