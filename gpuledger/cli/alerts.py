"""`gpuledger alerts`: which rules there are, where alerts stand, and files for other evaluators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from gpuledger.cli import checking, options, show
from gpuledger.files import writable

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
    from gpuledger.cli.wiring import KnownAlerts

    known = KnownAlerts(options.load_config(config_path)).rules()
    show.answer(known, fmt, _some(LISTED), "There is no rule.")


@command.command("status")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
@click.option("--rule", default="", help="Of that rule alone.")
@click.option("--all", "resolved", is_flag=True, help="Also what is over.")
def status_(store_url: str, config_path: Path | None, fmt: str, rule: str, resolved: bool) -> None:
    """Alerts that are pending or firing, what they cost an hour, and who was told last."""
    from gpuledger.cli.wiring import KnownAlerts

    configuration = options.load_config(config_path)
    known = KnownAlerts(configuration)
    known.check(rule)
    reader = options.open_for_questions(store_url, configuration)
    rows = known.status(reader, rule=rule, resolved=resolved)
    show.answer(rows, fmt, _some(STATUS), NONE)


def _some(names: Sequence[str]) -> Callable[[Sequence[Mapping[str, Any]]], None]:
    return lambda rows: show.plain_table([{name: row[name] for name in names} for row in rows])


@command.command("check")
@checking.asked_option
@options.config_option
def check(store_url: str, config_path: Path | None) -> int:
    """Ask every rule's SQL, also as Grafana does, and let promtool look at the files.

    Ends with 1 where a rule is wrong; each defect is one line.
    """
    from alerts import check as checks
    from alerts.build import rules

    known = rules()
    wrong = [*checks.of_pages(known)]
    with checking.reader(store_url, config_path) as reader:
        # A store that does not answer is no fault of any rule.
        reader.select("SELECT 1 AS one")
        wrong += checks.of_queries(known, reader, datetime.now(UTC))
    promtool = checks.has_promtool()
    wrong += checks.of_prometheus() if promtool else []
    by = "" if promtool else " (promtool is not installed: the files for Prometheus were not seen)"
    return checking.verdict(wrong, f"{len(known)} rules, {2 * len(known)} queries{by}")


@command.command("test")
@click.argument("names", nargs=-1, metavar="[RULE]...")
def test(names: tuple[str, ...]) -> int:
    """Evaluate rules on their examples: rows on which each fires, and on which it is silent.

    All rules, or those of these names, in an empty embedded store. Ends with 1 where one does not
    do as its example tells; each difference is one line.
    """
    from alerts.test import differences

    with checking.empty_store() as store:
        wrong, seen = differences(store, names)
    return checking.verdict(wrong, f"{seen} rules, {2 * seen} examples")


@command.command("build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory.")
@options.config_option
def build(out: Path, config_path: Path | None) -> None:
    """Write the rules as Prometheus and Grafana YAML, and Prometheus' unit tests of them.

    With the thresholds of the configuration, and without the rules that are off there.
    """
    from alerts.build import write
    from alerts.make import known_rules
    from alerts.settings import AlertSettings

    settings = options.load_config(config_path).section("alerts", AlertSettings)
    for path in write(writable(out), known_rules(settings).values()):
        click.echo(path)
