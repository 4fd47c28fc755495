"""How a mapping file is written: its keys, and the words for foreign units.

A file says what an exporter's metrics are in our tables. Names and units in it are facts from the
exporter's own documents, which `facts` names; `seen_live` says whether a real one was ever read.

    exporter: example
    facts: [where names, labels and units were found]
    seen_live: false
    rows:
      disk:
        table: block_samples
        columns: {device: {label: device, match: "(?:/dev/)?(.+)"}}
    metrics:
      disk_read_kib: {to: disk.read_bytes, unit: kibibyte, kind: counter}
    ignored:
      - {why: a rate; our column is a count, names: ["disk_*_rate"]}

Series whose labels give a row the same key become one row. A column that is no key is told by the
first series that has it. A row without a value for a column that it needs is not made.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Literal

import msgspec

from gpuledger.units import (
    BYTE,
    BYTE_PER_SECOND,
    CELSIUS,
    COUNT,
    HERTZ,
    JOULE,
    RATIO,
    SECOND,
    WATT,
    Unit,
)

# Word to base unit and what one of it is in that unit. A unit that is not here cannot be converted
# by a factor, or nobody needed it yet.
UNITS: dict[str, tuple[Unit, Fraction]] = {
    "count": (COUNT, Fraction(1)),
    "mask": (COUNT, Fraction(1)),
    "ratio": (RATIO, Fraction(1)),
    "percent": (RATIO, Fraction(1, 100)),
    "watt": (WATT, Fraction(1)),
    "milliwatt": (WATT, Fraction(1, 1_000)),
    "microwatt": (WATT, Fraction(1, 1_000_000)),
    "joule": (JOULE, Fraction(1)),
    "millijoule": (JOULE, Fraction(1, 1_000)),
    "microjoule": (JOULE, Fraction(1, 1_000_000)),
    "kilowatt hour": (JOULE, Fraction(3_600_000)),
    "byte": (BYTE, Fraction(1)),
    "bit": (BYTE, Fraction(1, 8)),
    "kilobyte": (BYTE, Fraction(1_000)),
    "kibibyte": (BYTE, Fraction(1 << 10)),
    "megabyte": (BYTE, Fraction(1_000_000)),
    "mebibyte": (BYTE, Fraction(1 << 20)),
    "gigabyte": (BYTE, Fraction(1_000_000_000)),
    "gibibyte": (BYTE, Fraction(1 << 30)),
    "block of 512 bytes": (BYTE, Fraction(512)),
    "byte per second": (BYTE_PER_SECOND, Fraction(1)),
    "bit per second": (BYTE_PER_SECOND, Fraction(1, 8)),
    "megabit per second": (BYTE_PER_SECOND, Fraction(125_000)),
    "megabyte per second": (BYTE_PER_SECOND, Fraction(1_000_000)),
    "gigabit per second": (BYTE_PER_SECOND, Fraction(125_000_000)),
    "second": (SECOND, Fraction(1)),
    "millisecond": (SECOND, Fraction(1, 1_000)),
    "microsecond": (SECOND, Fraction(1, 1_000_000)),
    "nanosecond": (SECOND, Fraction(1, 1_000_000_000)),
    "minute": (SECOND, Fraction(60)),
    "celsius": (CELSIUS, Fraction(1)),
    "millicelsius": (CELSIUS, Fraction(1, 1_000)),
    "hertz": (HERTZ, Fraction(1)),
    "kilohertz": (HERTZ, Fraction(1_000)),
    "megahertz": (HERTZ, Fraction(1_000_000)),
}


class Strict(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a file: an unknown key is an error."""


class Cell(Strict):
    """Where a column that names or describes its row comes from: a label, or a text of labels."""

    label: Annotated[str | list[str], "label whose value it is; the first of several that is set"]
    match: Annotated[str, "regex for the whole label; its groups, joined, are the value"] = ""
    base: Annotated[int, "base of the number that the label holds"] = 10
    add: Annotated[int, "added to the number"] = 0
    place: Annotated[list[str], "labels (UUID, PCI bus id) by which this node knows the slot"] = []
    otherwise: Annotated[str | int | None, "value where no label tells; else there is no row"] = (
        None
    )


# A constant; a text in which `{label}` stands for a label's value; or a cell.
Source = str | int | Cell


class RowFormat(Strict):
    """One kind of row that series become."""

    table: Annotated[str, "table of the catalogue"]
    columns: Annotated[dict[str, Source], "column to a constant, or to where it comes from"] = {}
    where: Annotated[dict[str, str], "label to regex: only series of which all match"] = {}
    beside: Annotated[str, "made too wherever a series becomes that other row"] = ""


class Feed(Strict):
    """One metric, or the part of it that `where` picks, into one column."""

    to: Annotated[str, "row.column"]
    unit: Annotated[str, "the exporter's unit, a word of UNITS"]
    kind: Annotated[Literal["gauge", "counter"], "what it truly is, whatever its TYPE line says"]
    where: Annotated[dict[str, str], "label to regex: only series of which all match"] = {}
    fold: Annotated[
        Literal["one", "sum", "max", "min", "mean", "first"],
        "what several values for one cell become; `one`: they must agree",
    ] = "one"
    set: Annotated[dict[str, Source], "columns of the row that this metric alone tells"] = {}


class Ignored(Strict):
    """Metrics that become nothing, and why; `*` stands for any text."""

    why: str
    names: list[str]


class MappingFile(Strict):
    """A whole file."""

    exporter: Annotated[str, "name of the exporter; the `source` of rows"]
    facts: Annotated[list[str], "documents that names, labels and units were taken from"]
    seen_live: Annotated[bool, "whether a real exporter was ever read with this mapping"]
    rows: dict[str, RowFormat]
    metrics: dict[str, Feed | list[Feed]]
    ignored: list[Ignored] = []
    nodes: Annotated[list[str], "labels that name the node, for who gathers from many"] = []
    passing: Annotated[
        list[str],
        "labels that come and go with whoever uses the thing; no series differ by them",
    ] = []
    supplement: Annotated[
        str, "metrics (`*` = any text) that fill gaps of NVML's rows; empty = none"
    ] = ""
    prefix: Annotated[str, "what the exporter's settings may put before every name"] = ""
    notes: Annotated[str, "what people should know before they use it"] = ""
