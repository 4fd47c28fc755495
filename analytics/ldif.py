"""LDIF, the text form of a directory (RFC 2849): entries with their lines; fetches nothing."""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpuledger.errors import ConfigError

# What ldapsearch says beside the entries where nobody asked for -LLL.
_ASIDE = {"search", "result", "ref", "control", "pagedresults"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NAME = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.;=*-]*")
_HEX_OR_CHARACTER = re.compile(rb"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
# RFC 4514: what a backslash hides ends nothing.
_BETWEEN_NAMES = re.compile(r"((?:[^\\,;]|\\.)*)(?:[,;]|$)", re.DOTALL)
_BETWEEN_PARTS = re.compile(r"((?:[^\\+]|\\.)*)(?:\+|$)", re.DOTALL)


@dataclass(frozen=True)
class Value:
    """One value of an attribute and the line where it begins; `raw` is None where a URL has it."""

    name: str
    options: str
    raw: bytes | None
    line: int

    @property
    def text(self) -> str:
        """The value as text. ValueError where it is none, or lies elsewhere."""
        if self.raw is None:
            raise ValueError(f"{self.name} is in another file (:<), which is not read")
        try:
            return self.raw.decode().strip()
        except UnicodeDecodeError:
            raise ValueError(f"{self.name} is not UTF-8") from None


@dataclass(frozen=True)
class Entry:
    """One entry: its distinguished name, its line, its values as they stand."""

    dn: str
    line: int
    values: tuple[Value, ...]

    def of(self, *names: str) -> list[Value]:
        """Values of the first of these attributes that has any; names in small letters."""
        for name in names:
            if found := [v for v in self.values if v.name == name]:
                return found
        return []

    def text(self, *names: str) -> str:
        """The first value that is not empty, or an empty string. ValueError as in `Value.text`."""
        return next((text for n in names for v in self.of(n) if (text := v.text)), "")


def read(path: Path) -> list[Entry]:
    """The entries of a file. ConfigError with the line where it is no LDIF, or not whole."""
    try:
        raw = path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from None
    try:
        entries = [_entry(block) for block in _blocks(_text(raw))]
    except UnicodeDecodeError as e:
        raise ConfigError(f"{path} is no LDIF: {e}") from None
    except ValueError as e:
        raise ConfigError(f"{path}: {e}") from None
    found = [entry for entry in entries if entry]
    if not found:
        raise ConfigError(f"{path} has no entry")
    return found


def parts(dn: str) -> list[list[tuple[str, str]]]:
    """Relative names of a distinguished name, each as (attribute, value), unescaped (RFC 4514)."""
    return [
        [_pair(part) for part in _split(_BETWEEN_PARTS, name)]
        for name in _split(_BETWEEN_NAMES, dn)
    ]


def same_name(dn: str) -> str:
    """A distinguished name so that equal ones are equal: case and spaces around parts left out."""
    return ",".join("+".join(f"{a}={v.casefold()!r}" for a, v in sorted(n)) for n in parts(dn))


def _text(raw: bytes) -> bytes:
    """Without a byte order mark; what Windows wrote as UTF-16 as UTF-8."""
    return raw.decode("utf-16").encode() if raw[:2] in _UTF16 else raw.removeprefix(codecs.BOM_UTF8)


def _blocks(raw: bytes) -> Iterator[list[tuple[int, bytes]]]:
    """Unfolded lines between empty ones, with their numbers; comments left out."""
    block: list[tuple[int, bytes]] = []
    for number, line in _unfolded(raw):
        if line:
            block.append((number, line))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _unfolded(raw: bytes) -> Iterator[tuple[int, bytes]]:
    begun, pieces = 0, [b"#"]
    for number, ended in enumerate(raw.split(b"\n"), 1):
        line = ended.removesuffix(b"\r")
        if line.startswith(b" ") and pieces[0]:
            pieces.append(line[1:])
            continue
        if not pieces[0].startswith(b"#"):
            yield begun, b"".join(pieces)
        begun, pieces = number, [line]
    if not pieces[0].startswith(b"#"):
        yield begun, b"".join(pieces)


def _entry(block: Sequence[tuple[int, bytes]]) -> Entry | None:
    """The entry of one block; None for what stands beside entries."""
    values = [_value(number, line) for number, line in block]
    if values[0].name == "version":
        values = values[1:]
    if not values or values[0].name in _ASIDE:
        _whole(values)
        return None
    first = values[0]
    if first.name != "dn":
        raise ValueError(f"line {first.line}: an entry begins with 'dn:', not with '{first.name}:'")
    entry = Entry(_told(first), first.line, tuple(values[1:]))
    for change in entry.of("changetype"):
        if _told(change) != "add":
            raise ValueError(f"line {change.line}: this is a list of changes, not of entries")
    return entry


def _whole(values: Sequence[Value]) -> None:
    """Refuse the answer to a search that a server cut short."""
    for value in values:
        if value.name == "result" and not _told(value).startswith("0"):
            raise ValueError(f"line {value.line}: the search ended early: {_told(value)}")


def _told(value: Value) -> str:
    try:
        return value.text
    except ValueError as e:
        raise ValueError(f"line {value.line}: {e}") from None


def _value(number: int, line: bytes) -> Value:
    named, colon, told = line.partition(b":")
    if not colon or not _NAME.fullmatch(named):
        raise ValueError(f"line {number}: no 'name: value'")
    name, _, options = named.decode().lower().partition(";")
    if told.startswith(b"<"):
        return Value(name, options, None, number)
    if not told.startswith(b":"):
        return Value(name, options, told.strip(b" "), number)
    try:
        return Value(name, options, base64.b64decode(told[1:].strip(b" "), validate=True), number)
    except ValueError:
        raise ValueError(f"line {number}: {name} is no base64") from None


def _split(between: re.Pattern[str], text: str) -> list[str]:
    return [part for part in between.findall(text) if part.strip()]


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip().lower(), _plain(value.strip())


def _plain(value: str) -> str:
    """What an escaped value says: `\\,` is a comma, `\\C3\\BC` is ü in UTF-8."""
    raw = _HEX_OR_CHARACTER.sub(_unescaped, value.encode())
    return raw.decode(errors="replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    told = match[1]
    return bytes.fromhex(told.decode()) if len(told) == 2 else told
