"""A large fleet's years in one database: what panels, ledger and disk cost at 10,000 GPUs.

Everything is made inside the engine: minutes of telemetry and book for `--minute-days`, hours and
days for `--hour-days` (13 months), through the rollups' own views; then 15 minutes of raw rows at
1 s. Each question is asked several times without the engine's cache of conditions. `--quick` is
128 GPUs with a day of minutes: its times prove only that every question works. `--keep DIR` leaves
the database there, or asks the one that an earlier run left.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from analytics import accounts, book
from dashboards.macros import expand
from gpuledger import rollups
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import GpuSample
from gpuledger.schema import Codec, Field, Kind
from gpuledger.store import Address, Store

END = datetime(2026, 11, 22, tzinfo=UTC)
RAW = timedelta(minutes=15)
GPUS_PER_NODE = 8
SLICE_H = 6  # every node changes hands that often
TEAMS, USERS = 20, 300
PANEL_PROMISE_S = 1.0
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
    for begin, end in spans(since, until, timedelta(days=1 if skipped == 0 else 14)):
        store.command(f"INSERT INTO gen {samples(fleet.gpus, begin, end, step_s)}")
    for name in reversed(made):
        store.command(f"DROP TABLE {name}")


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
    for begin, end in spans(fleet.hours_since, END, timedelta(days=30)):
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


@dataclass(frozen=True)
class Question:
    """Something people ask, and the time in which they were promised an answer, in seconds."""

    name: str
    ask: Callable[[Store], Any]
    promise_s: float | None = None


def panels(since: datetime, what: str) -> Iterator[Question]:
    """Every panel of every board over the time since then, all filters open."""
    interval_s = int((END - since).total_seconds() / 400)
    for path in sorted((ROOT / "dashboards/generated").glob("*.json")):
        board = json.loads(path.read_text())
        everything: Mapping[str, list[str]] = {v["name"]: [] for v in board["templating"]["list"]}
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                sql = expand(target["rawSql"], since, END, interval_s, everything)
                yield Question(
                    f"{what}: {path.stem}: {panel['title']}",
                    lambda store, sql=sql: store.select(sql),
                    PANEL_PROMISE_S,
                )


def questions(fleet: Fleet) -> Iterator[Question]:
    """All that is asked."""
    yield Question("fleet, last 15 minutes, from raw rows", sql(FLEET_RAW), 0.1)
    yield Question("fleet, last 15 minutes, from minutes", sql(FLEET_MINUTES), 0.01)
    yield Question("status of all GPUs", sql(STATUS), 0.05)
    yield Question("one GPU, power by minute, a day", sql(ONE_GPU))
    yield Question("GPU-hours by user, 7 days", ledger("7d", "user"), 5.0)
    since = f"{fleet.minute_days:g}d"
    for by in ("state", "team,user"):
        yield Question(f"ledger --since {since} --by {by}", ledger(since, by))
    yield from panels(END - timedelta(days=1), "24 h")
    yield from panels(fleet.minutes_since, f"{fleet.minute_days:g} d")
    yield from panels(fleet.hours_since, f"{fleet.hour_days:g} d")


def instant(at: datetime) -> str:
    """An instant in SQL."""
    return f"fromUnixTimestamp64Milli({to_milliseconds(at)}, 'UTC')"


FLEET_RAW = f"""
SELECT toStartOfMinute(ts) AS minute, avg(utilization_pct) FROM gpu_samples
WHERE ts > {instant(END - RAW)} GROUP BY minute ORDER BY minute"""
FLEET_MINUTES = f"""
SELECT ts, sum(utilization_pct_wsum) / sum(interval_ms) FROM gpu_samples_1m
WHERE ts >= {instant(END - RAW)} GROUP BY ts ORDER BY ts"""
STATUS = f"""
SELECT gpu_id, state, alloc_id FROM ledger_1m
WHERE minute >= {instant(END - timedelta(minutes=1))}"""
ONE_GPU = f"""
SELECT ts, power_watts FROM v_gpu_samples_1m
WHERE node = 'n00003' AND slot = 5 AND ts >= {instant(END - timedelta(days=1))} ORDER BY ts"""


def sql(text: str) -> Callable[[Store], Any]:
    return lambda store: store.select(text)


def ledger(since: str, by: str) -> Callable[[Store], Any]:
    return lambda store: book.ledger(store, book.span(store, since), by.split(","))


def asked(store: Store, question: Question, times: int) -> tuple[float, float]:
    """Median and 95th percentile of the time to an answer, in seconds."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        question.ask(store)
        took.append(time.monotonic() - began)
        if sum(took) > 30:
            break
    took.sort()
    return took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.95))]


def disk(store: Store, fleet: Fleet) -> None:
    """Bytes and rows of every table that grows with the fleet, and what a hundred thousand take."""
    rows = store.select(
        "SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes, count() AS parts"
        " FROM system.parts WHERE active AND database = currentDatabase()"
        " GROUP BY table HAVING rows > 1000 ORDER BY bytes DESC"
    )
    print(f"{'table':<18}{'rows':>15}{'parts':>8}{'MB':>10}{'B/row':>8}")
    for r in rows:
        print(
            f"{r['table']:<18}{r['rows']:>15,}{r['parts']:>8}{r['bytes'] / 1e6:>10.1f}"
            f"{r['bytes'] / r['rows']:>8.1f}"
        )
    total = sum(r["bytes"] for r in rows)
    print(f"all: {total / 1e9:.2f} GB, {total / 1e6 / fleet.gpus:.2f} MB per GPU")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="128 GPUs, a day of minutes")
    parser.add_argument("--gpus", type=int, default=10_000)
    parser.add_argument("--minute-days", type=float, default=30)
    parser.add_argument("--hour-days", type=float, default=395)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="directory of the database, kept and used again")
    given = parser.parse_args()
    fleet = Fleet(given.gpus, given.minute_days, given.hour_days)
    if given.quick:
        fleet = Fleet(128, 1, 30)
    with ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "store"
        made = (home / "store").exists() or home.exists()
        store = Store(Address(home))
        stack.callback(store.close)
        if not made:
            fill(store, fleet)
        store.command(NO_CACHE)
        print(
            f"{fleet.gpus:,} GPUs, {fleet.minute_days:g} days of minutes,"
            f" {fleet.hour_days:g} days of hours"
        )
        disk(store, fleet)
        broken = 0
        for question in questions(fleet):
            p50, p95 = asked(store, question, 2 if given.quick else given.times)
            kept = question.promise_s is None or p95 < question.promise_s
            word = "" if question.promise_s is None else "kept" if kept else "BROKEN"
            promise = f"of {question.promise_s:g} s" if question.promise_s else ""
            print(f"{p50:9.3f} {p95:9.3f} s {promise:9} {word:7} {question.name}", flush=True)
            broken += not kept
    return 0 if given.quick else int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
