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
/* Copies output i into a fresh array of `count` floats: free() it. */
float *read_output(ex_plan *p, int32_t i, int32_t ndim, const int32_t *dim);
void assert_close(const float *a, const float *b, int32_t n, double bound);    /* max|a-b| <= bound * max|b| */

#define OK(call) do { if ((call) != EX_OK) fail_msg("%s: %s", #call, ex_error_message()); } while (0)
#define LIST(...) (sizeof((int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t)), (int32_t[]){ __VA_ARGS__ }
