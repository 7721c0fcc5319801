/* moments.c: see moments.h. */
#include <string.h>
#include "moments.h"
#include "norm.h"

/* In whole lines of the cache: parts are of different threads. */
static size_t part_doubles(int32_t channels) { return (1 + 2 * (size_t)channels + 7) / 8 * 8; }

size_t ex_moments_bytes(int32_t channels, int32_t parts) { return part_doubles(channels) * (size_t)parts * sizeof(double); }

/* to: count, means, squares; joined with `count` more numbers. */
static void join(double *to, int32_t channels, const double *mean, const double *square, double count)
{
    double *to_mean = to + 1, *to_square = to_mean + channels, share = count / (*to + count);
    for (int32_t c = 0; c < channels; c++) {
        const double delta = mean[c] - to_mean[c];
        to_mean[c] += delta * share;
        to_square[c] += square[c] + delta * delta * *to * share;
    }
    *to += count;
}

void ex_moments_add(double *parts, const ex_call *c, int32_t channels, const double *piece, double count)
{
    double *to = parts + (size_t)c->part * part_doubles(channels);
    if (!c->more) memset(to, 0, part_doubles(channels) * sizeof *to);
    join(to, channels, piece, piece + channels, count);
}

void ex_moments_give(const ex_call *c, int32_t channels, double *parts, ex_operand *out)
{
    for (int32_t p = 1; p < c->parts; p++) {
        const double *part = parts + (size_t)p * part_doubles(channels);
        join(parts, channels, part + 1, part + 1 + channels, *part);
    }
    const double count = *parts, *square = parts + 1 + channels;
    for (int32_t i = 0; i < channels; i++) {
        ex_operand_set(&out[0], i, parts[1 + i]);
        ex_operand_set(&out[1], i, square[i] / count);
        ex_operand_set(&out[2], i, count > 1 ? square[i] / (count - 1) : 0);
    }
}
