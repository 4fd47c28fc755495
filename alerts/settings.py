"""Section `[alerts]`."""

from __future__ import annotations

from datetime import time, tzinfo
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from alerts.rule import Severity
from alerts.timing import Timing
from gpuledger.config import Settings
from gpuledger.contacts import is_web
from gpuledger.errors import ConfigError


class Mode(StrEnum):
    """How much of what alerts say leaves the house."""

    SHADOW = "shadow"
    DIGEST = "digest"
    PAGE = "page"


class AlertSettings(Settings):
    """Who is told of alerts, how, and when."""

    engine: Annotated[
        bool, "evaluate the rules here; false where Grafana or Prometheus does (`alerts build`)"
    ] = True
    mode: Annotated[
        Mode,
        "shadow: alerts are recorded and nobody is told; digest: only daily summaries are sent;"
        " page: all are sent to whom they are for",
    ] = Mode.SHADOW
    alertmanager_url: Annotated[
        str, "address of Alertmanager, e.g. http://alerts:9093; it then decides who is told"
    ] = ""
    receivers_file: Annotated[
        str, "TOML file with the addresses of receivers, which are secrets; see docs/alerts.md"
    ] = ""
    timeout_s: Annotated[float, "time to wait for a receiver's answer"] = 5.0
    thresholds: Annotated[dict[str, float], "rule to threshold, in the rule's unit"] = (
        msgspec.field(default_factory=dict)
    )
    runbook_url: Annotated[
        str,
        "address under which people read alerts/runbooks, e.g. https://wiki.example.org/runbooks;"
        " empty = the path in the package",
    ] = ""
    off: Annotated[list[str], "rules that are not evaluated"] = msgspec.field(default_factory=list)
    time_zone: Annotated[str, "of the hours below, e.g. Europe/Berlin"] = "UTC"
    quiet_from: Annotated[str, "quiet hours begin, e.g. 22:00; empty = there are none"] = ""
    quiet_until: Annotated[str, "quiet hours end: what waited is told then"] = "07:00"
    quiet_unless: Annotated[Severity, "told in quiet hours too, from this severity on"] = (
        Severity.CRITICAL
    )
    digest_at: Annotated[str, "hour of the daily summary"] = "08:00"
    digest_below: Annotated[
        Severity, "milder alerts than this come in the daily summary, not at once"
    ] = Severity.WARNING
    repeat_days: Annotated[
        float,
        "days between two messages about one rule to the same user, and after which everybody hears"
        " again of what lasts; 0 = users hear of each alert, and nobody hears again",
    ] = 7.0

    def __post_init__(self) -> None:
        self.timing()
        if self.runbook_url and not is_web(self.runbook_url):
            raise ConfigError(
                f"[alerts] runbook_url: '{self.runbook_url}': write https://host/path"
            )
        if self.repeat_days < 0:
            raise ConfigError(f"[alerts] repeat_days: {self.repeat_days:g} is below 0")

    def timing(self) -> Timing:
        """When who may be told. ConfigError for an hour or a zone that there is not."""
        quiet = None
        if self.quiet_from:
            quiet = (_hour("quiet_from", self.quiet_from), _hour("quiet_until", self.quiet_until))
            if quiet[0] == quiet[1]:
                raise ConfigError(
                    f"[alerts] quiet_from and quiet_until are both {self.quiet_until}: quiet hours"
                    " need an end; leave quiet_from empty for none"
                )
        return Timing(
            zone=_zone(self.time_zone),
            quiet=quiet,
            quiet_unless=self.quiet_unless,
            digest_at=_hour("digest_at", self.digest_at),
            digest_below=self.digest_below,
            repeat_days=self.repeat_days,
            only_summaries=self.mode is Mode.DIGEST,
        )


def _hour(key: str, text: str) -> time:
    try:
        found = time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo or not text.count(":"):
        raise ConfigError(f"[alerts] {key}: '{text}' is no time of day; write 07:30")
    return found


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(
            f"[alerts] time_zone: there is no '{name}'; write a name such as Europe/Berlin"
        ) from None
