"""The report's charts as SVG text: the same numbers give the same bytes.

Texts stay texts (readers' own fonts, searchable, crisp in print), so nothing is measured in a
font that the reader lacks: every position is computed here.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from analytics.report.value import Day, Week
from analytics.report.words import STRANGER, number, percent
from gpuledger.states import BY_NAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MUTED, RULE = "#66717e", "#c8ced5"
# What is left at each step, what a week's bar shows between it and the step before, and the colour
# of the state that is most of that.
BANDS = (
    ("productive", "productive", BY_NAME["productive"].colour),
    ("active", "active, mostly unused", BY_NAME["underused"].colour),
    ("allocated", "allocated, not at work", BY_NAME["alloc_idle"].colour),
    ("available", "free", BY_NAME["free_surplus"].colour),
    ("paid for", "out of service", BY_NAME["fault"].colour),
)
# Inches at 72 points: wide enough for a phone held upright without shrinking the text.
WIDTH, FONT_PT, MOST_NAMED_DAYS = 5.0, 10.5, 7
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "gpuledger",
    "font.sans-serif": ["DejaVu Sans"],
}
# matplotlib reads its style while it draws, from one place for all threads.
_DRAWING = threading.Lock()


def daily_svg(days: tuple[Day, ...]) -> str:
    """GPU-hours of each day, stacked by state; empty text without days."""
    if not days:
        return ""
    with _figure((WIDTH, 2.9), "daily", "GPU-hours of each day by state") as (figure, out):
        axes = _axes(figure, (0.115, 0.11, 0.875, 0.83))
        for at, day in enumerate(days):
            _stack(axes, at, day)
        axes.set_xlim(-0.55, max(len(days), 3) - 0.45)
        named = len(days) <= MOST_NAMED_DAYS
        names = [f"{d.day:%a} {d.day.day}" if named else str(d.day.day) for d in days]
        axes.set_xticks(range(len(days)), names)
        _scale(axes, max(sum(h for _, h in d.gpu_hours) for d in days))
    return out[0]


def history_svg(weeks: tuple[Week, ...]) -> str:
    """What each week's GPU-hours did, as shares; a week that is not booked stays empty."""
    if not any(week.paid for week in weeks):
        return ""
    with _figure((WIDTH, 2.5), "history", "Share of GPU-hours by week") as (figure, out):
        axes = _axes(figure, (0.115, 0.13, 0.875, 0.83))
        for at, week in enumerate(weeks):
            _bands(axes, at, week)
        axes.set_xlim(-0.6, len(weeks) - 0.4)
        named = [(at, week.week) for at, week in enumerate(weeks) if (len(weeks) - 1 - at) % 3 == 0]
        axes.set_xticks([at for at, _ in named], [name for _, name in named])
        _shares(axes)
    return out[0]


@contextmanager
def _figure(size: tuple[float, float], name: str, title: str) -> Iterator[tuple[Figure, list[str]]]:
    """A figure to draw on (inches); its SVG is in the list afterwards."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that only a report needs
    from matplotlib.figure import Figure  # noqa: PLC0415

    out: list[str] = []
    with _DRAWING, mpl.rc_context(STYLE):
        figure = Figure(figsize=size, facecolor="none")
        yield figure, out
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    out.append(_inline(sink.getvalue(), name, title))


def _inline(svg: str, chart: str, title: str) -> str:
    """The drawing as an element of a page: own ids, the page's font, a title for who listens."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{chart}-\1"', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{chart}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(
        r' width="[^"]+" height="[^"]+"', f' role="img" aria-label="{title}"', svg, count=1
    )
    return svg.rstrip()


def _axes(figure: Figure, box: tuple[float, float, float, float]) -> Axes:
    axes = figure.add_axes(box, facecolor="none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(length=0, labelsize=FONT_PT, labelcolor=MUTED)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _stack(axes: Axes, at: int, day: Day) -> None:
    base = 0.0
    for state, hours in day.gpu_hours:
        colour = BY_NAME[state].colour if state in BY_NAME else STRANGER
        axes.bar(at, hours, 0.72, base, color=colour, edgecolor="white", linewidth=0.4)
        base += hours


def _scale(axes: Axes, top: float) -> None:
    """Few round ticks, with thousands separators."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator  # noqa: PLC0415 - see _figure

    axes.set_ylim(0, (top or 1) * 1.04)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def _bands(axes: Axes, at: int, week: Week) -> None:
    """From productive at the bottom to out of service at the top; or an empty outline."""
    if not week.paid:
        axes.bar(at, 1, 0.78, color="none", edgecolor=RULE, linewidth=0.8, linestyle=":")
        return
    steps = (week.productive, week.active, week.allocated, week.available, week.paid)
    base = 0.0
    for (_, _, colour), upto in zip(BANDS, steps, strict=True):
        top = (upto or 0.0) / week.paid
        axes.bar(at, top - base, 0.78, base, color=colour, edgecolor="white", linewidth=0.4)
        base = top


def _shares(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter  # noqa: PLC0415 - see _figure

    axes.set_ylim(0, 1.02)
    axes.set_yticks((0, 0.25, 0.5, 0.75, 1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: percent(value)))
