/* gemm.c: matrix products through BLIS, the only file that knows it. BLIS chooses its kernels by vendor and family and
 * falls back to slow ones on CPUs newer than itself, so it is told what to use, by features, before its first call;
 * whoever has set BLIS_ARCH_TYPE is left alone. BLIS runs serially in each part: its own threading collapses on small
 * products. Its path for small matrices is off, since it would make an element's bits depend on the matrix's size. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <blis.h>
#include "gemm.h"
#include "../base/cpu.h"
#include "../base/team.h"

/* -- BLIS, once ---------------------------------------------------------------------------------------------- */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_blis(void)
{
#if defined(__x86_64__)
    static const int arch[EX_ISA_COUNT] = {
        [EX_ISA_PORTABLE] = BLIS_ARCH_GENERIC, [EX_ISA_AVX2] = BLIS_ARCH_HASWELL, [EX_ISA_AVX512] = BLIS_ARCH_SKX,
    };
    char number[16];
    snprintf(number, sizeof number, "%d", arch[ex_isa_current()]);
    setenv("BLIS_ARCH_TYPE", number, 0);    /* numeric: as text, "haswell" would read as 0, which is skx */
#endif
    bli_init();
}

const char *ex_blis_kernels(void)
{
    pthread_once(&once, start_blis);
    return bli_arch_string(bli_arch_query_id());
}

const char *ex_blis_version(void) { return bli_info_get_version_str(); }

/* -- The product --------------------------------------------------------------------------------------------- */

enum { SMALL_MACS = 4096, PART_MACS = 4 << 20, PARTS = 8, STEP = 16 };

typedef struct product {
    ex_matrix c, a, b;
    int32_t m, n, k;
    int32_t by_rows, size;                  /* a part is `size` rows or columns of c */
} product;

static void small_product(const product *p)
{
    for (int32_t i = 0; i < p->m; i++)
        for (int32_t j = 0; j < p->n; j++) {
            const float *a = p->a.data + i * p->a.row, *b = p->b.data + j * p->b.col;
            float sum = 0;
            for (int32_t l = 0; l < p->k; l++) sum += a[l * p->a.col] * b[l * p->b.row];
            p->c.data[i * p->c.row + j * p->c.col] = sum;
        }
}

static void run_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const product *p = context;
    const int32_t from = part * p->size, most = p->by_rows ? p->m : p->n, size = most - from < p->size ? most - from : p->size;
    const ptrdiff_t a = p->by_rows ? from * p->a.row : 0, b = p->by_rows ? 0 : from * p->b.col;
    float one = 1, zero = 0, *c = p->c.data + from * (p->by_rows ? p->c.row : p->c.col);
    rntm_t runtime;
    bli_rntm_init_from_global(&runtime);
    bli_rntm_disable_l3_sup(&runtime);
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, p->by_rows ? size : p->m, p->by_rows ? p->n : size, p->k, &one,
                 p->a.data + a, p->a.row, p->a.col, p->b.data + b, p->b.row, p->b.col, &zero, c, p->c.row, p->c.col, NULL,
                 &runtime);
}

void ex_gemm(ex_matrix c, ex_matrix a, ex_matrix b, int32_t m, int32_t n, int32_t k, ex_team *team)
{
    product p = { .c = c, .a = a, .b = b, .m = m, .n = n, .k = k, .by_rows = m >= n };
    const double macs = (double)m * n * k;
    if (macs <= SMALL_MACS) { small_product(&p); return; }
    pthread_once(&once, start_blis);
    const int32_t most = p.by_rows ? m : n;
    const int32_t parts = macs < PART_MACS ? 1 : macs / PART_MACS > PARTS ? PARTS : (int32_t)(macs / PART_MACS);
    p.size = ((most + parts - 1) / parts + STEP - 1) / STEP * STEP;
    ex_team_run(team, (most + p.size - 1) / p.size, run_part, &p);
}
