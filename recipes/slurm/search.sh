#!/bin/sh
# Workers of a search as jobs of Slurm. Begin the study first, then (recipes/32_search_cluster.md):
#     sbatch --array=1-8 --cpus-per-task=4 recipes/slurm/search.sh ADDRESS STUDY [option of exeunt worker ...]
# It runs in the folder that sbatch was called in. The engine is $EXEUNT, else ./exeunt, else exeunt on the PATH.
#SBATCH --job-name=exeunt-search
#SBATCH --output=slurm-%A-%a.out
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@60
#SBATCH --requeue

if [ $# -lt 2 ]; then
  echo "usage: sbatch --array=1-N $0 ADDRESS STUDY [option of exeunt worker ...]" >&2
  exit 2
fi
if [ -z "$EXEUNT" ]; then
  if [ -x ./exeunt ]; then EXEUNT=./exeunt; else EXEUNT=exeunt; fi
fi

# The job's own cores, unless the options say how many. Slurm names no number without --cpus-per-task: then those of this machine.
threads=${SLURM_CPUS_PER_TASK:-$SLURM_CPUS_ON_NODE}
case " $* " in *" --threads "*|*" --threads="*) threads= ;; esac

exec "$EXEUNT" worker "$@" --slot "${SLURM_ARRAY_TASK_ID:-${SLURM_JOB_ID:-1}}" ${threads:+--threads "$threads"}
