"""The weekly report in short, as Markdown for a chat or a terminal."""

from __future__ import annotations

from analytics.report.edition import edition_lines
from analytics.report.phrases import change, cost, ends, fate, period, worth
from analytics.report.value import Became, Decision, Metric, Waste, WeeklyReport
from analytics.report.words import NOTHING, day, escaped, hours, money, quantity, short

LONGEST = 160


def render_markdown(report: WeeklyReport) -> str:
    """Verdict, metrics, largest wastes and decisions; foreign names cannot format anything."""
    lines = [f"**GPU report, {escaped(report.week)}** ({period(report)})", ""]
    lines += [escaped(report.verdict), ""]
    if report.gpus:
        lines += [*map(_metric, report.metrics), ""]
    if report.wastes:
        lines += ["**Largest wastes**", *(_waste(w, report.currency) for w in report.wastes), ""]
    if report.decisions:
        told = (_decision(d, report.money_not_shown) for d in report.decisions)
        lines += ["**Decisions**", *told, ""]
    if report.last_decisions:
        lines += ["**Decisions before**", *map(_became, report.last_decisions), ""]
    lines += [f"_{escaped(note)}_" for note in report.notes] + edition_lines(report)
    return "\n".join(lines).rstrip() + "\n"


def _metric(metric: Metric) -> str:
    if metric.value is None:
        return f"- {metric.name}: not shown: {metric.not_shown}"
    grade = f", evidence {metric.grade}" if metric.grade else ""
    told = f"change {change(metric)}" if metric.change is None else change(metric)
    return f"- {metric.name}: {quantity(metric.value, metric.unit)} ({told}{grade})"


def _waste(waste: Waste, currency: str) -> str:
    who = ", ".join(filter(None, (waste.holder, waste.job_name, waste.count)))
    lost = hours(waste.gpu_hours)
    return (
        f"1. {escaped(who)}: {lost} {waste.help}"
        f" ({money(waste.value, currency)}, evidence {waste.grade or NOTHING})"
    )


def _decision(decision: Decision, missing: str) -> str:
    title = escaped(short(decision.title, LONGEST))
    interval = f" ({ends(decision.cost)})" if ends(decision.cost) else ""
    return (
        f"1. {title}{_more(decision.more)}: {escaped(decision.owner)} decides by"
        f" {day(decision.due)};"
        f" a week without it costs {cost(decision.cost)}{interval},"
        f" {worth(decision.cost, missing)}"
    )


def _became(became: Became) -> str:
    title = escaped(short(became.title, LONGEST))
    return f"1. {title}{_more(became.more)}: {escaped(fate(became))}"


def _more(count: int) -> str:
    return f" and {count} more like it" if count else ""
