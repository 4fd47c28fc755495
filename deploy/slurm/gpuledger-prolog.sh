#!/bin/sh
# Slurm's Prolog: writes down which GPUs of this node the job was given.
# It never fails a job and waits for nothing: it only writes one small file into memory (/run).
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# An earlier run of the job that has no stop yet lost its epilog (kill -9 of slurmd, say). The next
# epilog must not take it for the run that ends.
close_earlier() {
  for file in "${folder}/job-${SLURM_JOB_ID}-"*; do
    [ -f "${file}" ] || continue
    [ "${file##*/}" != "${name}" ] || continue
    grep -q '^stop=' "${file}" && continue
    scratch="${folder}/.${file##*/}.$$"
    { cat "${file}" && printf 'stop=%s\nepilog=missing\n' "$(date +%s)"; } >"${scratch}" || continue
    mv -f "${scratch}" "${file}"
  done
}

write_down() {
  folder="${GPULEDGER_HOOK_DIR:-/run/gpuledger/slurm}"
  case "${SLURM_JOB_ID:-}:${SLURM_JOB_RESTART_COUNT:-0}" in
    *[!0-9:]* | :*) return ;;
  esac
  [ -n "${SLURM_JOB_GPUS:-}" ] || return
  umask 022
  mkdir -p "${folder}" || return
  name="job-${SLURM_JOB_ID}-${SLURM_JOB_RESTART_COUNT:-0}"
  close_earlier
  {
    printf 'job=%s\n' "${SLURM_JOB_ID}"
    printf 'restart=%s\n' "${SLURM_JOB_RESTART_COUNT:-0}"
    printf 'node=%s\n' "${SLURMD_NODENAME:-}"
    printf 'gpus=%s\n' "${SLURM_JOB_GPUS}"
    printf 'start=%s\n' "$(date +%s)"
  } >"${folder}/.${name}.$$" || return
  # A name appears whole or not at all: the agent never reads half a file.
  mv -f "${folder}/.${name}.$$" "${folder}/${name}"
}

(write_down) >/dev/null 2>&1 </dev/null
exit 0
