"""Loading of mapping files: what contradicts itself or the catalogue is a ConfigError.

So a wrong unit, a rate taken for a counter or a column that is not there never becomes data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from gpuledger.catalogue import ROWS
from gpuledger.errors import ConfigError, nearest
from gpuledger.mapping import Exporter, FeedPlan, Filter, RowPlan
from gpuledger.mapping_format import UNITS, Cell, Feed, MappingFile, RowFormat, Source
from gpuledger.schema import REQUIRED, Column, Kind, Row

FOLDER = Path(__file__).parent / "mappings"
SUFFIX = ".yaml"
NAMES = frozenset({Kind.LABEL, Kind.TEXT, Kind.NUMBER})
FED = {Kind.GAUGE: "gauge", Kind.BITS: "gauge", Kind.COUNTER: "counter"}
STAMPED = ("cluster", "node", "ts", "interval_seconds", "epoch")
ROW_CLASSES: dict[str, type[Row]] = {row.table.name: row for row in ROWS}


def shipped() -> list[str]:
    """Names of the mappings that come with gpuledger."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


@lru_cache(maxsize=64)
def load(name: str) -> Exporter:
    """A shipped mapping by name, or any by the path of its file. ConfigError says what is wrong."""
    path = Path(name) if name.endswith(SUFFIX) else FOLDER / f"{name}{SUFFIX}"
    if path.parent == FOLDER and path.stem not in shipped():
        near = nearest(name, shipped()) or f"; shipped are {', '.join(shipped())}"
        raise ConfigError(f"unknown mapping '{name}'{near}")
    try:
        text = path.read_text()
    except OSError as e:
        raise ConfigError(f"cannot read mapping {path}: {e.strerror}") from None
    except ValueError as e:
        raise ConfigError(f"mapping {path} is no text: {e}") from None
    return parse(text, path.name)


def parse(text: str, origin: str) -> Exporter:
    """A mapping from the text of a file; `origin` is named in errors. ConfigError as for `load`."""
    try:
        file = msgspec.convert(_yaml(text, origin), MappingFile)
    except msgspec.ValidationError as e:
        raise ConfigError(f"mapping {origin}: {e}") from None
    except RecursionError:
        raise ConfigError(f"mapping {origin} contains itself") from None
    try:
        return _checked(file)
    except ConfigError as e:
        raise ConfigError(f"mapping {origin}: {e}") from None


def _yaml(text: str, origin: str) -> Any:
    try:
        import yaml  # noqa: PLC0415 - only who uses mappings needs it
    except ImportError:
        raise ConfigError("mappings need pyyaml: install gpuledger[collector]") from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, AttributeError, TypeError) as e:
        said = " ".join(str(e).split())
        raise ConfigError(f"mapping {origin} is not YAML: {said[:300]}") from None


def _checked(file: MappingFile) -> Exporter:
    plans = _plans(file)
    supplement = re.compile(translate(file.supplement)) if file.supplement else None
    feeds: dict[str, tuple[FeedPlan, ...]] = {}
    order = 0
    for name, told in file.metrics.items():
        made = []
        for feed in told if isinstance(told, list) else [told]:
            order += 1
            supplements = bool(supplement and supplement.fullmatch(name))
            made.append(_feed(name, feed, plans, order, supplements=supplements))
        feeds[name] = tuple(made)
    exporter = Exporter(file.exporter, file, feeds)
    _check_ignored(file)
    _check_folds(feeds)
    return exporter


def _plans(file: MappingFile) -> dict[str, RowPlan]:
    """Every kind of row. One that is made beside another must not have more beside it."""
    beside: dict[str, list[RowPlan]] = {name: [] for name in file.rows}
    for name, row in file.rows.items():
        if row.beside:
            if row.beside not in file.rows or file.rows[row.beside].beside:
                raise ConfigError(f"rows.{name}: no row '{row.beside}' to stand beside")
            plan = _plan(name, row, ())
            _check_named(f"rows.{name}", plan, {})
            beside[row.beside].append(plan)
    return {name: _plan(name, row, tuple(beside[name])) for name, row in file.rows.items()}


def _plan(name: str, row: RowFormat, beside: tuple[RowPlan, ...]) -> RowPlan:
    if row.table not in ROW_CLASSES:
        raise ConfigError(
            f"rows.{name}: unknown table '{row.table}'{nearest(row.table, ROW_CLASSES)}"
        )
    plan = RowPlan(name, ROW_CLASSES[row.table], row.columns, _filter(name, row.where), beside)
    _check_sources(f"rows.{name}", plan, row.columns)
    return plan


def _check_sources(where: str, plan: RowPlan, sources: Mapping[str, Source]) -> None:
    for name, source in sources.items():
        column = _column(where, plan, name)
        if column.kind not in NAMES or name in STAMPED:
            raise ConfigError(f"{where}: {name} cannot come from labels, it is a {column.kind}")
        number = column.kind is Kind.NUMBER
        constant = source.otherwise if isinstance(source, Cell) else source
        if constant is not None and isinstance(constant, int) is not number:
            raise ConfigError(f"{where}: {name} is a {column.kind}, not {constant!r}")
        if isinstance(constant, int) and not 0 <= constant < 1 << column.bits:
            raise ConfigError(f"{where}: {constant} does not fit {name}")
        if isinstance(source, Cell):
            _check_cell(f"{where}.{name}", source, column)


def _check_cell(where: str, cell: Cell, column: Column[Any]) -> None:
    if cell.match:
        _regex(where, cell.match)
    if not 2 <= cell.base <= 36:
        raise ConfigError(f"{where}: no numbers have the base {cell.base}")
    if column.kind is not Kind.NUMBER and (cell.add or cell.base != 10 or cell.place):
        raise ConfigError(f"{where}: base, add and place are for numbers")
    if cell.place and column.name != "slot":
        raise ConfigError(f"{where}: only a slot is known by its place")


def _feed(
    name: str, feed: Feed, plans: Mapping[str, RowPlan], order: int, *, supplements: bool
) -> FeedPlan:
    where = f"metrics.{name}"
    row, _, column_name = feed.to.partition(".")
    if row not in plans:
        raise ConfigError(f"{where}: unknown row '{row}'{nearest(row, plans)}")
    plan = plans[row]
    column = _column(where, plan, column_name)
    _check_unit(where, feed, column)
    _check_sources(where, plan, feed.set)
    _check_named(where, plan, feed.set)
    return FeedPlan(plan, column, order, feed, _filter(where, feed.where), supplements)


def _check_unit(where: str, feed: Feed, column: Column[Any]) -> None:
    """Kind and unit must be the column's, or convert to it by a factor."""
    takes = FED.get(column.kind)
    if takes is None:
        raise ConfigError(f"{where}: no metric can fill {column.name}, it is a {column.kind}")
    if feed.kind != takes:
        raise ConfigError(f"{where}: {column.name} takes a {takes}, not a {feed.kind}")
    if feed.unit not in UNITS:
        raise ConfigError(f"{where}: unknown unit '{feed.unit}'{nearest(feed.unit, UNITS)}")
    unit = UNITS[feed.unit][0]
    if unit is not column.unit:
        wanted = column.unit.suffix.replace("_", " ") or "count"
        raise ConfigError(f"{where}: {column.name} is in {wanted}, which no {feed.unit} can become")
    if (feed.unit == "mask") is not (column.kind is Kind.BITS):
        raise ConfigError(f"{where}: a mask of flags goes to a column of flags, and nothing else")


def _check_named(where: str, plan: RowPlan, told: Mapping[str, Source]) -> None:
    """Every column that a row needs must come from somewhere."""
    for name, column in plan.columns.items():
        needed = column.default is REQUIRED and column.kind not in FED
        if needed and column.kind is not Kind.ADDITIVE and name not in {*plan.sources, *told}:
            raise ConfigError(
                f"{where}: nothing says the {name} of its rows in {plan.row.table.name}"
            )


def _check_ignored(file: MappingFile) -> None:
    """A name is mapped or ignored, not both, and ignored once."""
    seen: set[str] = set()
    for group in file.ignored:
        if not group.why.strip():
            raise ConfigError(f"ignored: no reason for {', '.join(group.names)}")
        for name in group.names:
            if name in seen or name in file.metrics:
                raise ConfigError(f"ignored: {name} is there twice")
            seen.add(name)


def _check_folds(feeds: Mapping[str, tuple[FeedPlan, ...]]) -> None:
    """Metrics that meet in one column must agree how they fold."""
    folds: dict[tuple[str, str, str], str] = {}
    for feed in _every(feeds):
        key = (feed.plan.name, feed.column.name, feed.told)
        if folds.setdefault(key, feed.feed.fold) != feed.feed.fold:
            raise ConfigError(f"{feed.feed.to}: metrics that meet there fold differently")


def _every(feeds: Mapping[str, tuple[FeedPlan, ...]]) -> Iterator[FeedPlan]:
    for told in feeds.values():
        yield from told


def _column(where: str, plan: RowPlan, name: str) -> Column[Any]:
    if name not in plan.columns:
        table = plan.row.table.name
        raise ConfigError(f"{where}: {table} has no column '{name}'{nearest(name, plan.columns)}")
    return plan.columns[name]


def _filter(where: str, labels: Mapping[str, str]) -> Filter:
    return Filter(tuple((name, _regex(where, text)) for name, text in labels.items()))


def _regex(where: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as e:
        raise ConfigError(f"{where}: '{text}' is no regex: {e}") from None
