/* conv_bench.c: how fast the convolution kernels are, in GFLOP/s (padding multiplications counted, best of many runs), and
 * Winograd's beside the direct ones, both timed in turn, in the same unit; * where the committed rule takes Winograd's. The
 * first two columns: forward with packed filters, as at inference.
 * It times kernels alone, on memory that is already warm; a network's time is bench/train.lua's business.
 * Build and run: make build/bench/conv_bench && build/bench/conv_bench [THREADS [ISA [SECONDS PER NUMBER [PART OF A CASE'S NAME]]]]
 * The cases named "rule: ..." run only when asked for by a part of their name. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../core/base/memory.h"
#include "../core/kernels/kernels.h"

typedef struct bench { const char *name; ex_conv_shape s; } bench;

#define CONV(NAME, N, CI, H, CO, K, S, P, G) \
    { NAME, { .n = N, .ci = CI, .h = H, .w = H, .co = CO, .oh = (H + 2 * P - K) / S + 1, .ow = (H + 2 * P - K) / S + 1, .kh = K, \
              .kw = K, .groups = G, .stride = { S, S }, .padding = { P, P }, .dilation = { 1, 1 } } }

static const bench benches[] = {
    CONV("32->32 @28", 64, 32, 28, 32, 3, 1, 1, 1), CONV("64->64 @14", 64, 64, 14, 64, 3, 1, 1, 1),
    CONV("128->128 @7", 64, 128, 7, 128, 3, 1, 1, 1), CONV("32->64 @14", 64, 32, 14, 64, 3, 1, 1, 1),
    CONV("1->32 @28", 64, 1, 28, 32, 3, 1, 1, 1), CONV("3->16 @32", 64, 3, 32, 16, 3, 1, 1, 1),
    CONV("16->16 @32", 64, 16, 32, 16, 3, 1, 1, 1), CONV("16->32 @32 stride 2", 64, 16, 32, 32, 3, 2, 1, 1),
    CONV("16->32 @32 1x1 stride 2", 64, 16, 32, 32, 1, 2, 0, 1), CONV("64->64 @8", 64, 64, 8, 64, 3, 1, 1, 1),
    CONV("6->16 @14 5x5", 64, 6, 14, 16, 5, 1, 0, 1), CONV("512->512 @4", 64, 512, 4, 512, 3, 1, 1, 1),
    CONV("64->256 @16 1x1", 64, 64, 16, 256, 1, 1, 0, 1), CONV("1024->256 @4 1x1", 64, 1024, 4, 256, 1, 1, 0, 1),
    CONV("64 @14 depthwise", 64, 64, 14, 64, 3, 1, 1, 64), CONV("32->32 @28, one image", 1, 32, 28, 32, 3, 1, 1, 1),
    CONV("128->128 @7, one image", 1, 128, 7, 128, 3, 1, 1, 1),
};

/* What Winograd's rule was fitted to: all channels x maps x images. */
static const int32_t channels[] = { 8, 16, 32, 64, 128, 256 }, maps[] = { 32, 28, 16, 14, 8, 7, 4 }, images[] = { 1, 64 };
#define COUNT(list) ((int)(sizeof list / sizeof *list))

static float *numbers(size_t n)
{
    float *p = ex_alloc(n * sizeof *p);
    for (size_t i = 0; p && i < n; i++) p[i] = (float)(i % 13) * 0.1f;
    return p;
}

typedef struct call {
    const ex_conv_shape *s;
    ex_conv_image x, y;
    ex_conv_filter w;
    void *scratch;
} call;

static void run(const call *c, ex_conv_direction d, ex_team *team)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    if (d == EX_CONV_FORWARD) k->forward(c->y, c->x, c->w, &(ex_conv_epilogue){0}, c->s, team, c->scratch);
    else if (d == EX_CONV_GRAD_INPUT) k->grad_input(c->x, c->y, c->w, c->s, team, c->scratch);
    else k->grad_weight(c->w, c->x, c->y, c->s, team, c->scratch);
}

/* The least time of each of n calls, made in turn. */
static void best(double *least, const call *c, int n, ex_conv_direction d, ex_team *team, double seconds)
{
    for (int k = 0; k < n; k++) least[k] = 1e9;
    const double start = ex_clock();
    for (int i = 0; i < 5 || ex_clock() - start < seconds; i++)
        for (int k = 0; k < n; k++) {
            double t = ex_clock();
            run(&c[k], d, team);
            t = ex_clock() - t;
            if (t < least[k]) least[k] = t;
        }
}

/* Two columns: the direct kernels, and Winograd's where they fit. packed: the filter was packed before, as at inference. */
static void compare(call *c, ex_conv_direction d, int packed, ex_team *team, double seconds)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    const ex_conv_shape *s = c->s;
    const int n = ex_conv_winograd_fits(s) ? 2 : 1;
    const double flop = 2.0 * s->n * s->oh * s->ow * s->co * (s->ci / s->groups) * s->kh * s->kw;
    double least[2];
    float *filter[2];
    for (int i = 0; i < n; i++) {
        filter[i] = ex_alloc(k->packed_bytes(d == EX_CONV_GRAD_INPUT ? d : EX_CONV_FORWARD, c[i].s) + 64);
        k->pack(filter[i], d == EX_CONV_GRAD_INPUT ? d : EX_CONV_FORWARD, c[i].w, c[i].s, team);
        c[i].w.packed = packed ? filter[i] : NULL;
        c[i].scratch = ex_alloc(k->scratch(d, c[i].s, ex_team_size(team)) + 64);
    }
    best(least, c, n, d, team, seconds * n);
    printf(" %8.1f", flop / least[0] * 1e-9);
    if (n > 1) printf(" %8.1f%c", flop / least[1] * 1e-9, k->winograd_pays(d, s, packed) ? '*' : ' ');
    else printf(" %8s ", "-");
    fflush(stdout);
    for (int i = 0; i < n; i++) {
        ex_free(c[i].scratch);
        ex_free(filter[i]);
    }
}

static void measure(const char *name, const ex_conv_shape *s, ex_team *team, double seconds)
{
    const int32_t ci = s->ci / s->groups;
    const size_t x = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->ci, y = (size_t)s->n * (size_t)s->oh * (size_t)s->ow * (size_t)s->co;
    ex_conv_shape winograd = *s;
    winograd.winograd = 1;
    call c[2] = { { s, { numbers(x), (ptrdiff_t)s->h * s->w * s->ci, s->w * s->ci, s->ci },
                    { numbers(y), (ptrdiff_t)s->oh * s->ow * s->co, s->ow * s->co, s->co },
                    { numbers((size_t)s->kh * (size_t)s->kw * (size_t)ci * (size_t)s->co), 1, s->co, (ptrdiff_t)s->kw * ci * s->co, (ptrdiff_t)ci * s->co, NULL }, NULL } };
    c[1] = c[0];
    c[1].s = &winograd;
    printf("%-26s", name);
    compare(c, EX_CONV_FORWARD, 1, team, seconds);
    for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++) compare(c, d, 0, team, seconds);
    printf("\n");
    ex_free(c[0].x.data);
    ex_free(c[0].y.data);
    ex_free(c[0].w.data);
}

int main(int count, char **argument)
{
    ex_team *team = ex_team_new(count > 1 ? atoi(argument[1]) : 2);
    if (!team || ex_isa_select(count > 2 ? argument[2] : NULL) != EX_OK) { fprintf(stderr, "%s\n", ex_error_message()); return 1; }
    const double seconds = count > 3 ? atof(argument[3]) : 0.2;
    const char *part = count > 4 ? argument[4] : "";
    printf("%-26s %8s %8s  %8s %8s  %8s %8s  %8s %8s    GFLOP/s, %s, %d threads\n", "", "packed", "winograd", "forward", "winograd", "input", "winograd", "weight", "winograd", ex_isa_name(), ex_team_size(team));
    for (int i = 0; i < COUNT(benches); i++)
        if (strstr(benches[i].name, part)) measure(benches[i].name, &benches[i].s, team, seconds);
    for (int i = 0; i < COUNT(images) * COUNT(channels) * COUNT(maps); i++) {
        const int32_t n = images[i / COUNT(maps) / COUNT(channels)], c = channels[i / COUNT(maps) % COUNT(channels)], h = maps[i % COUNT(maps)];
        char name[64];
        snprintf(name, sizeof name, "rule: %d->%d @%d, %d", c, c, h, n);
        const bench b = CONV(name, n, c, h, c, 3, 1, 1, 1);
        if (count > 4 && strstr(name, part)) measure(name, &b.s, team, seconds);
    }
    ex_team_free(team);
    return 0;
}
