/* conv_bench.c: how fast the convolution kernels are, in GFLOP/s (padding multiplications counted, best of many runs).
 * It times kernels alone, on memory that is already warm; a network's time is bench/train.lua's business.
 * Build and run: make build/bench/conv_bench && build/bench/conv_bench [THREADS [ISA [SECONDS PER NUMBER [PART OF A CASE'S NAME]]]] */
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

static double best(const call *c, ex_conv_direction d, ex_team *team, double seconds)
{
    double least = 1e9;
    const double start = ex_clock();
    for (int i = 0; i < 5 || ex_clock() - start < seconds; i++) {
        double t = ex_clock();
        run(c, d, team);
        t = ex_clock() - t;
        if (t < least) least = t;
    }
    return least;
}

int main(int count, char **argument)
{
    ex_team *team = ex_team_new(count > 1 ? atoi(argument[1]) : 2);
    if (!team || ex_isa_select(count > 2 ? argument[2] : NULL) != EX_OK) { fprintf(stderr, "%s\n", ex_error_message()); return 1; }
    const double seconds = count > 3 ? atof(argument[3]) : 0.2;
    printf("%-26s %9s %9s %9s   GFLOP/s, %s, %d threads\n", "", "forward", "input", "weight", ex_isa_name(), ex_team_size(team));
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        if (count > 4 && !strstr(benches[i].name, argument[4])) continue;
        const ex_conv_shape *s = &benches[i].s;
        const int32_t ci = s->ci / s->groups;
        const size_t x = (size_t)s->n * (size_t)s->h * (size_t)s->w * (size_t)s->ci, y = (size_t)s->n * (size_t)s->oh * (size_t)s->ow * (size_t)s->co;
        call c = { s, { numbers(x), (ptrdiff_t)s->h * s->w * s->ci, s->w * s->ci, s->ci },
                   { numbers(y), (ptrdiff_t)s->oh * s->ow * s->co, s->ow * s->co, s->co },
                   { numbers((size_t)s->kh * (size_t)s->kw * (size_t)ci * (size_t)s->co), 1, s->co, (ptrdiff_t)s->kw * ci * s->co, (ptrdiff_t)ci * s->co, NULL }, NULL };
        const double flop = 2.0 * s->n * s->oh * s->ow * s->co * ci * s->kh * s->kw;
        printf("%-26s", benches[i].name);
        for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++) {
            c.scratch = ex_alloc(ex_kernels_current()->conv->scratch(d, s, ex_team_size(team)) + 64);
            printf(" %9.1f", flop / best(&c, d, team, seconds) * 1e-9);
            fflush(stdout);
            ex_free(c.scratch);
        }
        printf("\n");
        ex_free(c.x.data);
        ex_free(c.y.data);
        ex_free(c.w.data);
    }
    ex_team_free(team);
    return 0;
}
