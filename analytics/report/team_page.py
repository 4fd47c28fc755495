"""The report of one team as a small page and as Markdown: the same value gives the same bytes."""

from __future__ import annotations

from pathlib import Path

from analytics.report import words
from analytics.report.teams import TeamAdvice, TeamReport, TeamWaste
from analytics.report.weeks import days
from analytics.report.words import escaped

TEMPLATE = "team.html"


def render_html(report: TeamReport) -> str:
    """One page without outside parts, for browser, mail and print."""
    import jinja2  # noqa: PLC0415 - the node agent has no jinja2 and never comes here

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    used = (words.number, words.percent, words.money, words.sentence, words.span, words.hours)
    environment.filters.update({f.__name__: f for f in used})
    environment.globals.update(count=count, remark=remark)
    return environment.get_template(TEMPLATE).render(
        report=report, title=title(report), verdict=verdict(report), period=period(report)
    )


def render_markdown(report: TeamReport) -> str:
    """The same in short; foreign names cannot format anything."""
    lines = [
        f"**{escaped(title(report))}** ({escaped(period(report))})",
        "",
        escaped(verdict(report)),
    ]
    if report.wastes:
        lines += ["", "**To win back**", *(_waste(w, report.currency) for w in report.wastes)]
    if report.advice:
        lines += ["", "**What to do**", *map(_advice, report.advice)]
    if report.more_advice:
        lines += [f"{report.more_advice} more: `gpuledger recommend list`"]
    if report.note:
        lines += ["", f"_Your remark: {escaped(report.note)}_"]
    elif report.week:
        lines += ["", f"_{escaped(remark(report))}_"]
    return "\n".join(lines) + "\n"


def title(report: TeamReport) -> str:
    """What the report is of."""
    return f"GPU report for team {words.plain(report.team)}{_of(report.week)}"


def period(report: TeamReport) -> str:
    """From when to when, in the zone of the week."""
    return days(report.since, report.until, report.timezone)


def verdict(report: TeamReport) -> str:
    """What the team held, what it did, and what could be won back, in two sentences."""
    held = words.hours(report.gpu_hours)
    before = report.utilization_ratio_before
    was = f" ({words.percent(before)} in the week before)" if before is not None else ""
    jobs = words.plural(report.jobs, "job")
    did = f"{jobs} held {held}; {words.percent(report.utilization_ratio)} of it did productive work"
    if report.loose_gpu_hours < 1:
        return f"{did}{was}. Nothing worth naming could be won back."
    loose = words.hours(report.loose_gpu_hours)
    worth = (
        ""
        if report.loose_value is None
        else f", worth {words.money(report.loose_value, report.currency)}"
    )
    return f"{did}{was}. {loose}{worth}, could be won back."


def remark(report: TeamReport) -> str:
    """How a lead adds a remark to the report for management."""
    return (
        "To add a remark to the report for management, before it is released:"
        f' gpuledger report note --week {report.week} --team "{words.plain(report.team)}" "…"'
    )


def _of(week: str) -> str:
    return f", {week}" if week else ""


def _waste(waste: TeamWaste, currency: str) -> str:
    who = ", ".join(filter(None, (waste.job_name, waste.user, count(waste))))
    todo = f" → {escaped(waste.action)}" if waste.action else ""
    return (
        f"1. {escaped(who)}: {words.hours(waste.gpu_hours)} {waste.help}"
        f" ({words.money(waste.value, currency)}, evidence {waste.grade or words.NOTHING}){todo}"
    )


def count(waste: TeamWaste) -> str:
    """The one job's id, or how many jobs."""
    return waste.first_job if waste.jobs == 1 else f"{waste.jobs:,} jobs"


def _advice(advice: TeamAdvice) -> str:
    gain = (
        ""
        if advice.gain_gpu_hours is None
        else f" ({words.hours(advice.gain_gpu_hours)} in {words.span(advice.horizon_seconds)})"
    )
    return (
        f"1. {escaped(advice.title)}{gain}\n"
        f"   - `{_code(advice.accept)}`, or `{_code(advice.dismiss)}`"
    )


def _code(text: str) -> str:
    return text.replace("`", "'")
