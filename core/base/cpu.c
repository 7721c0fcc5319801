/* cpu.c: which kernel sets this CPU can run, and which one is in use; the CPU's name. Decides by features, never by
 * vendor or model. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cpu.h"
#include "error.h"

static const char *const names[EX_ISA_COUNT] = { "portable", "avx2", "avx512" };

static atomic_int current = EX_NONE;        /* none chosen yet */

int ex_isa_supported(ex_isa isa)
{
#if defined(__x86_64__)
    if (isa == EX_ISA_AVX512)
        return ex_isa_supported(EX_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
            && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (isa == EX_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return isa == EX_ISA_PORTABLE;
}

static ex_isa best(void)
{
    ex_isa isa = EX_ISA_COUNT - 1;
    while (!ex_isa_supported(isa)) isa--;
    return isa;
}

/* The set called `name`, or a failure that names those there are. `source`: where the name was written. */
static ex_status find(ex_isa *isa, const char *source, const char *name)
{
    for (int i = 0; i < EX_ISA_COUNT; i++) {
        if (strcmp(name, names[i])) continue;
        if (!ex_isa_supported(i))
            return ex_fail("%s: this CPU cannot run '%s'; it can run: %s", source, name, ex_isa_available());
        *isa = i;
        return EX_OK;
    }
    return ex_fail("%s: no kernel set '%s'; there are: avx512, avx2, portable", source, name);
}

ex_status ex_isa_select(const char *isa)
{
    const char *source = "instruction set";
    ex_isa chosen = best();
    if (!isa) {
        isa = getenv("EXEUNT_ISA");
        source = "EXEUNT_ISA";
        if (isa && !*isa) isa = NULL;
    }
    if (isa && find(&chosen, source, isa) != EX_OK) return EX_FAILED;
    atomic_store(&current, (int)chosen);
    return EX_OK;
}

ex_isa ex_isa_current(void)
{
    int isa = atomic_load_explicit(&current, memory_order_relaxed);
    if (isa != EX_NONE) return (ex_isa)isa;
    if (ex_isa_select(NULL) != EX_OK) atomic_store(&current, (int)best());   /* the program reports a wrong EXEUNT_ISA */
    return (ex_isa)atomic_load(&current);
}

const char *ex_isa_name(void) { return names[ex_isa_current()]; }

const char *ex_isa_available(void)
{
    switch (best()) {
    case EX_ISA_AVX512: return "avx512 avx2 portable";
    case EX_ISA_AVX2: return "avx2 portable";
    default: return "portable";
    }
}

/* -- The CPU's name ---------------------------------------------------------------------------------- */

/* The text after "model name :" in /proc/cpuinfo, or "unknown CPU" (other architectures name it otherwise). */
static void read_model(char *out, size_t size)
{
    char line[256];
    snprintf(out, size, "unknown CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return;
    while (fgets(line, sizeof line, file)) {
        char *text = strncmp(line, "model name", 10) ? NULL : strchr(line, ':');
        if (!text) continue;
        text += 1 + strspn(text + 1, " \t");
        text[strcspn(text, "\n")] = 0;
        snprintf(out, size, "%s", text);
        break;
    }
    fclose(file);
}

const char *ex_cpu_model(void)
{
    static _Thread_local char model[128];
    if (!*model) read_model(model, sizeof model);
    return model;
}
