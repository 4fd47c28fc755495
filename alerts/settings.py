"""Section `[alerts]`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec

from gpuledger.config import Settings
from gpuledger.errors import ConfigError


class Mode(StrEnum):
    """Whether alerts leave the house."""

    SHADOW = "shadow"
    PAGE = "page"


class AlertSettings(Settings):
    """Who is told of alerts, and how."""

    mode: Annotated[Mode, "shadow: alerts are recorded and nobody is told; page: they are sent"] = (
        Mode.SHADOW
    )
    alertmanager_url: Annotated[str, "address of Alertmanager, e.g. http://alerts:9093"] = ""
    timeout_s: Annotated[float, "time to wait for Alertmanager's answer"] = 5.0
    thresholds: Annotated[dict[str, float], "rule to threshold, in the rule's unit"] = (
        msgspec.field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        if self.mode is Mode.PAGE and not self.alertmanager_url:
            raise ConfigError("[alerts] mode = 'page' needs alertmanager_url")
