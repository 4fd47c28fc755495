"""The weekly report in short, as Markdown for a chat or a terminal."""

from __future__ import annotations

import re

from analytics.report.value import Advice, Metric, Waste, WeeklyReport
from analytics.report.words import (
    NOTHING,
    difference,
    duration,
    money,
    number,
    percent,
    period,
    quantity,
)

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#|~!@&])")


def render_markdown(report: WeeklyReport) -> str:
    """Verdict, metrics, largest wastes and decisions; foreign names cannot format anything."""
    lines = [f"**GPU report, {_safe(report.week)}** ({period(report.since, report.until)})", ""]
    lines += [_safe(report.verdict), ""]
    if report.gpus:
        lines += [*map(_metric, report.metrics), ""]
    if report.wastes:
        lines += ["**Largest wastes**", *(_waste(w, report.currency) for w in report.wastes), ""]
    if report.recommendations:
        lines += ["**Decisions**", *map(_advice, report.recommendations), ""]
    lines += [f"_{_safe(note)}_" for note in report.notes]
    return "\n".join(lines).rstrip() + "\n"


def _metric(metric: Metric) -> str:
    if metric.value is None:
        return f"- {metric.name}: not shown: {metric.not_shown}"
    grade = f", evidence {metric.grade}" if metric.grade else ""
    return f"- {metric.name}: {quantity(metric.value, metric.unit)} ({_change(metric)}{grade})"


def _change(metric: Metric) -> str:
    if metric.change is None:
        return f"change not shown: {metric.not_shown}"
    return f"{difference(metric.change, metric.unit)} on the week before"


def _waste(waste: Waste, currency: str) -> str:
    who = ", ".join(filter(None, (waste.holder, waste.job_name, waste.count)))
    hours = f"{number(waste.gpu_hours)} GPU-hours"
    return (
        f"1. {_safe(who)}: {hours} {waste.help}"
        f" ({money(waste.value, currency)}, evidence {waste.grade or NOTHING})"
    )


def _advice(advice: Advice) -> str:
    gain, low, high = map(
        number, (advice.gain_gpu_hours, advice.gain_low_gpu_hours, advice.gain_high_gpu_hours)
    )
    ends = "" if advice.gain_low_gpu_hours is None or low == high else f" ({low} to {high})"
    sure = percent(advice.confidence)
    within = duration(advice.horizon_seconds)
    team = f", team {_safe(advice.team)}" if advice.team else ""
    return f"1. {_safe(advice.title)} ({gain}{ends} GPU-hours in {within}, confidence {sure}{team})"


def _safe(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
