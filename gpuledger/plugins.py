"""A plugin is a file with one public value; `discover` finds it, nothing registers itself."""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import TypeVar

from gpuledger.errors import ConfigError

P = TypeVar("P")


def names(package: str) -> list[str]:
    """Names of the plugins in a package, without importing them."""
    module = importlib.import_module(package)
    own = [m.name for m in pkgutil.iter_modules(module.__path__)]
    return sorted(own + [e.name for e in entry_points(group=f"gpuledger.{package}")])


def discover(package: str, kind: type[P]) -> dict[str, P]:
    """Name to plugin for every module of `package` and entry point of group `gpuledger.<package>`.

    A module's public value carries the singular of the folder's name: `collector/sources/nvml.py`
    has `source`. ConfigError where it is missing or not a `kind`.
    """
    return {name: load(package, name, kind) for name in names(package)}


def load(package: str, name: str, kind: type[P]) -> P:
    """The one plugin of that name."""
    word = package.rpartition(".")[2].removesuffix("s")
    for entry in entry_points(group=f"gpuledger.{package}", name=name):
        return _checked(entry.load(), kind, f"entry point {name}")
    module = importlib.import_module(f"{package}.{name}")
    return _checked(getattr(module, word, None), kind, f"{package}.{name}: public value '{word}'")


def _checked(value: object, kind: type[P], where: str) -> P:
    if not isinstance(value, kind):
        raise ConfigError(f"{where} must be a {kind.__name__}, not {type(value).__name__}")
    return value
