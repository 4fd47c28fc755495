"""`gpuledger recommend`: what to do about it, what people decided, and what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.catalogue.verdict import STANDINGS
from gpuledger.cli import advice, options, plan, show

if TYPE_CHECKING:
    from analytics.life.decide import Decided
    from analytics.life.events import Step
    from gpuledger.service import Reader, RemoteStore

Command = Callable[..., Any]
EVERYTHING = 10_000
PROPOSED = "proposed"
HIDDEN = ("snoozed", "accepted", "dismissed", "applied")


@click.group("recommend")
def command() -> None:
    """Recommendations: printed for people, never carried out."""


command.add_command(plan.command)


@command.command("list")
@options.store_option
@options.config_option
@click.option("--status", type=click.Choice(STANDINGS), default=PROPOSED, show_default=True)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, EVERYTHING))
@options.format_option("table", "json", "csv")
def list_(store_url: str, config_path: Path | None, status: str, limit: int, fmt: str) -> None:
    """What to do, largest gain first; each GPU-hour that is freed counts once in the sum."""
    from analytics import book

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = book.recommendations(reader, status=status, limit=EVERYTHING)
    nothing = "Nothing to recommend." if status == PROPOSED else f"None is {status}."
    show.answer(rows[:limit], fmt, show.recommendations_table, nothing)
    if fmt == "table":
        told = [_together(rows, limit), *_precision(reader)] if rows else []
        for line in (*told, *_decided_on(reader, status)):
            click.echo(line)


def _decided_on(reader: Reader, status: str) -> list[str]:
    """How many proposals are not listed because people decided on them."""
    from analytics import book

    standing = book.standing(reader) if status == PROPOSED else {}
    told = [f"{standing[name]} {name}" for name in HIDDEN if standing.get(name)]
    return [f"not listed: {', '.join(told)} (--status shows them)"] if told else []


def _together(rows: Sequence[show.Row], limit: int) -> str:
    """What all of them free together."""
    from analytics.life import netting

    alone = netting.total(rows, "gain_gpu_hours")
    net = netting.total(rows)
    more = f" (and {len(rows) - limit} more: --limit)" if len(rows) > limit else ""
    overlap = f"; {alone:,.0f} if what overlaps were counted twice" if alone > net + 0.5 else ""
    return f"together {net:,.0f} GPU-hours, each counted once{overlap}{more}"


def _precision(reader: Reader) -> list[str]:
    """What past predictions of each kind came to."""
    from analytics.outcomes import calibrate

    return [
        f"{p.kind}: {p.outcomes} measured, {p.predicted_gpu_hours:,.0f} GPU-hours promised and"
        f" {p.measured_gpu_hours:,.0f} won, {p.within} promises within the interval; new ones count"
        f" at {100 * p.ratio:.0f} %"
        + (f"; {p.unmeasured} could not be measured" if p.unmeasured else "")
        for p in calibrate.precision(reader)
    ]


@command.command("show")
@click.argument("identifier")
@options.store_option
@options.config_option
@options.format_option("table", "json")
def show_(identifier: str, store_url: str, config_path: Path | None, fmt: str) -> None:
    """One recommendation with finding, evidence, life and outcome.

    ID as `list` prints it.
    """
    from analytics import book

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    row = book.recommendation(reader, identifier)
    if fmt == "json":
        show.as_json(row)
    else:
        advice.print_one(row)


@command.command("outcomes")
@options.store_option
@options.config_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, EVERYTHING))
@options.format_option("table", "json", "csv")
def outcomes(store_url: str, config_path: Path | None, limit: int, fmt: str) -> None:
    """What advice that was carried out won, against what it promised."""
    from analytics import book

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = book.outcomes(reader, limit=limit)
    show.answer(rows, fmt, _outcomes_table, "No outcome yet.")
    if fmt == "table":
        for line in _precision(reader):
            click.echo(line)


def _outcomes_table(rows: Sequence[show.Row]) -> None:
    show.plain_table([_outcome(r) for r in rows], "Outcomes")


def _outcome(row: show.Row) -> dict[str, Any]:
    n = (row[k] for k in ("treated_before", "treated_after", "matched_before", "matched_after"))
    return {
        "id": row["recommendation_id"][: show.SHORT_ID],
        "kind": row["kind"],
        "about": row["subject"],
        "promised": _hours(row["predicted_gpu_hours"]),
        "won (95 %)": row["reason"]
        or f"{_hours(row['measured_gpu_hours'])} ({_hours(row['low_gpu_hours'])} to"
        f" {_hours(row['high_gpu_hours'])})",
        "n of it, like it": "{}/{}, {}/{}".format(*n),
    }


def _hours(value: float | None) -> str:
    return show.NOTHING if value is None else f"{value:,.4g} GPU-h"


def _decision(
    name: str, *, end: bool = False, reason: bool = False
) -> Callable[[Command], Command]:
    """A command that decides on one recommendation, with the options that it needs."""

    def decorated(function: Command) -> Command:
        for option in (
            click.option("--reason", default="", help="Why.") if reason else None,
            click.option("--until", default="", help="12h, 7d from now, or a date.")
            if end
            else None,
            click.option("--by", default=options.who, show_default="cli:you", help="Who decides."),
            options.format_option("table", "json"),
        ):
            function = option(function) if option else function
        function = options.config_option(options.store_option(function))
        return command.command(name)(click.argument("identifier")(function))

    return decorated


@_decision("accept")
def accept(identifier: str, store_url: str, config_path: Path | None, by: str, fmt: str) -> None:
    """Agree: its gain is kept as promised, and its outcome is measured once it is carried out."""
    from analytics.life.events import ACCEPTED, Step

    _decide(store_url, config_path, identifier, Step(ACCEPTED, by, datetime.now(UTC)), fmt)


@_decision("applied", reason=True)
def applied(
    identifier: str, store_url: str, config_path: Path | None, by: str, reason: str, fmt: str
) -> None:
    """Say that it was carried out, where telemetry and allocations do not show it."""
    from analytics.life.events import APPLIED, Step

    step = Step(APPLIED, by, datetime.now(UTC), reason.strip())
    _decide(store_url, config_path, identifier, step, fmt)


@_decision("dismiss", end=True, reason=True)
def dismiss(
    identifier: str,
    store_url: str,
    config_path: Path | None,
    by: str,
    reason: str,
    until: str,
    fmt: str,
) -> None:
    """Decline such advice on the same subject, for a reason and a time."""
    from analytics import exemptions
    from analytics.life.events import DISMISSED, Step

    now = datetime.now(UTC)
    ends = exemptions.ends(until, now, "a dismissal")
    step = Step(DISMISSED, by, now, reason.strip(), ends)
    _decide(store_url, config_path, identifier, step, fmt)


@_decision("snooze", end=True)
def snooze(
    identifier: str, store_url: str, config_path: Path | None, by: str, until: str, fmt: str
) -> None:
    """Hide it for a time."""
    from analytics import exemptions
    from analytics.life.events import SNOOZED, Step

    now = datetime.now(UTC)
    step = Step(SNOOZED, by, now, until=exemptions.ends(until, now, "a snooze"))
    _decide(store_url, config_path, identifier, step, fmt)


def _decide(
    store_url: str, config_path: Path | None, identifier: str, step: Step, fmt: str
) -> None:
    """Take the step, through the service that holds the store where there is one."""
    from gpuledger.service import running_service

    service = running_service(store_url, os.environ)
    if service:
        _tell(_through(service, identifier, step), fmt)
        return
    from analytics.life import decide
    from analytics.life.events import VERBS

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    try:
        decided = decide.decide(store, identifier, step)
        told = _told(decided)
        action = f"recommendation.{VERBS[step.status]}"
        options.audited(store, action, told["recommendation_id"], None, told)
        _tell({**told, "title": decided.title}, fmt)
    finally:
        store.close()


def _through(service: RemoteStore, identifier: str, step: Step) -> dict[str, Any]:
    """The decision as the service kept it, in its caller's name."""
    from urllib.parse import quote

    from analytics.life.events import DISMISSED, SNOOZED, VERBS

    body: dict[str, str] = {}
    if VERBS[step.status] in {"dismiss", "applied"}:
        body["reason"] = step.reason
    if step.status in {DISMISSED, SNOOZED}:
        body["until"] = f"{step.until:%Y-%m-%dT%H:%M:%SZ}"
    path = f"/v1/recommendations/{quote(identifier, safe='')}/{VERBS[step.status]}"
    told: dict[str, Any] = service.call("POST", path, body or None)
    for name in ("at", "until"):
        told[name] = told[name] and datetime.fromisoformat(told[name])
    return told


def _told(decided: Decided) -> dict[str, Any]:
    """A decision for programs and for the audit."""
    from gpuledger.schema import FOREVER

    step = decided.step
    return {
        "recommendation_id": f"{decided.identifier:016x}",
        "at": step.at,
        "status": step.status,
        "by": step.by,
        "reason": step.reason,
        "until": None if step.until >= FOREVER else step.until,
    }


def _tell(told: Mapping[str, Any], fmt: str) -> None:
    if fmt == "json":
        show.as_json({name: value for name, value in told.items() if name != "title"})
        return
    until = told["until"]
    end = f" until {until:%Y-%m-%d %H:%M} UTC" if until else ""
    short = told["recommendation_id"][: show.SHORT_ID]
    click.echo(f"{short} {told['title']}: {told['status']}{end}")
