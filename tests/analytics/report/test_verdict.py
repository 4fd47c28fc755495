"""The verdict's words, case by case."""

from __future__ import annotations

from dataclasses import replace

from analytics.report.book import Figures
from analytics.report.value import Demand, Piece
from analytics.report.verdict import sentence

WEEK = Figures(168, 1344.0, 1344.0, 0.61, 0.0, "A", (), 40, 60.0, 600.0, None)
SERVED = Demand(0.0, 0, 0, known=True)
IDLE = Piece(
    state="alloc_idle",
    help="allocated and doing nothing",
    gpu_hours=200.0,
    value=None,
    team="vision",
    team_gpu_hours=120.0,
    cause="",
    owner="job owner",
)


def said(
    figures: Figures = WEEK, piece: Piece | None = IDLE, demand: Demand = SERVED, gpus: int = 8
) -> str:
    return sentence(gpus, figures, piece, demand, "EUR")


def test_what_was_paid_for_and_what_it_did() -> None:
    assert said().startswith("Of 1,344 GPU-hours paid for (8 GPUs), 61% did productive work; ")


def test_small_unknown_is_a_number_and_large_unknown_a_range() -> None:
    assert "61% did" in said(replace(WEEK, unknown=0.019))
    assert "between 61% and 66% did" in said(replace(WEEK, unknown=0.05))
    assert said(replace(WEEK, unknown=0.51)).startswith("Not enough data: for 51% of 1,344")


def test_the_team_holds_a_part_or_all_of_the_largest_piece() -> None:
    assert "doing nothing, 60% of it in team vision), and" in said()
    assert "all of it in team vision), and" in said(piece=replace(IDLE, team_gpu_hours=199.9))


def test_cause_and_worth_are_named_where_known() -> None:
    piece = replace(IDLE, cause="data_loading", value=480.0)
    assert (
        "is 200 GPU-hours, worth EUR 480 (allocated and doing nothing, cause: data loading, 60%"
    ) in said(piece=piece)


def test_without_a_team_the_one_who_can_act_is_named() -> None:
    piece = replace(IDLE, team="", help="free, although waiting work would fit", owner="admin")
    assert "waiting work would fit; admin can act), and" in said(piece=piece)


def test_nothing_worth_naming() -> None:
    for piece in (None, replace(IDLE, gpu_hours=1.0)):
        assert "; nothing worth naming could be won back, and" in said(piece=piece)


def test_unmet_demand() -> None:
    both = said(demand=Demand(310.0, 12, 48, known=True))
    assert both.endswith(
        ", and waiting work would have filled 310 GPU-hours that stood free,"
        " while 12 jobs for 48 GPUs were still waiting at the end."
    )
    one = said(demand=Demand(0.0, 1, 1, known=True))
    assert one.endswith(", and 1 job for 1 GPU was still waiting at the end.")


def test_met_demand_is_not_unknown_demand() -> None:
    assert said().endswith("and no demand went unmet that free GPUs could have met.")
    assert "nobody can tell" in said(demand=Demand(0.0, 0, 0, known=False))


def test_the_verdict_is_one_sentence() -> None:
    for told in (said(), said(piece=None), said(demand=Demand(310.0, 12, 48, known=True))):
        assert told.count(". ") == 0
        assert told.endswith(".")
