#!/bin/sh
# Workers of a search as jobs of Slurm. Begin the study first, then (recipes/32_search_cluster.md):
#     sbatch --array=1-8 --cpus-per-task=4 recipes/slurm/search.sh ADDRESS STUDY [option of exeunt worker ...]
#SBATCH --job-name=exeunt-search
#SBATCH --output=slurm-%A-%a.out
#SBATCH --signal=B:TERM@60
#SBATCH --requeue

if [ $# -lt 2 ]; then
  echo "usage: sbatch --array=1-N $0 ADDRESS STUDY [option of exeunt worker ...]" >&2
  exit 2
fi

# The job's own cores: the engine sees them by affinity, and takes SLURM_CPUS_PER_TASK where that is not set up.
exec "${EXEUNT:-./exeunt}" worker "$@" --slot "${SLURM_ARRAY_TASK_ID:-${SLURM_JOB_ID:-1}}" \
  ${SLURM_CPUS_PER_TASK:+--threads "$SLURM_CPUS_PER_TASK"}
