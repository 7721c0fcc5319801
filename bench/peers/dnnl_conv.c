/* dnnl_conv.c DIRECTION BATCH IN OUT SIZE KERNEL STRIDE GROUPS: one convolution of oneDNN 2.x (fwd, dgrad or wgrad, float32, square
 * images, padding KERNEL/2), timed in blocks on request (bench/serve.lua has the protocol). It tries the library's own blocked
 * layout and channels-last, and keeps the faster. Only the convolution is timed, no reordering. OMP_NUM_THREADS: its threads.
 * Build: gcc -O2 dnnl_conv.c -ldnnl (libdnnl-dev) */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(call) do { dnnl_status_t status = (call); if (status != dnnl_success) { fprintf(stderr, "dnnl_conv: error %d in %s\n", status, #call); exit(1); } } while (0)

static dnnl_engine_t engine;
static dnnl_stream_t stream;

typedef struct shape { int batch, ci, co, size, kernel, stride, groups; } shape;

/* A primitive with its memory, ready to run. */
typedef struct work { dnnl_primitive_t primitive; dnnl_exec_arg_t args[3]; } work;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static dnnl_memory_t memory_of(const dnnl_memory_desc_t *desc)
{
    const size_t bytes = dnnl_memory_desc_get_size(desc);
    float *data = aligned_alloc(64, (bytes + 4095) / 4096 * 4096);
    for (size_t i = 0; data && i < bytes / 4; i++) data[i] = (float)(((unsigned)i * 2654435761u >> 9) & 1023) / 512.f - 1;
    dnnl_memory_t memory;
    CHECK(dnnl_memory_create(&memory, desc, engine, data));
    return memory;
}

static dnnl_memory_t queried(const_dnnl_primitive_desc_t pd, dnnl_query_t what) { return memory_of(dnnl_primitive_desc_query_md(pd, what, 0)); }

static work prepare(const char *direction, shape s, dnnl_format_tag_t tag)
{
    const int pad = s.kernel / 2, out = (s.size + 2 * pad - s.kernel) / s.stride + 1;
    dnnl_dims_t xs = { s.batch, s.ci, s.size, s.size }, ys = { s.batch, s.co, out, out }, strides = { s.stride, s.stride }, pads = { pad, pad };
    dnnl_dims_t ws = { s.co, s.ci, s.kernel, s.kernel }, gs = { s.groups, s.co / s.groups, s.ci / s.groups, s.kernel, s.kernel };
    dnnl_memory_desc_t x, w, y;
    CHECK(dnnl_memory_desc_init_by_tag(&x, 4, xs, dnnl_f32, tag));
    CHECK(dnnl_memory_desc_init_by_tag(&y, 4, ys, dnnl_f32, tag));
    CHECK(dnnl_memory_desc_init_by_tag(&w, s.groups == 1 ? 4 : 5, s.groups == 1 ? ws : gs, dnnl_f32, dnnl_format_tag_any));
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t forward, pd;
    CHECK(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_training, dnnl_convolution_direct, &x, &w, NULL, &y, strides, pads, pads));
    CHECK(dnnl_primitive_desc_create(&forward, &desc, NULL, engine, NULL));
    work made;
    if (!strcmp(direction, "fwd")) {
        pd = forward;
        made.args[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, queried(pd, dnnl_query_src_md) };
        made.args[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, queried(pd, dnnl_query_weights_md) };
        made.args[2] = (dnnl_exec_arg_t){ DNNL_ARG_DST, queried(pd, dnnl_query_dst_md) };
    } else if (!strcmp(direction, "dgrad")) {
        CHECK(dnnl_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, &x, &w, &y, strides, pads, pads));
        CHECK(dnnl_primitive_desc_create(&pd, &desc, NULL, engine, forward));
        made.args[0] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_DST, queried(pd, dnnl_query_diff_dst_md) };
        made.args[1] = (dnnl_exec_arg_t){ DNNL_ARG_WEIGHTS, queried(pd, dnnl_query_weights_md) };
        made.args[2] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_SRC, queried(pd, dnnl_query_diff_src_md) };
    } else {
        CHECK(dnnl_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct, &x, &w, NULL, &y, strides, pads, pads));
        CHECK(dnnl_primitive_desc_create(&pd, &desc, NULL, engine, forward));
        made.args[0] = (dnnl_exec_arg_t){ DNNL_ARG_SRC, queried(pd, dnnl_query_src_md) };
        made.args[1] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_DST, queried(pd, dnnl_query_diff_dst_md) };
        made.args[2] = (dnnl_exec_arg_t){ DNNL_ARG_DIFF_WEIGHTS, queried(pd, dnnl_query_diff_weights_md) };
    }
    CHECK(dnnl_primitive_create(&made.primitive, pd));
    return made;
}

/* Runs for about so long; gives the runs, and the seconds they took. */
static long block(const work *w, double seconds, double *took)
{
    const double start = now();
    long runs = 0;
    do {
        CHECK(dnnl_primitive_execute(w->primitive, stream, 3, w->args));
        CHECK(dnnl_stream_wait(stream));
        runs++;
    } while ((*took = now() - start) < seconds);
    return runs;
}

static double speed(const work *w)
{
    double took;
    for (int i = 0; i < 3; i++) block(w, 0, &took);
    const long runs = block(w, 0.1, &took);
    return (double)runs / took;
}

int main(int count, char **argument)
{
    if (count != 9) { fprintf(stderr, "dnnl_conv: expected 8 arguments\n"); return 2; }
    int n[7];
    for (int i = 0; i < 7; i++) n[i] = atoi(argument[i + 2]);
    const shape s = { n[0], n[1], n[2], n[3], n[4], n[5], n[6] };
    CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
    CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
    const work blocked = prepare(argument[1], s, dnnl_format_tag_any), last = prepare(argument[1], s, dnnl_nhwc);
    const int is_blocked = speed(&blocked) > speed(&last);
    const work *best = is_blocked ? &blocked : &last;
    printf("ready %s\n", is_blocked ? "blocked" : "nhwc");
    fflush(stdout);
    char line[64];
    while (fgets(line, sizeof line, stdin) && strncmp(line, "quit", 4)) {
        double took;
        const long runs = block(best, atof(line + 6), &took);
        printf("%ld %.9f\n", runs, took);
        fflush(stdout);
    }
    return 0;
}
