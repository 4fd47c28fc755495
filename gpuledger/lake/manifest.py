"""`_manifest.json`: what a lake holds, by table, date and file, with rows and checksums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from gpuledger import __version__
from gpuledger.errors import ConfigError
from gpuledger.lake.files import Files

NAME = "_manifest.json"
FORMAT = "gpuledger-lake"
VERSION = 1

Kind = Literal["tables", "readable"]


class File(msgspec.Struct):
    """One Parquet file; rows of [since, until), seconds since 1970."""

    path: str
    rows: int
    bytes: int
    sha256: str
    since: int
    until: int


class Part(msgspec.Struct):
    """One date of a table; the fingerprint tells whether the store still has the same rows."""

    fingerprint: str
    files: list[File] = []

    @property
    def count(self) -> int:
        """Rows of the store that it was made of."""
        return int(self.fingerprint.partition("-")[0] or 0)

    @property
    def rows(self) -> int:
        """Rows of its files."""
        return sum(f.rows for f in self.files)


class ColumnNote(msgspec.Struct):
    """Type in the store, unit (UCUM), how many units one step is, and meaning."""

    type: str
    unit: str
    step: str
    help: str


class TableEntry(msgspec.Struct):
    """Columns, and the dates that are whole in the lake."""

    columns: dict[str, ColumnNote] = {}
    parts: dict[str, Part] = {}


class Manifest(msgspec.Struct):
    """The lake's list of contents; what it does not name does not belong to the lake."""

    format: str = FORMAT
    version: int = VERSION
    kind: Kind = "tables"
    gpuledger: str = __version__
    tables: dict[str, TableEntry] = {}


class _Head(msgspec.Struct):
    format: str = ""
    version: int = 0
    gpuledger: str = "?"


def decode(body: bytes, place: str) -> Manifest:
    """The manifest. ConfigError where it is none of ours, or newer than we are."""
    try:
        head = msgspec.json.decode(body, type=_Head)
        if head.format != FORMAT:
            raise ConfigError(f"{place} is no gpuledger export: its {NAME} is of something else")
        if head.version > VERSION:
            raise ConfigError(
                f"{place} was written by a newer gpuledger ({head.gpuledger}, layout"
                f" {head.version}; this one knows {VERSION}): upgrade first"
            )
        return msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as e:
        raise ConfigError(
            f"{place} is no gpuledger export: its {NAME} cannot be read: {e}"
        ) from None


def encode(manifest: Manifest) -> bytes:
    """Readable JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1)


def begun(files: Files, kind: Kind) -> Manifest:
    """The lake's manifest, or a new one. ConfigError where another kind of lake lies there."""
    body = files.get(NAME)
    if body is None:
        return Manifest(kind=kind)
    found = decode(body, files.place)
    if found.kind != kind:
        raise ConfigError(f"{files.place} holds an export of kind '{found.kind}': choose another")
    found.gpuledger = __version__
    return found


def check_known(
    name: str, entry: TableEntry, columns: Mapping[str, ColumnNote], place: str
) -> None:
    """ConfigError where a table of the lake has columns, or types, that this catalogue lacks."""
    for column, note in entry.columns.items():
        known = columns.get(column)
        if known is None or known.type != note.type:
            what = f"of type {note.type}" if known else "which this gpuledger does not know"
            raise ConfigError(
                f"{place} was written by another gpuledger: {name} has a column {column}, {what};"
                " upgrade first"
            )
