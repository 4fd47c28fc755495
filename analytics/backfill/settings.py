"""How a backfill may reach what it reads, and what it may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from gpuledger.config import Settings
from gpuledger.errors import ConfigError

BRIEF = 300


class BackfillSettings(Settings):
    """Section `[backfill]`: how Prometheus is asked. Secrets come from files."""

    token_file: Annotated[str, "file with a bearer token; empty = none"] = ""
    user: Annotated[str, "user for basic authentication; empty = none"] = ""
    password_file: Annotated[str, "file with that user's password"] = ""
    ca: Annotated[str, "file with the certificates to trust; empty = the system's"] = ""
    headers: Annotated[dict[str, str], "headers to send, e.g. X-Scope-OrgID for Mimir"] = (
        msgspec.field(default_factory=dict)
    )
    parameters: Annotated[dict[str, str], "parameters to add, e.g. dedup = 'true' for Thanos"] = (
        msgspec.field(default_factory=dict)
    )
    matchers: Annotated[str, 'matchers for every metric, e.g. cluster="a"; empty = none'] = ""
    timeout_s: Annotated[float, "longest wait for one answer"] = 120.0
    attempts: Annotated[int, "tries of one question before giving up"] = 8
    parallel: Annotated[int, "questions under way at once"] = 3
    samples: Annotated[int, "samples to hold at once; what is read is cut so that it fits"] = (
        6_000_000
    )

    def __post_init__(self) -> None:
        """ConfigError where a number makes no sense."""
        if min(self.attempts, self.parallel, self.samples) < 1:
            raise ConfigError("[backfill]: attempts, parallel and samples must be above 0")


def address(url: str) -> str:
    """Where Prometheus is, without what may be secret. ConfigError for anything else."""
    try:
        parts = urlsplit(url)
        host, secret_ = parts.hostname, parts.password
        _ = parts.port
    except ValueError:
        host, secret_ = None, None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigError("--prometheus: write http(s)://host:port[/path]")
    if secret_:
        raise ConfigError(
            "--prometheus: no password in the address; use [backfill] user and password_file"
        )
    path = parts.path.rstrip("/").removesuffix("/api/v1")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def secret(key: str, path: str) -> str:
    """The secret in a file. ConfigError names the file, never what is in it."""
    try:
        text = Path(path).read_text().strip() if path else ""
    except (OSError, ValueError) as e:
        said = getattr(e, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"[backfill] {key} {path}: {said}") from None
    if not text or not text.isprintable() or not text.isascii():
        raise ConfigError(f"[backfill] {key} {path or '(none)'}: it holds no secret")
    return text


def brief(text: str) -> str:
    """One line of bounded length."""
    return " ".join(text.split())[:BRIEF]
