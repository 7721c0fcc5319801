#include "op.h"

const ex_op *const ex_ops_update[] = { NULL };
