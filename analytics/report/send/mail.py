"""Mail by SMTP: one message for each recipient, over one connection that is private.

Only what the server surely did not take is worth another try: a connection that breaks after the
message was handed over may have delivered it.
"""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Self

from analytics.report.send.log import Delivery
from analytics.report.send.outcome import FAILED, REFUSED, SENT, UNSURE, Outcome, told
from analytics.report.send.papers import Papers
from analytics.report.settings import DeliverySettings, Security
from analytics.report.words import plain, unmarked
from gpuledger.errors import GpuledgerError
from gpuledger.files import read_secret

DONE, PERMANENT = 250, 500
TAKEN = (250, 251)
TLS_PORT, SUBMISSION_PORT = 465, 587
# RFC 5322 advises lines of 78 characters: a subject beyond two of them helps nobody.
LONGEST_SUBJECT = 150
# Whatever servers on the way can do.
POLICY = SMTP.clone(cte_type="7bit")


class _Ended(Exception):
    """A try that ended before the message was handed over."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Mailer:
    """One connection for a run of messages; a server that is away is asked once a run."""

    def __init__(self, settings: DeliverySettings) -> None:
        self._settings = settings
        self._server: smtplib.SMTP | None = None
        self._away: Outcome | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def send(self, recipient: str, message: EmailMessage) -> Outcome:
        """Hand one message over; never an error of its own."""
        try:
            server = self._connected()
            self._envelope(server, recipient)
        except _Ended as e:
            return e.outcome
        return self._hand_over(server, message)

    def _connected(self) -> smtplib.SMTP:
        if self._away:
            raise _Ended(self._away)
        if self._server is None:
            try:
                self._server = self._connect()
            except (OSError, smtplib.SMTPException, ValueError, GpuledgerError) as e:
                self._away = told(FAILED, f"{self._settings.smtp_host}: {_reason(e)}")
                raise _Ended(self._away) from e
        return self._server

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        context = ssl.create_default_context(cafile=settings.smtp_ca or None)
        tls = settings.smtp_security is Security.TLS
        port = settings.smtp_port or (TLS_PORT if tls else SUBMISSION_PORT)
        # Named, because looking up one's own name may take long.
        name = settings.sender.rpartition("@")[2]
        host, wait = settings.smtp_host, settings.timeout_s
        server = (
            smtplib.SMTP_SSL(host, port, name, timeout=wait, context=context)
            if tls
            else smtplib.SMTP(host, port, name, timeout=wait)
        )
        try:
            if settings.smtp_security is Security.STARTTLS:
                server.starttls(context=context)
            if settings.smtp_user:
                server.login(settings.smtp_user, _password(settings))
            server.ehlo_or_helo_if_needed()
        except BaseException:
            server.close()
            raise
        return server

    def _envelope(self, server: smtplib.SMTP, recipient: str) -> None:
        """Sender and recipient; a refusal leaves the connection as it was."""
        try:
            for ask, address in ((server.mail, self._settings.sender), (server.rcpt, recipient)):
                code, said = ask(address)
                if code not in TAKEN:
                    self._reset(server)
                    raise _Ended(told(_kind(code), f"{code} {said.decode(errors='replace')}"))
        except (OSError, smtplib.SMTPException) as e:
            self._close()
            raise _Ended(told(FAILED, _reason(e))) from e

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> Outcome:
        try:
            code, said = server.data(message.as_bytes())
        except smtplib.SMTPDataError as e:
            self._reset(server)
            return told(_kind(e.smtp_code), _reason(e))
        except (OSError, smtplib.SMTPException) as e:
            self._close()
            return told(UNSURE, f"handed over and not acknowledged: {_reason(e)}")
        if code == DONE:
            return Outcome(SENT)
        return told(_kind(code), f"{code} {said.decode(errors='replace')}")

    def _reset(self, server: smtplib.SMTP) -> None:
        """Forget the message; with 421 (RFC 5321, 3.8) the server has closed the connection."""
        try:
            server.rset()
        except (OSError, smtplib.SMTPException):
            self._close()

    def _close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()


def compose(
    delivery: Delivery, papers: Papers, settings: DeliverySettings, now: datetime
) -> EmailMessage:
    """The message: short text, the page, and the PDF where one can be made.

    Names from outside (teams, jobs) cannot add a header: a line has no end in it.
    """
    message = EmailMessage(policy=POLICY)
    message["Subject"] = plain(papers.subject, LONGEST_SUBJECT)
    message["From"] = Address("gpuledger", addr_spec=settings.sender)
    message["To"] = Address(addr_spec=delivery.target)
    message["Date"] = format_datetime(now)
    # The same for the same delivery: who gets it twice can see so.
    domain = settings.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{delivery.delivery_id:016x}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(unmarked(papers.markdown))
    message.add_alternative(papers.html, subtype="html")
    if papers.pdf:
        message.add_attachment(
            papers.pdf, maintype="application", subtype="pdf", filename=f"{papers.name}.pdf"
        )
    return message


def _password(settings: DeliverySettings) -> str:
    return read_secret(Path(settings.smtp_password_file), "[report.delivery] smtp_password_file")


def _kind(code: int) -> str:
    """RFC 5321, 4.2.1: a code from 500 on is for good."""
    return REFUSED if code >= PERMANENT else FAILED


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return f"{error.smtp_code} {text}"
    return str(error) or type(error).__name__
