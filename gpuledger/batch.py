"""Columnar batches: what travels between the parts; rows in base units, batches as stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from gpuledger.schema import Field, Kind, Row, Table

if TYPE_CHECKING:
    import numpy as np

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Batch:
    """Rows of one table by stored column: lists (None = missing) or numpy arrays."""

    table: Table
    columns: dict[str, Any]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @classmethod
    def of_rows(cls, rows: Sequence[Row]) -> Batch:
        """Rows (all of one table, at least one) in base units."""
        return cls.of_values(rows[0].table, [row.values() for row in rows])

    @classmethod
    def of_values(cls, table: Table, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """Mappings of visible name to value in base units."""
        return cls(
            table,
            {f.stored: list(map(_writer(f), (r[f.visible] for r in rows))) for f in table.fields},
        ).with_peaks_apart()

    @classmethod
    def of_arrays(cls, table: Table, size: int, values: Mapping[str, Any]) -> Batch:
        """Numpy arrays or scalars by visible name, in base units; NaN and absence are missing.

        A kept max that is not given equals its mean.
        """
        columns = {f.stored: _array(f, size, values) for f in table.fields}
        return cls(table, columns).with_peaks_apart()

    def with_peaks_apart(self) -> Batch:
        """The batch with kept maxima only where they differ from their means."""
        found = self.columns
        peaks = {
            f.stored: _apart(found[f.stored], found[f.peak_of])
            for f in self.table.fields
            if f.peak_of and f.stored in found and f.peak_of in found
        }
        return Batch(self.table, {**found, **peaks})


def to_milliseconds(at: datetime) -> int:
    """Milliseconds since 1970, exact."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000 + delta.microseconds // 1_000


def from_milliseconds(ms: int) -> datetime:
    """The instant that many milliseconds after 1970, UTC."""
    return datetime.fromtimestamp(ms / 1_000, UTC)


def _writer(field: Field) -> Callable[[Any], Any]:
    """The function from a value in base units to its stored form."""
    kind = field.column.kind
    if kind is Kind.TIME:
        return to_milliseconds
    if kind in {Kind.LABEL, Kind.TEXT}:
        return str
    return _scaler(field.factor, field.nullable, _bounds(field))


def _bounds(field: Field) -> tuple[int, int]:
    """The smallest and the largest whole number that the column holds."""
    bits = field.column.bits
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if field.column.signed else (0, (1 << bits) - 1)


def _scaler(
    factor: Fraction, nullable: bool, bounds: tuple[int, int]
) -> Callable[[Any], int | None]:
    per_step = float(1 / factor)
    bottom, top = bounds

    def scale(value: float | None) -> int | None:
        if value is None:
            return None
        exact = value if isinstance(value, int) and factor == 1 else value * per_step
        # Neither NaN nor infinity lies between the two.
        if bottom - 1 < exact < top + 1 and bottom <= (scaled := round(exact)) <= top:
            return scaled
        if nullable:
            return None
        raise ValueError(f"{value} does not fit a column from {bottom} to {top}")

    return scale


def _apart(peaks: Any, means: Any) -> Any:
    """The peaks that differ from their means; the others are as good as told."""
    if not hasattr(peaks, "dtype") or not hasattr(means, "dtype"):
        return [None if peak == mean else peak for peak, mean in zip(peaks, means, strict=True)]
    import numpy as np  # noqa: PLC0415 - the node agent has no numpy and never comes here

    found = np.ma.getdata(peaks)
    same = found == np.ma.getdata(means)
    hidden = np.ma.getmaskarray(peaks) | (same & ~np.ma.getmaskarray(means))
    # Some servers keep what stands under the mask, and would store it.
    return np.ma.array(np.where(hidden, 0, found), mask=hidden)


def _array(field: Field, size: int, values: Mapping[str, Any]) -> Any:
    import numpy as np  # noqa: PLC0415 - the node agent has no numpy and never comes here

    value = values.get(field.visible, values.get(field.column.name, field.column.default))
    if value is ...:
        value = None
    if value is None or isinstance(value, str | datetime):
        stored = value if value is None else _writer(field)(value)
        return [stored] * size
    array = np.broadcast_to(np.asarray(value), (size,))
    if array.dtype.kind in "OUSM":
        return array if array.dtype.kind != "M" else array.astype("datetime64[ms]").astype("int64")
    return _scaled(array, field)


def _scaled(array: np.ndarray[Any, Any], field: Field) -> Any:
    """Integers as stored; a masked array where values are missing."""
    import numpy as np  # noqa: PLC0415 - see above

    if array.dtype.kind in "iu" and field.factor == 1:
        scaled = array
    else:
        with np.errstate(over="ignore"):
            scaled = np.rint(array * float(1 / field.factor))
    bottom, top = _bounds(field)
    whole = "int64" if bottom else "uint64"
    missing = ~((scaled >= bottom) & (scaled < top + 1))
    if not missing.any():
        return array if scaled is array else scaled.astype(whole)
    if not field.nullable:
        raise ValueError(f"{array[missing][0]} does not fit {field.stored} {field.type}")
    return np.ma.array(np.where(missing, 0, scaled).astype(whole), mask=missing)


def arrow(batch: Batch) -> Any:
    """The batch as a pyarrow table."""
    import pyarrow as pa  # noqa: PLC0415 - the node agent has no pyarrow and never comes here

    types = {f.stored: f.type for f in batch.table.fields}

    def convert(name: str, column: Any) -> Any:
        mask = getattr(column, "mask", None)
        data = column if mask is None else column.data
        array = pa.array(data, mask=mask)
        return array.cast(pa.timestamp("ms", "UTC")) if "DateTime64" in types[name] else array

    return pa.table({name: convert(name, column) for name, column in batch.columns.items()})


def by_table(rows: Iterable[Row]) -> list[Batch]:
    """One batch per table, in order of first appearance."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.table.name, []).append(row)
    return [Batch.of_rows(group) for group in groups.values()]
