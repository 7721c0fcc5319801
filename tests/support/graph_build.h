/* graph_build.h: short words for tests that build graphs and look at plans. A failure of the engine fails the test with
 * its message. Include cmocka's headers before. */
#pragma once
#include <stdint.h>
#include "../../core/exeunt.h"
#include "../../core/graph/graph.h"
#include "../../core/graph/plan.h"

/* A float32 tensor with the given numbers, or (values NULL) small numbers drawn from the name. */
ex_tensor *tensor_of(const char *name, const float *values, int32_t ndim, const int32_t *dim);
int32_t add_input(ex_graph *g, const char *name, int32_t ndim, const int32_t *dim);
int32_t add_param(ex_graph *g, const char *name, int32_t ndim, const int32_t *dim);
int32_t add_buffer(ex_graph *g, const char *name, int32_t ndim, const int32_t *dim, double fill);
/* The first output (or, of a state write, EX_NONE) of a new node. */
int32_t add_node(ex_graph *g, const char *name, const char *op, int32_t inputs, const int32_t *in);
int32_t add_node_with(ex_graph *g, const char *name, const char *op, int32_t inputs, const int32_t *in, int32_t attrs, const ex_attr *attr);

/* Layers with parameters of their own, NAME.weight and so on: a convolution without bias that keeps the size of odd kernels, a linear
 * layer without bias, a batch norm. */
int32_t add_conv(ex_graph *g, const char *name, int32_t x, int32_t to, int32_t kernel, int32_t groups);
int32_t add_linear(ex_graph *g, const char *name, int32_t x, int32_t to);
int32_t add_norm(ex_graph *g, const char *name, int32_t x);

/* images (N,2,6,6) -> two blocks -> global pool -> linear "fc" -> cross-entropy "loss" against "labels". A block ("one" with
 * 5 channels, "two" with 7) is NAME.conv 3x3 (padding 1, no bias), NAME.bn and NAME.relu (or another activation). */
ex_graph *small_network(void);
ex_graph *small_network_of(const char *activation);

int32_t nodes_of(const ex_graph *g, const char *op);          /* how many nodes have this operator */
ex_plan *plan_for(const ex_graph *g, int32_t outputs, const int32_t *output, int32_t guards, const int32_t *guard,
                  int32_t batch, int32_t training, const char *passes, ex_team *team);
/* small_network_of(activation) in training: its outputs are the gradients towards both convolutions' weights. */
ex_plan *plan_of_gradients(const char *activation, const char *passes, int32_t batch);
void bind_random(ex_plan *p, const char *input, int32_t ndim, const int32_t *dim);
void bind_labels(ex_plan *p, const char *input, int32_t n, int32_t classes);
void run_ok(ex_plan *p, int32_t n, double step);
const ex_step *step_named(const ex_plan *p, const char *name);    /* the step of the node of this name */
/* Copies output i into a fresh array of `count` floats: free() it. */
float *read_output(ex_plan *p, int32_t i, int32_t ndim, const int32_t *dim);
void assert_close(const float *a, const float *b, int32_t n, double bound);    /* max|a-b| <= bound * max|b| */

/* A graph of one case with the outputs that are asked for. */
enum { DRAWING_OUTPUTS = 6 };
typedef struct drawing {
    ex_graph *g;
    int32_t out[DRAWING_OUTPUTS], outputs;
} drawing;

void give(drawing *d, int32_t value);
/* Runs n images; the numbers of all outputs, one after the other, into `to` of `room` floats: how many. */
int32_t numbers_of(ex_plan *p, const drawing *d, int32_t n, float *to, int32_t room);

/* A plan of `batch` images for the training form of g, whose outputs are the gradients of "loss" towards all parameters; "images" and
 * "labels" of 3 classes are bound. learner_stop frees what it holds. */
enum { LEARNER_PARAMETERS = 40 };
typedef struct learner {
    ex_graph *g;
    ex_plan *p;
    int32_t count, of[LEARNER_PARAMETERS], gradient[LEARNER_PARAMETERS];
} learner;

learner learner_start(const ex_graph *g, int32_t batch, const char *passes, ex_team *team);
void learner_stop(learner *t);
const char *gradient_that_differs(learner *a, learner *b);    /* the first parameter whose gradient has other bits; NULL: none */
float *gradient_of(learner *t, int32_t i, int32_t *count);     /* the i-th parameter's: free() it */

#define OK(call) do { if ((call) != EX_OK) fail_msg("%s: %s", #call, ex_error_message()); } while (0)
#define LIST(...) (sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)), (int32_t[]){ __VA_ARGS__ }
