"""Connections to a service on this machine: TCP, TLS with one known certificate, or a socket."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from gpuledger.errors import StoreError

UNIX = "unix:"


class UnixConnection(HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str, **options: Any) -> None:
        super().__init__("localhost", **options)
        self._path = path

    def _new_conn(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)
            made.connect(self._path)
        except OSError as e:
            made.close()
            raise urllib3.exceptions.NewConnectionError(self, str(e.strerror)) from e
        return made


class UnixPool(HTTPConnectionPool):
    """Connections to one socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def _new_conn(self) -> Any:
        return UnixConnection(self._path, timeout=self.timeout.connect_timeout)


def pool(url: str, certificate: str = "") -> HTTPConnectionPool:
    """Connections to the service at http(s)://host:port or unix:/path.

    With a `certificate` the service must show exactly that one, whatever name is in it. StoreError
    where the file cannot be used.
    """
    if url.startswith(UNIX):
        return UnixPool(url.removeprefix(UNIX))
    if not certificate:
        return urllib3.connection_from_url(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(certificate)
    except (ssl.SSLError, OSError) as e:
        raise StoreError(f"the certificate of the service, {certificate}: {e}") from e
    return urllib3.connection_from_url(url, ssl_context=context, assert_hostname=False)
