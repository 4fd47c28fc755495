"""TLS of the service: its certificate, the authority of clients' ones, and whom those name."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gpuledger.errors import ConfigError

# Where a route finds the names of the certificate that the client showed, as a tuple.
SCOPE = "client_certificate"


@dataclass(frozen=True)
class Tls:
    """Files of a certificate (with its chain), its key, and the authority of clients'.

    A client need not show a certificate; one that it shows must be good. ConfigError where a file
    cannot be used.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        """ConfigError for files that are not there or do not fit together."""
        for option, path in self._named().items():
            try:
                path.read_bytes()
            except OSError as e:
                raise ConfigError(f"{option} {path}: {e.strerror}") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # A key with a password would wait for somebody to type it.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (ssl.SSLError, ValueError, OSError):
            raise ConfigError(
                f"--tls-cert {self.certificate}: not a certificate in PEM that"
                f" --tls-key {self.key} belongs to (without a password)"
            ) from None
        if self.client_ca:
            try:
                context.load_verify_locations(self.client_ca)
            except (ssl.SSLError, OSError):
                raise ConfigError(
                    f"--tls-client-ca {self.client_ca}: no certificates in PEM"
                ) from None

    def _named(self) -> dict[str, Path]:
        told = {"--tls-cert": self.certificate, "--tls-key": self.key}
        return {**told, "--tls-client-ca": self.client_ca} if self.client_ca else told

    def uvicorn(self) -> dict[str, Any]:
        """The server's settings; TLS 1.2 is the oldest that Python's own default speaks."""
        out: dict[str, Any] = {"ssl_certfile": self.certificate, "ssl_keyfile": self.key}
        if self.client_ca:
            out |= {"ssl_ca_certs": str(self.client_ca), "ssl_cert_reqs": ssl.CERT_OPTIONAL}
        return out


def make_tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> Tls | None:
    """From the command's options; None without any. ConfigError for half of them."""
    if certificate and key:
        return Tls(certificate, key, client_ca)
    if certificate or key or client_ca:
        raise ConfigError("TLS needs both --tls-cert and --tls-key")
    return None


def names_of(certificate: dict[str, Any] | None) -> tuple[str, ...]:
    """Common name first, then DNS names and URIs, of a certificate as `getpeercert` tells it."""
    if not certificate:
        return ()
    subject = [pair for group in certificate.get("subject", ()) for pair in group]
    common = [value for name, value in subject if name == "commonName"]
    others = [v for kind, v in certificate.get("subjectAltName", ()) if kind in {"DNS", "URI"}]
    return tuple(dict.fromkeys((*common, *others)))


def naming(protocol: type[HttpToolsProtocol]) -> type[HttpToolsProtocol]:
    """The protocol, which tells each request whom the client's certificate names."""

    class Naming(protocol):  # type: ignore[misc,valid-type] # made for whichever it is
        """Tells `scope["client_certificate"]`."""

        def on_message_begin(self) -> None:
            """A request begins."""
            super().on_message_begin()
            self.scope[SCOPE] = names_of(self.transport.get_extra_info("peercert"))

    return Naming


def check_place(listen: str, *, tls: bool, tokens: bool, insecure: bool) -> None:
    """ConfigError for a place that others reach without TLS, or without a token that was set.

    A token that the service makes up for itself is for whoever sits at this machine.
    """
    if insecure or is_local(listen):
        return
    lacks = [] if tls else ["without TLS (--tls-cert, --tls-key)"]
    lacks += [] if tokens else ["without a token (GPULEDGER_TOKEN_FILE)"]
    if lacks:
        raise ConfigError(
            f"--listen {listen}: others reach this {' and '.join(lacks)};"
            " --insecure if a proxy or network of your own guards it"
        )


def is_local(listen: str) -> bool:
    """Whether only this machine reaches it: loopback, or a socket in the file system."""
    host = listen.rpartition(":")[0].strip("[]")
    if listen.startswith("unix:") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
