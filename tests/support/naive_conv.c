/* naive_conv.c: see naive_conv.h. One walk over all (output, tap) pairs serves the three directions. */
#include <string.h>
#include "naive_conv.h"

/* The offsets that one multiplication of the definition has in x, w and y. */
typedef void visit(void *context, long x, long w, long y);

static void walk(const ex_conv_shape *s, visit *f, void *context)
{
    const long ci = s->ci / s->groups, co = s->co / s->groups;
    for (long n = 0; n < s->n; n++)
        for (long o = 0; o < s->co; o++)
            for (long oh = 0; oh < s->oh; oh++)
                for (long ow = 0; ow < s->ow; ow++)
                    for (long c = 0; c < ci; c++)
                        for (long kh = 0; kh < s->kh; kh++)
                            for (long kw = 0; kw < s->kw; kw++) {
                                const long h = oh * s->stride[0] - s->padding[0] + kh * s->dilation[0];
                                const long w = ow * s->stride[1] - s->padding[1] + kw * s->dilation[1];
                                if (h < 0 || h >= s->h || w < 0 || w >= s->w) continue;
                                f(context, ((n * s->ci + o / co * ci + c) * s->h + h) * s->w + w,
                                  ((o * ci + c) * s->kh + kh) * s->kw + kw, ((n * s->co + o) * s->oh + oh) * s->ow + ow);
                            }
}

typedef struct operands { double *to; const double *a, *b; } operands;

static void add_forward(void *context, long x, long w, long y) { operands *p = context; p->to[y] += p->a[x] * p->b[w]; }
static void add_input(void *context, long x, long w, long y) { operands *p = context; p->to[x] += p->a[y] * p->b[w]; }
static void add_weight(void *context, long x, long w, long y) { operands *p = context; p->to[w] += p->a[x] * p->b[y]; }

void naive_conv_forward(double *y, const double *x, const double *w, const double *bias, const ex_conv_shape *s)
{
    const long pixels = (long)s->oh * s->ow;
    for (long i = 0; i < (long)s->n * s->co * pixels; i++) y[i] = bias ? bias[i / pixels % s->co] : 0;
    walk(s, add_forward, &(operands){ y, x, w });
}

void naive_conv_grad_input(double *dx, const double *dy, const double *w, const ex_conv_shape *s)
{
    memset(dx, 0, sizeof *dx * (size_t)s->n * (size_t)s->ci * (size_t)s->h * (size_t)s->w);
    walk(s, add_input, &(operands){ dx, dy, w });
}

void naive_conv_grad_weight(double *dw, const double *x, const double *dy, const ex_conv_shape *s)
{
    memset(dw, 0, sizeof *dw * (size_t)s->co * (size_t)(s->ci / s->groups) * (size_t)s->kh * (size_t)s->kw);
    walk(s, add_weight, &(operands){ dw, x, dy });
}
