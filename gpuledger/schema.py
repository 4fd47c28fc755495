"""How a table is declared: a class is a table, a line is a column.

    class GpuSample(Sample, table="gpu_samples", layout=Samples(key=("node", "gpu_index"))):
        power_watts: Gauge = gauge(WATT, "board power draw", step=MILLI, keep=("mean", "max"))

People, rows and views speak base units (`power_watts`); storage holds integers in the resolution
of the driver (`power_mw`). Only `gpuledger.batch` and the generated views convert.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, dataclass_transform, overload

from gpuledger.errors import ConfigError
from gpuledger.units import COUNT, MILLI, ONE, SECOND, SUFFIXES, Step, Unit

FOREVER = datetime(2106, 1, 1, tzinfo=UTC)
UNSET_TIME = datetime(1970, 1, 1, tzinfo=UTC)
REQUIRED: Any = ...

T = TypeVar("T")


class Kind(StrEnum):
    """What a column means, which decides how windows and rollups fold it."""

    TIME = "time"
    LABEL = "label"
    TEXT = "text"
    IDENT = "ident"
    NUMBER = "number"
    GAUGE = "gauge"
    COUNTER = "counter"
    ADDITIVE = "additive"
    BITS = "bits"


# Kinds whose value may be missing.
MEASURED = frozenset({Kind.GAUGE, Kind.COUNTER, Kind.ADDITIVE, Kind.BITS})


class Holds(StrEnum):
    """How a column holds persons: what `gpuledger people forget` looks for in it."""

    NAME = "name"  # the whole value is a user name, a full name or a mail address
    NAMES = "names"  # user names, joined by commas
    WORDS = "words"  # a text, or JSON, in which such a name may stand


class Codec(StrEnum):
    """Compression by the shape of the data, as measured for GPU telemetry."""

    NOISY = "T64, ZSTD(1)"
    PLATEAU = "ZSTD(1)"
    SMOOTH = "DoubleDelta, ZSTD(1)"
    CLOCK = "GCD, T64, ZSTD(1)"
    COUNTER = "Delta, T64, ZSTD(1)"
    TEXT = "ZSTD(3)"


@dataclass(frozen=True)
class Field:
    """One physical column: its stored name and type, and the name and scale that people see."""

    stored: str
    visible: str
    type: str
    factor: Fraction
    codec: Codec | None
    column: Column[Any]
    # A kept max names its mean, and is stored only where it differs from that.
    peak_of: str = ""

    @property
    def nullable(self) -> bool:
        """Whether missing is a value of this column."""
        return self.type.startswith("Nullable")


@dataclass(eq=False)
class Column(Generic[T]):
    """A declared column; on the class it is the declaration, on a row it is the value."""

    kind: Kind
    help: str
    unit: Unit = COUNT
    step: Step = ONE
    bits: int = 64
    keep: tuple[str, ...] = ("mean",)
    codec: Codec | None = None
    default: Any = REQUIRED
    wraps_bits: int = 0
    lasting: bool = False
    signed: bool = False
    holds: Holds | None = None
    name: str = field(default="", init=False)
    table: str = field(default="", init=False)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        _check_suffix(self)

    @overload
    def __get__(self, row: None, owner: type) -> Self: ...
    @overload
    def __get__(self, row: object, owner: type) -> T: ...
    def __get__(self, row: object | None, owner: type) -> Self | T:
        return self if row is None else cast("T", row.__dict__[self.name])

    def __set__(self, row: object, value: T) -> None:
        row.__dict__[self.name] = value

    @property
    def wraps_at(self) -> float:
        """Where the device's counter begins again at 0, in base units; 0 = nowhere known."""
        return float((1 << self.wraps_bits) * self.step.factor) if self.wraps_bits else 0.0

    @property
    def fields(self) -> tuple[Field, ...]:
        """The physical columns behind this line."""
        mean = Field(self._stored(), self.name, self._type(), self.step.factor, self.codec, self)
        if "max" not in self.keep:
            return (mean,)
        return mean, Field(
            f"{mean.stored}_max",
            f"{self.name}_max",
            mean.type,
            mean.factor,
            mean.codec,
            self,
            peak_of=mean.stored,
        )

    def _stored(self) -> str:
        if not self.unit.suffix:
            return self.name
        return self.name.removesuffix(self.unit.suffix) + self.unit.stored_suffix(self.step)

    def _type(self) -> str:
        match self.kind:
            case Kind.TIME:
                return "DateTime64(3, 'UTC')"
            case Kind.LABEL:
                return "LowCardinality(String)"
            case Kind.TEXT:
                return "String"
            case Kind.GAUGE | Kind.COUNTER | Kind.ADDITIVE | Kind.BITS:
                return f"Nullable({'' if self.signed else 'U'}Int{self.bits})"
            case _:
                return f"UInt{self.bits}"


def _check_suffix(column: Column[Any]) -> None:
    """Refuse a name whose suffix contradicts its unit."""
    suffix = column.unit.suffix
    if suffix and not column.name.endswith(suffix):
        raise ConfigError(f"column {column.name}: a {suffix} column must end in _{suffix}")
    claimed = next((s for s in SUFFIXES if column.name.endswith(f"_{s}")), "")
    if claimed and not suffix.endswith(claimed) and column.kind not in {Kind.TIME, Kind.LABEL}:
        raise ConfigError(f"column {column.name}: suffix _{claimed} contradicts its unit")


Time = Column[datetime]
Label = Column[str]
Number = Column[int]
Quantity = Column[float]
Bits = Column[int | None]
Gauge = Column[float | None]
Counter = Column[float | None]
Additive = Column[float | None]


def time(help: str, *, default: Any = REQUIRED) -> Any:
    """An instant, UTC, milliseconds."""
    return Column[datetime](Kind.TIME, help, codec=Codec.SMOOTH, default=default)


def label(help: str, *, default: Any = REQUIRED, holds: Holds | None = None) -> Any:
    """A short text with few different values; `holds`: persons, and how."""
    return Column[str](Kind.LABEL, help, codec=Codec.PLATEAU, default=default, holds=holds)


def text(help: str, *, default: Any = REQUIRED, holds: Holds | None = None) -> Any:
    """A text with many different values; `holds`: persons, and how."""
    return Column[str](Kind.TEXT, help, codec=Codec.TEXT, default=default, holds=holds)


def ident(help: str, *, default: Any = REQUIRED) -> Any:
    """A 64-bit identifier made by `hash64`."""
    return Column[int](Kind.IDENT, help, codec=Codec.PLATEAU, default=default)


def number(
    help: str,
    *,
    unit: Unit = COUNT,
    step: Step = ONE,
    bits: int = 32,
    codec: Codec = Codec.PLATEAU,
    default: Any = REQUIRED,
) -> Any:
    """A whole number that is always there."""
    return Column[float](Kind.NUMBER, help, unit, step, bits, codec=codec, default=default)


def gauge(
    unit: Unit,
    help: str,
    *,
    step: Step = ONE,
    bits: int = 32,
    keep: tuple[str, ...] = ("mean",),
    codec: Codec = Codec.NOISY,
    default: Any = REQUIRED,
    signed: bool = False,
) -> Any:
    """A quantity that goes up and down (`signed`: below 0, too); windows keep mean or also max."""
    return Column[float | None](
        *(Kind.GAUGE, help, unit, step, bits, keep, codec, default), signed=signed
    )


def counter(
    unit: Unit,
    help: str,
    *,
    step: Step = ONE,
    bits: int = 64,
    wraps_bits: int = 0,
    lasting: bool = False,
) -> Any:
    """A quantity that only grows, corrected by the agent; the value at the row's end.

    `wraps_bits`: width of the device's own counter, in steps, where it is narrow enough to wrap.
    `lasting`: the device keeps it without power, so that a reboot does not begin it again.
    """
    return Column[float | None](
        *(Kind.COUNTER, help, unit, step, bits),
        codec=Codec.COUNTER,
        wraps_bits=wraps_bits,
        lasting=lasting,
    )


def additive(unit: Unit, help: str, *, step: Step = ONE, bits: int = 32) -> Any:
    """A quantity that belongs to the row's own interval; windows and rollups add it up."""
    return Column[float | None](Kind.ADDITIVE, help, unit, step, bits, codec=Codec.PLATEAU)


def bits(help: str) -> Any:
    """A mask of flags; windows and rollups join the flags."""
    return Column[int | None](Kind.BITS, help, bits=64, codec=Codec.NOISY)


class Rollup(IntEnum):
    """How far telemetry is rolled up: each level costs every insert a part more."""

    NONE = 0
    MINUTES = 1
    HOURS = 2
    DAYS = 3


@dataclass(frozen=True)
class Writers:
    """Who may tell of the same thing: the column that names the writer, and who is believed first.

    Writers that `order` does not name come after those that it does.
    """

    column: str
    order: tuple[str, ...]


@dataclass(frozen=True)
class Samples:
    """Telemetry: rows that cover (ts - interval_ms, ts]; rolled up as far as it says.

    Where several `writers` tell of one key, rollups keep them apart.
    """

    key: tuple[str, ...]
    rollup: Rollup = Rollup.HOURS
    retention: str = "raw"
    writers: Writers | None = None


@dataclass(frozen=True)
class Events:
    """Things that happened at `ts`."""

    key: tuple[str, ...]
    retention: str = "minutes"


@dataclass(frozen=True)
class Versions:
    """Facts where the row with the highest `version` for a key holds."""

    key: tuple[str, ...]


@dataclass(frozen=True)
class Cells:
    """Computed rows of one window, replaced as a whole: a partition is `partition(at)`."""

    key: tuple[str, ...]
    at: str
    partition: str


Layout = Samples | Events | Versions | Cells


@dataclass(frozen=True)
class Table:
    """A declared table: name, layout and columns in order."""

    name: str
    help: str
    layout: Layout
    columns: tuple[Column[Any], ...]

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Every physical column, in insert order."""
        return tuple(f for c in self.columns for f in c.fields)

    @property
    def keys(self) -> tuple[Column[Any], ...]:
        """The columns that say what a row is about."""
        return tuple(c for c in self.columns if c.name in self.layout.key)


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(time, label, text, ident, number, gauge, counter, additive, bits),
)
class Row:
    """One row in base units; `None` is missing. A subclass with `table=` declares a table."""

    table: ClassVar[Table]
    _columns: ClassVar[tuple[Column[Any], ...]] = ()

    def __init_subclass__(cls, *, table: str = "", layout: Layout | None = None) -> None:
        own = [c for c in vars(cls).values() if isinstance(c, Column)]
        cls._columns = (*cls._columns, *own)
        if layout:
            cls.table = Table(table, (cls.__doc__ or "").strip(), layout, cls._columns)
            for column in own:
                column.table = table

    def __init__(self, **values: Any) -> None:
        for column in self._columns:
            value = values.pop(column.name, column.default)
            if value is REQUIRED:
                raise TypeError(f"{type(self).__name__} needs {column.name}")
            self.__dict__[column.name] = value
        if values:
            raise TypeError(f"{type(self).__name__} has no column {', '.join(values)}")

    @classmethod
    def known(cls, **values: Any) -> Self:
        """A row of what is known; every measured column that is not named is missing."""
        measured = (c.name for c in cls._columns if c.kind in MEASURED)
        return cls(**{**dict.fromkeys(measured), **values})

    def values(self) -> dict[str, Any]:
        """Visible name to value; a kept max of one reading is the reading itself."""
        out = dict(self.__dict__)
        for column in self._columns:
            if "max" in column.keep:
                out[f"{column.name}_max"] = out[column.name]
        return out

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment] # rows are mutable: the agent stamps them

    def __repr__(self) -> str:
        body = ", ".join(f"{k}={v!r}" for k, v in self.__dict__.items() if v is not None)
        return f"{type(self).__name__}({body})"


class Sample(Row):
    """What every telemetry row carries; the agent stamps these, sources leave them alone."""

    ts: Time = time("end of the interval that the row covers", default=UNSET_TIME)
    interval_seconds: Quantity = number(
        "time covered by the row, ending at ts", unit=SECOND, step=MILLI, default=0
    )
    cluster: Label = label("cluster name", default="")
    node: Label = label("node name", default="")
    epoch: Number = number("rises when the offsets of counters were lost", default=0)
