"""Configuration: one TOML file, environment overrides, every section validated by its owner.

A section is a module's name; a module declares its settings as a `Settings` subclass:

    class NvmlSettings(Settings):
        period_s: Annotated[float, "seconds between readings"] = 1.0

`GPULEDGER_NVML_PERIOD_S=2` overrides `[nvml] period_s`.
"""

from __future__ import annotations

import enum
import math
import os
import re
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gpuledger.errors import ConfigError, nearest

ENV_PREFIX = "GPULEDGER_"
# Words of the environment that are no settings: they say where configuration and store are.
RESERVED = {
    "cluster",
    "config",
    "debug",
    "ingest",
    "libchdb",
    "log_format",
    "require_components",
    "role",
    "store",
    "store_password",
    "store_password_file",
    "token",
    "token_file",
    "ingest_token",
    "ingest_token_file",
    "receivers",
}
# Settings that mean nothing at 0, unless 0 is their default.
POSITIVE = {
    *("period_s", "detail_period_s", "health_s", "flush_s", "timeout_s"),
    *("spool_bytes", "spool_age_s", "longest_bytes"),
}
SHORTEST_S, LONGEST_S = 0.001, 1e9  # a clock cannot wait for less, nor a thread for more


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of every section; fields carry their default and `Annotated[type, "help"]`."""


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Config:
    """The sections as written; nothing is validated until a module asks for its own."""

    sections: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "defaults"
    # (section, key) of what the environment set: errors must name the variable, not the file.
    from_environment: frozenset[tuple[str, str]] = frozenset()

    def section(self, name: str, settings: type[S]) -> S:
        """The section of that name as its settings. ConfigError names key and nearest name."""
        raw = self.sections.get(name, {})
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{self.origin}: [{name}] must be a section, not a value")
        known = settings.__struct_fields__
        for key in raw:
            if key not in known:
                raise ConfigError(
                    f"{self._where(name, key)}: unknown key '{key}' in [{name}]"
                    f"{nearest(key, known)}"
                )
        try:
            made = msgspec.convert(raw, settings, strict=False)
        except msgspec.ValidationError as e:
            told = _plain(e, settings)
            where = self._where(name, told.partition(":")[0])
            hint = "" if where == self.origin else ' (write a TOML value, e.g. 5 or \'["a", "b"]\')'
            raise ConfigError(f"{where}: [{name}] {told}{hint}") from None
        for key, problem in _impossible(made):
            raise ConfigError(f"{self._where(name, key)}: [{name}] {key}: {problem}")
        return made

    def check(self, known: Iterable[str]) -> None:
        """Refuse a section that no module owns."""
        names = set(known)
        for name in self.sections:
            if name not in names:
                key = next((k for s, k in self.from_environment if s == name), "")
                where = self._where(name, key)
                raise ConfigError(f"{where}: unknown section [{name}]{nearest(name, names)}")

    def with_defaults(self, sections: Mapping[str, Mapping[str, Any]]) -> Config:
        """The same configuration, with values for keys that nobody set."""
        merged = {k: dict(v) for k, v in sections.items()}
        for name, section in self.sections.items():
            merged[name] = {**merged.get(name, {}), **section}
        return Config(merged, self.origin, self.from_environment)

    def _where(self, section: str, key: str) -> str:
        """What to look at: the variable that set the key, or the file."""
        if (section, key) in self.from_environment:
            return f"{ENV_PREFIX}{section}_{key}".upper()
        return self.origin


def load(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """Configuration from a TOML file (none = defaults only) under the environment's overrides."""
    env = os.environ if environ is None else environ
    path = path or (Path(env["GPULEDGER_CONFIG"]) if "GPULEDGER_CONFIG" in env else None)
    sections = _read(path) if path else {}
    overrides = list(_overrides(env, sections))
    for section, key, value in overrides:
        if isinstance(sections.setdefault(section, {}), dict):
            sections[section][key] = value
    named = frozenset((section, key) for section, key, _ in overrides)
    return Config(sections, str(path) if path else "defaults", named)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as e:
        raise ConfigError(f"cannot read configuration {path}: {e.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path} is not TOML: {e}") from None


def _overrides(
    env: Mapping[str, str], sections: Mapping[str, Any]
) -> Iterable[tuple[str, str, Any]]:
    """Section, key and value of every GPULEDGER_SECTION_KEY in the environment."""
    for name, value in sorted(env.items()):
        rest = name.removeprefix(ENV_PREFIX).lower()
        if not name.startswith(ENV_PREFIX) or rest in RESERVED:
            continue
        section = max((s for s in sections if rest.startswith(f"{s}_")), key=len, default="")
        section, _, key = (
            (section, "", rest[len(section) + 1 :]) if section else rest.partition("_")
        )
        if key:
            yield section, key, _scalar(value)


def _scalar(text: str) -> Any:
    """An array, table or quoted string of TOML where it is one, else the text itself."""
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
    # Numbers stay text until the setting's type is known: a name may look like one.
    return value if isinstance(value, list | dict | str) else text


def _impossible(settings: Settings) -> Iterator[tuple[str, str]]:
    """Key and complaint of each number that no setting of its kind can be."""
    for setting in msgspec.structs.fields(settings):
        value = getattr(settings, setting.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value):
            yield setting.name, f"{value} is no number to count with"
        elif setting.name.endswith(("_s", "_bytes")):
            zero = setting.name not in POSITIVE or setting.default == 0
            yield from _out_of_bounds(setting.name, value, zero=zero)


def _out_of_bounds(key: str, value: float, *, zero: bool) -> Iterator[tuple[str, str]]:
    if value == 0 and zero:
        return
    if key.endswith("_bytes"):
        if value <= 0:
            yield key, f"{value} is below 1"
    elif not SHORTEST_S <= value <= LONGEST_S:
        yield key, f"{value} is not within {SHORTEST_S:g} and {LONGEST_S:g} seconds"


def _plain(error: msgspec.ValidationError, settings: type[Settings]) -> str:
    """msgspec says `Expected `float`, got `str` - at `$.period_s``; people read `period_s: …`."""
    found = re.search(r"^(.*?) - at `\$\.(.*)`$", str(error))
    if not found:
        return str(error)
    told, key = found[1], found[2]
    if wrong := re.fullmatch(r"Invalid enum value ('.*')", told):
        words = typing.get_type_hints(settings).get(key)
        if isinstance(words, type) and issubclass(words, enum.Enum):
            told = f"{wrong[1]} is none of {', '.join(str(word.value) for word in words)}"
    elif told.startswith("Expected `array`"):
        told = 'write a list, e.g. ["one", "two"]'
    return f"{key}: {told}"
