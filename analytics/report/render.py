"""The weekly report as one self-contained HTML page: the same value gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from analytics.report import words
from analytics.report.charts import daily_svg, wastes_svg, waterfall_svg
from analytics.report.markdown import render_markdown
from analytics.report.value import LedgerRow, Metric, WeeklyReport

__all__ = ["render_html", "render_markdown"]

TEMPLATE = "weekly.html"
GRADES = (
    ("A", "profiling counters"),
    ("B", "utilization, power and memory"),
    ("C", "utilization only"),
    ("D", "the scheduler only"),
)


WORDS = (
    words.at,
    words.duration,
    words.money,
    words.number,
    words.percent,
    words.period,
    words.plural,
    words.sentence,
    words.span,
)


def render_html(report: WeeklyReport) -> str:
    """One page without outside parts, for browser, mail and print; light, 390 px and wider."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2, see _environment

    charts = {
        "daily": daily_svg(report.days),
        "waterfall": waterfall_svg(report.waterfall),
        "wastes": wastes_svg(report.wastes),
    }
    return str(
        _environment()
        .get_template(TEMPLATE)
        .render(
            report=report,
            grades=GRADES,
            # Made by our own charts, which escape every foreign text themselves.
            charts={name: Markup(svg) for name, svg in charts.items()},  # noqa: S704
        )
    )


def _environment() -> Any:
    import jinja2  # noqa: PLC0415 - the node agent has no jinja2 and never comes here

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({word.__name__: word for word in WORDS})
    environment.filters.update({f.__name__.lstrip("_"): f for f in FILTERS})
    environment.globals.update(words=words)
    return environment


def _quantity(metric: Metric) -> str:
    return words.NOTHING if metric.value is None else words.quantity(metric.value, metric.unit)


def _change(metric: Metric) -> str:
    """The change and what it is against, or why there is none."""
    if metric.change is None or metric.previous is None:
        what = "not shown" if metric.value is None else "change not shown"
        return f"{what}: {metric.not_shown}"
    was = words.quantity(metric.previous, metric.unit)
    if not metric.change:
        return f"as in the week before ({was})"
    return f"{words.difference(metric.change, metric.unit)} on the week before ({was})"


def _trend(metric: Metric) -> str:
    """`better`, `worse` or `same`, for the colour of the change."""
    if not metric.change:
        return "same"
    return "better" if (metric.change > 0) is metric.higher_is_better else "worse"


def _amount(value: float | None, missing: str = words.NO_PRICE) -> str:
    """An amount without its currency, or why there is none."""
    return missing if value is None else words.number(value)


def _closing(ratio: float | None) -> str:
    """The closing error as a percentage fine enough to see it."""
    if ratio is None:
        return words.NOTHING
    return f"{round(ratio * 100, 3) + 0.0:.3f}%".replace("-", words.MINUS)


def _groups(rows: Iterable[LedgerRow]) -> list[tuple[str, list[LedgerRow]]]:
    """Rows under the words for their groups, in the order in which they come."""
    grouped = groupby(rows, key=lambda row: words.GROUPS.get(row.group, "Other"))
    return [(group, list(of_group)) for group, of_group in grouped]


FILTERS = (_quantity, _change, _trend, _amount, _closing, _groups)
