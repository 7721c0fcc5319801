#include "op.h"

const ex_op *const ex_ops_elementwise[] = { NULL };
