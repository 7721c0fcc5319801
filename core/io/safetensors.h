/* safetensors.h: what the reader and the writer of the format share. */
#pragma once
#include "../exeunt.h"

#define EX_SAFETENSORS_METADATA "__metadata__"
#define EX_SAFETENSORS_HEADER_MAX 100000000  /* bytes: the format's own limit */

const char *ex_safetensors_dtype(int32_t dtype);   /* "F32" */
