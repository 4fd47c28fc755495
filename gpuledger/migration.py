"""From the database as it is to the database as it should be, by statements that only add."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gpuledger.ddl import DEDUPLICATION_WINDOW, FOR_EVER, TTL_SETTINGS, Keeping, Target
from gpuledger.errors import ConfigError
from gpuledger.rollups import KNOWN

# What a rollup says of itself until it has what was there before it.
UNFILLED = "gpuledger: to be filled"
# One statement fills what one block may hold in memory: an hour of samples, a day of minutes. One
# block is kept or refused as a whole, so that a second attempt under its token adds nothing.
ONE_BLOCK = {
    "async_insert": 0,
    "max_insert_threads": 1,
    "max_threads": 1,
    "min_insert_block_size_rows": 1_000_000_000,
    "min_insert_block_size_bytes": 0,
}


@dataclass(frozen=True)
class Found:
    """A table or view as the database has it; `full` is its engine with keys, TTL and settings."""

    columns: Mapping[str, str]
    engine: str = ""
    full: str = ""
    comment: str = ""
    key: str = ""
    partition: str = ""
    policy: str = ""

    @property
    def ttl(self) -> list[str]:
        """The parts of its TTL."""
        said = re.search(r" TTL (.*?)(?: SETTINGS |$)", self.full)
        return _parts(said[1]) if said else []

    def setting(self, name: str) -> str:
        """The value of a setting of its own; empty = none."""
        said = re.search(rf"\b{name} = ([^,]+)", self.full)
        return said[1].strip() if said else ""


@dataclass
class Plan:
    """Statements in an order in which they are safe, and each may run twice.

    Tables first, so that what fills them finds its columns; then rollups get what was there
    before them, and are marked as filled; then what fills them from now on; views last.
    """

    tables: list[str] = field(default_factory=list)
    fills: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    triggers: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def statements(self) -> list[str]:
        """All of them, one after another."""
        return [*self.tables, *self.fills, *self.marks, *self.triggers, *self.views]


# Table and a length of time to the starts of those lengths of which the table has rows.
Moments = Callable[[str, timedelta], Sequence[datetime]]


def plan(
    targets: Sequence[Target],
    found: Mapping[str, Found],
    keeping: Keeping = FOR_EVER,
    moments: Moments = lambda _table, _length: (),
) -> Plan:
    """What brings a database to its targets. ConfigError where that would drop or retype."""
    out = Plan()
    by_name = {t.name: t for t in targets}
    for target in targets:
        there = found.get(target.name)
        if target.kind == "table":
            late = _nearest(target, by_name, found) is not None
            _plan_table(out, target, there, keeping, late=late)
        elif target.kind == "materialized view":
            out.triggers += _trigger(target, there)
        elif there is None or there.comment != target.stamp:
            (out.tables if target.kind == "distributed" else out.views).append(target.create)
    _plan_fills(out, targets, found, moments)
    return out


def _plan_table(
    out: Plan, target: Target, there: Found | None, keeping: Keeping, *, late: bool
) -> None:
    """`late`: what the table is made of was there before it."""
    if there is None:
        out.tables.append(f"{target.body}\nCOMMENT '{UNFILLED}'" if late else target.body)
        return
    _check_kind(target, there)
    added = _added(target, there)
    out.tables += _alter(target, added, there)
    out.tables += _ages(target, there, keeping)
    if added and target.of:
        names = ", ".join(added)
        out.notes.append(f"{target.name}: empty in what was rolled up before: {names}")


def _check_kind(target: Target, there: Found) -> None:
    """Refuse what no statement can add."""
    engine = _said(r"ENGINE = (\w+)", target)
    if there.engine.removeprefix("Replicated").removeprefix("Shared") != engine:
        raise _refusal(target, f" is a {there.engine} in the database but declared {engine}")
    partition = _said(r"PARTITION BY (\S+)", target)
    if _plain(there.partition) != _plain(partition):
        told = f" is cut by {there.partition or 'nothing'} in the database"
        raise _refusal(target, f"{told} but declared by {partition or 'nothing'}")
    for name, kind in target.columns.items():
        if _plain(there.columns.get(name, kind)) != _plain(kind):
            said = f"declared {kind}"
            raise _refusal(target, f".{name} is {there.columns[name]} in the database but {said}")
    _check_gauges(target, there)


def _refusal(target: Target, told: str) -> ConfigError:
    return ConfigError(f"{target.name}{told}: {_remedy(target)}")


def _remedy(target: Target) -> str:
    if not target.of:
        return "retyping is refused, migrate by hand"
    return (
        f"retyping is refused; it is made of {target.of}: drop {target.name} and {target.name}_mv"
        " by hand, and it is filled again as far as that reaches back"
    )


def _check_gauges(target: Target, there: Found) -> None:
    """A rollup has a bit for each gauge, in order: one in between would give the bits away."""
    if KNOWN not in target.columns:
        return
    kept = [name for name in there.columns if name.endswith("_wsum")]
    declared = [name for name in target.columns if name.endswith("_wsum")]
    if declared[: len(kept)] != kept:
        at = next(i for i, name in enumerate(kept) if declared[i : i + 1] != [name])
        told = f": gauge {at + 1} is {kept[at]} in the database but declared otherwise"
        raise ConfigError(f"{target.name}{told}: new gauges come after all others")


def _added(target: Target, there: Found) -> dict[str, str]:
    """Columns that the table lacks, and how each is added in its place."""
    lines = dict(re.findall(r"^  `(\w+)` (.*?),?$", target.body, re.MULTILINE))
    out, before = {}, "FIRST"
    for name in target.columns:
        if name not in there.columns:
            out[name] = f"ADD COLUMN IF NOT EXISTS `{name}` {lines[name]} {before}"
        before = f"AFTER `{name}`"
    return out


def _alter(target: Target, added: Mapping[str, str], there: Found) -> list[str]:
    """One statement: a key may only grow by columns that come with it."""
    declared = _parts(_said(r"ORDER BY \((.*)\)$", target))
    existing = _parts(re.sub(r"^\((\w+)\)$", r"\1", there.key))
    grown = [k for k in declared if k not in existing]
    if not set(grown) <= set(added) or set(existing) - set(declared):
        told = f" is ordered by ({', '.join(existing)}) in the database"
        raise _refusal(target, f"{told} but declared by ({', '.join(declared)})")
    changes = list(added.values())
    if grown:
        changes.append(f"MODIFY ORDER BY ({', '.join([*existing, *grown])})")
    return [f"ALTER TABLE {target.name} {', '.join(changes)}"] if changes else []


def _ages(target: Target, there: Found, keeping: Keeping) -> Iterator[str]:
    """Settings first: a volume must be there before rows are told to move to it."""
    if not target.ages[0]:
        return
    wanted: dict[str, int | str] = {}
    window = there.setting("non_replicated_deduplication_window")
    if window and int(window) < DEDUPLICATION_WINDOW:
        wanted["non_replicated_deduplication_window"] = DEDUPLICATION_WINDOW
    if keeping.policy and there.policy != keeping.policy:
        wanted["storage_policy"] = f"'{keeping.policy}'"
    ttl = _ttl(target, there, keeping)
    if ttl:
        wanted |= {n: v for n, v in TTL_SETTINGS.items() if there.setting(n) != str(v)}
    for name, value in wanted.items():
        yield f"ALTER TABLE {target.name} MODIFY SETTING {name} = {value}"
    if [_plain(part) for part in ttl] != [_plain(part) for part in there.ttl]:
        changed = f"MODIFY TTL {', '.join(ttl)}" if ttl else "REMOVE TTL"
        yield f"ALTER TABLE {target.name} {changed}"


def _ttl(target: Target, there: Found, keeping: Keeping) -> list[str]:
    """The TTL as it should be; what nothing is said about stays as it is."""
    deletes = [part for part in there.ttl if " TO " not in part]
    moves = [part for part in there.ttl if " TO " in part]
    if keeping.days is not None:
        deletes = [keeping.deletes(*target.ages)]
    if keeping.volume:
        moves = [keeping.moves(*target.ages)]
    return [part for part in (*deletes, *moves) if part]


def _trigger(target: Target, there: Found | None) -> Iterator[str]:
    if there is None:
        yield target.create
    elif there.comment != target.stamp:
        query = target.body.split(" AS\n", 1)[1]
        yield f"ALTER TABLE {target.name} MODIFY QUERY\n{query}"
        yield f"ALTER TABLE {target.name} MODIFY COMMENT '{target.stamp}'"


def _plan_fills(
    out: Plan, targets: Sequence[Target], found: Mapping[str, Found], moments: Moments
) -> None:
    """Give rollups that are new what is there already, level by level."""
    by_name = {t.name: t for t in targets}
    for target in targets:
        if target.kind != "table" or not _is_unfilled(target, found):
            continue
        source = _nearest(target, by_name, found)
        if source is None:
            continue
        out.marks.append(f"ALTER TABLE {target.name} MODIFY COMMENT ''")
        above = [t.name for t in targets if t.of == target.name and t.name in found and _fills(t)]
        if above:
            told = f"{above[0]} would count twice what is filled in"
            out.notes.append(f"{target.name}: not filled from {source}, as {told}")
            continue
        length = timedelta(days=1) if by_name[target.of].of else timedelta(hours=1)
        starts = moments(source, length)
        trigger = by_name[f"{target.name}_mv"]
        out.fills += [_fill(target, trigger, start, length) for start in starts]
        if starts:
            told = f"which reaches back to {starts[0]:%Y-%m-%d %H:%M}"
            out.notes.append(f"{target.name}: filled from {source}, {told}")


def _fills(target: Target) -> bool:
    return target.kind == "materialized view"


def _is_unfilled(target: Target, found: Mapping[str, Found]) -> bool:
    there = found.get(target.name)
    return bool(target.of) and (there is None or there.comment == UNFILLED)


def _nearest(
    target: Target, by_name: Mapping[str, Target], found: Mapping[str, Found]
) -> str | None:
    """The closest level below that has its rows; None in a database that never had one."""
    name = target.of
    while name and (name not in found or _is_unfilled(by_name[name], found)):
        name = by_name[name].of
    return name or None


def _fill(target: Target, trigger: Target, start: datetime, length: timedelta) -> str:
    """What the rollup's own query makes of that length of time, once however often it is run."""
    first, end = (f"toDateTime64('{t:%F %T}', 3, 'UTC')" for t in (start, start + length))
    part = f"(SELECT * FROM {target.of} WHERE ts >= {first} AND ts < {end}) AS s"
    query = trigger.body.split(" AS\n", 1)[1]
    whole = f"FROM {target.of} AS s "
    assert query.count(whole) == 1, f"{trigger.name} does not read '{whole}'"
    token = f"fill/{target.name}/{start:%Y%m%dT%H}"
    settings = {**ONE_BLOCK, "insert_deduplication_token": f"'{token}'"}
    told = ", ".join(f"{k} = {v}" for k, v in settings.items())
    columns = ", ".join(f"`{name}`" for name in target.columns)
    said = query.replace(whole, f"FROM {part} ")
    return f"INSERT INTO {target.name} ({columns}) SETTINGS {told}\n{said}"


def _said(pattern: str, target: Target) -> str:
    found = re.search(pattern, target.body, re.MULTILINE)
    return found[1] if found else ""


def _parts(listed: str) -> list[str]:
    """What commas outside brackets divide."""
    out, depth = [""], 0
    for c in listed.replace("`", ""):
        depth += {"(": 1, ")": -1}.get(c, 0)
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    return [part.strip() for part in out if part.strip()]


def _plain(text: str) -> str:
    """The same however it is spelled."""
    spelled = re.sub(r"INTERVAL (\d+) DAY", r"toIntervalDay(\1)", text)
    return spelled.replace(" ", "").replace('"', "'").replace("`", "")
