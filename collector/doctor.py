"""What `gpuledger doctor` asks of a node: sources, their rights, GPUs, clock and spool."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from email.utils import parsedate_to_datetime
from pathlib import Path

from collector.run import NODE, chosen, once
from collector.source import Context, Role, SourceKind
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.host import HostSample, MissingValue, SourceRun
from gpuledger.catalogue.work import Gpu
from gpuledger.checks import Check, clock, note, ok, wrong
from gpuledger.config import Config
from gpuledger.errors import StoreError
from gpuledger.schema import Row

# What dcgm-exporter must tell for evidence of grade A where NVML has no GPM (before Hopper).
DCGM_COUNTERS = (
    "DCGM_FI_PROF_SM_ACTIVE",
    "DCGM_FI_PROF_SM_OCCUPANCY",
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "DCGM_FI_PROF_DRAM_ACTIVE",
)
DENIED = "denied"
TIMEOUT_S = 5.0


def examine(
    config: Config, context: Context, spool: Path, roles: Collection[Role] = NODE
) -> Iterator[Check]:
    """One reading of each source, judged; then clock and spool."""
    kinds = chosen(config, roles)
    rows = once(config, context, roles=roles)
    yield from sources(rows, kinds)
    yield from gpus(rows)
    yield from host_clock(rows)
    yield from spool_losses(spool)


def sources(rows: Sequence[Row], kinds: dict[str, SourceKind]) -> Iterator[Check]:
    """Each source: what it reads, or why not and what it would need."""
    denied = Counter(r.source for r in rows if isinstance(r, MissingValue) and r.reason == DENIED)
    for run in (r for r in rows if isinstance(r, SourceRun)):
        kind, name = kinds[run.source], f"source {run.source}"
        needs = "" if kind.privilege == "none" else f"it needs: {kind.privilege}"
        if not run.reason:
            yield _reads(name, run, denied[run.source], needs)
        elif run.failures and not run.rows and _is_absent(run.reason):
            yield note(name, run.reason, needs or "nothing, unless this machine should have it")
        else:
            yield wrong(name, run.reason, needs or "look at what it says; it is tried again")


def _reads(name: str, run: SourceRun, denied: int, needs: str) -> Check:
    found = f"{run.rows or 0:.0f} rows in {1e3 * (run.duration_seconds or 0):.1f} ms"
    if denied:
        return note(name, f"{found}; {denied} readings refused", needs or "give it the right")
    return ok(name, found)


def _is_absent(reason: str) -> bool:
    """Whether it says that the machine lacks the device."""
    return reason.startswith(("no ", "the NVIDIA driver is not", "cannot load"))


def gpus(rows: Sequence[Row]) -> Iterator[Check]:
    """Driver and evidence: what NVML tells, and what dcgm-exporter should add."""
    samples = [r for r in rows if isinstance(r, GpuSample)]
    drivers = sorted({r.driver for r in rows if isinstance(r, Gpu) and r.driver})
    if not samples:
        return
    lost = [r.slot for r in samples if r.lost_seconds]
    if lost:
        yield wrong("GPUs", f"lost: {', '.join(map(str, lost))}", "reset them or reboot the node")
    yield ok("GPUs", f"{len(samples)} seen, driver {', '.join(drivers) or 'unknown'}")
    blind = [r for r in samples if r.sm_active_ratio is None and not r.lost_seconds]
    if blind:
        yield note(
            "evidence",
            f"{len(blind)} of {len(samples)} GPUs tell no SM activity: evidence of grade B at best",
            "before Hopper, let dcgm-exporter tell "
            + ", ".join(DCGM_COUNTERS)
            + " and name it in [scrape] targets",
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
    """What the agent's spool holds, and what it had to let go; read beside a running agent."""
    if not path.exists():
        yield note("spool", f"{path} does not exist yet", "start gpuledger collect")
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1)) as db:
            lost = db.execute("SELECT tbl, why, rows FROM lost ORDER BY tbl").fetchall()
            (waiting,) = db.execute("SELECT count(*) FROM entries").fetchone()
    except sqlite3.OperationalError:
        yield ok("spool", f"{path} is in use by a running agent: ask its /metrics")
        return
    except sqlite3.DatabaseError as e:
        yield wrong("spool", f"{path}: {e}", "stop the agent and move the file aside")
        return
    if lost:
        told = ", ".join(f"{rows} rows of {table} {why}" for table, why, rows in lost)
        yield wrong("spool", told, "give it room ([agent] spool_bytes) or repair the connection")
    yield ok("spool", f"{path}: {waiting} batches wait")


def service(url: str, token: str) -> Iterator[Check]:
    """Whether the service answers, what time it has, and whether it takes this node's token."""
    import urllib3  # noqa: PLC0415 - asked only where a service is named

    address = url.rstrip("/")
    pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT_S)
    try:
        ready = pool.request("GET", f"{address}/readyz")
        taken = pool.request(
            "POST", f"{address}/v1/ingest/source_runs", headers={"Authorization": f"Bearer {token}"}
        )
    except urllib3.exceptions.HTTPError as e:
        raise StoreError(f"{address} cannot be reached: {' '.join(str(e).split())}") from None
    finally:
        pool.clear()
    if ready.status == 200:
        yield ok("service", f"{address} is ready")
    else:
        yield wrong("service", f"{address} answers {ready.status}", "look at the service's log")
    if date := ready.headers.get("Date"):
        yield clock("service's clock", parsedate_to_datetime(date).timestamp() + 0.5 - time.time())
    if taken.status in {401, 403}:
        yield wrong(
            "token", "the service refuses it", "set GPULEDGER_TOKEN_FILE or GPULEDGER_TOKEN"
        )
    else:
        yield ok("token", "the service takes it")
