/* exeunt.h: the border. Every struct and function that Lua may call, and nothing else.
 *
 * LuaJIT's FFI declares this very text (it is embedded in the binary), so it holds no preprocessor line but
 * the next one: C files include <stdint.h> before it. Sizes, counts and seeds cross as int32_t or double.
 *
 * The life of a training step, seen from here:
 *     g     = ex_graph_new()                         the network: leaves and nodes
 *     t     = ex_graph_training(g)                   a copy in training form (batch statistics, dropout)
 *     loss  = ex_graph_node(t, "loss", ...)          losses are nodes
 *             ex_graph_gradient(t, loss, n, w, dw)   appends the gradient of the loss towards w[0..n)
 *             ex_graph_node(t, "sgd.w", "sgd", ...)  updates are nodes; they write state at the end of a step
 *     p     = ex_plan_new(t, ...)                    compiled: passes, memory, kernels
 *     ex_plan_bind(p, slot, batch); ex_plan_run(p, n, seed, step); ex_plan_output(p, 0, losses)
 *
 * Errors: a function that returns ex_status gives EX_OK, or a failure whose text ex_error_message() holds
 * for this thread; a constructor gives NULL and a function that returns an index gives EX_NONE, likewise.
 * Nothing here prints, exits, aborts, raises or calls back into Lua. */
#pragma once

enum {
    EX_MAX_DIMS = 8,  /* axes of a tensor */
    EX_MAX_ATTR = 8,  /* numbers in one attribute */
    EX_NONE = -1,     /* "no such value, node or slot" */
    EX_BATCH = -1     /* as dim[0]: the batch, known only when a plan runs */
};

typedef enum ex_status {
    EX_OK,
    EX_FAILED,      /* ex_error_message() says what, where, got and expected */
    EX_INTERRUPTED, /* ex_interrupt() was called; nothing was committed */
    EX_NOT_FINITE,  /* a guard (loss, gradient norm) is NaN or infinite; nothing was committed */
    EX_PAUSED,      /* a plan waits for an operator written in Lua: see ex_plan_resume */
    EX_STATUS_COUNT
} ex_status;

typedef enum ex_dtype { EX_FLOAT32, EX_INT32, EX_UINT8, EX_DTYPE_COUNT } ex_dtype;

/* -- Errors, machine, memory, interrupts ---------------------------------------------------------- */

const char *ex_error_message(void);         /* of the last failure on this thread; never NULL */
/* The closest of n names to `name` by edit distance, for "did you mean"; NULL if none is near. */
const char *ex_nearest(const char *name, const char *const *names, int32_t n);
const char *ex_version(void);               /* "0.1.0" */

/* "avx512", "avx2", "portable"; NULL: EXEUNT_ISA, else the best. Plans compiled for others refuse to run. */
ex_status ex_isa_select(const char *isa);
const char *ex_isa_name(void);              /* the kernel set in use */
const char *ex_isa_available(void);         /* those this CPU can run, best first: "avx512 avx2 portable" */
const char *ex_cpu_model(void);
const char *ex_blis_kernels(void);          /* the name of the kernels BLIS was told to use */
/* Versions of what is linked, as "2.1.5"; of libpq, which is loaded: NULL and a message where it cannot be. */
const char *ex_blis_version(void);
const char *ex_jpeg_version(void);          /* libjpeg-turbo's, as it was compiled against: the library says none */
const char *ex_libc_version(void);
const char *ex_libpq_version(void);
const char *ex_sqlite_version(void);
const char *ex_zlib_version(void);
int32_t ex_cpu_count(void);                 /* CPUs that affinity and cgroup quota leave to this process */

double ex_memory_bytes(void);               /* native bytes held now through the engine's allocator */
double ex_memory_allocations(void);         /* calls of that allocator since start: counts what a step allocates */
double ex_clock(void);                      /* seconds, monotonic */

void ex_interrupt(void);                    /* async-signal-safe: plans stop before their next node */
int32_t ex_interrupted(void);
void ex_interrupt_clear(void);

/* Another program, started without waiting for it: argv[0] is its path, a NULL ends argv; it reads nothing and writes to the
 * files out and err, which are begun anew (NULL: nowhere). It has a process group of its own and gets death_signal when the
 * thread that started it ends. NULL and a message where it cannot be started. */
typedef struct ex_child ex_child;
ex_child *ex_child_start(const char *const *argv, const char *out, const char *err, int32_t death_signal);
/* Its exit code, 128 + N where signal N ended it; EX_NONE: it still ran after so many seconds, or a signal came. */
int32_t ex_child_wait(ex_child *c, double seconds);
int32_t ex_child_pid(const ex_child *c);
void ex_child_signal(ex_child *c, int32_t number);  /* nothing happens where it has ended */
void ex_child_free(ex_child *c);            /* kills it if it still runs */
void ex_sleep(double seconds);              /* less where a signal comes */

typedef struct ex_team ex_team;             /* a team of threads, this one included */
ex_team *ex_team_new(int32_t threads);
void ex_team_free(ex_team *team);
int32_t ex_team_size(const ex_team *team);
double ex_peak_flops(ex_team *team);         /* multiply-adds in registers, 2 FLOP each, a second; takes a tenth of a second */

/* -- Tensors --------------------------------------------------------------------------------------- */

typedef struct ex_tensor ex_tensor;         /* a strided view of shared, reference-counted storage */

typedef struct ex_tensor_info {
    void *data;                             /* of the first element of the view */
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];
    int32_t dense;                          /* 1: row-major without gaps */
    double stride[EX_MAX_DIMS];             /* in elements */
    double count;                           /* elements */
    double version;                         /* grows with every write through the engine */
} ex_tensor_info;

ex_tensor *ex_tensor_new(int32_t dtype, int32_t ndim, const int32_t *dim);   /* dense, zeros; ndim 0: a scalar */
/* the same, but memory runs over the axes in `order`, outermost first: {2,3,1,0} keeps a convolution's
 * (out, in, kH, kW) weight as kH, kW, in, out */
ex_tensor *ex_tensor_new_ordered(int32_t dtype, int32_t ndim, const int32_t *dim, const int32_t *order);
void ex_tensor_free(ex_tensor *t);          /* drops this view; storage goes with its last view */
void ex_tensor_describe(const ex_tensor *t, ex_tensor_info *info);
ex_tensor *ex_tensor_slice(const ex_tensor *t, int32_t axis, int32_t start, int32_t count, int32_t step); /* view */
ex_tensor *ex_tensor_permute(const ex_tensor *t, const int32_t *order);                                   /* view */
ex_tensor *ex_tensor_reshape(const ex_tensor *t, int32_t ndim, const int32_t *dim);  /* view, where strides allow */
ex_tensor *ex_tensor_broadcast(const ex_tensor *t, int32_t ndim, const int32_t *dim);                     /* view */
ex_status ex_tensor_copy(ex_tensor *out, const ex_tensor *in);   /* same shape, any strides and types */
ex_status ex_tensor_fill(ex_tensor *out, double value);
double ex_tensor_get(const ex_tensor *t, const int32_t *index);  /* zero-based; NaN and a message if outside */
ex_status ex_tensor_set(ex_tensor *t, const int32_t *index, double value);
/* Writes a printable form, cut to `edge` rows and columns at each end; gives its length, like snprintf. */
int32_t ex_tensor_format(const ex_tensor *t, int32_t edge, char *out, int32_t size);

/* Random123 Philox streams: the numbers depend on seed and stream name alone, not on strides. */
ex_status ex_tensor_uniform(ex_tensor *out, double seed, const char *stream, double low, double high);
ex_status ex_tensor_normal(ex_tensor *out, double seed, const char *stream, double mean, double deviation);
ex_status ex_tensor_permutation(ex_tensor *out, double seed, const char *stream);  /* int32 (N): 0..N-1 shuffled */

/* -- The graph --------------------------------------------------------------------------------------- */

typedef struct ex_graph ex_graph;

typedef enum ex_value_kind { EX_VALUE_INPUT, EX_VALUE_PARAMETER, EX_VALUE_BUFFER, EX_VALUE_RESULT, EX_VALUE_KIND_COUNT } ex_value_kind;

typedef struct ex_attr {                    /* a named list of numbers: {"stride", 2, {2, 2}} */
    const char *name;
    int32_t count;
    double value[EX_MAX_ATTR];
} ex_attr;

typedef struct ex_value_info {
    const char *name;                       /* of a node's first output: the node's; of output k: "node:k" */
    int32_t kind, dtype, ndim;
    int32_t dim[EX_MAX_DIMS];               /* dim[0] may be EX_BATCH */
    int32_t node, output;                   /* who makes it, as which output; EX_NONE for leaves */
    int32_t trainable;                      /* parameters: 1 unless frozen */
} ex_value_info;

typedef struct ex_node_info {
    const char *name, *op;
    int32_t inputs, outputs;                /* counts; the values by ex_graph_node_input / _output */
    int32_t attrs;
    double macs;                            /* multiply-accumulates for one image */
} ex_node_info;

typedef struct ex_cost {
    double parameters;                      /* trainable and frozen numbers; no buffers */
    double macs;                            /* of one image, convolutions and linear layers */
    double activation_bytes;                /* sum of all results of one image */
} ex_cost;

ex_graph *ex_graph_new(void);
void ex_graph_free(ex_graph *g);
int32_t ex_graph_input(ex_graph *g, const char *name, int32_t dtype, int32_t ndim, const int32_t *dim);
/* kind EX_VALUE_PARAMETER or EX_VALUE_BUFFER; the graph takes a reference of its own on the tensor */
int32_t ex_graph_leaf(ex_graph *g, const char *name, int32_t kind, ex_tensor *tensor);
/* Appends a node and infers its shapes; gives the node's index. Absent optional inputs are left off. */
int32_t ex_graph_node(ex_graph *g, const char *name, const char *op, int32_t inputs, const int32_t *input,
                      int32_t attrs, const ex_attr *attr);
int32_t ex_graph_find(const ex_graph *g, const char *name);          /* a value by name, or EX_NONE */
int32_t ex_graph_value_count(const ex_graph *g);
int32_t ex_graph_node_count(const ex_graph *g);
ex_status ex_graph_value(const ex_graph *g, int32_t value, ex_value_info *info);
ex_status ex_graph_node_at(const ex_graph *g, int32_t node, ex_node_info *info);
int32_t ex_graph_node_input(const ex_graph *g, int32_t node, int32_t i);
int32_t ex_graph_node_output(const ex_graph *g, int32_t node, int32_t i);
ex_status ex_graph_node_attr(const ex_graph *g, int32_t node, int32_t i, ex_attr *attr);
ex_tensor *ex_graph_tensor(const ex_graph *g, int32_t value);        /* a new view of a leaf's tensor: free it */
ex_status ex_graph_set_trainable(ex_graph *g, int32_t parameter, int32_t trainable);

/* Derived graphs. Values keep their names (find them again by name); leaves share their tensors. */
ex_graph *ex_graph_extract(const ex_graph *g, int32_t outputs, const int32_t *output); /* what they need: pruning */
ex_graph *ex_graph_training(const ex_graph *g);                      /* batch norms and dropout in training form */
/* Appends the gradient of the scalar `loss`; out[i] = d loss / d of[i], EX_NONE where none flows. */
ex_status ex_graph_gradient(ex_graph *g, int32_t loss, int32_t n, const int32_t *of, int32_t *out);
ex_status ex_graph_cost(const ex_graph *g, ex_cost *cost);

/* Operators. One written in Lua is declared by name, with one output, float32, whose shape is the node's attribute
 * "shape" (dim[0] -1 for the batch); without it the first input's. `gradient`: a node NAME.gradient with inputs
 * dout, in..., out and outputs din... can be built; it is declared along with it. */
ex_status ex_op_declare(const char *name, int32_t inputs, int32_t elementwise, int32_t gradient, int32_t attrs,
                        const char *const *attr);     /* names of its own attributes, each up to EX_MAX_ATTR numbers */
int32_t ex_op_count(void);
const char *ex_op_name(int32_t i);
const char *ex_op_about(int32_t i);                                  /* one line of help */

/* -- Plans ----------------------------------------------------------------------------------------- */

typedef struct ex_plan ex_plan;

typedef struct ex_plan_options {
    int32_t batch;                          /* the largest n that a run may have */
    int32_t training;                       /* 0: leaves are constants between changes (fold, pack once) */
    const char *passes;                     /* "-fold_bn,-in_place": passes off; NULL: EXEUNT_PASSES or none off */
} ex_plan_options;

typedef struct ex_plan_node_info {
    const char *name, *op, *kernel;         /* kernel: what runs, in words: "im2col+blis", "alias" */
    double macs;                            /* for one image */
    double bytes;                           /* of its results at the largest batch, 0 for aliases */
    double traffic;                         /* bytes of its operands and results, each once, at the largest batch; 0 for aliases */
    double scratch;                         /* bytes, all threads together */
    double live;                            /* bytes of the arena that are in use while it runs */
    double seconds;                         /* sum over runs since profiling was switched on */
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];               /* of its first result */
    int32_t commit;                         /* 1: writes state, at the end of the step */
    int32_t constant;                       /* 1: runs only after a leaf has changed */
    int32_t chain;                          /* which chain it is in, from 1 on: steps that take a few images at a time; 0: none */
    int32_t in_pieces;                      /* 1: only the chain knows its first result, and `bytes` are those of the threads' pieces */
    int32_t at_peak;                        /* 1: its first result is there for the whole batch at the step with most bytes in use */
} ex_plan_node_info;

typedef struct ex_plan_info {
    int32_t nodes, batch, threads;
    double arena_bytes;                     /* one arena: results, scratch */
    double sum_bytes;                       /* what results would take without sharing memory */
    double macs;                            /* for one image */
    double runs;
    double peak_bytes;                      /* the most that is in use at one step: less than the arena where its gaps do not fit */
    int32_t peak;                           /* that step */
} ex_plan_info;

/* Compiles what `output` and the graph's state writes need. Guards are scalar values that must be finite before
 * a step commits. The team is borrowed and must outlive the plan. */
ex_plan *ex_plan_new(const ex_graph *g, int32_t outputs, const int32_t *output, int32_t guards, const int32_t *guard,
                     const ex_plan_options *options, ex_team *team);
void ex_plan_free(ex_plan *p);
int32_t ex_plan_slot(const ex_plan *p, const char *input);           /* an input by name; EX_NONE: not needed */
ex_status ex_plan_bind(ex_plan *p, int32_t slot, ex_tensor *tensor); /* read at each run; first axis >= n */
ex_status ex_plan_run(ex_plan *p, int32_t n, double seed, double step);
ex_status ex_plan_output(const ex_plan *p, int32_t i, ex_tensor *out); /* copies output i of the last run (n rows) */
ex_status ex_plan_describe(const ex_plan *p, ex_plan_info *info);
ex_status ex_plan_node(const ex_plan *p, int32_t i, ex_plan_node_info *info);
ex_status ex_plan_profile(ex_plan *p, int32_t on);                   /* resets the times */

/* A run that returned EX_PAUSED waits for node `node`: its operands are here; resume with ok = 1 when they are
 * filled in, with ok = 0 to give the step up. */
typedef struct ex_operand_info {
    void *data;
    int32_t dtype, ndim;
    int32_t dim[EX_MAX_DIMS];               /* dim[0] is this run's n */
    double count;
} ex_operand_info;

typedef struct ex_pause {
    const char *name, *op;
    int32_t inputs, outputs, attrs, n;
    ex_operand_info input[16], output[16];  /* dense, row-major in the logical order */
    ex_attr attr[16];
} ex_pause;

ex_status ex_plan_paused(const ex_plan *p, ex_pause *pause);
ex_status ex_plan_resume(ex_plan *p, int32_t ok);

/* -- Votes ------------------------------------------------------------------------------------------- */

typedef struct ex_score { double top1, top5; } ex_score;             /* shares of the samples, 0..1 */

/* For each of the 2^E-1 subsets S of the exits (bit i of the index + 1: exit i+1), the score of the vote
 * sum_{i in S} b_i z_i. logits (E, N, K) float32, labels (N) int32, b: E numbers; out: 2^E-1 scores.
 * A label's rank is the count of classes with a larger vote, or an equal vote and a lower index. */
ex_status ex_subset_scores(ex_score *out, const ex_tensor *logits, const ex_tensor *labels, const double *b, ex_team *team);
/* One weighted vote: its score, and (where not NULL) predictions (N) int32 and the K x K confusion counts, row = label. */
ex_status ex_vote_score(ex_score *out, ex_tensor *predicted, ex_tensor *confusion, const ex_tensor *logits,
                        const ex_tensor *labels, const double *b);
/* Mean cross-entropy (plain) of logits (N, K) against labels (N), in double. */
ex_status ex_mean_cross_entropy(double *out, const ex_tensor *logits, const ex_tensor *labels);

/* -- Files and data ------------------------------------------------------------------------------------ */

ex_tensor *ex_idx_read(const char *path);   /* IDX, plain or gzip: uint8 tensor of its dimensions */
/* CIFAR's binary form: fills images, dense uint8 (N, C, H, W), and labels, dense int32 (N), from a file of exactly N records;
 * the last of each record's label bytes is its label, which must be below `classes`. */
ex_status ex_cifar_read(const char *path, int32_t classes, int32_t label_bytes, ex_tensor *images, ex_tensor *labels);
/* The array `name` of a MATLAB file of version 5, plain or compressed: uint8, its axes from last to first. */
ex_tensor *ex_mat_read(const char *path, const char *name);

/* Image files: JPEG, PNG, PGM and PPM, 8 bits a value. Resizing is Pillow's, with antialiasing; no aspect ratio is kept. */
typedef enum ex_resize { EX_RESIZE_NONE, EX_RESIZE_BILINEAR, EX_RESIZE_BICUBIC, EX_RESIZE_COUNT } ex_resize;

ex_status ex_image_size(const char *path, int32_t *channels, int32_t *height, int32_t *width);
/* in uint8 (N, C, H, W) -> out uint8 (N, C, H', W'), both dense; team may be NULL */
ex_status ex_tensor_resize(ex_tensor *out, const ex_tensor *in, int32_t resize, ex_team *team);

typedef struct ex_images ex_images;         /* files being decoded, in worker processes */

typedef struct ex_images_options {
    int32_t channels, height, width;        /* 1 or 3; of what is made */
    int32_t resize;                         /* EX_RESIZE_NONE: files of another size fail */
    int32_t workers;
    double memory_bytes, seconds;           /* limits for one image */
} ex_images_options;

typedef struct ex_images_progress { int32_t done, failed, total; } ex_images_progress;

/* Begins to decode `count` files into out, uint8 (count, C, H, W), dense: straight into it where it is a cache being made,
 * else it is filled in when all is done. Files that fail leave zeros. Paths are copied. */
ex_images *ex_images_start(ex_tensor *out, const char *const *path, int32_t count, const ex_images_options *options);
/* Returns when all is done (done + failed = total), after `seconds` at most, or when ex_interrupted(). Call it again and
 * again: it watches over the workers. */
ex_status ex_images_wait(ex_images *d, double seconds, ex_images_progress *progress);
/* The i-th failure so far, by index: one line with the file's name, valid until the free; NULL: there are no more. */
const char *ex_images_problem(ex_images *d, int32_t i, int32_t *index);
void ex_images_free(ex_images *d);          /* ends the workers, too */

/* A cache file: safetensors with labels int32 (N), images uint8 (N, C, H, W) and their checksums, mapped into memory. */
typedef struct ex_cache ex_cache;
/* One to be filled in, under a temporary name; all its disk space is taken at once. metadata: a JSON object of strings. */
ex_cache *ex_cache_create(const char *path, int32_t count, int32_t channels, int32_t height, int32_t width, const char *metadata);
ex_cache *ex_cache_open(const char *path);  /* its form is checked; what is written to its tensors stays in memory */
int32_t ex_cache_blocks(const ex_cache *c); /* that have a checksum each; of 1 MiB, but for the first and the last */
ex_status ex_cache_check(ex_cache *c, int32_t first, int32_t count, ex_team *team);  /* reads these blocks of its file */
ex_tensor *ex_cache_images(ex_cache *c);    /* new views, which keep the mapping: free them */
ex_tensor *ex_cache_labels(ex_cache *c);
const char *ex_cache_metadata(ex_cache *c); /* the JSON object, keys sorted */
/* Summed, flushed, then the file has its name; the tensors are as ex_cache_open's. */
ex_status ex_cache_finish(ex_cache *c, ex_team *team);
void ex_cache_free(ex_cache *c);            /* unfinished: nothing stays */

ex_status ex_file_write(const char *path, const char *bytes, double size);  /* temporary, flush, rename, flush folder */
ex_status ex_file_append(const char *path, const char *bytes, double size); /* whole or not at all, flushed */
ex_status ex_file_link(const char *target, const char *path);               /* symbolic link, replaced atomically */
ex_status ex_file_remove(const char *path);
char *ex_file_target(const char *path);                                     /* what a symbolic link says; NULL: none; ex_text_free it */
int32_t ex_file_kind(const char *path);                                     /* 0 none, 1 file, 2 folder, 3 other */
ex_status ex_file_stat(const char *path, double *bytes, double *modified);  /* size; seconds since 1970 */
ex_status ex_folder_make(const char *path);                                 /* with its parents */
/* Names in a folder, sorted, separated by \n; ex_text_free it. */
char *ex_folder_list(const char *path);
void ex_text_free(char *text);
ex_status ex_file_digest(const char *path, const char *algorithm, char *hex65); /* "sha256" or "md5" */
ex_status ex_text_digest(const char *bytes, double size, const char *algorithm, char *hex65);

typedef struct ex_lock ex_lock;             /* an exclusive lock on a file, gone with the process */
ex_lock *ex_lock_take(const char *path);    /* NULL and a message if another process holds it */
void ex_lock_free(ex_lock *lock);

typedef struct ex_safetensors ex_safetensors;  /* an open, fully checked file */
ex_safetensors *ex_safetensors_open(const char *path);
void ex_safetensors_free(ex_safetensors *f);
int32_t ex_safetensors_count(const ex_safetensors *f);
const char *ex_safetensors_name(const ex_safetensors *f, int32_t i);
const char *ex_safetensors_type(const ex_safetensors *f, int32_t i);            /* as the file says it: "F32", "I64" */
int32_t ex_safetensors_shape(const ex_safetensors *f, int32_t i, int32_t *dim); /* gives ndim; fills up to EX_MAX_DIMS */
int32_t ex_safetensors_metadata_count(const ex_safetensors *f);
const char *ex_safetensors_metadata_key(const ex_safetensors *f, int32_t i);
const char *ex_safetensors_metadata(const ex_safetensors *f, const char *key);  /* NULL if absent */
/* A dense copy; F16 and BF16 become float32, what is not F32, I32 or U8 otherwise is refused. */
ex_tensor *ex_safetensors_read(const ex_safetensors *f, int32_t i);
/* Atomically writes n tensors (any strides, saved row-major) and m metadata strings. */
ex_status ex_safetensors_write(const char *path, int32_t n, const char *const *name, ex_tensor *const *tensor,
                               int32_t m, const char *const *key, const char *const *value);

typedef struct ex_loader ex_loader;         /* assembles batches ahead, on a thread of its own */

typedef struct ex_loader_options {
    int32_t batch;
    int32_t shift;                          /* random shift-crop: up to so many pixels, zero (after normalising: mean) fill */
    int32_t flip;                           /* 1: mirror left-right with probability 1/2 */
    int32_t channels;                       /* length of mean and deviation */
    double mean[4], deviation[4];           /* of pixels scaled to 0..1 */
} ex_loader_options;

/* images (N, C, H, W) uint8, labels (N) int32; both are referenced, not copied */
ex_loader *ex_loader_new(ex_tensor *images, ex_tensor *labels, const ex_loader_options *options);
void ex_loader_free(ex_loader *l);
/* Starts a pass over the images whose indices are given (int32 (M), copied), from batch `first` on.
 * Augmentation draws from (seed, epoch, index). */
ex_status ex_loader_start(ex_loader *l, const ex_tensor *index, double seed, double epoch, int32_t first);
/* The next batch: gives n (0: the pass is over, -1: failed) and fills the two views, which stay valid until the
 * next call: images (batch, C, H, W) float32, strided (channels-last in memory), labels (batch) int32.
 * The same two tensors come back at each call: bind them once. */
int32_t ex_loader_next(ex_loader *l);
ex_tensor *ex_loader_images(const ex_loader *l);   /* new views: free them */
ex_tensor *ex_loader_labels(const ex_loader *l);
double ex_loader_wait(const ex_loader *l);         /* seconds that callers have waited since the start */

/* -- The store: a database ------------------------------------------------------------------------------ */

typedef struct ex_store ex_store;           /* a connection: an SQLite file, or a PostgreSQL server */
typedef struct ex_rows ex_rows;             /* what a statement gave back */

typedef enum ex_store_failure_kind {
    EX_STORE_NONE, EX_STORE_OTHER,
    EX_STORE_CONSTRAINT,                    /* a row like this is there already */
    EX_STORE_DAMAGED,                       /* the file is no database, or not a whole one */
    EX_STORE_LOST,                          /* the server went away: reconnect, and do the transaction again */
    EX_STORE_AGAIN,                         /* the server chose this transaction to give way: do it again */
    EX_STORE_FAILURE_COUNT
} ex_store_failure_kind;

/* "postgresql://...", or a file, which is made if need be; refused on a network file system. */
ex_store *ex_store_open(const char *address);
void ex_store_free(ex_store *s);
/* One statement, with n texts (NULL: NULL) for $1, $2, ...; rows: free them. Waits where others hold the database. */
ex_rows *ex_store_execute(ex_store *s, const char *sql, int32_t n, const char *const *parameter);
const char *ex_store_name(const ex_store *s);                       /* the file, or the address without its passwords */
int32_t ex_store_failure(const ex_store *s);                       /* ex_store_failure_kind of the last call */
ex_status ex_store_reconnect(ex_store *s);                          /* one try; a failed one takes 0.1 s */
void ex_rows_free(ex_rows *rows);
int32_t ex_rows_count(const ex_rows *rows);
int32_t ex_rows_columns(const ex_rows *rows);
const char *ex_rows_text(const ex_rows *rows, int32_t row, int32_t column);   /* from 0; NULL: NULL */
/* Whole lines at the end of a file, made if need be; flush: to the disk. */
ex_status ex_journal_append(const char *path, const char *lines, int32_t flush);
