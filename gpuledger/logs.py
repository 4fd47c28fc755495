"""Log lines: for people as text or for programs as JSON, each with the request it belongs to.

The standard library's logging and one formatter: a library for structured logs would bring ways to
bind fields that `Doing` needs in one place only, to nodes that have no room for it.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

FORMATS = ("text", "json")
# Fields of a record that are its own, beside its message: `log.info(…, extra={FIELDS: {…}})`.
FIELDS = "fields"


@dataclass(frozen=True, slots=True)
class Doing:
    """What the code that runs belongs to: a request, and the trace that tells of it; or neither."""

    request_id: str = ""
    trace_id: str = ""


_NOTHING = Doing()
DOING: ContextVar[Doing] = ContextVar("doing", default=_NOTHING)


def request_id() -> str:
    """The request that is being answered; empty outside of one."""
    return DOING.get().request_id


class TextLines(logging.Formatter):
    """The message alone, and which request it belongs to."""

    def __init__(self) -> None:
        super().__init__("%(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback where there is one."""
        line, doing = super().format(record), DOING.get()
        return f"{line} [request {doing.request_id}]" if doing.request_id else line


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, trace_id, and fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The object; line breaks of a traceback are escaped in it."""
        return msgspec.json.encode(told(record)).decode()


def told(record: logging.LogRecord) -> dict[str, Any]:
    """What a record says, by the names of its fields."""
    doing = DOING.get()
    out = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        "request_id": doing.request_id,
        "trace_id": doing.trace_id,
        **getattr(record, FIELDS, {}),
    }
    if record.exc_info:
        out["exception"] = logging.Formatter().formatException(record.exc_info)
    return out


def begin(form: str) -> None:
    """Lines on standard error from now on, of `form`; libraries speak only of errors.

    They tell each try of a request: our own line says once that rows wait, and why.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)
        root.setLevel(logging.INFO)
    for library in ("urllib3", "opentelemetry"):
        logging.getLogger(library).setLevel(logging.ERROR)
