"""Lines and areas as SVG without any text, so that they stretch to every width.

Names and numbers of the axes are told beside it, for the page to print: text in a picture that is
made narrower cannot be read, and foreign text in it would have to be escaped once more.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator

from dashboards.preview.answer import Series

STYLE: dict[Any, Any] = {"svg.hashsalt": "gpuledger", "path.simplify": True}
# The picture's own measure; the page stretches it.
INCHES = (8.0, 2.4)
RULE = "#dfe3e8"
STEPS_Y, STEPS_X = 4, 8
DAY_S, YEAR_S = 86_400, 31_536_000
# Places nearer than that are one: they are sums of floats.
SAME = 1e-9
# Widths between two ticks of time, in seconds.
TICKS = (60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, DAY_S, 2 * DAY_S, 7 * DAY_S, 30 * DAY_S)
# A line ends where so many of its usual steps pass without a point.
GAP_STEPS = 3
# Told apart on white, also by people who see no red or no green (Okabe and Ito, 2008).
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b", "#5c6bc0", "#6d4c41")


# Of matplotlib's SVG: who made it, styles that nothing uses, names, and its size in points.
UNUSED = re.compile(
    r"<metadata>.*?</metadata>|<defs>.*?</defs>|<!--.*?-->"
    r'| (?:id|width|height|version|xmlns:xlink)="[^"]*"',
    re.DOTALL,
)


@dataclass(frozen=True)
class Tick:
    """A place on an axis as a share of its length, and what stands there."""

    at: float
    value: Any


@dataclass(frozen=True)
class Picture:
    """SVG text, and the ticks of both axes (values of y are numbers, of x texts)."""

    svg: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


def drawn(
    lines: Sequence[Series],
    colours: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    stacked: bool,
    width_s: int,
    marks: Sequence[datetime] = (),
) -> Picture:
    """The lines over the range, on top of each other where `stacked`; the same gives the same."""
    figure = Figure(figsize=INCHES)
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    whole = (until - since).total_seconds()
    shapes = _stack(lines, since, whole, width_s) if stacked else _paths(lines, since, whole)
    top = max((y for _, points in shapes for _, y in points), default=0.0)
    bottom = min((y for _, points in shapes for _, y in points), default=0.0)
    levels = [float(y) for y in MaxNLocator(STEPS_Y).tick_values(min(bottom, 0.0), top or 1.0)]
    low, high = levels[0], levels[-1]
    axes.set_xlim(0, 1)
    axes.set_ylim(low, high)
    for level in levels:
        axes.axhline(level, color=RULE, linewidth=1, clip_on=False)
    for place, points in shapes:
        _add(axes, points, colours[place], stacked=stacked)
    for at in marks:
        share = (at - since).total_seconds() / whole
        axes.axvline(share, color="purple", linewidth=1, linestyle=(0, (3, 3)), clip_on=False)
    up = tuple(Tick((level - low) / (high - low), level) for level in levels)
    return Picture(_svg(figure), tuple(times(since, until)), up)


Points = list[tuple[float, float]]


def _paths(lines: Sequence[Series], since: datetime, whole: float) -> list[tuple[int, Points]]:
    """Each line's points; an hour's value stands where the hour begins."""
    return [
        (place, part)
        for place, line in enumerate(lines)
        for part in _unbroken([((at - since).total_seconds() / whole, y) for at, y in line.points])
    ]


def _unbroken(points: Points) -> list[Points]:
    """The pieces of a line: where nothing was told for several of its steps, there is no slope."""
    if not points:
        return []
    steps = sorted(b - a for (a, _), (b, _) in itertools.pairwise(points))
    most = GAP_STEPS * steps[len(steps) // 2] if steps else 0.0
    parts = [[points[0]]]
    for before, point in itertools.pairwise(points):
        if point[0] - before[0] > most:
            parts.append([])
        parts[-1].append(point)
    return parts


def _stack(
    lines: Sequence[Series], since: datetime, whole: float, width_s: int
) -> list[tuple[int, Points]]:
    """Each line's band as closed outlines of steps, as wide as a point is; one for each run."""
    below: dict[datetime, float] = {}
    out: list[tuple[int, Points]] = []
    for place, line in enumerate(lines):
        upper: Points = []
        lower: Points = []
        for at, y in line.points:
            start = (at - since).total_seconds() / whole
            # What is missing in between is a gap, not a slope.
            if upper and (y == 0 or start > upper[-1][0] + SAME):
                out.append((place, upper + lower[::-1]))
                upper, lower = [], []
            base = below.get(at, 0.0)
            below[at] = base + y
            if y:
                end = min(start + width_s / whole, 1.0)
                upper += [(start, base + y), (end, base + y)]
                lower += [(start, base), (end, base)]
        if upper:
            out.append((place, upper + lower[::-1]))
    return out


def _add(axes: Any, points: Points, colour: str, *, stacked: bool) -> None:
    if stacked:
        # As a patch it would be measured point by point; the limits are set already.
        axes.add_artist(Polygon(points, facecolor=colour, edgecolor="none", clip_on=False))
    elif len(points) == 1:
        # One point is no line: a dash says that it is there.
        [(x, y)] = points
        axes.plot([x, min(x + 0.01, 1)], [y, y], color=colour, linewidth=3, clip_on=False)
    else:
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.6, clip_on=False)


def times(since: datetime, until: datetime) -> list[Tick]:
    """Round moments of the range, in UTC, as the range needs them."""
    whole = (until - since).total_seconds()
    step = next((s for s in TICKS if whole / s <= STEPS_X), whole // (STEPS_X * DAY_S) * DAY_S)
    first = since.timestamp() // step * step + step
    days = "%-d %b %Y" if whole > YEAR_S else "%-d %b"
    form = days if step >= DAY_S else "%H:%M" if whole <= DAY_S else f"{days} %H:%M"
    ticks = []
    while first < until.timestamp():
        at = datetime.fromtimestamp(first, UTC)
        ticks.append(Tick((at - since) / timedelta(seconds=whole), at.strftime(form)))
        first += step
    return ticks


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    nothing = {"Date": None, "Creator": None}
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    text = out.getvalue()
    text = UNUSED.sub("", text[text.index("<svg") :])
    text = text.replace("<svg", '<svg preserveAspectRatio="none" aria-hidden="true"', 1)
    return re.sub(r">\s+<", "><", text).strip()
