"""A real SMTP server (aiosmtpd) on a free port, with STARTTLS, a login, and a say on recipients."""

from __future__ import annotations

import email
import email.policy
import ssl
import subprocess
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.components.process import Component, free_port, program

USER, PASSWORD = "gpuledger", "correct horse"  # what the server lets in
_ORDER = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
_NAMES = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")


@dataclass
class Mail:
    """One message that was taken: who sent it to whom, and what it says."""

    sender: str
    recipients: list[str]
    content: EmailMessage
    encrypted: bool

    @property
    def text(self) -> str:
        """Its plain text, decoded."""
        part = self.content.get_body(("plain",))
        assert part is not None
        return str(part.get_content())


@dataclass
class _Handler:
    refused: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    breaks_off: bool = False
    answer: str = "250 OK"
    mails: list[Mail] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        if address in self.later:
            return "451 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.breaks_off:
            assert server.transport
            server.transport.abort()
        if self.breaks_off or self.answer[0] != "2":
            return self.answer
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        sender = envelope.mail_from or ""
        self.mails.append(Mail(sender, list(envelope.rcpt_tos), message, session.ssl is not None))
        return self.answer


class SmtpServer(Component):
    """Takes mails; with `tls` only after STARTTLS and a login, with `implicit` only over TLS.

    `refused` may change at any time, and so may what `says` holds: recipients for later, the answer
    to a message, and whether the server breaks off instead.
    """

    def __init__(self, directory: Path, *, tls: bool = False, implicit: bool = False) -> None:
        self.directory = directory
        self.tls = tls
        self.implicit = implicit
        self.port = 0
        self._handler = _Handler()
        self._controller: Controller | None = None

    @property
    def refused(self) -> set[str]:
        """Recipients that are refused with 550."""
        return self._handler.refused

    @property
    def says(self) -> _Handler:
        """How it behaves."""
        return self._handler

    @property
    def mails(self) -> list[Mail]:
        """What was taken, in order."""
        return self._handler.mails

    @property
    def certificate(self) -> Path:
        """The authority that clients must trust."""
        return self.directory / "smtp.pem"

    def start(self) -> None:
        """Return when it listens; again on the same port."""
        more: dict[str, Any] = {"ssl_context": self._context()} if self.implicit else {}
        if self.tls:
            more = {
                "tls_context": self._context(),
                "require_starttls": True,
                "auth_required": True,
                "authenticator": _authenticate,
            }
        self.port = self.port or free_port()
        self._controller = Controller(self._handler, hostname="127.0.0.1", port=self.port, **more)
        self._controller.start()

    def stop(self) -> None:
        """End it; what it took is kept."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    def _context(self) -> ssl.SSLContext:
        key = self.directory / "smtp.key"
        files = ("-keyout", str(key), "-out", str(self.certificate))
        command = [program("openssl"), *_ORDER.split(), *_NAMES, *files]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, key)
        return context


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
) -> AuthResult:
    good = isinstance(given, LoginPassword) and (
        (given.login.decode(), given.password.decode()) == (USER, PASSWORD)
    )
    return AuthResult(success=good, handled=good)
