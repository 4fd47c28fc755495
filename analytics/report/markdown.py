"""The weekly report in short, as Markdown for a chat or a terminal."""

from __future__ import annotations

import re

from analytics.report.edition import edition_lines
from analytics.report.phrases import change, cost, ends, fate, period, worth
from analytics.report.value import Became, Decision, Metric, Waste, WeeklyReport
from analytics.report.words import NOTHING, day, hours, money, quantity, short

LONGEST = 160
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~!@&])")


def render_markdown(report: WeeklyReport) -> str:
    """Verdict, metrics, largest wastes and decisions; foreign names cannot format anything."""
    lines = [f"**GPU report, {_safe(report.week)}** ({period(report)})", ""]
    lines += [_safe(report.verdict), ""]
    if report.gpus:
        lines += [*map(_metric, report.metrics), ""]
    if report.wastes:
        lines += ["**Largest wastes**", *(_waste(w, report.currency) for w in report.wastes), ""]
    if report.decisions:
        told = (_decision(d, report.money_not_shown) for d in report.decisions)
        lines += ["**Decisions**", *told, ""]
    if report.last_decisions:
        lines += ["**Decisions before**", *map(_became, report.last_decisions), ""]
    lines += [f"_{_safe(note)}_" for note in report.notes] + edition_lines(report)
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
        f"1. {_safe(who)}: {lost} {waste.help}"
        f" ({money(waste.value, currency)}, evidence {waste.grade or NOTHING})"
    )


def _decision(decision: Decision, missing: str) -> str:
    title = _safe(short(decision.title, LONGEST))
    more = f" and {decision.more} more like it" if decision.more else ""
    interval = f" ({ends(decision.cost)})" if ends(decision.cost) else ""
    return (
        f"1. {title}{more}: {_safe(decision.owner)} decides by {day(decision.due)};"
        f" a week without it costs {cost(decision.cost)}{interval},"
        f" {worth(decision.cost, missing)}"
    )


def _became(became: Became) -> str:
    return f"1. {_safe(short(became.title, LONGEST))}: {_safe(fate(became))}"


def _safe(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
