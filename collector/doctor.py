"""What `gpuledger doctor` asks of a node: sources, their rights, GPUs, clock and spool."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from collector.address import is_address
from collector.run import NODE, chosen, once, unread
from collector.source import Context, Role, SourceKind
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.host import HostSample, MissingValue, SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.checks import Check, clock, note, ok, wrong
from gpuledger.config import Config
from gpuledger.errors import ConfigError, StoreError
from gpuledger.schema import Row

# What dcgm-exporter must tell for evidence of grade A where NVML has no GPM (before Hopper).
DCGM_COUNTERS = (
    "DCGM_FI_PROF_SM_ACTIVE",
    "DCGM_FI_PROF_SM_OCCUPANCY",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_PROF_DRAM_ACTIVE",
)
DCGM_ADVICE = (
    'before Hopper, dcgm-exporter can tell it: add [agent] also = ["scrape"] and a'
    ' [[scrape.targets]] with its url, mapping = "dcgm-exporter", mode = "supplement"; it must'
    f" export {', '.join(DCGM_COUNTERS)}"
)
# What is set up once per cluster: without a word in the configuration it may not be there at all.
SET_UP = {
    "slurm": 'set [slurm] conf or rest, or leave it out: [agent] without = ["slurm"]',
    "kubernetes": 'set [kubernetes] kubeconfig, or leave it out: [agent] without = ["kubernetes"]',
    "scrape": "name an exporter: [[scrape.targets]] with url and mapping",
}
# How sources say that the machine lacks the device, and that they lack a library.
ABSENT = re.compile(
    r"no (?!right|access|answer)|the NVIDIA driver (is not|knows of no)|cannot load"
)
EXTRA = re.compile(r"gpuledger\[\w+\]")
LOOK = "look at what it says; it is tried again"
RUNNING = "look at agent_samples and spool_losses in the store, or set [prometheus] port"
DENIED = "denied"
TIMEOUT_S = 5.0


def examine(
    config: Config, context: Context, spool: Path, roles: Collection[Role] = NODE
) -> Iterator[Check]:
    """One reading of each source, judged; then clock and spool."""
    kinds = chosen(config, roles)
    rows = once(config, context, roles=roles)
    yield from sources(rows, kinds, config.sections)
    for name in unread(config, kinds, roles):
        yield note(f"source {name}", f"[{name}] is set but not read", "add it to [agent] also")
    yield from gpus(rows)
    yield from host_clock(rows)
    yield from spool_losses(spool)


def sources(
    rows: Sequence[Row], kinds: Mapping[str, SourceKind], configured: Collection[str] = ()
) -> Iterator[Check]:
    """Each source and each of its feeds: what it reads, or why not and what it would need.

    `configured` are the sections that somebody wrote.
    """
    denied = Counter(r.source for r in rows if isinstance(r, MissingValue) and r.reason == DENIED)
    for run in (r for r in rows if isinstance(r, SourceRun)):
        source, name = run.source.partition(" ")[0], f"source {run.source}"
        kind = kinds.get(source)
        needs = _needs(kind)
        if not run.reason:
            yield _reads(name, run, denied[run.source], needs)
        elif extra := EXTRA.search(run.reason):
            advice = f"pip install '{extra[0]}' where the agent is installed"
            yield note(name, run.reason, advice)
        elif source in SET_UP and source not in configured:
            yield note(name, run.reason, SET_UP[source])
        elif run.rows or not ABSENT.match(run.reason):
            yield wrong(name, run.reason, needs or LOOK)
        elif source in SET_UP:
            yield wrong(name, run.reason, LOOK)
        else:
            asked_for = needs if kind and kind.optional else ""
            yield note(name, run.reason, asked_for or "nothing, unless this machine should have it")


def _needs(kind: SourceKind | None) -> str:
    """The rights that a source needs; empty where it needs none."""
    privilege = kind.privilege if kind else ""
    return "" if privilege.startswith("none") or not privilege else f"it needs: {privilege}"


def _reads(name: str, run: SourceRun, denied: int, needs: str) -> Check:
    found = f"{run.rows or 0:.0f} rows in {1e3 * (run.duration_seconds or 0):.1f} ms"
    if denied:
        return note(name, f"{found}; {denied} readings refused", needs or "give it the right")
    return ok(name, found)


def gpus(rows: Sequence[Row]) -> Iterator[Check]:
    """Driver and evidence: what NVML tells, and what dcgm-exporter should add."""
    samples = [r for r in rows if isinstance(r, GpuSample)]
    drivers = sorted({r.driver for r in rows if isinstance(r, Gpu) and r.driver})
    if not samples:
        return
    lost = sorted({r.slot for r in samples if r.lost_seconds})
    if lost:
        yield wrong("GPUs", f"lost: {', '.join(map(str, lost))}", "reset them or reboot the node")
    seen = {(r.node, r.slot) for r in samples}
    yield ok("GPUs", f"{len(seen)} seen, driver {', '.join(drivers) or 'unknown'}")
    # Two sources may tell of one GPU: what either says is known.
    telling = {(r.node, r.slot) for r in samples if r.sm_active_ratio is not None or r.lost_seconds}
    if blind := seen - telling:
        yield note(
            "evidence",
            f"{len(blind)} of {len(seen)} GPUs tell no SM activity: evidence of grade B at best",
            DCGM_ADVICE,
        )
    else:
        yield ok("evidence", "SM activity is told: grade A")


def host_clock(rows: Iterable[Row]) -> Iterator[Check]:
    """Whether the kernel believes its clock."""
    host = next((r for r in rows if isinstance(r, HostSample)), None)
    if host is None or host.clock_synchronized is None:
        return
    if host.clock_synchronized:
        yield ok("clock", f"synchronized, error {1e3 * (host.clock_error_seconds or 0):.1f} ms")
    else:
        yield wrong(
            "clock", "not synchronized: ranks of a job cannot be compared", "run chrony or NTP"
        )


def spool_losses(path: Path) -> Iterator[Check]:
    """What the agent's spool holds, and what it had to let go; nothing of it is changed."""
    look = "look as root or as the agent's user"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            yield wrong("spool", f"{path} is no file", "name the agent's file: --spool PATH")
        elif not os.access(path, os.R_OK):
            yield note("spool", f"{path} may not be read", look)
        else:
            yield from _spooled(path)
    except (FileNotFoundError, NotADirectoryError):
        yield note("spool", f"{path} does not exist yet", "start gpuledger collect")
    except OSError as e:
        yield note("spool", f"{path} may not be read: {e.strerror}", look)


def _spooled(path: Path) -> Iterator[Check]:
    # A spool without its log is asked as it lies there: SQLite would leave a log of ours beside it.
    still = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    try:
        where = f"file:{quote(str(path.absolute()))}?mode=ro{still}"
        with closing(sqlite3.connect(where, uri=True, timeout=1)) as db:
            lost = db.execute("SELECT tbl, why, rows FROM lost ORDER BY tbl").fetchall()
            (waiting,) = db.execute("SELECT count(*) FROM entries").fetchone()
    except sqlite3.Error as e:
        # Extended codes have the plain one in their last byte.
        if getattr(e, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            yield note("spool", f"{path}: a running agent holds it", RUNNING)
        else:
            yield wrong("spool", f"{path}: {e}", "stop the agent and move the file aside")
        return
    if lost:
        told = ", ".join(f"{rows} rows of {table} {why}" for table, why, rows in lost)
        yield wrong("spool", told, "give it room ([agent] spool_bytes) or repair the connection")
    yield ok("spool", f"{path}: {waiting} batches wait")


def service(url: str, token: str | None) -> Iterator[Check]:
    """Whether the service answers, what time it has, and whether it takes this node's token.

    Without a token (None) it is not asked about one.
    """
    import urllib3  # noqa: PLC0415 - asked only where a service is named

    address = url.rstrip("/")
    if not is_address(address):
        raise ConfigError(f"'{url}' is no address: write http(s)://host:port")
    pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
    try:
        ready = pool.request("GET", f"{address}/readyz")
        yield _ready(address, ready)
        if ready.status == HTTPStatus.OK:
            yield from _service_clock(ready)
            if token is not None:
                yield _token(address, _sent_nothing(pool, address, token))
    except urllib3.exceptions.HTTPError as e:
        raise StoreError(f"{address} cannot be reached: {' '.join(str(e).split())}") from None
    finally:
        pool.clear()


def _ready(address: str, answer: Any) -> Check:
    if answer.status == HTTPStatus.OK:
        return ok("service", f"{address} is ready")
    if answer.status == HTTPStatus.SERVICE_UNAVAILABLE and (said := _problem(answer)):
        return wrong("service", f"{address} is not ready: {said}", "look at the service's log")
    return wrong(
        "service",
        f"{address} answers {answer.status}: not gpuledger's address, or a proxy in between",
        "name the address that gpuledger serve prints",
    )


def _service_clock(answer: Any) -> Iterator[Check]:
    try:
        told = parsedate_to_datetime(answer.headers.get("Date") or "").timestamp()
    except ValueError:
        return
    # The header is cut to whole seconds: on average half of one is gone.
    yield clock("service's clock", told + 0.5 - time.time())


def _sent_nothing(pool: Any, address: str, token: str) -> Any:
    """What the door for batches answers to one without rows: it stores nothing."""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "doctor"}
    return pool.request("POST", f"{address}/v1/ingest/source_runs", body=b"", headers=headers)


def _token(address: str, answer: Any) -> Check:
    """How the token stands; only our own door refuses an empty batch, and in words of its own."""
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return wrong(
            "token", "the service refuses it", "set GPULEDGER_TOKEN_FILE or GPULEDGER_TOKEN"
        )
    if answer.status == HTTPStatus.BAD_REQUEST and _problem(answer):
        return ok("token", "the service takes it")
    return wrong(
        "token",
        f"{address}/v1/ingest answers {answer.status}: not gpuledger's address, or a proxy in"
        " between",
        "name the address that gpuledger serve prints",
    )


def _problem(answer: Any) -> str:
    """What the service says is wrong; empty where it is not our service that speaks."""
    if answer.headers.get("Content-Type") != "application/problem+json":
        return ""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return ""
