"""`gpuledger backfill`: a site's past, read from what it already has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options
from gpuledger.errors import ConfigError
from gpuledger.files import writable, write_text

if TYPE_CHECKING:
    from analytics.backfill.run import Estimate, Show, Wanted

# What Prometheus may not have written down yet.
SETTLED = timedelta(minutes=2)
HELP = """Book what happened before any agent was there, from Prometheus and accounting.

Reads the history of dcgm-exporter, node_exporter and kube-state-metrics from Prometheus, or from
whatever answers its API, and jobs from sacct; books every GPU-hour of it, and writes the first
report with a baseline. What was read is remembered in the store: an interrupted run goes on where
it ended, a later one adds what is new.

For Slurm, give the file that this writes:

\b
  {command}

Secrets stay in files: [backfill] token_file, or user and password_file (in the environment
GPULEDGER_BACKFILL_TOKEN_FILE and so on).
"""


class _Help(click.Command):
    """A command whose help is made when it is asked for, from what the reader of sacct wants."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from analytics.backfill.sacct import COMMAND, wrapped

        self.help = HELP.format(command=wrapped(COMMAND))
        super().format_help_text(ctx, formatter)


@click.command("backfill", cls=_Help, short_help="A site's past, read from what it already has.")
@options.store_option
@options.config_option
@click.option(
    "--prometheus", "url", required=True, metavar="URL", help="http(s)://host:port[/path]"
)
@click.option(
    "--sacct",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Output of sacct, see above; may be given again for more files.",
)
@click.option(
    "--kube-state",
    type=click.Choice(["auto", "off"]),
    default="auto",
    show_default=True,
    help="Pods and nodes from kube-state-metrics, where it was there.",
)
@click.option("--since", default="90d", show_default=True, help="90d, 12h or an RFC 3339 time.")
@click.option("--until", default="", help="RFC 3339 time [default: two minutes ago].")
@click.option(
    "--step",
    default="60s",
    show_default=True,
    help="Time that a row covers: 10s, 15s, 20s, 30s, 60s; or scrape = a row for every scrape.",
)
@click.option(
    "--cluster",
    envvar="GPULEDGER_CLUSTER",
    show_envvar=True,
    default="default",
    show_default=True,
    help="Part of every asset's name: choose it once.",
)
@click.option(
    "--mapping",
    "mappings",
    multiple=True,
    help="Read these exporters [default: dcgm-exporter, node-exporter].",
)
@click.option(
    "--source",
    default="",
    help="Name of this history: another one for a Prometheus with other targets of the cluster"
    " [default: the cluster].",
)
@click.option(
    "--timezone", default="UTC", show_default=True, help="Of times in sacct's files, if not UTC."
)
@click.option("--dry-run", is_flag=True, help="Say what there is to read, and stop.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report.html"), show_default=True
)
def command(
    store_url: str, config_path: Path | None, out: Path, dry_run: bool, **told: Any
) -> None:
    """Read, book, report; the help that people see is HELP."""
    from analytics.backfill import summary
    from analytics.backfill.run import Backfill
    from gpuledger.cli.wiring import weekly_report

    options.log_lines()
    configuration = options.load_config(config_path)
    wanted = _wanted(**told)
    writable(out.parent)
    store = options.open_store(store_url, configuration)
    try:
        store.apply()
        backfill = Backfill(store, configuration, wanted)
        found = backfill.estimate()
        click.echo(_announced(found, wanted))
        if dry_run:
            return
        with _progress() as show:
            done = backfill.run(found, show)
        click.echo(summary.table(summary.lines(store, wanted, done)))
        _write(store, wanted, out, weekly_report)
    finally:
        store.close()


def _write(store: Any, wanted: Wanted, out: Path, weekly_report: Any) -> None:
    """The report and, beside it, the baseline."""
    from analytics.backfill import summary

    told = summary.history(store, wanted)
    if told is None:
        return
    weeks = summary.baseline(store, told)
    beside = out.with_name(f"{out.stem}-baseline.json")
    write_text(out, weekly_report(store))
    write_text(beside, json.dumps(weeks, indent=1) + "\n")
    click.echo(f"{'report':<15} {out}\n{'baseline':<15} {beside}")


def _wanted(
    *,
    url: str,
    sacct: tuple[Path, ...],
    kube_state: str,
    since: str,
    until: str,
    step: str,
    cluster: str,
    mappings: tuple[str, ...],
    source: str,
    timezone: str,
) -> Wanted:
    """What the options ask for. ConfigError names the one that cannot be meant."""
    from analytics.backfill.run import USUAL, Wanted
    from analytics.book import parse_since

    last = _until(until)
    first = parse_since(since, last).replace(minute=0, second=0, microsecond=0)
    if first >= last:
        raise ConfigError(f"--since {since} is not before {last:%Y-%m-%d %H:%M} UTC")
    return Wanted(
        since=first,
        until=last,
        cluster=cluster,
        source=source or cluster,
        url=url,
        sacct=sacct,
        kube=kube_state == "auto",
        step_ms=_step_ms(step),
        mappings=mappings or USUAL,
        zone=options.zone(timezone),
    )


def _until(text: str) -> datetime:
    """The end of what is read, a whole minute."""
    now = datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text) if text else now - SETTLED
    except ValueError:
        raise ConfigError(f"--until {text}: write 2026-11-22T04:00Z") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    if at > now:
        raise ConfigError(f"--until {text}: that is in the future")
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _step_ms(text: str) -> int:
    found = re.fullmatch(r"(10|15|20|30|60)s|1m", text)
    if text == "scrape":
        return 0
    if not found:
        raise ConfigError(f"--step {text}: write 10s, 15s, 20s, 30s, 60s or scrape")
    return int(found[1] or 60) * 1000


def _announced(found: Estimate, wanted: Wanted) -> str:
    """What there is to read, and how long that may take."""
    metrics = sum(len(a.names) for a in found.amounts.values()) + len(found.kube.names)
    hours = (wanted.until - wanted.since) / timedelta(hours=1)
    length = f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
    jobs = f" and {found.jobs:,} runs of GPU jobs" if found.jobs else ""
    return (
        f"{'to read':<15} some {found.samples:,.0f} samples of {metrics} metrics in"
        f" {length}{jobs}: about {_length(found.seconds)}"
    )


def _length(seconds: float) -> str:
    if seconds < 90:
        return "a minute"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


@contextmanager
def _progress() -> Iterator[Show]:
    """Bars on a terminal, nothing in a pipe."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description:<34}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[said]}"),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        tasks: dict[str, Any] = {}

        def show(phase: str, share: float, said: str) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase, total=1.0, said="")
            bars.update(tasks[phase], completed=share, said=said)

        yield show
