#!/bin/sh
# Packs a tree that build.sh made as DEB and RPM.
#
# Usage: deploy/package/pack.sh TREE OUT_DIRECTORY [deb|rpm ...]
set -eu

fail() {
  printf 'pack.sh: %s\n' "$1" >&2
  exit 2
}

[ "$#" -ge 2 ] || fail "usage: pack.sh TREE OUT_DIRECTORY [deb|rpm ...]"
root="$(cd -- "$(dirname -- "$0")/../.." && pwd)"
tree="$(cd -- "$1" && pwd)"
out="$(cd -- "$2" && pwd)"
shift 2
[ "$#" -gt 0 ] || set -- deb rpm
case "$(uname -m)" in
  x86_64) PACKAGE_ARCH=amd64 ;;
  aarch64) PACKAGE_ARCH=arm64 ;;
  *) fail "no wheels are locked for $(uname -m)" ;;
esac
PACKAGE_VERSION="$(sed -n 's/^version = "\(.*\)"$/\1/p' "${root}/pyproject.toml")"
[ -n "${PACKAGE_VERSION}" ] || fail "pyproject.toml names no version"
export PACKAGE_ARCH PACKAGE_VERSION

stage="$(mktemp -d)"
trap 'rm -rf -- "${stage}"' EXIT
install -D -m 0755 "${root}/deploy/package/gpuledger.sh" "${tree}/bin/gpuledger"
install -D -m 0755 "${root}/deploy/package/gate.sh" "${tree}/libexec/gate"
# nfpm takes paths as they stand, so that everything lies beside its recipe.
cd "${root}/deploy/package"
cp nfpm.yaml postinstall.sh preremove.sh collector.env copyright \
  ../systemd/gpuledger-collector.service "${root}/LICENSE" "${stage}/"
cp -R "${tree}" "${stage}/tree"
chmod 0755 "${stage}/tree"
cd "${stage}"
for kind in "$@"; do
  nfpm package --config nfpm.yaml --packager "${kind}" --target "${out}/"
done
