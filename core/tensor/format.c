/* format.c: a tensor as text for a terminal: one line with shape and type, then its numbers in brackets, columns
 * aligned, the middle of long axes cut. One number or one row goes on the first line:
 *     tensor (2, 3) float32            tensor (3) int32: [1, 2, 3]
 *     [[ 1.0000, -2.0000,  0.5000],
 *      [    nan,  0.0000,     inf]]
 * All numbers have one form, chosen from those that are shown: whole, with four decimals, or with an exponent where
 * four decimals would hide the small ones. */
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "tensor.h"
#include "../base/error.h"

typedef struct text {
    char *out;
    int32_t size, length;                   /* length: what the whole text takes, even past the end */
} text;

static void put(text *t, const char *format, ...) EX_PRINTF(2, 3);

static void put(text *t, const char *format, ...)
{
    va_list list;
    int32_t at = t->length < t->size ? t->length : t->size;
    va_start(list, format);
    t->length += vsnprintf(t->out + at, (size_t)(t->size - at), format, list);
    va_end(list);
}

/* What is shown of a tensor, and how: filled by a first pass over the shown numbers. */
typedef struct style {
    int32_t edge[EX_MAX_DIMS];              /* shown at each end of an axis */
    int32_t whole;                          /* all finite numbers are whole */
    double least, most;                     /* absolute, of the finite non-zero ones; most 0: there are none */
    char form;                              /* 'd', 'f' or 'e' */
    int32_t width;
} style;

static int32_t print_number(char *out, size_t size, const style *s, double v)
{
    if (isnan(v)) return snprintf(out, size, "%*s", s->width, "nan");
    if (isinf(v)) return snprintf(out, size, "%*s", s->width, v > 0 ? "inf" : "-inf");
    if (s->form == 'd') return snprintf(out, size, "%*.0f", s->width, v);
    if (s->form == 'f') return snprintf(out, size, "%*.4f", s->width, v);
    return snprintf(out, size, "%*.4e", s->width, v);
}

/* The next shown index of an axis after i: jumps over the cut middle. */
static int32_t next_shown(const ex_tensor *t, const style *s, int32_t axis, int32_t i)
{
    return i + 1 == s->edge[axis] && t->dim[axis] > 2 * s->edge[axis] ? t->dim[axis] - s->edge[axis] : i + 1;
}

/* Calls `see` for each shown number. */
static void each_shown(const ex_tensor *t, style *s, int32_t axis, int32_t *index, void (*see)(style *s, double v))
{
    if (axis == t->ndim) {
        see(s, ex_tensor_get(t, index));
        return;
    }
    for (int32_t i = 0; i < t->dim[axis]; i = next_shown(t, s, axis, i)) {
        index[axis] = i;
        each_shown(t, s, axis + 1, index, see);
    }
}

static void see_size(style *s, double v)
{
    double size = fabs(v);
    if (!isfinite(v)) return;
    if (v != floor(v)) s->whole = 0;
    if (size > s->most) s->most = size;
    if (size > 0 && (s->least == 0 || size < s->least)) s->least = size;
}

static void see_width(style *s, double v)
{
    char number[64];
    int32_t width = s->width;
    s->width = 0;
    int32_t length = print_number(number, sizeof number, s, v);
    s->width = length > width ? length : width;
}

static style choose_style(const ex_tensor *t, int32_t edge)
{
    style s = { .whole = 1 };
    int32_t index[EX_MAX_DIMS];
    for (int32_t i = 0; i < t->ndim; i++) {     /* of the axes before the last two, only a taste */
        int32_t outer = t->ndim >= 4 ? 1 : 2;
        s.edge[i] = i < t->ndim - 2 && edge > outer ? outer : edge;
    }
    each_shown(t, &s, 0, index, see_size);
    if (s.whole) s.form = s.most < 1e8 || t->dtype != EX_FLOAT32 ? 'd' : 'e';
    else s.form = s.most < 1e6 && s.least >= 5e-4 ? 'f' : 'e';
    each_shown(t, &s, 0, index, see_width);
    return s;
}

/* One axis in brackets, `axis` blanks deep. Between rows a new line, between planes an empty one. */
static void put_axis(text *out, const ex_tensor *t, const style *s, int32_t axis, int32_t *index)
{
    char number[64];
    if (axis == t->ndim) {
        print_number(number, sizeof number, s, ex_tensor_get(t, index));
        put(out, "%s", number);
        return;
    }
    put(out, "[");
    for (int32_t i = 0, next; i < t->dim[axis]; i = next) {
        index[axis] = i;
        put_axis(out, t, s, axis + 1, index);
        next = next_shown(t, s, axis, i);
        if (next >= t->dim[axis]) break;
        int inner = t->ndim - axis - 1;
        const char *gap = inner == 0 ? " " : inner == 1 ? "\n" : "\n\n";
        int32_t margin = inner == 0 ? 0 : axis + 1;
        if (next != i + 1) put(out, ",%s%*s...", gap, margin, "");
        put(out, ",%s%*s", gap, margin, "");
    }
    put(out, "]");
}

int32_t ex_tensor_format(const ex_tensor *t, int32_t edge, char *out, int32_t size)
{
    text all = { .size = size > 0 ? size : 0 };
    char shape[128];
    int32_t index[EX_MAX_DIMS];
    all.out = out;
    put(&all, "tensor %s %s", ex_shape_text(shape, sizeof shape, t->ndim, t->dim), ex_dtype_name(t->dtype));
    if (ex_tensor_count(t) == 0) {
        put(&all, ": empty");
        return all.length;
    }
    style s = choose_style(t, edge < 1 ? 1 : edge);
    put(&all, t->ndim < 2 ? ": " : "\n");
    put_axis(&all, t, &s, 0, index);
    return all.length;
}
