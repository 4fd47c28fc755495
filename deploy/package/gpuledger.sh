#!/bin/sh
# The agent with the interpreter and the libraries that lie beside it, and no others.
here="$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")"
unset PYTHONHOME
export PYTHONPATH="${here}/lib" PYTHONNOUSERSITE=1 PYTHONSAFEPATH=1
exec "${here}/python/bin/python3" -c 'from gpuledger.cli import main; main()' "$@"
