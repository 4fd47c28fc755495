"""The directory of an embedded store: what makes it one, and who holds it."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from gpuledger.errors import ConfigError


def is_store(directory: Path) -> bool:
    """Whether an embedded engine ever lived there."""
    return (directory / "metadata").is_dir()


def claim(directory: Path) -> None:
    """Make sure that the engine can open the directory, made where it is missing.

    ConfigError where it cannot be written, holds something else, or belongs to another process:
    the engine would say so too, but on standard error and in its own words.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        foreign = any(directory.iterdir()) and not is_store(directory)
    except OSError as e:
        raise ConfigError(f"cannot write the store {directory}: {e.strerror}") from None
    if foreign:
        raise ConfigError(f"{directory} is not empty and no gpuledger store: choose another one")
    holder = _holder(directory / "status")
    if holder not in {None, os.getpid()}:
        raise ConfigError(
            f"chdb://{directory} is in use by process {holder}: stop it; while it serves, send"
            " rows with 'collect --ingest URL', and commands that ask go through it by themselves"
        )


def _holder(status: Path) -> int | None:
    """The process that holds the engine's status file; None when it is free."""
    try:
        with status.open("r+") as file:
            told = re.search(r"PID: (\d+)", file.read())
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(told[1]) if told else 0
    except OSError:
        return None
    return None
