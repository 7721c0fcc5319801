/* loader.c: assembles batches ahead of their use, on one thread of its own.
 *
 *     images (N,C,H,W) uint8, index (M)  ->  batch (B,C,H,W) float32, channels-last in memory:
 *     out[b][y][x][c] = table[c][ in[index[b]][c][y + dy][x' + dx] ],  x' = W-1-x where mirrored
 *     table[c][v] = (v/255 - mean[c]) / deviation[c];  0 where y + dy or x' + dx is outside (the mean's value)
 *
 * dy, dx and the mirroring are drawn from (seed, stream "loader", epoch, index of the image), so that a batch is the
 * same numbers whatever the timing and whichever batch a pass starts with. The last batch holds what is left.
 *
 * The thread fills a ring of slots; ex_loader_next copies the oldest into the two tensors that callers have bound
 * (a copy costs a hundredth of a training step, and lets those tensors stay where they are). Nothing is allocated
 * after a pass has started. It decodes, resizes and shuffles nothing: the index says the order. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/random.h"
#include "../tensor/tensor.h"
#include "file.h"

enum { SLOTS = 3, MAX_CHANNELS = 4 };

typedef struct slot {
    float *images;                          /* (batch, H, W, C) */
    int32_t *labels;                        /* (batch) */
    int32_t n;
} slot;

typedef struct pass {
    int32_t *index;                         /* (count), room for `room` */
    int32_t count, room, batches;
    uint64_t seed;
    uint32_t epoch;
} pass;

struct ex_loader {
    ex_loader_options options;
    ex_tensor *images, *labels;             /* the source: (N,C,H,W) uint8, (N) int32 */
    ex_tensor *batch_images, *batch_labels; /* what callers see */
    float table[MAX_CHANNELS][256];
    uint32_t stream;
    slot slot[SLOTS];
    pass pass;                              /* changed only while the thread is idle */
    int started;                            /* there has been a pass */
    double wait;

    pthread_t thread;
    int running;                            /* the thread exists */
    pthread_mutex_t mutex;                  /* guards what follows */
    pthread_cond_t filled, emptied;         /* emptied: also a new pass, or the end */
    int32_t made, taken;                    /* batches of this pass, counted from its very first */
    int busy, cancelled, quit;
};

/* -- One image ------------------------------------------------------------------------------------------- */

typedef struct move { int32_t dy, dx; int flip; } move;

static move draw_move(const ex_loader *l, int32_t image) {
    const ex_loader_options *o = &l->options;
    move m = { 0 };
    if (!o->shift && !o->flip) return m;
    uint32_t word[4], range = 2 * (uint32_t)o->shift + 1;
    ex_random4(word, l->pass.seed, l->stream, l->pass.epoch, (uint32_t)image, 0);
    m.dy = (int32_t)((uint64_t)word[0] * range >> 32) - o->shift;
    m.dx = (int32_t)((uint64_t)word[1] * range >> 32) - o->shift;
    m.flip = o->flip && word[2] >> 31;
    return m;
}

/* One row of one channel: out[x * C] for x in 0..W-1. `in` is the row's first pixel, `step` from pixel to pixel. */
static void fill_row(float *out, int32_t channels, int32_t width, const uint8_t *in, ptrdiff_t step, const float *table,
                     move m) {
    for (int32_t x = 0; x < width; x++) {
        int32_t from = (m.flip ? width - 1 - x : x) + m.dx;
        out[(ptrdiff_t)x * channels] = from >= 0 && from < width ? table[in[from * step]] : 0.0f;
    }
}

static void fill_image(const ex_loader *l, float *out, int32_t image) {
    const ex_tensor *t = l->images;
    int32_t channels = t->dim[1], height = t->dim[2], width = t->dim[3];
    const uint8_t *in = (const uint8_t *)t->data + image * t->stride[0];
    move m = draw_move(l, image);
    for (int32_t y = 0; y < height; y++, out += (ptrdiff_t)width * channels) {
        int32_t from = y + m.dy;
        if (from < 0 || from >= height) {
            memset(out, 0, sizeof *out * (size_t)width * (size_t)channels);
            continue;
        }
        for (int32_t c = 0; c < channels; c++)
            fill_row(out + c, channels, width, in + c * t->stride[1] + from * t->stride[2], t->stride[3], l->table[c], m);
    }
}

static size_t image_size(const ex_loader *l) {
    return (size_t)l->images->dim[1] * (size_t)l->images->dim[2] * (size_t)l->images->dim[3];
}

static void fill_slot(const ex_loader *l, slot *s, int32_t batch) {
    int64_t start = (int64_t)batch * l->options.batch, rest = l->pass.count - start;
    s->n = rest < l->options.batch ? (int32_t)rest : l->options.batch;
    for (int32_t b = 0; b < s->n; b++) {
        int32_t image = l->pass.index[start + b];
        fill_image(l, s->images + (size_t)b * image_size(l), image);
        s->labels[b] = ((const int32_t *)l->labels->data)[image * l->labels->stride[0]];
    }
}

/* -- The thread ------------------------------------------------------------------------------------------- */

static int has_work(const ex_loader *l) {
    return !l->cancelled && l->made < l->pass.batches && l->made - l->taken < SLOTS;
}

static void *work(void *context) {
    ex_loader *l = context;
    pthread_mutex_lock(&l->mutex);
    while (!l->quit) {
        if (!has_work(l)) {
            pthread_cond_wait(&l->emptied, &l->mutex);
            continue;
        }
        int32_t batch = l->made;
        l->busy = 1;
        pthread_mutex_unlock(&l->mutex);
        fill_slot(l, &l->slot[batch % SLOTS], batch);
        pthread_mutex_lock(&l->mutex);
        l->busy = 0;
        l->made++;
        pthread_cond_signal(&l->filled);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

/* The thread takes no signals: they belong to the thread that runs the program. */
static ex_status start_thread(ex_loader *l) {
    if (l->running) return EX_OK;
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&l->thread, NULL, work, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) return ex_fail("loader: cannot start a thread: %s", ex_system_text(error));
    l->running = 1;
    return EX_OK;
}

/* After this the thread touches neither the pass nor the slots. */
static void cancel(ex_loader *l) {
    pthread_mutex_lock(&l->mutex);
    l->cancelled = 1;
    while (l->busy) pthread_cond_wait(&l->filled, &l->mutex);
    pthread_mutex_unlock(&l->mutex);
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static ex_status check_source(const ex_tensor *images, const ex_tensor *labels) {
    char shape[128];
    if (images->dtype != EX_UINT8 || images->ndim != 4 || ex_tensor_count(images) == 0)
        return ex_fail("loader: images are %s %s, expected uint8 (N, C, H, W)", ex_dtype_name(images->dtype),
                       ex_shape_text(shape, sizeof shape, images->ndim, images->dim));
    if (labels->dtype != EX_INT32 || labels->ndim != 1 || labels->dim[0] != images->dim[0])
        return ex_fail("loader: labels are %s %s, expected int32 (%d)", ex_dtype_name(labels->dtype),
                       ex_shape_text(shape, sizeof shape, labels->ndim, labels->dim), images->dim[0]);
    return EX_OK;
}

static ex_status check_options(const ex_loader_options *o, const ex_tensor *images) {
    int32_t height = images->dim[2], width = images->dim[3], least = height < width ? height : width;
    if (o->batch < 1) return ex_fail("loader: batch is %d, expected 1 or more", o->batch);
    if (o->shift < 0 || o->shift >= least) return ex_fail("loader: shift is %d, expected 0 to %d", o->shift, least - 1);
    if (o->flip != 0 && o->flip != 1) return ex_fail("loader: flip is %d, expected 0 or 1", o->flip);
    if (o->channels < 1 || o->channels > MAX_CHANNELS)
        return ex_fail("loader: %d channels, expected 1 to %d", o->channels, MAX_CHANNELS);
    if (o->channels != images->dim[1])
        return ex_fail("loader: mean and deviation are for %d channels, the images have %d", o->channels, images->dim[1]);
    for (int32_t c = 0; c < o->channels; c++)
        if (!(o->deviation[c] > 0 && o->deviation[c] <= 1e30 && o->mean[c] >= -1e30 && o->mean[c] <= 1e30))
            return ex_fail("loader: channel %d has mean %g and deviation %g, expected numbers, the deviation above 0", c + 1,
                           o->mean[c], o->deviation[c]);
    return EX_OK;
}

static ex_status make_buffers(ex_loader *l) {
    const int32_t *d = l->images->dim, dim[4] = { l->options.batch, d[1], d[2], d[3] }, channels_last[4] = { 0, 2, 3, 1 };
    if (!(l->batch_images = ex_tensor_new_ordered(EX_FLOAT32, 4, dim, channels_last))
        || !(l->batch_labels = ex_tensor_new(EX_INT32, 1, dim)))
        return ex_error_at("loader");
    for (int i = 0; i < SLOTS; i++) {
        slot *s = &l->slot[i];
        s->images = ex_alloc_zero(l->batch_images->storage->bytes);
        s->labels = ex_alloc_zero(l->batch_labels->storage->bytes);
        if (!s->images || !s->labels) return ex_error_at("loader");
    }
    return EX_OK;
}

ex_loader *ex_loader_new(ex_tensor *images, ex_tensor *labels, const ex_loader_options *options) {
    if (check_source(images, labels) != EX_OK || check_options(options, images) != EX_OK) return NULL;
    ex_loader *l = ex_alloc_zero(sizeof *l);
    if (!l) return NULL;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->filled, NULL);
    pthread_cond_init(&l->emptied, NULL);
    l->options = *options;
    l->stream = ex_hash_name("loader");
    for (int32_t c = 0; c < options->channels; c++)
        for (int v = 0; v < 256; v++) l->table[c][v] = (float)((v / 255.0 - options->mean[c]) / options->deviation[c]);
    l->images = ex_tensor_view(images);
    l->labels = ex_tensor_view(labels);
    if (l->images && l->labels && make_buffers(l) == EX_OK) return l;
    ex_loader_free(l);
    return NULL;
}

void ex_loader_free(ex_loader *l) {
    if (!l) return;
    if (l->running) {
        pthread_mutex_lock(&l->mutex);
        l->quit = 1;
        pthread_cond_signal(&l->emptied);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
    }
    pthread_cond_destroy(&l->emptied);
    pthread_cond_destroy(&l->filled);
    pthread_mutex_destroy(&l->mutex);
    for (int i = 0; i < SLOTS; i++) {
        ex_free(l->slot[i].images);
        ex_free(l->slot[i].labels);
    }
    ex_free(l->pass.index);
    ex_tensor_free(l->batch_images);
    ex_tensor_free(l->batch_labels);
    ex_tensor_free(l->images);
    ex_tensor_free(l->labels);
    ex_free(l);
}

/* -- A pass ---------------------------------------------------------------------------------------------------- */

static ex_status check_pass(const ex_loader *l, const ex_tensor *index, double seed, double epoch, int32_t first) {
    char shape[128];
    if (index->dtype != EX_INT32 || index->ndim != 1)
        return ex_fail("loader: the index is %s %s, expected int32 (M)", ex_dtype_name(index->dtype),
                       ex_shape_text(shape, sizeof shape, index->ndim, index->dim));
    for (int32_t i = 0; i < index->dim[0]; i++) {
        int32_t image = ((const int32_t *)index->data)[i * index->stride[0]];
        if (image < 0 || image >= l->images->dim[0])
            return ex_fail("loader: index %d is %d, there are images 0 to %d", i + 1, image, l->images->dim[0] - 1);
    }
    if (!(seed >= 0 && seed <= 0x1p53 && seed == (double)(uint64_t)seed))
        return ex_fail("loader: seed is %.17g, expected a whole number from 0 to 2^53", seed);
    if (!(epoch >= 0 && epoch <= UINT32_MAX && epoch == (double)(uint32_t)epoch))
        return ex_fail("loader: epoch is %.17g, expected a whole number from 0 to 2^32-1", epoch);
    int64_t batches = ((int64_t)index->dim[0] + l->options.batch - 1) / l->options.batch;
    if (first < 0 || first > batches)
        return ex_fail("loader: first batch is %d, expected 0 to %lld", first, (long long)batches);
    return EX_OK;
}

static ex_status copy_index(pass *p, const ex_tensor *index) {
    int32_t count = index->dim[0];
    if (count > p->room) {
        int32_t *grown = ex_realloc(p->index, (size_t)count * sizeof *grown);
        if (!grown) return ex_error_at("loader");
        p->index = grown;
        p->room = count;
    }
    for (int32_t i = 0; i < count; i++) p->index[i] = ((const int32_t *)index->data)[i * index->stride[0]];
    p->count = count;
    return EX_OK;
}

ex_status ex_loader_start(ex_loader *l, const ex_tensor *index, double seed, double epoch, int32_t first) {
    if (check_pass(l, index, seed, epoch, first) != EX_OK || start_thread(l) != EX_OK) return EX_FAILED;
    cancel(l);                              /* an earlier pass is over, finished or not */
    l->started = 0;
    if (copy_index(&l->pass, index) != EX_OK) return EX_FAILED;
    l->pass.seed = (uint64_t)seed;
    l->pass.epoch = (uint32_t)epoch;
    l->wait = 0;
    l->started = 1;
    pthread_mutex_lock(&l->mutex);
    l->pass.batches = (int32_t)(((int64_t)l->pass.count + l->options.batch - 1) / l->options.batch);
    l->made = l->taken = first;
    l->cancelled = 0;
    pthread_cond_signal(&l->emptied);
    pthread_mutex_unlock(&l->mutex);
    return EX_OK;
}

static void await_batch(ex_loader *l) {
    if (l->made > l->taken) return;
    double from = ex_clock();
    while (l->made == l->taken) pthread_cond_wait(&l->filled, &l->mutex);
    l->wait += ex_clock() - from;
}

int32_t ex_loader_next(ex_loader *l) {
    if (!l->started) {
        ex_fail("loader: no pass was started");
        return -1;
    }
    if (l->taken == l->pass.batches) return 0;     /* only this thread changes these two */
    pthread_mutex_lock(&l->mutex);
    await_batch(l);
    pthread_mutex_unlock(&l->mutex);
    const slot *s = &l->slot[l->taken % SLOTS];     /* stays ours until `taken` grows */
    int32_t n = s->n;
    memcpy(l->batch_images->data, s->images, (size_t)n * image_size(l) * sizeof(float));
    memcpy(l->batch_labels->data, s->labels, (size_t)n * sizeof(int32_t));
    ex_tensor_touch(l->batch_images);
    ex_tensor_touch(l->batch_labels);
    pthread_mutex_lock(&l->mutex);
    l->taken++;
    pthread_cond_signal(&l->emptied);
    pthread_mutex_unlock(&l->mutex);
    return n;
}

ex_tensor *ex_loader_images(const ex_loader *l) { return ex_tensor_view(l->batch_images); }
ex_tensor *ex_loader_labels(const ex_loader *l) { return ex_tensor_view(l->batch_labels); }
double ex_loader_wait(const ex_loader *l) { return l->wait; }
