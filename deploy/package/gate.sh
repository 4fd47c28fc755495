#!/bin/sh
# The canary gate: ends with 0 once the agent on this node has shown that it does well, else with 1
# and one line. A roll-out goes on to the next nodes only after it.
#
# Usage: /opt/gpuledger/libexec/gate [SECONDS]     (default: 60)
#   ENVIRONMENT_FILE  the agent's settings (default: /etc/gpuledger/collector.env)
#   SPOOL             its spool (default: that of the unit)
set -eu

unit="gpuledger-collector.service"
wait_s="${1:-60}"
spool="${SPOOL:-/var/lib/gpuledger-collector/spool.db}"
settings="${ENVIRONMENT_FILE:-/etc/gpuledger/collector.env}"
gpuledger="$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")/bin/gpuledger"

fail() {
  printf 'gate: %s\n' "$1" >&2
  exit 1
}

restarts() {
  systemctl show --property=NRestarts --value "${unit}"
}

case "${wait_s}" in
  '' | *[!0-9]*) fail "SECONDS is a number: ${wait_s}" ;;
esac
if [ -r "${settings}" ]; then
  set -a
  # shellcheck disable=SC1090 # which file it is, the environment says
  . "${settings}"
  set +a
fi
export GPULEDGER_TOKEN_FILE="${GPULEDGER_TOKEN_FILE:-/etc/gpuledger/token}"
before="$(restarts)"
wrong="$("${gpuledger}" doctor --spool "${spool}" 2>&1)" ||
  fail "the doctor finds something wrong: $(printf '%s\n' "${wrong}" | grep -i wrong | head -n 1)"
sleep "${wait_s}"
systemctl is-active --quiet "${unit}" || fail "${unit} does not run"
[ "$(restarts)" = "${before}" ] || fail "${unit} was restarted within ${wait_s} s"
[ -n "$(find "$(dirname -- "${spool}")" -name "$(basename -- "${spool}")*" -mmin -2)" ] ||
  fail "${spool} is not written"
printf 'gate: the agent does well\n'
