#!/bin/bash
# ptenv.sh MODE ARGUMENTS...: Debian's Python with the settings that decide how fast its PyTorch is.
#   default   what a user gets who installs it
#   tuned     glibc keeps freed memory, since first touches of new pages are dear on virtual machines
#   tuned512  also ATen's own AVX-512 kernels, which this release leaves off
# OPENBLAS_* would pin OpenBLAS to another CPU's kernels.
mode=$1; shift
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
case $mode in tuned*)
  export MALLOC_TRIM_THRESHOLD_=8000000000 MALLOC_MMAP_THRESHOLD_=8000000000 MALLOC_TOP_PAD_=268435456 ;;
esac
case $mode in tuned512) export ATEN_CPU_CAPABILITY=avx512 ;; esac
exec /usr/bin/python3 -B "$@"
