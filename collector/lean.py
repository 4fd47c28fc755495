"""A small agent: without TLS where nothing asks for it, and without what only starting needed."""

from __future__ import annotations

import ctypes
import gc
import sys

# OpenSSL is up to a fifth of a small agent's memory. Both modules are optional parts of Python:
# hashlib has its own SHA-2, and HTTP clients do without https.
TLS_MODULES = ("_ssl", "_hashlib")
ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h


def leave_out_tls() -> None:
    """Do without OpenSSL in this process from now on, unless it is loaded already."""
    for name in TLS_MODULES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # so imports fail, documented


def share_one_heap() -> None:
    """Keep the threads to come from getting heaps of their own, each with room nobody uses."""
    tune = getattr(ctypes.CDLL(None), "mallopt", None)  # as below
    if tune:
        tune(ARENA_MAX, 1)


def give_memory_back() -> None:
    """Return to the kernel what only the imports needed: a third of a small process."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl does not
    if trim:
        trim(0)
