/* vote_test.c: votes by hand; all subsets against each vote alone and against a naive rank, for any team, strides and
 * instruction set; ties, NaN; the mean cross-entropy; everything that is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "../../../core/exeunt.h"

#define DIMS(...) (int32_t[]){ __VA_ARGS__ }

static float *numbers(const ex_tensor *t)
{
    ex_tensor_info info;
    ex_tensor_describe(t, &info);
    return info.data;
}

static ex_tensor *floats(int32_t ndim, const int32_t *dim, const float *values)
{
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, ndim, dim);
    ex_tensor_info info;
    ex_tensor_describe(t, &info);
    memcpy(info.data, values, (size_t)info.count * sizeof *values);
    return t;
}

static ex_tensor *labels_of(int32_t n, const int32_t *values)
{
    ex_tensor *t = ex_tensor_new(EX_INT32, 1, &n);
    memcpy(numbers(t), values, (size_t)n * sizeof *values);
    return t;
}

/* Two exits, three samples, three classes; b = 1/2 each. Votes (1, 2, 0), (.5, 0, .5), (1, 1, 1): 1, 0 and 0 are predicted. */
static void one_vote_by_hand(void **state)
{
    (void)state;
    ex_tensor *z = floats(3, DIMS(2, 3, 3), (float[]){ 2, 1, 0, 0, 0, 1, 1, 1, 1, 0, 3, 0, 1, 0, 0, 1, 1, 1 });
    ex_tensor *y = labels_of(3, DIMS(1, 2, 0)), *p = ex_tensor_new(EX_INT32, 1, DIMS(3)), *c = ex_tensor_new(EX_INT32, 2, DIMS(3, 3));
    ex_score score;
    for (int round = 0; round < 2; round++) {        /* the confusion is counted anew */
        assert_int_equal(ex_vote_score(&score, p, c, z, y, (double[]){ .5, .5 }), EX_OK);
        assert_true(score.top1 == 2.0 / 3 && score.top5 == 1);
        assert_memory_equal(numbers(p), DIMS(1, 0, 0), 12);
        assert_memory_equal(numbers(c), DIMS(1, 0, 0, 0, 1, 0, 1, 0, 0), 36);
    }
    assert_int_equal(ex_vote_score(&score, NULL, NULL, z, y, (double[]){ .999, .001 }), EX_OK);
    assert_true(score.top1 == 2.0 / 3);              /* exit 1 alone: 0, 2, 0 */
    ex_tensor_free(z), ex_tensor_free(y), ex_tensor_free(p), ex_tensor_free(c);
}

/* Label 4 has rank 4 and is among the best five, label 5 is not; of two equal votes the lower index comes first. */
static void ranks_and_ties(void **state)
{
    (void)state;
    ex_tensor *z = floats(3, DIMS(1, 4, 7), (float[]){ 9, 8, 7, 6, 5, 4, 3, 9, 8, 7, 6, 5, 4, 3, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0 });
    ex_tensor *y = labels_of(4, DIMS(4, 5, 0, 1));
    ex_score score;
    assert_int_equal(ex_subset_scores(&score, z, y, (double[]){ 1 }, NULL), EX_OK);
    assert_true(score.top1 == 1.0 / 4 && score.top5 == 3.0 / 4);
    ex_tensor_free(z), ex_tensor_free(y);
}

static void not_a_number_is_never_right(void **state)
{
    (void)state;
    ex_tensor *z = floats(3, DIMS(1, 2, 2), (float[]){ NAN, 1, NAN, NAN });
    ex_tensor *y = labels_of(2, DIMS(0, 0)), *p = ex_tensor_new(EX_INT32, 1, DIMS(2));
    ex_score score;
    assert_int_equal(ex_vote_score(&score, p, NULL, z, y, (double[]){ 1 }), EX_OK);
    assert_true(score.top1 == 0);
    assert_int_equal(((int32_t *)numbers(p))[0], 1);
    ex_tensor_free(z), ex_tensor_free(y), ex_tensor_free(p);
}

/* -- All subsets -------------------------------------------------------------------------------------------------- */

enum { EXITS = 4, SAMPLES = 700, CLASSES = 11, SUBSETS = 15 };

/* Small whole numbers, so that ties are common. */
static void fill_case(ex_tensor *z, ex_tensor *y)
{
    for (int32_t e = 0, i = 0; e < EXITS; e++)
        for (int32_t n = 0; n < SAMPLES; n++)
            for (int32_t k = 0; k < CLASSES; k++, i++) ex_tensor_set(z, DIMS(e, n, k), (i * 7919 % 104729) % 5);
    for (int32_t n = 0; n < SAMPLES; n++) ex_tensor_set(y, &n, n * 31 % CLASSES);
}

static ex_score naive(const ex_tensor *z, const ex_tensor *y, const double *b, uint32_t subset)
{
    double top1 = 0, top5 = 0;
    for (int32_t n = 0; n < SAMPLES; n++) {
        double vote[CLASSES] = { 0 };
        for (int32_t e = 0; e < EXITS; e++)
            for (int32_t k = 0; subset >> e & 1 && k < CLASSES; k++) vote[k] += b[e] * ex_tensor_get(z, DIMS(e, n, k));
        int32_t label = (int32_t)ex_tensor_get(y, &n), rank = 0;
        for (int32_t k = 0; k < CLASSES; k++) rank += vote[k] > vote[label] || (vote[k] == vote[label] && k < label);
        top1 += rank < 1;
        top5 += rank < 5;
    }
    return (ex_score){ top1 / SAMPLES, top5 / SAMPLES };
}

static void check_subsets(const ex_tensor *z, const ex_tensor *y, ex_team *team)
{
    const double b[EXITS] = { .1, .2, .3, .4 };
    ex_score score[SUBSETS];
    assert_int_equal(ex_subset_scores(score, z, y, b, team), EX_OK);
    for (uint32_t s = 1; s <= SUBSETS; s++) {
        ex_score want = naive(z, y, b, s);
        assert_true(score[s - 1].top1 == want.top1 && score[s - 1].top5 == want.top5);
    }
    ex_score all;
    assert_int_equal(ex_vote_score(&all, NULL, NULL, z, y, b), EX_OK);
    assert_true(all.top1 == score[SUBSETS - 1].top1 && all.top5 == score[SUBSETS - 1].top5);
}

static void subsets_as_a_naive_count_says(void **state)
{
    (void)state;
    ex_tensor *dense = ex_tensor_new(EX_FLOAT32, 3, DIMS(EXITS, SAMPLES, CLASSES));
    ex_tensor *turned = ex_tensor_new_ordered(EX_FLOAT32, 3, DIMS(EXITS, SAMPLES, CLASSES), DIMS(2, 1, 0));
    ex_tensor *y = ex_tensor_new(EX_INT32, 1, DIMS(SAMPLES));
    fill_case(dense, y);
    fill_case(turned, y);
    for (int32_t threads = 1; threads <= 3; threads++) {
        ex_team *team = ex_team_new(threads);
        check_subsets(dense, y, team);
        check_subsets(turned, y, team);
        ex_team_free(team);
    }
    ex_tensor_free(dense), ex_tensor_free(turned), ex_tensor_free(y);
}

/* -- Cross-entropy, and what is refused ------------------------------------------------------------------------------ */

static void mean_cross_entropy(void **state)
{
    (void)state;
    ex_tensor *z = floats(2, DIMS(3, 3), (float[]){ 2, 1, 0, 1000, 0, 0, -3, -3, -3 }), *y = labels_of(3, DIMS(0, 1, 2));
    double loss;
    assert_int_equal(ex_mean_cross_entropy(&loss, z, y), EX_OK);
    assert_true(fabs(loss - (log(1 + exp(-1) + exp(-2)) + 1000 + log(3)) / 3) < 1e-9);
    ex_tensor_free(z), ex_tensor_free(y);
}

static void assert_says(const char *text) { assert_string_equal(ex_error_message(), text); }

static void refuses(void **state)
{
    (void)state;
    ex_tensor *z = ex_tensor_new(EX_FLOAT32, 3, DIMS(2, 3, 4)), *flat = ex_tensor_new(EX_FLOAT32, 2, DIMS(3, 4));
    ex_tensor *none = ex_tensor_new(EX_FLOAT32, 3, DIMS(2, 0, 4)), *many = ex_tensor_new(EX_FLOAT32, 3, DIMS(21, 3, 4));
    ex_tensor *y = labels_of(3, DIMS(0, 4, 1)), *two = labels_of(2, DIMS(0, 1)), *good = labels_of(3, DIMS(0, 3, 1));
    const double b[21] = { 0 };
    ex_score score[4];
    double loss;
    assert_int_equal(ex_subset_scores(score, z, y, b, NULL), EX_FAILED);
    assert_says("votes: label 4 of sample 1 is outside 0 to 3");
    assert_int_equal(ex_vote_score(score, NULL, NULL, z, two, b), EX_FAILED);
    assert_says("votes: labels are (2) int32, expected (3) int32");
    assert_int_equal(ex_vote_score(score, NULL, NULL, flat, good, b), EX_FAILED);
    assert_says("votes: logits are (3, 4) float32, expected (exits, samples, classes) float32, none of them 0");
    assert_int_equal(ex_subset_scores(score, none, good, b, NULL), EX_FAILED);
    assert_int_equal(ex_subset_scores(score, many, good, b, NULL), EX_FAILED);
    assert_says("votes: 21 exits have too many subsets, at most 20 are scored");
    assert_int_equal(ex_vote_score(score, two, NULL, z, good, b), EX_FAILED);
    assert_says("votes: predictions are (2) int32, expected 1 axes of 3 in int32");
    assert_int_equal(ex_mean_cross_entropy(&loss, z, good), EX_FAILED);
    assert_says("votes: logits are (2, 3, 4) float32, expected (samples, classes) float32, none of them 0");
    ex_tensor_free(z), ex_tensor_free(flat), ex_tensor_free(none), ex_tensor_free(many);
    ex_tensor_free(y), ex_tensor_free(two), ex_tensor_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_vote_by_hand),
        cmocka_unit_test(ranks_and_ties),
        cmocka_unit_test(not_a_number_is_never_right),
        cmocka_unit_test(subsets_as_a_naive_count_says),
        cmocka_unit_test(mean_cross_entropy),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
