#!/bin/sh
# Makes the random secrets of deploy/compose.yaml; keeps those that exist.
#
# Usage: sudo sh deploy/init-secrets.sh [DIRECTORY]     (default: deploy/secrets)
# A container sees a secret with the owner it has on the host, so each file belongs to the one
# user that reads it, and nobody else may. That takes root; without root: `podman unshare`.
# To replace a secret, delete its file, run this again, and `docker compose up -d --force-recreate`.
set -eu

SERVICE_UID=10001
CLICKHOUSE_UID=101
GRAFANA_UID=472

fail() {
  printf 'init-secrets.sh: %s\n' "$1" >&2
  exit 2
}

# random FILE UID: 256 random bits in hexadecimal digits, without a line end.
random() {
  if [ ! -s "${directory}/$1" ]; then
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"${scratch}"
    [ "$(wc -c <"${scratch}")" -eq 64 ] || fail "no random bytes"
    place "$1" "$2"
  fi
}

# place FILE UID: put what is in scratch there at once, readable for that user only.
place() {
  chown "$2:$2" "${scratch}"
  chmod 0600 "${scratch}"
  mv -f -- "${scratch}" "${directory}/$1"
}

digest() {
  sha256sum <"${directory}/$1" | cut -d ' ' -f 1
}

[ "$(id -u)" -eq 0 ] || fail "run as root (or in podman unshare): each file gets its reader as owner"
directory="${1:-$(dirname -- "$0")/secrets}"
umask 077
mkdir -p -- "${directory}"
chmod 0700 "${directory}"
scratch="${directory}/.new"
trap 'rm -f -- "${scratch}"' EXIT

random store_password "${SERVICE_UID}"
random ingest_token "${SERVICE_UID}"
random service_token "${SERVICE_UID}"
random grafana_admin_password "${GRAFANA_UID}"
random grafana_clickhouse_password "${GRAFANA_UID}"

# ClickHouse gets digests only. Unsalted is enough: there is no list of 256-bit secrets to try.
cat >"${scratch}" <<XML
<clickhouse>
  <users>
    <gpuledger>
      <password_sha256_hex>$(digest store_password)</password_sha256_hex>
    </gpuledger>
    <grafana>
      <password_sha256_hex>$(digest grafana_clickhouse_password)</password_sha256_hex>
    </grafana>
  </users>
</clickhouse>
XML
place clickhouse_passwords.xml "${CLICKHOUSE_UID}"
printf 'secrets are in %s\n' "${directory}"
