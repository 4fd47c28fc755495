"""`gpuledger demo`: a simulated cluster with a week of history, booked and reported."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

import click

from gpuledger import config
from gpuledger.batch import Batch
from gpuledger.cli import show
from gpuledger.cli.serve import guarded, listen_option
from gpuledger.directory import claim
from gpuledger.errors import ConfigError
from gpuledger.files import writable, write_all
from gpuledger.store import Address, Store, StoreSettings

if TYPE_CHECKING:
    from analytics.tls import Tls
    from collector.simulation.world import World

# What the simulated H100s are worth: a list-price order of magnitude, written into the demo's
# configuration for everyone to see and change.
CONFIGURATION = """\
# Written by `gpuledger demo`. Prices are an example, not a quote.
[prices]
currency = "USD"
capacity_value = 2.50   # per GPU-hour
energy_price = 0.12     # per kilowatt-hour

[energy]
pue = 1.25
pue_source = "example: the site's yearly mean"
carbon_kg_per_kwh = 0.38
carbon_source = "example: the grid's yearly mean"

[runner]
settle_s = 0
"""
FINE_S, COARSE_S = 10, 60
INSERTERS = 2
# Rules that look into the past of the demo, and how long after an incident.
WATCHED, LOOK_S = ("NodeDown", "GPULost"), 720
# Boards that are written as pages, too: each takes most of a second of the demo's minute.
SHOWN = ("executive", "idle")
# What says that a directory is a demo's, and what a demo writes: nothing else is ever removed.
MARK = ".demo"
WRITTEN_FILES = ("weekly-report.html", "truth.json", "gpuledger.toml")
WRITTEN = ("store", "dashboards", "boards", "alerts", *WRITTEN_FILES)


@click.command("demo")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("gpuledger-demo"),
    show_default=True,
)
@click.option("--seed", default=1, show_default=True)
@click.option("--nodes", default=32, show_default=True, type=click.IntRange(1, 2000))
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 90))
@click.option("--end", "end_text", default="", help="End of the history [default: last full hour].")
@click.option("--exit", "only_write", is_flag=True, help="Stop after writing.")
@listen_option
@guarded
def command(
    directory: Path,
    seed: int,
    nodes: int,
    days: int,
    end_text: str,
    only_write: bool,
    listen: str,
    tls: Tls | None,
) -> None:
    """Simulate a cluster, book its week, write report, boards and rules, then serve it."""
    from analytics import server

    bound = None if only_write else server.bind(listen)
    end = _end(end_text)
    home = _fresh(directory)
    demo = Demo(home, Store(Address(home / "store"), StoreSettings()))
    with demo.progress():
        world = demo.simulate(seed, nodes, end - timedelta(days=days), end)
        demo.analyse(end)
        report = demo.write(world)
    demo.tell()
    if bound:
        demo.serve(bound, report, tls)
    demo.store.close()


@dataclass
class Demo:
    """The steps of the demo over one directory."""

    home: Path
    store: Store
    phases: dict[str, float] = field(default_factory=dict)
    _show: object = None

    @contextmanager
    def progress(self) -> Iterator[None]:
        """A bar on a terminal, nothing in a pipe."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        with Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as bar:
            self._show = bar
            yield

    @contextmanager
    def phase(self, name: str) -> Iterator[_Bar]:
        """One line of the progress, timed."""
        bar = _Bar(self._show, name)
        started = time.monotonic()
        yield bar
        bar(1.0)
        self.phases[name] = time.monotonic() - started

    def simulate(self, seed: int, nodes: int, start: datetime, end: datetime) -> World:
        """History older than a day by the minute, the last day by ten seconds."""
        from collector.simulation import records, site, telemetry
        from collector.simulation.world import simulate
        from gpuledger.batch import by_table

        with self.phase("simulating the cluster") as bar:
            self.store.apply()
            world = simulate(seed, nodes, start, end)
            fine = max(start, end - timedelta(days=1))
            spans = [(fine, end, FINE_S)] + ([(start, fine, COARSE_S)] if start < fine else [])
            with _Inserter(self.store) as insert:
                for since, until, interval_s in sorted(spans):
                    for batch in telemetry.telemetry(world, since, until, interval_s):
                        insert(batch)
                        bar(_share(batch, start, end))
            for batch in (*records.scheduler_batches(world, end), *by_table(site.site_rows(world))):
                self.store.insert(batch)
            self._watch(world)
        return world

    def _watch(self, world: World) -> None:
        """Let the rules of hardware look, in shadow, when something went and when it came back."""
        from alerts.engine import Engine
        from alerts.make import known_rules
        from alerts.settings import AlertSettings
        from alerts.tell import Shadow

        rules = [rule for name, rule in known_rules(AlertSettings()).items() if name in WATCHED]
        engine = Engine(self.store, rules, Shadow(self.store))
        troubles = [(t.since_s, t.until_s) for t in (*world.down, *world.lost)]
        looks = {at for s, u in troubles for at in (s + LOOK_S, u + LOOK_S) if at < world.span_s}
        for at in sorted(looks):
            engine.tick(world.at(at))

    def analyse(self, end: datetime) -> None:
        """One tick over the whole history."""
        from gpuledger.cli.wiring import make_runner

        (self.home / "gpuledger.toml").write_text(CONFIGURATION)
        with self.phase("booking every GPU-second") as bar:
            runner = make_runner(self.store, config.load(self.home / "gpuledger.toml", {}))
            runner.tick(end, lambda name, share: bar(share) if name == "book" else None)

    def write(self, world: World) -> str:
        """Report, boards, alert rules, and what really happened."""
        import alerts.build
        import dashboards.build
        from collector.simulation.truth import truth
        from dashboards.preview.page import Preview
        from gpuledger.cli.wiring import weekly_report

        with self.phase("writing report, boards and rules"):
            report = weekly_report(self.store)
            (self.home / "weekly-report.html").write_text(report)
            dashboards.build.write(writable(self.home / "dashboards"))
            shown = {n: b for n, b in dashboards.build.boards().items() if n in SHOWN}
            pages = Preview(shown, self.store, world.start, world.end).pages()
            write_all(self.home / "boards", dict(pages))
            alerts.build.write(writable(self.home / "alerts"))
            told = truth(world, world.start, world.end)
            (self.home / "truth.json").write_text(json.dumps(told, indent=1, default=str))
        return report

    def tell(self) -> None:
        """The week as a table, what to do, and where the files are."""
        from analytics import book

        span = book.span(self.store, "90d")
        if span is None:
            raise ConfigError("nothing was booked")
        rows = book.ledger(self.store, span, ["state"])
        title = f"The book, {span.since:%Y-%m-%d %H:%M} to {span.until:%Y-%m-%d %H:%M} UTC"
        show.ledger_table(rows, ["state"], title)
        click.echo()
        show.recommendations_table(book.recommendations(self.store, limit=5), "What to do first")
        click.echo()
        for what, name in (
            ("weekly report", "weekly-report.html"),
            ("boards", "boards/index.html"),
            ("Grafana boards", "dashboards/"),
            ("alert rules", "alerts/"),
            ("database", "store/"),
            ("configuration", "gpuledger.toml"),
        ):
            click.echo(f"{what:<15} {self.home / name}")
        took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.phases.items())
        click.echo(f"{'took':<15} {took}")

    def serve(self, bound: object, report: str, tls: Tls | None = None) -> None:
        """API and console until Ctrl-C."""
        import socket

        from analytics import server
        from gpuledger.cli.wiring import make_service

        assert isinstance(bound, socket.socket)
        configuration = config.load(self.home / "gpuledger.toml", {})
        # History ends where the simulation does: nothing must be booked after it.
        service = make_service(self.store, configuration, report_html=report)
        server.run(service, bound, click.echo, ticking=False, tls=tls)


class _Bar:
    """One line of a progress display."""

    def __init__(self, display: object, name: str) -> None:
        from rich.progress import Progress

        self._display = display if isinstance(display, Progress) else None
        self._task = self._display.add_task(name, total=1.0) if self._display else None

    def __call__(self, share: float) -> None:
        if self._display and self._task is not None:
            self._display.update(self._task, completed=share)


class _Inserter:
    """Inserts batches on threads of its own, a few waiting at most; the first error comes out."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(INSERTERS, "insert")
        self._room = threading.Semaphore(2 * INSERTERS)
        self._futures: list[Future[None]] = []

    def __enter__(self) -> Self:
        return self

    def __call__(self, batch: Batch) -> None:
        self._room.acquire()
        self._futures.append(self._pool.submit(self._insert, batch))

    def _insert(self, batch: Batch) -> None:
        try:
            self._store.insert(batch)
        finally:
            self._room.release()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        for future in self._futures:
            future.result()


def _share(batch: Batch, start: datetime, end: datetime) -> float:
    """How far GPU samples have come; other tables do not move the bar."""
    if batch.table.name != "gpu_samples":
        return 0.0
    latest = int(max(batch.columns["ts"])) / 1000
    return (latest - start.timestamp()) / (end - start).total_seconds()


def _end(text: str) -> datetime:
    """The end of the history: given, or the last full hour."""
    if not text:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--end {text}: write 2026-11-22T04:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _fresh(directory: Path) -> Path:
    """The directory, without what an earlier demo wrote. ConfigError where something else lies."""
    home = writable(directory).absolute()
    if (home / "store").exists():
        claim(home / "store")
    if any(home.iterdir()) and not (home / MARK).exists():
        raise ConfigError(f"{home} is not empty and no earlier demo: choose another --dir")
    for name in WRITTEN:
        entry = home / name
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
    (home / MARK).touch()
    return home
