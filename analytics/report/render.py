"""The weekly report as one self-contained HTML page: the same value gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from analytics.report import phrases, words
from analytics.report.asked import SECTIONS
from analytics.report.charts import BANDS, daily_svg, history_svg
from analytics.report.markdown import render_markdown
from analytics.report.value import WeeklyReport
from gpuledger.batch import to_milliseconds

__all__ = ["render_html", "render_markdown"]

TEMPLATE = "weekly.html"
GRADES = (
    ("A", "profiling counters"),
    ("B", "utilization, power and memory"),
    ("C", "utilization only"),
    ("D", "the scheduler only"),
)
CONTENTS = (
    ("ledger", "Ledger"),
    ("weeks", "13 weeks"),
    ("full", "Decisions in full"),
    ("wastes", "Wastes"),
    ("waits", "Waiting"),
    ("health", "Health"),
    ("energy", "Energy and CO2"),
    ("forecast", "Forecast"),
    ("costs", "Cost"),
    ("reconciled", "Asset list"),
    ("notes", "Data quality"),
    ("queries", "Queries"),
)
# Of the bars from paid for to productive: what is left, and what each step lost.
LOST = {step: colour for (step, _, _), (_, _, colour) in pairwise(BANDS)}
LEFT, WORKED = "#1f4e79", BANDS[0][2]
WORDS = (
    words.at,
    words.cause,
    words.day,
    words.duration,
    words.money,
    words.number,
    words.percent,
    words.plural,
    words.sentence,
    words.short,
)


def render_html(report: WeeklyReport) -> str:
    """One page without outside parts, for browser, mail and print; light, 390 px and wider."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2, see _environment

    charts = {"daily": daily_svg(report.days), "history": history_svg(report.history)}
    return str(
        _environment()
        .get_template(TEMPLATE)
        .render(
            report=report,
            grades=GRADES,
            contents=CONTENTS,
            colours={"lost": LOST, "left": LEFT, "worked": WORKED},
            bands=[(name, colour) for _, name, colour in BANDS],
            # Made by our own charts, which write no foreign text.
            charts={name: Markup(svg) for name, svg in charts.items()},  # noqa: S704
        )
    )


@cache
def _environment() -> Any:
    import jinja2  # noqa: PLC0415 - the node agent has no jinja2 and never comes here

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {word.__name__: word for word in WORDS}
    filters.update({f.__name__: f for f in phrases.PHRASES})
    environment.filters.update({**filters, "board": _board})
    environment.globals.update(words=words)
    return environment


def _board(section: str, report: WeeklyReport) -> str:
    """Address of the board that shows a section over the period; empty without Grafana."""
    if not report.grafana:
        return ""
    board = SECTIONS[section][1]
    since, until = (to_milliseconds(at) for at in (report.since, report.until))
    return f"{report.grafana}/d/gpuledger-{board}?from={since}&to={until}"
