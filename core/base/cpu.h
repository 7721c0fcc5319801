/* cpu.h: what this CPU can do, by features and never by vendor, and which kernel set was chosen. */
#pragma once
#include <stdint.h>
#include "../exeunt.h"

typedef enum ex_isa { EX_ISA_PORTABLE, EX_ISA_AVX2, EX_ISA_AVX512, EX_ISA_COUNT } ex_isa;
ex_isa ex_isa_current(void);                /* selects by EXEUNT_ISA or features at the first call */
int ex_isa_supported(ex_isa isa);

/* CPUs that cgroup quotas leave, perhaps a fraction; infinity: no quota. `membership` is written as
 * /proc/self/cgroup, `mounts` is /sys/fs/cgroup. */
double ex_cpu_quota(const char *membership, const char *mounts);
