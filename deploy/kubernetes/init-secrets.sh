#!/bin/sh
# Prints the Secrets that the manifests name, with random values; nothing is written to a disk.
#
# Usage: sh deploy/kubernetes/init-secrets.sh STORE_URL | kubectl create -f -
#   STORE_URL   e.g. https://gpuledger@clickhouse.example:8443/gpuledger
# `create` refuses what is there already, so that nothing is replaced by mistake. The digest for
# ClickHouse's user is printed to standard error. STORE_PASSWORD, where it is set, is taken as it is.
set -eu

fail() {
  printf 'init-secrets.sh: %s\n' "$1" >&2
  exit 2
}

# random: 256 random bits in hexadecimal digits.
random() {
  word="$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')"
  [ "${#word}" -eq 64 ] || fail "no random bytes"
  printf '%s' "${word}"
}

# base64_of TEXT, on one line.
base64_of() {
  printf '%s' "$1" | base64 | tr -d '\n'
}

# secret NAMESPACE NAME, then pairs of KEY VALUE.
secret() {
  printf -- '---\napiVersion: v1\nkind: Secret\ntype: Opaque\nmetadata:\n'
  printf '  namespace: %s\n  name: %s\ndata:\n' "$1" "$2"
  shift 2
  while [ "$#" -gt 0 ]; do
    printf '  %s: %s\n' "$1" "$(base64_of "$2")"
    shift 2
  done
}

[ "$#" -eq 1 ] || fail "usage: init-secrets.sh STORE_URL | kubectl create -f -"
case "$1" in
  http://*@*/* | https://*@*/*) ;;
  *) fail "STORE_URL is http(s)://user@host:port/database, without a password" ;;
esac
password="${STORE_PASSWORD:-$(random)}"
ingest="$(random)"
service="$(random)"
secret gpuledger gpuledger-store url "$1" password "${password}"
secret gpuledger gpuledger-tokens service_token "${service}" ingest_token "${ingest}"
secret gpuledger-agents gpuledger-ingest ingest_token "${ingest}"
printf 'password_sha256_hex of the user in ClickHouse: %s\n' \
  "$(printf '%s' "${password}" | sha256sum | cut -d ' ' -f 1)" >&2
