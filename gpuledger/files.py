"""Writing files that people asked for, with one clear line where that is impossible."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gpuledger.errors import ConfigError


def writable(path: Path) -> Path:
    """The directory, made where it was missing. ConfigError where it cannot be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"cannot write to {path}: {e.strerror}") from None
    if not os.access(path, os.W_OK):
        raise ConfigError(f"cannot write to {path}: permission denied")
    return path


def write_text(path: Path, text: str) -> Path:
    """Write one file, UTF-8. ConfigError where that is impossible."""
    return write_bytes(path, text.encode())


def write_bytes(path: Path, body: bytes) -> Path:
    """Write one file. ConfigError where that is impossible."""
    writable(path.parent)
    try:
        path.write_bytes(body)
    except OSError as e:
        raise ConfigError(f"cannot write {path}: {e.strerror}") from None
    return path


def write_all(directory: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write file name to text into one directory; the paths written."""
    return [write_text(directory / name, text) for name, text in texts.items()]


def read_secret(path: Path, what: str) -> str:
    """A token or password from its file. ConfigError where there is none; it never shows it."""
    try:
        text = path.read_text().strip()
    except OSError as e:
        raise ConfigError(f"{what} {path}: {e.strerror}") from None
    except ValueError:
        raise ConfigError(f"{what} {path}: it is not UTF-8 text") from None
    if not text or not text.isprintable():
        raise ConfigError(f"{what} {path}: it must hold one line and nothing else")
    return text
