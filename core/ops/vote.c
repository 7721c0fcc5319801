/* vote.c: scores of exits that vote, over the logits of a whole split: z (E, N, K) float32, labels y (N) int32.
 *
 *     vote of a subset S   v = sum_{i in S} b_i z_i, in double, from the first exit to the last
 *     rank of the label    classes with a larger vote, or an equal one and a lower index; top-k: rank < k
 *
 * A subset's vote grows from that of the subset without its last exit, so that all 2^E - 1 cost one addition a class each,
 * and a subset has the bits that its exits alone would have. Counts are whole numbers: any team gives the same.
 * These are no operators: they are asked between runs, and run no network. */
#include <math.h>
#include <string.h>
#include "../base/error.h"
#include "../base/memory.h"
#include "../base/team.h"
#include "../kernels/kernels.h"
#include "../tensor/tensor.h"

enum { MOST_EXITS = 20, TOP = 5, PART = 256 };   /* PART: samples at a time */

/* -- Logits and labels -------------------------------------------------------------------------------------------- */

static int32_t label_at(const ex_tensor *labels, int32_t n) { return ((const int32_t *)labels->data)[n * labels->stride[0]]; }

static ex_status check_labels(const ex_tensor *labels, int32_t samples, int32_t classes)
{
    char text[96];
    if (labels->dtype != EX_INT32 || labels->ndim != 1 || labels->dim[0] != samples)
        return ex_fail("votes: labels are %s %s, expected (%d) int32", ex_shape_text(text, sizeof text, labels->ndim, labels->dim),
                       ex_dtype_name(labels->dtype), samples);
    for (int32_t n = 0; n < samples; n++)
        if (label_at(labels, n) < 0 || label_at(labels, n) >= classes)
            return ex_fail("votes: label %d of sample %d is outside 0 to %d", label_at(labels, n), n, classes - 1);
    return EX_OK;
}

static ex_status check(const ex_tensor *logits, const ex_tensor *labels, int32_t ndim, const char *form)
{
    char text[96];
    if (logits->dtype != EX_FLOAT32 || logits->ndim != ndim || !ex_tensor_count(logits))
        return ex_fail("votes: logits are %s %s, expected %s float32, none of them 0",
                       ex_shape_text(text, sizeof text, logits->ndim, logits->dim), ex_dtype_name(logits->dtype), form);
    return check_labels(labels, logits->dim[ndim - 2], logits->dim[ndim - 1]);
}

/* One sample's b_i z_i of all exits: out (E, K). */
static void weigh(double *out, const ex_tensor *logits, const double *b, int32_t n)
{
    const int32_t exits = logits->dim[0], classes = logits->dim[2];
    for (int32_t e = 0; e < exits; e++) {
        const float *z = (const float *)logits->data + e * logits->stride[0] + n * logits->stride[1];
        for (int32_t k = 0; k < classes; k++) *out++ = b[e] * z[k * logits->stride[2]];
    }
}

/* -- All subsets -------------------------------------------------------------------------------------------------- */

typedef struct hits { int32_t top1, top5; } hits;

typedef struct tally {
    const ex_tensor *logits, *labels;
    const double *b;
    int32_t exits, classes;
    int32_t subsets;
    double *votes;                          /* of each thread: E terms, then E + 1 running votes, K numbers each */
    hits *count;                            /* of each thread: subsets */
} tally;

/* Counts the subsets that hold `subset` and later exits from `next` on; vote: what `subset` gives. */
static void count_from(const tally *t, hits *count, const double *terms, double *vote, uint32_t subset, int32_t next, int32_t label)
{
    const ex_vector_kernels *v = ex_kernels_current()->vector;
    for (int32_t e = next; e < t->exits; e++) {
        const uint32_t more = subset | 1u << e;
        double *out = e + 1 < t->exits ? vote + t->classes : NULL;
        const int32_t rank = v->vote_rank(out, vote, terms + (size_t)e * (size_t)t->classes, label, t->classes);
        count[more - 1].top1 += rank < 1;
        count[more - 1].top5 += rank < TOP;
        if (out) count_from(t, count, terms, out, more, e + 1, label);
    }
}

static void count_part(void *context, int32_t part, int32_t thread)
{
    const tally *t = context;
    const size_t k = (size_t)t->classes, rows = 2 * (size_t)t->exits + 1;
    double *terms = t->votes + (size_t)thread * rows * k, *vote = terms + (size_t)t->exits * k;
    hits *count = t->count + (size_t)thread * (size_t)t->subsets;
    memset(vote, 0, k * sizeof *vote);
    for (int32_t n = part * PART; n < (part + 1) * PART && n < t->logits->dim[1]; n++) {
        weigh(terms, t->logits, t->b, n);
        count_from(t, count, terms, vote, 0, 0, label_at(t->labels, n));
    }
}

static void share_out(ex_score *out, const tally *t, int32_t threads)
{
    const double samples = t->logits->dim[1];
    for (int32_t s = 0; s < t->subsets; s++) {
        int64_t top1 = 0, top5 = 0;
        for (int32_t i = 0; i < threads; i++) {
            const hits *h = &t->count[(size_t)i * (size_t)t->subsets + (size_t)s];
            top1 += h->top1;
            top5 += h->top5;
        }
        out[s] = (ex_score){ (double)top1 / samples, (double)top5 / samples };
    }
}

ex_status ex_subset_scores(ex_score *out, const ex_tensor *logits, const ex_tensor *labels, const double *b, ex_team *team)
{
    if (check(logits, labels, 3, "(exits, samples, classes)")) return EX_FAILED;
    const int32_t threads = ex_team_size(team);
    tally t = { logits, labels, b, logits->dim[0], logits->dim[2], 0, NULL, NULL };
    if (t.exits > MOST_EXITS) return ex_fail("votes: %d exits have too many subsets, at most %d are scored", t.exits, MOST_EXITS);
    t.subsets = (int32_t)((1u << t.exits) - 1);
    t.votes = ex_alloc((size_t)threads * (2 * (size_t)t.exits + 1) * (size_t)t.classes * sizeof *t.votes);
    t.count = ex_alloc_zero((size_t)threads * (size_t)t.subsets * sizeof *t.count);
    if (t.votes && t.count) {
        ex_team_run(team, (logits->dim[1] + PART - 1) / PART, count_part, &t);
        share_out(out, &t, threads);
    }
    const ex_status status = t.votes && t.count ? EX_OK : EX_FAILED;
    ex_free(t.votes);
    ex_free(t.count);
    return status;
}

/* -- One vote ------------------------------------------------------------------------------------------------------- */

/* The first class with the largest vote; votes that are no numbers never win. */
static int32_t winner(const double *vote, int32_t classes)
{
    int32_t best = 0;
    for (int32_t k = 1; k < classes; k++)
        if (vote[k] > vote[best] || vote[best] != vote[best]) best = k;
    return best;
}

static ex_status check_whole(const char *what, const ex_tensor *t, int32_t ndim, int32_t rows, int32_t columns)
{
    char text[96];
    if (!t || (t->dtype == EX_INT32 && t->ndim == ndim && t->dim[0] == rows && (ndim == 1 || t->dim[1] == columns))) return EX_OK;
    return ex_fail("votes: %s are %s %s, expected %d axes of %d in int32", what, ex_shape_text(text, sizeof text, t->ndim, t->dim),
                   ex_dtype_name(t->dtype), ndim, rows);
}

typedef struct ballot { double *terms, *vote; ex_tensor *predicted, *confusion; } ballot;

static void cast(const ballot *at, hits *h, const ex_tensor *logits, const double *b, int32_t label, int32_t n)
{
    const ex_vector_kernels *v = ex_kernels_current()->vector;
    const int32_t exits = logits->dim[0], classes = logits->dim[2];
    int32_t rank = classes;
    weigh(at->terms, logits, b, n);
    memset(at->vote, 0, (size_t)classes * sizeof *at->vote);
    for (int32_t e = 0; e < exits; e++) rank = v->vote_rank(at->vote, at->vote, at->terms + (size_t)e * (size_t)classes, label, classes);
    h->top1 += rank < 1;
    h->top5 += rank < TOP;
    const int32_t best = winner(at->vote, classes);
    if (at->predicted) ((int32_t *)at->predicted->data)[n * at->predicted->stride[0]] = best;
    if (at->confusion) ((int32_t *)at->confusion->data)[label * at->confusion->stride[0] + best * at->confusion->stride[1]]++;
}

ex_status ex_vote_score(ex_score *out, ex_tensor *predicted, ex_tensor *confusion, const ex_tensor *logits,
                        const ex_tensor *labels, const double *b)
{
    if (check(logits, labels, 3, "(exits, samples, classes)")) return EX_FAILED;
    const int32_t samples = logits->dim[1], classes = logits->dim[2];
    if (check_whole("predictions", predicted, 1, samples, 0) || check_whole("confusion counts", confusion, 2, classes, classes))
        return EX_FAILED;
    if (confusion && ex_tensor_fill(confusion, 0)) return EX_FAILED;
    double *memory = ex_alloc(((size_t)logits->dim[0] + 1) * (size_t)classes * sizeof *memory);
    if (!memory) return EX_FAILED;
    const ballot at = { memory + classes, memory, predicted, confusion };
    hits h = { 0, 0 };
    for (int32_t n = 0; n < samples; n++) cast(&at, &h, logits, b, label_at(labels, n), n);
    *out = (ex_score){ (double)h.top1 / samples, (double)h.top5 / samples };
    if (predicted) ex_tensor_touch(predicted);
    if (confusion) ex_tensor_touch(confusion);
    ex_free(memory);
    return EX_OK;
}

/* -- Cross-entropy ---------------------------------------------------------------------------------------------------- */

ex_status ex_mean_cross_entropy(double *out, const ex_tensor *logits, const ex_tensor *labels)
{
    if (check(logits, labels, 2, "(samples, classes)")) return EX_FAILED;
    const int32_t samples = logits->dim[0], classes = logits->dim[1];
    const ptrdiff_t step = logits->stride[1];
    double total = 0;
    for (int32_t n = 0; n < samples; n++) {
        const float *z = (const float *)logits->data + n * logits->stride[0];
        double most = z[0], sum = 0;
        for (int32_t k = 1; k < classes; k++) most = z[k * step] > most ? z[k * step] : most;
        for (int32_t k = 0; k < classes; k++) sum += exp(z[k * step] - most);
        total += most + log(sum) - z[label_at(labels, n) * step];
    }
    *out = total / samples;
    return EX_OK;
}
