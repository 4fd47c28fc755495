"""The book of a real Slurm against its own accounting: sacct and sreport as they print."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from analytics import assets
from analytics.backfill.sacct import FIELDS
from analytics.ledger import Ledger, Window
from analytics.reconcile.run import Asked, Files, as_dict, compare
from collector.source import Context
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.batch import by_table
from gpuledger.rows import changed
from gpuledger.schema import FOREVER, Kind, Row
from gpuledger.store import Store
from tests.components.fixtures import or_skip
from tests.components.process import program, wait_until
from tests.components.slurm import Slurm
from tests.components.slurmdbd import Accounting

# Slurm rolls up whole hours that are over: what just ran is moved back into one.
MOVED = """use accounting;
update gpuledger_job_table set time_submit=time_submit-{s}, time_eligible=time_eligible-{s},
  time_start=time_start-{s}, time_end=time_end-{s};
update gpuledger_event_table set time_start={first};
update gpuledger_last_ran_table set hourly_rollup={first}, daily_rollup={first},
  monthly_rollup={first};
"""


def moved(row: Row, by: timedelta) -> Row:
    """The row with all its times so much earlier."""
    times = (c.name for c in row.table.columns if c.kind is Kind.TIME)
    values = {name: row.__dict__[name] for name in times}
    return changed(row, **{k: v - by for k, v in values.items() if v < FOREVER})


def move_accounting(accounting: Accounting, cluster: Slurm, by: timedelta, first: int) -> None:
    """Stop the database, move its jobs, and start it again where Slurm looks for it."""
    port = accounting.port
    accounting.stop()
    command = [program("mariadbd"), "--no-defaults", "--bootstrap", "--skip-grant-tables"]
    command.append(f"--datadir={accounting.directory / 'mysql'}")
    sql = MOVED.format(s=int(by.total_seconds()), first=first)
    subprocess.run(command, input=sql, text=True, capture_output=True, check=True)
    accounting.start()
    accounting.port = port
    accounting.serve(cluster.socket_directory / "socket", cluster.env, "another")


def printed(path: Path, said: str) -> Path:
    path.write_text(said)
    return path


def local(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%dT%H:%M:%S")


def test_a_real_slurm_is_explained_to_the_last_gpu_second(store: Store, tmp_path: Path) -> None:
    with (
        or_skip(Accounting(tmp_path)) as accounting,
        or_skip(Slurm(tmp_path, accounting=accounting)) as cluster,
    ):
        source = SlurmSource(SlurmSettings(conf=str(cluster.conf)), Context("c", "head"))
        for gpus in (2, 1):
            cluster.submit("sleep 2", gpus=gpus, name="a|b")
        unheard = cluster.submit("sleep 2", gpus=4, name="unheard")
        cluster.wait_state(unheard, "RUNNING")
        rows = list(source.read())
        states = ("sacct", "-nPX", "-o", "State")
        wait_until(lambda: cluster.run(*states).count("COMPLETED") == 3, 30, "all have ended")
        heard = [r for r in (*rows, *source.read()) if f"'c/{unheard}'" not in str(r)]
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
        by = timedelta(seconds=int(time.time() - hour.timestamp()) - 600)
        move_accounting(accounting, cluster, by, int(hour.timestamp()) - 3600)
        book(store, [moved(r, by) for r in heard], hour)
        end = hour + timedelta(hours=1)
        cluster.run("sacctmgr", "--immediate", "roll", local(hour), local(end))
        ask = cluster.run
        files = Files(sacct=(sacct(ask, tmp_path),), sreport=sreport(ask, tmp_path, hour, end))
        zone = datetime.now().astimezone().tzinfo or UTC
        found = [as_dict(one) for one in compare(store, files, Asked(zone=zone))]
    assert [f["against"] for f in found] == ["sacct", "sreport"]
    for one in found:
        assert one["theirs_gpu_hours"] > 0
        assert one["unexplained_ratio"] < 0.005, one
        [unknown] = [r for r in one["reasons"] if r["reason"] == "unknown_job"]
        assert unknown["example"] == f"c/{unheard}"
        assert one["ours_gpu_hours"] > 0


def book(store: Store, rows: list[Row], hour: datetime) -> None:
    """Own what Slurm counts, and book the hour."""
    for batch in by_table(rows):
        store.insert(batch)
    assets.discover(store, datetime.now(UTC))
    store.command(
        f"INSERT INTO assets SELECT * REPLACE (toDateTime64('{hour:%Y-%m-%d %H:%M:%S}',"
        " 3, 'UTC') AS valid_from, version + 1 AS version) FROM assets"
    )
    window = Window(hour, hour + timedelta(hours=1))
    Ledger(store).book(window, datetime.now(UTC))


def sacct(ask: Callable[..., str], folder: Path) -> Path:
    options = ("--allusers", "--allocations", "--duplicates", "--parsable2")
    return printed(
        folder / "sacct.txt",
        ask("sacct", *options, "--starttime=now-5hours", f"--format={','.join(FIELDS)}"),
    )


def sreport(ask: Callable[..., str], folder: Path, since: datetime, until: datetime) -> Path:
    report = ("cluster", "AccountUtilizationByUser", "-t", "seconds", "-P", "--tres=gres/gpu")
    return printed(
        folder / "sreport.txt",
        ask("sreport", *report, f"start={local(since)}", f"end={local(until)}"),
    )
