"""Runs one clickhouse-local inside libchdb.so: `python libchdb.py LIBRARY ARGUMENT...`."""

from __future__ import annotations

import ctypes
import sys


def main(library: str, arguments: list[str]) -> int:
    """The exit status: 1 when the engine reports an error, which goes to stderr."""
    engine = ctypes.CDLL(library)
    engine.chdb_query_cmdline.restype = ctypes.c_void_p
    engine.chdb_result_error.restype = ctypes.c_char_p
    engine.chdb_result_error.argtypes = [ctypes.c_void_p]
    words = [word.encode() for word in ["clickhouse", *arguments]]
    result = engine.chdb_query_cmdline(len(words), (ctypes.c_char_p * len(words))(*words))
    error = engine.chdb_result_error(result) if result else b"no result"
    if error:
        sys.stderr.write(error.decode(errors="replace") + "\n")
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
