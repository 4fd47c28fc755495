"""A large fleet's past, made inside the engine: what `scale.py` and `boards.py` ask about."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analytics import accounts
from gpuledger import rollups
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuSample
from gpuledger.schema import Codec, Field, Kind
from gpuledger.store import Store

END = datetime(2026, 11, 22, tzinfo=UTC)
RAW = timedelta(minutes=15)
GPUS_PER_NODE = 8
SLICE_H = 6  # every node changes hands that often
TEAMS, USERS = 20, 300
NO_CACHE = "SET use_query_condition_cache = 0, use_query_cache = 0"
# What the keys of a generated row are, of GPU `g` and second `t`.
KEYS = {
    "ts": "fromUnixTimestamp64Milli(toInt64(t) * 1000, 'UTC')",
    "cluster": "'c'",
    "node": f"concat('n', leftPad(toString(intDiv(g, {GPUS_PER_NODE})), 5, '0'))",
    "epoch": "0",
    "slot": f"g % {GPUS_PER_NODE}",
    "gpu_id": "intHash64(g)",
    "uuid": "concat('GPU-', toString(g))",
    "source": "'nvml'",
}
# What becomes of a node in a slice of six hours: 70 % work, 12 % low, 6 % idle, 12 % free.
SLICE = f"intHash32(intDiv(g, {GPUS_PER_NODE}) * 100003 + intDiv(t, {SLICE_H * 3600}))"
STATE = (
    f"multiIf({SLICE} % 100 < 70, 'productive', {SLICE} % 100 < 82, 'underused',"
    f" {SLICE} % 100 < 88, 'alloc_idle', 'free_surplus')"
)
JOB = f"intDiv(g, {GPUS_PER_NODE}) * 1000000 + intDiv(t, {SLICE_H * 3600})"
ALLOC = f"if(state = 'free_surplus', 0, intHash64(g * 1000003 + intDiv(t, {SLICE_H * 3600})))"


@dataclass(frozen=True)
class Fleet:
    """How much of everything there is."""

    gpus: int
    minute_days: float
    hour_days: float

    @property
    def minutes_since(self) -> datetime:
        """Where minutes begin."""
        return END - timedelta(days=self.minute_days)

    @property
    def hours_since(self) -> datetime:
        """Where hours begin."""
        return END - timedelta(days=self.hour_days)


def value(field: Field) -> str:
    """SQL of a plausible value of a measured column: noise where the catalogue expects it."""
    noise = f"intHash32(g * 7919 + t + {hash_of(field.stored)})"
    if field.column.kind is Kind.COUNTER:
        return f"toUInt64(t) * 1000 + {noise} % 1000"
    if field.column.kind is Kind.BITS:
        return "if(t % 600 < 60, 4, 0)"
    top = {"Nullable(UInt8)": 100, "Nullable(UInt16)": 10_000}.get(field.type, 400_000)
    if field.stored in {"active_ms", "lost_ms"}:
        return "0"
    return f"{top // 2} + {noise} % {top // 4}" if field.codec is Codec.NOISY else f"{top // 2}"


def hash_of(name: str) -> int:
    """A number of a name that is the same in every run."""
    return sum(ord(c) * 31**i for i, c in enumerate(name)) % 100_003


def samples(gpus: int, since: datetime, until: datetime, step_s: int) -> str:
    """SELECT of rows of gpu_samples, one per GPU and step."""
    columns = ", ".join(f"{_column(f, step_s)} AS {f.stored}" for f in GpuSample.table.fields)
    return f"SELECT {columns} FROM ({moments(gpus, since, until, step_s)})"


def _column(field: Field, step_s: int) -> str:
    return (
        f"{step_s * 1000}"
        if field.stored == "interval_ms"
        else KEYS.get(field.stored) or value(field)
    )


def moments(gpus: int, since: datetime, until: datetime, step_s: int, *, ends: bool = True) -> str:
    """GPU `g` and second `t` of the end, or start, of each step, in the order of incoming rows."""
    steps = int((until - since).total_seconds()) // step_s
    first = to_milliseconds(since) // 1000 - (0 if ends else step_s)
    return (
        f"SELECT {first} + (intDiv(number, {gpus}) + 1) * {step_s} AS t, number % {gpus} AS g"
        f" FROM numbers({steps * gpus})"
    )


def fill(store: Store, fleet: Fleet) -> None:
    """Everything that the fleet told, and its book."""
    store.apply()
    with timed("inventory, jobs and allocations"):
        facts(store, fleet)
    with timed("hours and days of telemetry"):
        through(store, 1, fleet, fleet.hours_since, fleet.minutes_since)
    with timed("minutes of telemetry"):
        through(store, 0, fleet, fleet.minutes_since, END - RAW)
    with timed("15 minutes of raw rows"):
        for since, until in spans(END - RAW, END, timedelta(minutes=3)):
            store.command(f"INSERT INTO gpu_samples {samples(fleet.gpus, since, until, 1)}")
    with timed("book"):
        cells(store, fleet)
    with timed("accounts of the book"):
        added_up(store, fleet)
    with timed("merging what is not merged"):
        for table in ("gpu_samples_1d", "gpu_samples", "allocations", "jobs"):
            store.command(f"OPTIMIZE TABLE {table} FINAL")


def through(store: Store, skipped: int, fleet: Fleet, since: datetime, until: datetime) -> None:
    """Telemetry of that time through the rollups' views, the first `skipped` levels not kept."""
    table, levels = GpuSample.table, rollups.LEVELS[: skipped + 1]
    store.command(f"CREATE TABLE gen ENGINE = Null AS {table.name}")
    made, source = ["gen"], "gen"
    for level in levels:
        kept = level is levels[-1]
        target = level.table(table) if kept else f"gen{level.suffix}"
        if not kept:
            store.command(f"CREATE TABLE {target} ENGINE = Null AS {level.table(table)}")
        query = rollups.query(table, level).replace(
            f"FROM {level.made_of(table)} AS s", f"FROM {source} AS s"
        )
        store.command(f"CREATE MATERIALIZED VIEW gen{level.suffix}_mv TO {target} AS {query}")
        made += [f"gen{level.suffix}_mv"] + ([] if kept else [target])
        source = target
    step_s = 60 if skipped == 0 else 3600
    first, *others = spans(since, until, timedelta(days=1 if skipped == 0 else 14))
    store.command(f"INSERT INTO gen {samples(fleet.gpus, *first, step_s)}")
    for name in reversed(made):
        store.command(f"DROP TABLE {name}")
    for begin, end in others:
        repeat(store, levels[-1].table(table), first, begin, end)


def repeat(
    store: Store, table: str, first: tuple[datetime, datetime], begin: datetime, end: datetime
) -> None:
    """The rows of the first span once more, later: made anew they take ten times as long."""
    later_s = int((begin - first[0]).total_seconds())
    # In a subquery: beside the SELECT, `ts` of the condition would be the later one.
    rows = (
        f"SELECT * FROM {table} WHERE ts > {instant(first[0])}"
        f" AND ts <= {instant(first[0] + (end - begin))}"
    )
    store.command(
        f"INSERT INTO {table} SELECT * REPLACE (ts + INTERVAL {later_s} SECOND AS ts) FROM ({rows})"
    )


def spans(
    since: datetime, until: datetime, length: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """The time cut into pieces: an INSERT may touch a hundred partitions."""
    while since < until:
        yield since, min(since + length, until)
        since += length


def facts(store: Store, fleet: Fleet) -> None:
    """Assets, jobs, allocations and signed hours."""
    since = to_milliseconds(fleet.hours_since) // 1000
    node = KEYS["node"]
    at = "fromUnixTimestamp64Milli(toInt64({}) * 1000, 'UTC')".format
    everywhere = (
        f"SELECT {since} + intDiv(number, {{}}) * {SLICE_H * 3600} AS t, number % {{}} * {{}} AS g,"
        f" {STATE} AS state"
        f" FROM numbers({{}} * {int(fleet.hour_days * 24 / SLICE_H)}) WHERE state != 'free_surplus'"
    ).format
    store.command(
        "INSERT INTO assets (gpu_id, asset_id, cluster, node, slot, model, pool, valid_from,"
        f" valid_to, version) SELECT intHash64(g), concat('c/', {node}, '/', toString(g % 8)), 'c',"
        f" {node}, g % 8, if(g % 5 < 3, 'H100', 'A100'), if(g % 5 < 3, 'h100', 'a100'),"
        f" {at(since)}, '2106-01-01', 1 FROM (SELECT number AS g FROM numbers({fleet.gpus}))"
    )
    store.command(
        "INSERT INTO allocations (gpu_id, alloc_id, job_id, cluster, node, share_milli, valid_from,"
        f" valid_to, source, seen_at, version) SELECT intHash64(g), {ALLOC}, toString({JOB}), 'c',"
        f" {node}, 1000, {at('t')}, {at(f't + {SLICE_H * 3600}')}, 'slurm', {at('t')}, 1"
        f" FROM ({everywhere(fleet.gpus, fleet.gpus, 1, fleet.gpus)})"
    )
    nodes = fleet.gpus // GPUS_PER_NODE
    store.command(
        "INSERT INTO jobs (job_id, cluster, name, user, team, pool, state, nodes, gpus_per_node,"
        " submitted, eligible, started, ended, seen_at, version)"
        f" SELECT toString({JOB}), 'c', 'train', concat('u', toString({SLICE} % {USERS})),"
        f" concat('team', toString({SLICE} % {TEAMS})), 'h100', 'completed', 1, 8,"
        f" {at('t - 600')}, {at('t - 600')}, {at('t')}, {at(f't + {SLICE_H * 3600}')}, {at('t')}, 1"
        f" FROM ({everywhere(nodes, nodes, GPUS_PER_NODE, nodes)})"
    )
    store.command(
        "INSERT INTO booked_hours (hour, fingerprint, booked_until, owned_ms, booked_at, version)"
        f" SELECT {at('t')}, 1, {at('t + 3600')}, {fleet.gpus} * 3600000, {at('t')}, 1 FROM"
        f" (SELECT {since} + number * 3600 AS t FROM numbers({int(fleet.hour_days * 24)}))"
    )


def cells(store: Store, fleet: Fleet) -> None:
    """The book: minutes, and every larger piece of time as the ledger itself adds it up."""
    for table, time_, step_s, since, days in (
        ("ledger_1m", "minute", 60, fleet.minutes_since, 1),
        ("ledger_1h", "hour", 3600, fleet.hours_since, 30),
    ):
        for begin, end in spans(since, END, timedelta(days=days)):
            of = moments(fleet.gpus, begin, end, step_s, ends=False)
            energy = f"{step_s * 300_000} + intHash32(g + t) % 1000000"
            store.command(
                f"INSERT INTO {table} (cluster, node, gpu_id, {time_}, alloc_id, state, grade,"
                f" gpu_ms, energy_mj) SELECT 'c', {KEYS['node']}, gpu_id, {KEYS['ts']}, alloc,"
                f" state, 'A', {step_s * 1000}, {energy} FROM"
                f" (SELECT g, t, {STATE} AS state, {ALLOC} AS alloc, intHash64(g) AS gpu_id"
                f" FROM ({of}))"
            )


def added_up(store: Store, fleet: Fleet) -> None:
    """The accounts, as the ledger writes them; free blocks also where minutes are gone by now."""
    for begin, end in spans(fleet.hours_since, END, timedelta(days=7)):
        days = [begin.date() + timedelta(days=i) for i in range((end - begin).days)]
        accounts.write(store, days)
    for since, until in spans(fleet.hours_since, fleet.minutes_since, timedelta(days=30)):
        of = moments(2, since, until, 60, ends=False)
        store.command(
            "INSERT INTO free_blocks (cluster, pool, minute, free_gpus) SELECT 'c',"
            f" if(g = 0, 'h100', 'a100'), {KEYS['ts']}, intHash32(t) % 9 FROM ({of})"
        )


class timed:  # noqa: N801 - used as a word
    """Prints how long a block took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        print(f"made {self._what} in {time.monotonic() - self._began:.1f} s", flush=True)


def instant(at: datetime) -> str:
    """An instant in SQL."""
    return f"fromUnixTimestamp64Milli({to_milliseconds(at)}, 'UTC')"
