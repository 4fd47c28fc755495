"""Questions of a report, kept beside their answers: each number leads to the SQL behind it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from analytics.report.value import Query
from gpuledger.service import Reader

_PARAMETER = re.compile(r"\{(\w+):([A-Z][^{}]*)\}")
# Sections of the report in the order of its list of queries: name, title, board.
SECTIONS = {
    "fleet": ("Fleet and booked hours", "executive"),
    "ledger": ("Ledger", "explorer"),
    "history": ("13 weeks", "executive"),
    "metrics": ("Measures of success", "executive"),
    "compared": ("Baseline with fleet and job mix held constant", "executive"),
    "decisions": ("Decisions", "executive"),
    "outcomes": ("What became of decisions", "executive"),
    "wastes": ("Largest wastes", "idle"),
    "waits": ("Waiting", "queue"),
    "health": ("Health", "health"),
    "energy": ("Energy and CO2", "energy"),
    "forecast": ("Forecast", "executive"),
    "costs": ("Cost of productive GPU-hours", "energy"),
    "reconciled": ("Asset list", "collection"),
    "quality": ("Data quality", "collection"),
}


class Asked:
    """A reader that remembers what was asked for which section, with values for parameters."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._section = "fleet"
        self._asked: dict[str, dict[str, None]] = {}

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Questions inside belong to that section."""
        before, self._section = self._section, name
        try:
            yield
        finally:
            self._section = before

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows of a question. StoreError."""
        self._note(sql, parameters)
        return self._reader.select(sql, **parameters)

    def value(self, sql: str, **parameters: Any) -> Any:
        """The first value of a question. StoreError."""
        rows = self.select(sql, **parameters)
        return next(iter(rows[0].values())) if rows else None

    def parquet(self, sql: str, **parameters: Any) -> bytes:
        """The answer as a Parquet file. StoreError."""
        self._note(sql, parameters)
        return self._reader.parquet(sql, **parameters)

    def queries(self) -> tuple[Query, ...]:
        """What was asked, section by section."""
        return tuple(
            Query(name, title, board, tuple(self._asked[name]))
            for name, (title, board) in SECTIONS.items()
            if name in self._asked
        )

    def _note(self, sql: str, parameters: dict[str, Any]) -> None:
        self._asked.setdefault(self._section, {})[written(sql, parameters)] = None


def written(sql: str, parameters: dict[str, Any]) -> str:
    """The question with its parameters written out, ready to be run by hand."""

    def literal(match: re.Match[str]) -> str:
        name, type_ = match[1], match[2]
        return _literal(parameters[name], type_) if name in parameters else match[0]

    return textwrap.dedent(_PARAMETER.sub(literal, sql)).strip()


def _literal(value: Any, type_: str) -> str:
    if isinstance(value, datetime):
        return f"toDateTime64('{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}', 3, 'UTC')"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    if isinstance(value, list | tuple):
        items = ", ".join(_literal(item, "") for item in value)
        return f"CAST([{items}], '{type_}')" if type_ else f"[{items}]"
    return str(value)
