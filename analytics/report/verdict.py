"""The verdict in one sentence: what was paid for, what it did, what could be won back."""

from __future__ import annotations

from analytics.report.book import Figures
from analytics.report.value import Demand, Piece
from analytics.report.words import cause as cause_of
from analytics.report.words import hours, money, percent, plural, short
from gpuledger.states import UNKNOWN_WITHIN

# Above this one, the book knows too little to judge.
SILENT_ABOVE = 0.5
# Page 1 stays one page, whatever a team is called.
LONGEST = 60
# A piece below this share of what was paid for is not worth a manager's minute.
WORTH_NAMING = 0.001


def sentence(
    gpus: int, figures: Figures, largest: Piece | None, demand: Demand, currency: str
) -> str:
    """One plain sentence for people who read nothing else."""
    if not gpus:
        return "No GPU owned: the asset list has no GPU in this period, so nothing was paid for."
    if not figures.booked_hours or figures.utilization is None:
        return (
            f"Not enough data: {plural(gpus, 'GPU')} owned, but no hour of this period is booked."
        )
    if (figures.unknown or 0) > SILENT_ABOVE:
        return (
            f"Not enough data: for {percent(figures.unknown)} of {_paid(gpus, figures)}"
            " nobody saw what the GPUs did."
        )
    told = (_work(gpus, figures), _winnable(figures, largest, currency), _unmet(demand))
    return f"{told[0]}; {told[1]}, {told[2]}."


def _paid(gpus: int, figures: Figures) -> str:
    return f"{hours(figures.owned_gpu_hours)} paid for ({plural(gpus, 'GPU')})"


def _work(gpus: int, figures: Figures) -> str:
    low, unknown = figures.utilization or 0.0, figures.unknown or 0.0
    share = percent(low)
    if unknown > UNKNOWN_WITHIN:
        share = f"between {share} and {percent(low + unknown)}"
    return f"Of {_paid(gpus, figures)}, {share} did productive work"


def _winnable(figures: Figures, piece: Piece | None, currency: str) -> str:
    if piece is None or piece.gpu_hours < WORTH_NAMING * figures.owned_gpu_hours:
        return "nothing worth naming could be won back"
    worth = "" if piece.value is None else f", worth {money(piece.value, currency)}"
    told = cause_of(piece.cause)
    cause = f", cause: {told}" if piece.cause else ""
    return (
        f"the largest piece to win back is {hours(piece.gpu_hours)}{worth}"
        f" ({piece.help}{cause}{_held(piece)})"
    )


def _held(piece: Piece) -> str:
    """Who holds it: a team where one is known, else the role that can act."""
    if not piece.team:
        return f"; {piece.owner} can act"
    # The whole of a longer name stands among the wastes.
    team = short(piece.team, LONGEST)
    if piece.team_gpu_hours >= 0.995 * piece.gpu_hours:
        return f", all of it in team {team}"
    share = percent(piece.team_gpu_hours / piece.gpu_hours)
    return f", {share} of it in team {team}"


def _unmet(demand: Demand) -> str:
    waiting = f"{plural(demand.waiting_jobs, 'job')} for {plural(demand.waiting_gpus, 'GPU')}"
    verb = "was" if demand.waiting_jobs == 1 else "were"
    left = f"{waiting} {verb} still waiting at the end" if demand.waiting_jobs else ""
    if demand.free_gpu_hours > 0:
        filled = f"waiting work would have filled {hours(demand.free_gpu_hours)} that stood free"
        return f"and {filled}{f', while {left}' if left else ''}"
    if left:
        return f"and {left}"
    if not demand.known:
        return "and no job was recorded, so nobody can tell whether demand went unmet"
    return "and no demand went unmet that free GPUs could have met"
