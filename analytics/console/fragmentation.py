"""Fragmentation: the largest job that fits, what is free in crumbs, why, and moves against it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Request, Response

from analytics.advice import aim, honest, repacked, standing, wording
from analytics.advice.ordered import ordered
from analytics.console.paper import bars, pages, show
from analytics.placing import free
from analytics.placing.settings import PlacementSettings
from analytics.repacking import answer
from analytics.repacking.settings import SnapshotSettings
from analytics.repacking.snapshot import snapshot
from analytics.routes.common import TheCaller, TheService
from gpuledger.config import Config
from gpuledger.measures import REQUEST_SIZES
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings

router = pages()

# A person waits for the page.
PLAN_S = 2.0
# What the command line calls what is a link here.
OPTION = ("--any-task", "planning with any job")
SIZES_SHOWN = 6
Row = dict[str, Any]


@router.get("/fragmentation")
def page(
    request: Request,
    service: TheService,
    caller: TheCaller,
    plan: Annotated[bool, Query(description="also the moves that would free the most")] = False,
    any_task: Annotated[bool, Query(description="also of jobs that lose all their work")] = False,
) -> Response:
    """Figures by pool now; with `plan` an ordered list of moves, before and after.

    What fits depends on everybody's allocations, so that the whole store is asked; no pool's
    figures tell of a job. Moves name jobs: who sees some teams only gets none.
    """
    reader, told = service.boards, _sections(service.configuration)
    at, pools = answer.fragmentation(reader, "now", "", *told)
    _, models = free.free(reader)
    asked = plan and at and not caller.teams
    moves = None
    if asked and at:
        # It takes a core for seconds: one at a time.
        with service.planning:
            moves = _plan(reader, at, told, any_task=any_task)
    return show(
        request,
        "fragmentation.html",
        at=at,
        pools=[_pool(p) for p in pools],
        models=models,
        sizes=REQUEST_SIZES,
        plan=moves,
        may_plan=not caller.teams,
    )


Sections = tuple[SnapshotSettings, LedgerSettings, PlacementSettings]


def _sections(configuration: Config) -> Sections:
    return (
        configuration.section("snapshot", SnapshotSettings),
        configuration.section("ledger", LedgerSettings),
        configuration.section("placement", PlacementSettings),
    )


def _pool(row: Mapping[str, Any]) -> Row:
    """A pool with the bar of its free GPUs: usable and in crumbs."""
    usable = max(0.0, row["free"] - row["fragmented"])
    slots = [(k, n, row["repacked"][k]) for k, n in list(row["slots"].items())[:SIZES_SHOWN]]
    parts = bars({"free_surplus": usable, "stranded": row["fragmented"]})
    return {**row, "slots": slots, "parts": parts}


def _plan(reader: Reader, at: datetime, told: Sections, *, any_task: bool) -> Row:
    """The moves that would free the most, each feasible in its turn; and how they were weighed."""
    settings, ledger, placing = told
    known = snapshot(reader, at, settings, ledger=ledger, placing=placing)
    ask = repacked.Ask(aim.FRAGMENTATION, honest.MOST_MOVES, PLAN_S, 0, any_task=any_task)
    found = repacked.weighed(reader, known, ask, at)
    may = honest.movable(found.instance)
    movable = wording.Movable(may, len(known.pods), honest.movable(known) - may)
    measures = standing.standings(found.instance, found.plan, ask.objective, ask.max_moves)
    pods = {pod.name: pod for pod in found.instance.pods}
    command = ordered(reader, found.instance, found.plan)
    moves = [{"move": m, "pod": pods[m.pod]} for m in found.plan.moves]
    why = wording.no_moves(found.plan, ask.max_moves, movable) if not moves else found.offer.why
    return {
        "moves": moves,
        "batch": found.plan.mode == "batch",
        "offered": found.offer.offered,
        "why": why.replace(*OPTION),
        "movable": movable.words.replace(*OPTION),
        "any_task": any_task,
        "measures": [
            ("before", measures.before),
            ("after", measures.after),
            ("no plan beats", measures.bound),
        ],
        "commands": command.text,
        "undo": command.undo_text,
    }
