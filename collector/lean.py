"""A small agent: without TLS where nothing asks for it."""

from __future__ import annotations

import sys

# OpenSSL is up to a fifth of a small agent's memory. Both modules are optional parts of Python:
# hashlib has its own SHA-2, and HTTP clients do without https.
TLS_MODULES = ("_ssl", "_hashlib")


def leave_out_tls() -> None:
    """Do without OpenSSL in this process from now on, unless it is loaded already."""
    for name in TLS_MODULES:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # so imports fail, documented
