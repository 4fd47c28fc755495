"""Section `[report]`: which weeks, for whom, when, and on which way they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec

from analytics.report import weeks
from gpuledger.config import Settings
from gpuledger.contacts import is_address, is_web
from gpuledger.errors import ConfigError

# The service's tick waits as long.
LONGEST_WAIT_S = 120.0


class Security(StrEnum):
    """How the connection to the mail server is kept private."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class DeliverySettings(Settings):
    """Section `[report.delivery]`; what has no address is not used."""

    management: Annotated[tuple[str, ...], "mail addresses that get the released report"] = ()
    team_leads: Annotated[bool, "mail each team's part to its lead, with the draft"] = False
    smtp_host: Annotated[str, "mail server; empty = no mail"] = ""
    smtp_port: Annotated[int, "its port; 0 = 465 with tls, else 587"] = 0
    smtp_security: Annotated[Security, "starttls, tls or none"] = Security.STARTTLS
    smtp_ca: Annotated[str, "file with the certificates to trust; empty = the system's"] = ""
    smtp_user: Annotated[str, "user of the mail server; empty = none"] = ""
    smtp_password_file: Annotated[str, "file with that user's password"] = ""
    sender: Annotated[str, "address that mail comes from"] = ""
    s3: Annotated[str, "where released reports are kept, s3://bucket/prefix; empty = nowhere"] = ""
    s3_endpoint: Annotated[str, "address of the object store; empty = that of AWS"] = ""
    webhook: Annotated[str, "address that gets released reports as JSON, e.g. of a chat"] = ""
    webhook_file: Annotated[str, "file with that address, where it is a secret"] = ""
    timeout_s: Annotated[float, "time to wait for a server's answer"] = 15.0
    attempts: Annotated[int, "tries of one delivery before a person must look"] = 12

    def __post_init__(self) -> None:
        for problem in (*self._of_addresses(), *self._of_server(), *self._of_others()):
            raise ConfigError(f"[report.delivery] {problem}")

    def _of_addresses(self) -> Iterator[str]:
        for name, told in (("management", self.management), ("sender", (self.sender,))):
            yield from (f"{name}: '{a}' is no mail address" for a in told if not _fits(a))

    def _of_server(self) -> Iterator[str]:
        if (self.management or self.team_leads) and not (self.smtp_host and self.sender):
            yield "mail needs smtp_host and sender"
        if self.smtp_user and not self.smtp_password_file:
            yield "smtp_user: say which smtp_password_file"
        if self.smtp_user and self.smtp_security is Security.NONE:
            yield "smtp_user: a password needs smtp_security starttls or tls"
        if not 0 <= self.smtp_port <= 65535:
            yield f"smtp_port: {self.smtp_port} is no port"

    def _of_others(self) -> Iterator[str]:
        if self.webhook and self.webhook_file:
            yield "webhook or webhook_file: one of the two"
        if self.webhook and not is_web(self.webhook):
            yield "webhook: write https://host/path"
        if self.s3 and not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?", self.s3):
            yield f"s3: '{self.s3}': write s3://bucket/prefix"
        if self.attempts < 1:
            yield f"attempts: {self.attempts} is below 1"
        if not 0 < self.timeout_s <= LONGEST_WAIT_S:
            yield f"timeout_s: {self.timeout_s} is not within 0 and {LONGEST_WAIT_S} seconds"


class ReportSettings(Settings):
    """Weeks, schedule and addresses of the weekly report."""

    timezone: Annotated[str, "time zone of weeks and schedule, e.g. Europe/Berlin"] = "UTC"
    send_at: Annotated[
        str, "when the draft of the week before is made and leads are told; empty = by hand"
    ] = "Monday 08:00"
    release_after_h: Annotated[
        float, "hours from draft to release; the book must have settled; below 0 = by a person"
    ] = 24.0
    grafana: Annotated[str, "address of Grafana, for links"] = ""
    console: Annotated[str, "address of this service as its readers see it, for links"] = ""
    delivery: Annotated[DeliverySettings, "who gets it, and how"] = msgspec.field(
        default_factory=DeliverySettings
    )

    def __post_init__(self) -> None:
        weeks.zone_of(self.timezone)
        if self.send_at:
            weeks.moment_of(self.send_at)
        for name, address in (("grafana", self.grafana), ("console", self.console)):
            if address and not is_web(address):
                raise ConfigError(f"[report] {name}: '{address}': write https://host/path")


def _fits(address: str) -> bool:
    return not address or is_address(address)
