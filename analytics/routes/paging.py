"""Pages of a list: after the last row's key, so that rows that come in between move nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from gpuledger.errors import ConfigError

Row = Mapping[str, Any]
TEXT, NUMBER, TIME = "String", "Float64", "DateTime64(3, 'UTC')"
WHOLE = "Int64"
_PYTHON = {TEXT: str, NUMBER: float, TIME: datetime, WHOLE: int}
_SIGNED_BYTES = 12
NOT_OURS = "cursor: it is none of this route with these parameters; begin without one"


@dataclass(frozen=True)
class Key:
    """A column by which rows are ordered; all of them together name one row. Never null."""

    name: str
    type: str = TEXT
    falls: bool = False


@dataclass(frozen=True)
class Question:
    """What a list asks of the store: SQL whose rows have the keys, and its parameters.

    `pinned` is what the first page found out (a span, say) and later ones keep. `tidy` makes a row
    of the engine one for programs.
    """

    sql: str
    keys: Sequence[Key]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    where: Sequence[str] = ()
    pinned: Sequence[Any] = ()
    tidy: Callable[[Row], Row] = dict
    columns: Sequence[str] = ()

    def page(self, after: Sequence[Any], limit: int | None) -> tuple[str, dict[str, Any]]:
        """SQL and parameters of `limit` rows (None = all) after a key (empty = from the first)."""
        where, parameters = [*self.where], dict(self.parameters)
        if after:
            where.append(_after(self.keys))
            parameters |= {f"after_{i}": value for i, value in enumerate(after)}
        columns = dict.fromkeys([*self.columns, *(key.name for key in self.keys)])
        order = ", ".join(f"{k.name}{' DESC' if k.falls else ''}" for k in self.keys)
        sql = f"SELECT {', '.join(columns) if self.columns else '*'} FROM ({self.sql})"
        sql += f" WHERE {' AND '.join(f'({w})' for w in where)}" if where else ""
        sql += f" ORDER BY {order}"
        if limit is not None:
            sql += " LIMIT {page_rows:UInt32}"
            parameters["page_rows"] = limit
        return sql, parameters

    def key_of(self, row: Row) -> list[Any]:
        """What the page after this row begins behind."""
        return [row[key.name] for key in self.keys]


def _after(keys: Sequence[Key]) -> str:
    """Rows behind a key, as SQL: later in the first column in which they differ."""
    ways: list[str] = []
    same: list[str] = []
    for i, key in enumerate(keys):
        value = f"{{after_{i}:{key.type}}}"
        ways.append(" AND ".join([*same, f"{key.name} {'<' if key.falls else '>'} {value}"]))
        same.append(f"{key.name} = {value}")
    return " OR ".join(f"({way})" for way in ways)


def rows_after(rows: Sequence[Row], keys: Sequence[Key], after: Sequence[Any]) -> list[Row]:
    """Rows that are held already, in the order of the keys, behind one of them."""
    ordered = list(rows)
    for key in reversed(keys):
        ordered.sort(key=lambda row: row[key.name], reverse=key.falls)
    return [row for row in ordered if not after or _is_after(row, keys, after)]


def _is_after(row: Row, keys: Sequence[Key], after: Sequence[Any]) -> bool:
    for key, value in zip(keys, after, strict=True):
        if row[key.name] != value:
            return bool((row[key.name] > value) is not key.falls)
    return False


@dataclass(frozen=True)
class Cursors:
    """Writes and reads cursors of one question; nobody else can write one.

    `secret` is known to the service alone, `asked` is the route with all its parameters.
    """

    secret: str
    asked: str

    def write(self, key: Sequence[Any], pinned: Sequence[Any] = ()) -> str:
        """The cursor of the page behind a key."""
        body = msgspec.json.encode([key, pinned])
        return base64.urlsafe_b64encode(self._sign(body) + body).decode().rstrip("=")

    def read(self, cursor: str, keys: Sequence[Key], pinned: type = list) -> tuple[list[Any], Any]:
        """Key and what was pinned. ConfigError where it is none of ours, or of another question."""
        try:
            told = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
            signed, body = told[:_SIGNED_BYTES], told[_SIGNED_BYTES:]
            if not hmac.compare_digest(signed, self._sign(body)):
                raise ConfigError(NOT_OURS)
            key, kept = msgspec.json.decode(body)
            typed: list[Any] = [
                msgspec.convert(v, _PYTHON[k.type]) for v, k in zip(key, keys, strict=True)
            ]
            return typed, msgspec.convert(kept, pinned)
        except ValueError:
            raise ConfigError(NOT_OURS) from None

    def _sign(self, body: bytes) -> bytes:
        secret = hashlib.sha256(f"cursor/{self.secret}".encode()).digest()
        told = self.asked.encode(errors="replace") + b"\0" + body
        return hashlib.blake2b(told, key=secret, digest_size=_SIGNED_BYTES).digest()
