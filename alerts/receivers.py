"""Addresses of receivers: secrets, read from a file or the environment and shown to nobody."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.rule import Owner
from gpuledger.errors import ConfigError, nearest

VARIABLE = "GPULEDGER_RECEIVERS"
KEYS = ("platform", "hardware", "teams", "users", "mail", "heartbeat")
EXAMPLE = 'platform = "slack://…"'

Addresses = tuple[str, ...]


@dataclass(frozen=True)
class Receivers:
    """Where everybody is told, as Apprise URLs or `mailto:` and an address that `mail` sends to.

    `mail` is the server for these and for the addresses of people and teams. `heartbeat` is asked
    for (GET) after each evaluation. Nothing of it appears where the value is printed.
    """

    platform: Addresses = field(default=(), repr=False)
    hardware: Addresses = field(default=(), repr=False)
    teams: Mapping[str, Addresses] = field(default_factory=dict, repr=False)
    users: Mapping[str, Addresses] = field(default_factory=dict, repr=False)
    mail: str = field(default="", repr=False)
    heartbeat: str = field(default="", repr=False)

    def of(self, owner: Owner) -> Addresses:
        """Those of the platform or of hardware operations; the platform stands in for both."""
        return (self.hardware if owner is Owner.HARDWARE else ()) or self.platform


def load(path: str, environ: Mapping[str, str]) -> Receivers:
    """Receivers from GPULEDGER_RECEIVERS (TOML text), else from the file; none where neither is.

    ConfigError names the key, and never shows a value.
    """
    if text := environ.get(VARIABLE):
        return _parse(text, VARIABLE)
    if not path:
        return Receivers()
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"[alerts] receivers_file {path}: {e.strerror}") from None
    except ValueError:
        raise ConfigError(f"[alerts] receivers_file {path}: it is not UTF-8 text") from None
    return _parse(text, path)


def _parse(text: str, origin: str) -> Receivers:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        # The message of the parser says where, not what: no secret is in it.
        raise ConfigError(f"{origin} is not TOML: {e}") from None
    for key in values:
        if key not in KEYS:
            raise ConfigError(f"{origin}: unknown key '{key}'{nearest(key, KEYS)}")
    return Receivers(
        platform=_addresses(values.get("platform", []), "platform", origin),
        hardware=_addresses(values.get("hardware", []), "hardware", origin),
        teams=_named(values.get("teams", {}), "teams", origin),
        users=_named(values.get("users", {}), "users", origin),
        mail=_text(values.get("mail", ""), "mail", origin),
        heartbeat=_text(values.get("heartbeat", ""), "heartbeat", origin),
    )


def _addresses(value: Any, key: str, origin: str) -> Addresses:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(v, str) and v for v in listed):
        raise ConfigError(f"{origin}: {key}: write an address or a list of them, e.g. {EXAMPLE}")
    return tuple(listed)


def _named(value: Any, key: str, origin: str) -> dict[str, Addresses]:
    if not isinstance(value, dict):
        raise ConfigError(f"{origin}: {key}: write a table, [{key}] and below it name = address")
    return {name: _addresses(v, f"{key}.{name}", origin) for name, v in value.items()}


def _text(value: Any, key: str, origin: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{origin}: {key}: write one address in quotes")
    return value
