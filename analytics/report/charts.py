"""The report's charts as SVG text: the same numbers give the same bytes.

Texts stay texts (readers' own fonts, searchable, crisp in print), so nothing is measured in a
font that the reader lacks: every position is computed here.
"""

from __future__ import annotations

import html
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from analytics.report.value import Day, Step, Waste
from analytics.report.words import MINUS, number, percent
from gpuledger.states import BY_NAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, PALE = "#1d2733", "#66717e", "#dfe3e8", "#e9edf1"
BLUE, ORANGE, STRANGER = "#1f4e79", "#c4671d", "#616161"
# Inches at 72 points: wide enough for a phone held upright without shrinking the text.
WIDTH, NARROW, FONT_PT = 5.0, 4.4, 10.5
LONGEST_NAME, MOST_NAMED_DAYS = 24, 7
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


def waterfall_svg(steps: tuple[Step, ...]) -> str:
    """What was paid for, and what each step on the way to productive lost."""
    if not steps:
        return ""
    with _figure((WIDTH, 2.9), "waterfall", "From GPU-hours paid for to productive") as (
        figure,
        out,
    ):
        axes = _bare(figure)
        axes.set_xlim(0, 1)
        axes.set_ylim(len(steps) - 0.35, -0.5)
        for at, step in enumerate(steps):
            _step(axes, at, step, steps[0].gpu_hours)
    return out[0]


def wastes_svg(wastes: tuple[Waste, ...]) -> str:
    """A bar for each of the largest wastes, coloured by its state."""
    if not wastes:
        return ""
    size, names = (NARROW, 0.1 + 0.34 * len(wastes)), [_name(w) for w in wastes]
    with _figure(size, "wastes", "Largest wastes in GPU-hours", names) as (figure, out):
        axes = _bare(figure)
        axes.set_xlim(0, 1)
        axes.set_ylim(len(wastes) - 0.45, -0.55)
        for at, waste in enumerate(wastes):
            _waste(axes, at, waste, wastes[0].gpu_hours)
    return out[0]


@contextmanager
def _figure(
    size: tuple[float, float], name: str, title: str, names: list[str] | None = None
) -> Iterator[tuple[Figure, list[str]]]:
    """A figure to draw on (inches); its SVG is in the list afterwards."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second that only a report needs
    from matplotlib.figure import Figure  # noqa: PLC0415

    out: list[str] = []
    with _DRAWING, mpl.rc_context(STYLE):
        figure = Figure(figsize=size, facecolor="none")
        yield figure, out
        sink = io.StringIO()
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    out.append(_inline(sink.getvalue(), name, title, names or []))


def _inline(svg: str, chart: str, title: str, names: list[str]) -> str:
    """The drawing as an element of a page: own ids, the page's font, a title for who listens."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{chart}-\1"', svg)
    svg = re.sub(r'(url\(|href=")#', rf"\1#{chart}-", svg)
    svg = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", svg)
    svg = re.sub(
        r' width="[^"]+" height="[^"]+"', f' role="img" aria-label="{title}"', svg, count=1
    )
    for at, name in enumerate(names):
        svg = svg.replace(_placeholder(at), html.escape(name))
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


def _bare(figure: Figure) -> Axes:
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
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


def _step(axes: Axes, at: int, step: Step, paid: float) -> None:
    """Name and hours above; below, what is left (dark) and what this step lost (orange)."""
    last = step.name == "productive"
    left, lost = step.gpu_hours / paid, step.lost_gpu_hours / paid
    axes.barh(at + 0.1, 1, 0.3, color=PALE)
    axes.barh(at + 0.1, left, 0.3, color=BY_NAME["productive"].colour if last else BLUE)
    axes.barh(at + 0.1, lost, 0.3, left, color=ORANGE)
    share = f"{number(step.gpu_hours)} · {percent(step.share)}"
    _text(axes, 0, at - 0.12, step.name.capitalize(), weight="bold")
    _text(axes, 1, at - 0.12, share, ha="right")
    if step.lost_gpu_hours > 0:
        lost_to = f"{MINUS} {number(step.lost_gpu_hours)} {step.lost_to}"
        _text(axes, 0.24, at - 0.12, lost_to, color=ORANGE)


def _waste(axes: Axes, at: int, waste: Waste, largest: float) -> None:
    colour = BY_NAME[waste.state].colour if waste.state in BY_NAME else STRANGER
    length = 0.38 * waste.gpu_hours / largest if largest else 0
    _text(axes, 0, at, _placeholder(at), va="center")
    axes.barh(at, length, 0.62, 0.48, color=colour)
    _text(axes, 0.49 + length, at, number(waste.gpu_hours), va="center")


def _text(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    style = {"color": INK, "fontsize": FONT_PT, "va": "bottom", **style}
    axes.text(x, y, text, parse_math=False, **style)


def _placeholder(at: int) -> str:
    """Foreign names never pass through matplotlib, whose own font lacks emoji and most scripts."""
    return f"@name-{at}@"


def _name(waste: Waste) -> str:
    name = " · ".join(filter(None, (waste.holder, waste.job_name or waste.job)))
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
