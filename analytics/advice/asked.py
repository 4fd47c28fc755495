"""A plan of moves as people ask for it: of a file or of the fleet, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from analytics import book
from analytics.advice import honest, repacked, standing, wording
from analytics.advice.ordered import ordered
from analytics.advice.repacked import Weighed
from analytics.commands.command import Command
from analytics.placing.settings import PlacementSettings
from analytics.repacking.instance import Instance
from analytics.repacking.plan import Plan, plan
from analytics.repacking.settings import SnapshotSettings
from analytics.repacking.snapshot import snapshot
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.service import Reader
from gpuledger.states import LedgerSettings

MOST_MOVES = 10


@dataclass(frozen=True)
class Wanted:
    """What somebody wants of a plan; None = the default of the file or fleet."""

    objective: str = "fragmentation"
    max_moves: int | None = None
    time_limit_s: float = 5.0
    seed: int = 0
    mode: str = "any"
    budget_gpu_hours: float | None = None
    any_task: bool = False

    @property
    def budget_gpu_seconds(self) -> float | None:
        """What the moves may lose of work."""
        return None if self.budget_gpu_hours is None else 3600 * self.budget_gpu_hours


@dataclass(frozen=True)
class Shown:
    """A plan and what it was made for; `budget` in GPU-hours."""

    instance: Instance
    plan: Plan
    objective: str
    max_moves: int
    movable: wording.Movable
    budget: float | None

    def document(self) -> dict[str, Any]:
        """As JSON; without moves it says why, and what could not be moved reached nothing."""
        of = self.standings
        told = {
            **self.plan.document(),
            **{name: vars(of)[name].document() for name in ("before", "after", "bound")},
            "why": self.reach or self.why_none,
            "tasks": self.movable.document(),
        }
        if self.plan.moves and of.at_bound:
            told["reached"] = 1.0
        if of.before.empty_nodes is not None and of.after.empty_nodes is not None:
            told["emptied_nodes"] = of.after.empty_nodes - of.before.empty_nodes
        if not self.movable.tasks or not self.max_moves:
            told["reached"] = None
        return told

    @cached_property
    def standings(self) -> standing.Standings:
        """Before, after and at the bound."""
        return standing.standings(self.instance, self.plan, self.objective, self.max_moves)

    @property
    def reach(self) -> str:
        """How far it gets; empty without moves."""
        return wording.reach(self.plan, self.max_moves, at_bound=self.standings.at_bound)

    @property
    def why_none(self) -> str:
        """Why there are no moves."""
        return wording.no_moves(self.plan, self.max_moves, self.movable)


@dataclass(frozen=True)
class OfFleet:
    """A plan for the fleet of a moment, weighed, with what a person would run."""

    shown: Shown
    weighed: Weighed
    moment: datetime
    commands: Command

    def document(self) -> dict[str, Any]:
        """As JSON."""
        lines = {"commands": self.commands.text, "undo": self.commands.undo_text}
        return {
            **self.shown.document(),
            **_verdict(self.weighed, self.shown, self.moment),
            **lines,
        }


def of_instance(known: Instance, wanted: Wanted) -> Shown:
    """Nearly every task may move as the file says, and nothing is compared with waiting."""
    instance = honest.literal(known, any_task=wanted.any_task)
    moves = wanted.max_moves
    if moves is None:
        moves = MOST_MOVES if instance.K is None else instance.K
    made = plan(
        instance,
        wanted.objective,
        max_moves=moves,
        time_limit_s=wanted.time_limit_s,
        seed=wanted.seed,
        mode=wanted.mode,
        budget_gpu_seconds=wanted.budget_gpu_seconds,
    )
    movable = _movable(known, instance)
    return Shown(instance, made, wanted.objective, moves, movable, wanted.budget_gpu_hours)


def of_fleet(reader: Reader, configuration: Config, at: str, wanted: Wanted) -> OfFleet:
    """The fleet of a moment, with the honest default. ConfigError, StoreError."""
    moment = _moment(reader, at)
    known = _snapshot(reader, moment, configuration)
    given = wanted.max_moves
    ask = repacked.Ask(
        wanted.objective,
        honest.MOST_MOVES if given is None else given,
        wanted.time_limit_s,
        wanted.seed,
        wanted.any_task,
        mode=wanted.mode,
        budget_gpu_hours=wanted.budget_gpu_hours,
    )
    found = repacked.weighed(reader, known, ask, moment)
    movable = _movable(known, found.instance)
    shown = Shown(
        found.instance, found.plan, ask.objective, ask.max_moves, movable, wanted.budget_gpu_hours
    )
    return OfFleet(shown, found, moment, ordered(reader, found.instance, found.plan))


def _movable(known: Instance, planned: Instance) -> wording.Movable:
    """How many tasks may move, and how many more of those that are known would."""
    may = honest.movable(planned)
    return wording.Movable(may, len(known.pods), honest.movable(known) - may)


def _snapshot(reader: Reader, moment: datetime, configuration: Config) -> Instance:
    return snapshot(
        reader,
        moment,
        configuration.section("snapshot", SnapshotSettings),
        ledger=configuration.section("ledger", LedgerSettings),
        placing=configuration.section("placement", PlacementSettings),
    )


def _moment(reader: Reader, at: str) -> datetime:
    """The minute asked for, which the book must have. ConfigError."""
    moment = book.moment(reader, at)
    if moment is None:
        raise ConfigError("at: nothing was booked yet")
    return moment


def _verdict(found: Weighed, shown: Shown, moment: datetime) -> dict[str, Any]:
    """What the JSON of the fleet has beside that of a file."""
    offer = found.offer
    return {
        "at": moment,
        "offered": offer.offered,
        "best": offer.best,
        "why": offer.why if found.plan.moves else shown.why_none,
        "gain_gpu_hours": vars(offer.gain_gpu_hours),
        "net_gpu_hours": vars(offer.net_gpu_hours),
        "horizon_seconds": offer.hours * 3600,
    }
