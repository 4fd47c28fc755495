#!/bin/sh
# Slurm's Epilog: writes down when the job gave its GPUs of this node back.
# It never fails a node and waits for nothing: it only rewrites one small file in memory (/run).
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

write_down() {
  folder="${GPULEDGER_HOOK_DIR:-/run/gpuledger/slurm}"
  case "${SLURM_JOB_ID:-}" in
    '' | *[!0-9]*) return ;;
  esac
  umask 022
  # The restart count in an epilog is already that of the next run: the file that has no stop yet
  # is the run that ends.
  for file in "${folder}/job-${SLURM_JOB_ID}-"*; do
    [ -f "${file}" ] || continue
    grep -q '^stop=' "${file}" && continue
    scratch="${folder}/.${file##*/}.$$"
    { cat "${file}" && printf 'stop=%s\n' "$(date +%s)"; } >"${scratch}" || continue
    mv -f "${scratch}" "${file}"
  done
  # What ended more than a day ago has long been read.
  find "${folder}" -maxdepth 1 -type f -name 'job-*' -mtime +1 \
    -exec grep -q '^stop=' {} \; -exec rm -f {} \;
}

(write_down) >/dev/null 2>&1 </dev/null
exit 0
