"""`gpuledger alerts`: which rules there are, where alerts stand, and files for other evaluators."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options, show
from gpuledger.files import writable

if TYPE_CHECKING:
    from gpuledger.service import Reader
    from gpuledger.store import Store

NONE = "Nothing is wrong: no alert is pending or firing."
# Columns for people; programs get them all.
LISTED = ("rule", "severity", "holds_from", "for", "told", "hears")
STATUS = ("severity", "state", "since", "rule", "summary", "cost_per_hour", "currency", "told")


@click.group("alerts")
def command() -> None:
    """Alert rules: what they say, where they stand, and files for other evaluators."""


@command.command("list")
@options.config_option
@options.format_option("table", "json", "csv")
def list_(config_path: Path | None, fmt: str) -> None:
    """Every rule: from when on it holds, how long it must, who hears of it and when."""
    from alerts import receivers, status
    from alerts.build import rules
    from alerts.make import known_rules
    from alerts.settings import AlertSettings

    settings = options.load_config(config_path).section("alerts", AlertSettings)
    known = {rule.name: rule for rule in rules().values()} | known_rules(settings)
    found = receivers.load(settings.receivers_file, os.environ)
    show.answer(status.listed(known, settings, found), fmt, _some(LISTED), "There is no rule.")


@command.command("status")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
@click.option("--rule", default="", help="Of that rule alone.")
@click.option("--all", "resolved", is_flag=True, help="Also what is over.")
def status_(store_url: str, config_path: Path | None, fmt: str, rule: str, resolved: bool) -> None:
    """Alerts that are pending or firing, what they cost an hour, and who was told last."""
    from alerts import status
    from alerts.build import rules
    from gpuledger.errors import ConfigError, nearest

    known = {r.name for r in rules().values()}
    if rule and rule not in known:
        raise ConfigError(f"--rule {rule}: there is none{nearest(rule, known)}")
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = status.status(reader, rule=rule, resolved=resolved)
    show.answer(rows, fmt, _some(STATUS), NONE)


def _some(names: Sequence[str]) -> Callable[[Sequence[Mapping[str, Any]]], None]:
    return lambda rows: show.plain_table([{name: row[name] for name in names} for row in rows])


@command.command("check")
@click.option(
    "--store",
    "store_url",
    envvar="GPULEDGER_STORE",
    show_envvar=True,
    default="",
    metavar="URL",
    help="Ask that one; default: an empty embedded one.",
)
@options.config_option
def check(store_url: str, config_path: Path | None) -> int:
    """Ask every rule's SQL, also as Grafana does, and let promtool look at the files.

    Ends with 1 where a rule is wrong; each defect is one line.
    """
    from alerts import check as checks
    from alerts.build import rules

    known = rules()
    wrong = [*checks.of_pages(known)]
    with _reader(store_url, config_path) as reader:
        wrong += checks.of_queries(known, reader, datetime.now(UTC))
    promtool = checks.has_promtool()
    wrong += checks.of_prometheus() if promtool else []
    for defect in wrong:
        click.echo(defect)
    by = "" if promtool else " (promtool is not installed: the files for Prometheus were not seen)"
    said = f"{len(wrong)} wrong" if wrong else "all right"
    click.echo(f"{len(known)} rules, {2 * len(known)} queries: {said}{by}", err=bool(wrong))
    return 1 if wrong else 0


@contextmanager
def _reader(store_url: str, config_path: Path | None) -> Iterator[Reader]:
    """The store that is named, or an empty one for as long as this lasts."""
    if store_url:
        yield options.open_for_questions(store_url, options.load_config(config_path))
        return
    with _empty() as store:
        yield store.reader()


@contextmanager
def _empty() -> Iterator[Store]:
    """An empty embedded store for as long as this lasts."""
    import tempfile

    from gpuledger.store import Address, Store

    with tempfile.TemporaryDirectory(prefix="gpuledger-check-") as directory:
        store = Store(Address(directory=Path(directory) / "store"))
        try:
            store.apply()
            yield store
        finally:
            store.close()


@command.command("test")
@click.argument("names", nargs=-1, metavar="[RULE]...")
def test(names: tuple[str, ...]) -> int:
    """Evaluate rules on their examples: rows on which each fires, and on which it is silent.

    All rules, or those of these names, in an empty embedded store. Ends with 1 where one does not
    do as its example tells; each difference is one line.
    """
    from alerts.test import differences

    with _empty() as store:
        wrong, seen = differences(store, names)
    for line in wrong:
        click.echo(line)
    said = f"{len(wrong)} wrong" if wrong else "all right"
    click.echo(f"{seen} rules, {2 * seen} examples: {said}", err=bool(wrong))
    return 1 if wrong else 0


@command.command("build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory.")
def build(out: Path) -> None:
    """Write the rules as Prometheus and Grafana YAML, and Prometheus' unit tests of them."""
    from alerts.build import write

    for path in write(writable(out)):
        click.echo(path)
