"""Hands messages to people through Apprise: mail, Slack, Teams, PagerDuty, webhooks and more.

Addresses hold passwords and tokens: what comes back names the service and its answer, with every
part of the address taken out.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from alerts.history import ACCEPTED
from alerts.message import Message
from alerts.receivers import Addresses, Receivers
from alerts.routing import MAILTO, Target
from gpuledger.errors import ConfigError

with warnings.catch_warnings():
    # Its mail plugin asks for a module that Python 3.11 and 3.12 call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import apprise
    from apprise.plugins.email import NotifyEmail

MAX_REASON = 200
# Shorter parts of an address are words that any sentence may hold.
LEAST_SECRET = 4
REFERENCE_HEADER = "X-Gpuledger-Message"
# What smtplib and the server said; other services' debug lines hold addresses and contents.
SMTP_SAID = "Socket Exception: "
# Services whose address names a host first; with others the first part may be a token.
NAMES_HOST = ("json", "xml", "form")
LOUD = {"WARNING", "ERROR", "CRITICAL"}


class AppriseDoor:
    """Apprise behind one call; each message is one try at one address, in plain text."""

    def __init__(self, mail: str = "", timeout_s: float = 5.0) -> None:
        self._mail = mail
        self._timeout_s = timeout_s
        self._asset = apprise.AppriseAsset(
            app_id="gpuledger",
            app_desc="gpuledger",
            app_url="",
            image_url_mask="",
            image_url_logo="",
            async_mode=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )

    def send(self, target: Target, message: Message) -> str:
        """`accepted`, or in one line why not."""
        _keep_quiet()
        service = self._service(target.address)
        if service is None:
            return "the address is none that Apprise understands"
        if isinstance(service, NotifyEmail):
            service.headers = {**service.headers, REFERENCE_HEADER: message.reference}
        said: list[tuple[str, str]] = []
        sender = apprise.Apprise(asset=self._asset)
        sender.add(service)
        result = sender.notify(
            body=message.body,
            title=message.title,
            body_format=apprise.NotifyFormat.TEXT.value,
            notify_type=apprise.NotifyType.WARNING,
            interpret_escapes=False,
            log_callback=lambda entry, _: said.append((entry.level, entry.message)),
            log_level=logging.DEBUG,
        )
        return ACCEPTED if result else self._why(target.address, said)

    def is_mail(self, address: str) -> bool:
        """Whether that is a mail server to Apprise, that others' addresses can be sent through."""
        _keep_quiet()
        return isinstance(self._service(address), NotifyEmail)

    def check(self, address: str) -> None:
        """ConfigError where nothing could be sent to that address; it is not shown."""
        _keep_quiet()
        if address.startswith(MAILTO) and "//" not in address and not self._mail:
            raise ConfigError("a 'mailto:' address needs 'mail', the server that sends it")
        if self._service(address) is None:
            raise ConfigError(
                f"the address that begins with '{address.partition(':')[0][:20]}:' is none that"
                " Apprise understands; see https://github.com/caronc/apprise/wiki"
            )

    def split(self, address: str) -> Sequence[str]:
        """One address for each recipient of a mail address: each is tried again on its own."""
        service = self._service(address)
        if not isinstance(service, NotifyEmail) or len(service.targets) + len(service.cc) < 2:
            return (address,)
        if service.cc or service.bcc:
            raise ConfigError("a mail address with cc or bcc: write a list of recipients instead")
        targets = list(service.targets)
        out = []
        for target in targets:
            service.targets = [target]
            url: Any = service.url
            out.append(str(url(privacy=False)))
        return out

    def _service(self, address: str) -> Any:
        """Apprise's object for the address; None where it understands none."""
        plain = address.startswith(MAILTO) and "//" not in address
        make: Any = apprise.Apprise.instantiate
        service = make(self._mail if plain else address, asset=self._asset)
        if not service:
            return None
        if plain:
            is_email: Any = apprise.utils.parse.is_email
            person = is_email(address.removeprefix(MAILTO))
            if not person or not isinstance(service, NotifyEmail):
                return None
            service.targets = [(False, person["email"])]
            service.cc, service.bcc = set(), set()
        service.socket_connect_timeout = service.socket_read_timeout = self._timeout_s
        return service

    def _why(self, address: str, said: Sequence[tuple[str, str]]) -> str:
        """The service's answer in one line, without anything of the address."""
        lines = [
            text.removeprefix(SMTP_SAID)
            for level, text in said
            if level in LOUD or text.startswith(SMTP_SAID)
        ]
        line = " ".join(" ".join(lines).split()) or "refused"
        secrets = _parts(address)
        if address.startswith(MAILTO):
            secrets |= _parts(self._mail)
        for part in sorted(secrets, key=len, reverse=True):
            line = line.replace(part, "***")
        return f"not taken: {line}"[:MAX_REASON]


def checked(receivers: Receivers, door: AppriseDoor) -> Receivers:
    """The receivers, each with one address for each recipient.

    ConfigError names who has an address that nothing can be sent to.
    """
    if receivers.mail and not door.is_mail(receivers.mail):
        raise ConfigError("receivers: mail: write a server, e.g. mailtos://user:password@host:587")

    def whole(who: str, listed: Addresses) -> Addresses:
        try:
            for address in listed:
                door.check(address)
            return tuple(part for address in listed for part in door.split(address))
        except ConfigError as e:
            raise ConfigError(f"receivers: {who}: {e}") from None

    return replace(
        receivers,
        platform=whole("platform", receivers.platform),
        hardware=whole("hardware", receivers.hardware),
        teams={name: whole(f"teams.{name}", a) for name, a in receivers.teams.items()},
        users={name: whole(f"users.{name}", a) for name, a in receivers.users.items()},
    )


def _parts(address: str) -> set[str]:
    """Every part of an address that could be a secret, as written and as decoded."""
    scheme, _, rest = address.partition("://")
    if scheme.startswith("mailto"):
        # Server and recipients are none, and say what went wrong.
        authority, _, query = rest.partition("?")
        hidden = re.findall(r"(?:^|&)(?:user|pass)=([^&]*)", query)
        rest = " ".join([authority.rpartition("@")[0], *hidden])
    elif scheme.startswith(NAMES_HOST):
        authority, _, path = rest.partition("/")
        rest = f"{authority.rpartition('@')[0]} {path}"
    written = re.split(r"[:/@?&=#,; ]+", rest)
    found = {*written, *(unquote(part) for part in written)}
    return {part for part in found if len(part) >= LEAST_SECRET}


def _keep_quiet() -> None:
    """Apprise writes addresses into its log: what is said is kept to the call that asked."""
    logger = logging.getLogger("apprise")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
