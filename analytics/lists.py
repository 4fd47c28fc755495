"""Lists that people keep (CSV): read whole, refused whole, merged into what is stored in time."""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from gpuledger.batch import EPOCH
from gpuledger.errors import ConfigError, nearest
from gpuledger.rows import changed
from gpuledger.schema import FOREVER, Row

R = TypeVar("R", bound=Row)
L = TypeVar("L", bound=msgspec.Struct)
T = TypeVar("T")

# Line ends, NUL and the like: no name has them, and a table or log line would break.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class BadLines(ConfigError):
    """A file of which some lines cannot be used; nothing of it was taken."""

    def __init__(self, path: Path, lines: Sequence[str], of: int, what: str = "lines") -> None:
        self.lines = tuple(lines)
        super().__init__(
            f"{path}: {len(lines)} of {of} {what} cannot be used; nothing was imported"
        )


def read(path: Path, kind: type[L], make: Callable[[L], Iterable[T]]) -> list[T]:
    """What `make` makes of the lines of a CSV file with a header.

    ConfigError where it is no such file; BadLines with a word on each line that cannot be used,
    be it by its cells or by the ValueError of `make`.
    """
    header, body = _cells(path)
    _check_header(path, header, kind)
    found: list[T] = []
    bad: list[str] = []
    for number, cells in body:
        try:
            found.extend(make(_line(header, cells, kind)))
        except ValueError as e:
            bad.append(f"line {number}: {e}")
    if bad:
        raise BadLines(path, bad, len(body))
    return found


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file, strict=True)
            rows = [(lines.line_num, [c.strip() for c in row]) for row in lines]
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as e:
        raise ConfigError(f"{path} is no CSV file: {e}") from None
    told = [(n, row) for n, row in rows if any(row) and not row[0].startswith("#")]
    if not told:
        raise ConfigError(f"{path} is empty")
    return [name.lower() for name in told[0][1]], told[1:]


def _check_header(path: Path, header: Sequence[str], kind: type[msgspec.Struct]) -> None:
    fields = msgspec.structs.fields(kind)
    known = [f.name for f in fields]
    for name in header:
        if name not in known:
            hint = nearest(name, known) or f"; there are {', '.join(known)}"
            raise ConfigError(f"{path}: unknown column '{name}'{hint}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ConfigError(f"{path} has the column {', '.join(twice)} twice")
    lacking = [f.name for f in fields if f.required and f.name not in header]
    if lacking:
        raise ConfigError(f"{path} lacks the column {', '.join(lacking)}")


def _line(header: Sequence[str], cells: Sequence[str], kind: type[L]) -> L:
    if len(cells) != len(header):
        raise ValueError(f"{len(cells)} cells, not {len(header)}")
    told = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    lacking = [f.name for f in msgspec.structs.fields(kind) if f.required and f.name not in told]
    if lacking:
        raise ValueError(f"{', '.join(lacking)}: nothing is said")
    for name, cell in told.items():
        check_plain(name, cell)
    try:
        return msgspec.convert(told, kind, strict=False)
    except msgspec.ValidationError as e:
        said, _, place = str(e).partition(" - at `$.")
        name = place.rstrip("`")
        said = "is no whole number" if "`int" in said else said
        raise ValueError(f"{name}: '{told.get(name, '')}' {said}") from None


def check_plain(name: str, text: str) -> None:
    """ValueError where a text has line ends or other control characters."""
    if _CONTROL.search(text):
        raise ValueError(f"{name}: {text!r} has a line end or another control character")


def moment(text: str, default: datetime) -> datetime:
    """A date or an RFC 3339 time, UTC where it names no zone, to the whole minute before it.

    What is before all time or after it (9999-12-31, say) is its beginning or its end.
    """
    if not text:
        return default
    try:
        at = datetime.fromisoformat(text)
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"'{text}' is no date; write 2026-11-16 or 2026-11-16T08:00Z") from None
    return min(max(at.replace(second=0, microsecond=0), EPOCH), FOREVER)


def spanned(valid_from: str, valid_to: str) -> tuple[datetime | None, datetime]:
    """From when (None = not said) until when; ValueError where it ends before it begins."""
    since = moment(valid_from, EPOCH) if valid_from else None
    until = moment(valid_to, FOREVER)
    if (since or EPOCH) >= until:
        raise ValueError(f"valid_to {valid_to} is not after valid_from {valid_from or '(none)'}")
    return since, until


@dataclass(frozen=True)
class Merge(Generic[R]):
    """How statements that hold for a time meet those that are stored: by key, from a time on.

    A statement whose beginning nobody told (valid_from = 1970) holds for all the past where it is
    the first about its key. One that says something new ends the old one at `now`: what was
    reported must not belong to somebody else tomorrow.
    """

    key: tuple[str, ...]
    now: datetime

    def rows(self, stored: Sequence[R], wanted: Sequence[R], *, complete: bool = False) -> list[R]:
        """What must be written; with `complete`, what the list does not name ends now.

        ConfigError for a list that is complete and names nothing: nobody means that.
        """
        if complete and not wanted:
            raise ConfigError("the list names nothing: with --complete everything would end now")
        held = {self._of(row): row for row in stored if row.__dict__["valid_to"] >= FOREVER}
        known = {(*self._of(r), r.__dict__["valid_from"]): r for r in stored}
        out = [new for row in wanted for new in self._news(row, held, known)]
        if complete:
            named = {self._of(row) for row in wanted}
            out += [self._ended(row) for key, row in held.items() if key not in named]
        return out

    def _of(self, row: R) -> tuple[Any, ...]:
        return tuple(row.__dict__[name] for name in self.key)

    def _news(
        self, row: R, held: Mapping[tuple[Any, ...], R], known: Mapping[tuple[Any, ...], R]
    ) -> Iterable[R]:
        before, since = held.get(self._of(row)), row.__dict__["valid_from"]
        if since > EPOCH:
            there = known.get((*self._of(row), since))
            if there is not None and same(row, there):
                return []
            over = before if before is not None and before.__dict__["valid_from"] < since else None
            return [changed(over, valid_to=since), row] if over is not None else [row]
        if before is None:
            past = any(key[:-1] == self._of(row) for key in known)
            return [changed(row, valid_from=self.now) if past else row]
        if same(row, before, "valid_from", "valid_to"):
            same_end = row.__dict__["valid_to"] == before.__dict__["valid_to"]
            return [] if same_end else [changed(before, valid_to=row.__dict__["valid_to"])]
        return [self._ended(before), changed(row, valid_from=self.now)]

    def _ended(self, row: R) -> R:
        return changed(row, valid_to=max(self.now, row.__dict__["valid_from"]))


def same(one: Row, other: Row, *besides: str) -> bool:
    """Whether two rows say the same, but for their version and the columns `besides`."""
    left_out = {"version", *besides}
    return all(v == other.__dict__[k] for k, v in one.__dict__.items() if k not in left_out)


def stamped(rows: Sequence[R], version: int) -> list[R]:
    """The rows with one version."""
    return [changed(row, version=version) for row in rows]


@dataclass(frozen=True)
class Taken:
    """What became of a file."""

    lines: int
    written: int
    notes: tuple[str, ...] = dataclasses.field(default=())
