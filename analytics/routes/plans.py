"""What-if: which few moves free the most, of an instance that is sent or of the fleet."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from analytics.advice import aim, asked
from analytics.advice.asked import Wanted
from analytics.repacking import instance
from analytics.routes.answers import TheOne
from analytics.routes.common import TheCaller
from analytics.routes.described import AT, COMMON, Answer, route_id, shown, single
from gpuledger.errors import ConfigError

router = APIRouter(
    prefix="/v1", tags=["plans"], responses=COMMON, generate_unique_id_function=route_id
)
# What a search may take here: whoever wants a longer one runs `gpuledger recommend plan`.
LONGEST_S, MOST_MOVES = 10.0, 1000
MOST_NODES, MOST_PODS = 20_000, 200_000
RETRY_AFTER_S = 10
EXAMPLE = {
    "nodes": [
        {"name": "a", "model": "H100", "cpu_milli": 96000, "memory_mib": 1000000, "gpus": 4},
        {"name": "b", "model": "H100", "cpu_milli": 96000, "memory_mib": 1000000, "gpus": 4},
    ],
    "pods": [
        {"name": "p", "node": "a", "gpu_ids": [0], "cpu_milli": 4000, "memory_mib": 1000,
         "num_gpu": 1, "gpu_milli": 1000},
        {"name": "q", "node": "b", "gpu_ids": [0], "cpu_milli": 4000, "memory_mib": 1000,
         "num_gpu": 1, "gpu_milli": 1000},
    ],
    "target": [{"cpu_milli": 32000, "num_gpu": 4, "gpu_milli": 1000, "gpu_spec": "", "p": 1.0}],
    "K": 2,
}  # fmt: skip


class PlanRequest(BaseModel):
    """What to plan for: an `instance` (docs/plans.md), or the fleet `at` a time of the book."""

    model_config = ConfigDict(extra="forbid")

    instance: dict[str, Any] | None = Field(None, examples=[EXAMPLE])
    at: str = Field(
        "", max_length=100, examples=[""], description="now, 2h (ago), or a time of the book"
    )
    objective: str = Field(
        "fragmentation",
        max_length=100,
        examples=["fragmentation"],
        description="fragmentation, slots:N or drain",
    )
    max_moves: Annotated[int, Field(ge=0, le=MOST_MOVES)] | None = Field(None, examples=[2])
    time_limit_seconds: float = Field(2.0, gt=0, le=LONGEST_S, examples=[2.0])
    seed: int = Field(0, ge=0, le=2**31 - 1, examples=[0])
    mode: Literal["any", "live", "batch"] = Field("any", examples=["any"])
    budget_gpu_hours: Annotated[float, Field(ge=0, le=1e9)] | None = Field(
        None, examples=[None], description="of work that the moves may lose together"
    )
    any_task: bool = Field(default=False, examples=[False])

    def wanted(self) -> Wanted:
        """The same in the words of the planner."""
        return Wanted(
            self.objective,
            self.max_moves,
            self.time_limit_seconds,
            self.seed,
            self.mode,
            self.budget_gpu_hours,
            self.any_task,
        )


class Move(Answer):
    """One task to another place."""

    pod: str = shown("p")
    to: str = shown("b")
    gpu_ids: list[int] = shown([1])


class Reached(BaseModel):
    """Measures of a placement."""

    model_config = ConfigDict(extra="allow")

    frag_gpus: float | None = shown(3.0, "free GPUs that no expected task can use")
    slots: dict[str, float | None] = shown(
        {"1": 6, "2": 3, "4": 1, "8": 0}, "tasks of so many GPUs that fit"
    )


class PlanAnswer(BaseModel):
    """An ordered list of moves, each feasible when its turn comes, with what none could better.

    For the fleet also `at`, `offered`, `best`, `gain_gpu_hours`, `net_gpu_hours`,
    `horizon_seconds`, `commands` and `undo`.
    """

    model_config = ConfigDict(extra="allow")

    moves: list[Move]
    mode: str = shown("live")
    before: Reached
    after: Reached
    bound: Reached
    why: str | None = shown("reaches what no plan beats")
    at: datetime | None = shown(AT, default=None)
    offered: bool | None = Field(
        None, examples=[True], description="worth it, against waiting and another policy"
    )
    commands: str | None = shown("scontrol …", "what a person would run", default=None)
    undo: str | None = shown("scontrol …", default=None)


@router.post("/plans", **single(PlanAnswer, 413))
def make_plan(ask: TheOne, caller: TheCaller, said: PlanRequest) -> Response:
    """Plan moves within the time limit; one plan at a time, 503 while another is made.

    Nothing is moved by us. The fleet's plan names other teams' jobs: callers who see some teams
    only send an instance.
    """
    aim.check(said.objective)
    if (said.instance is None) == (not said.at):
        raise ConfigError("plan: give either an instance or at")
    if said.at and caller.teams:
        raise HTTPException(403, "the fleet's plan is about all teams, and you see some only")
    if not ask.service.planning.acquire(blocking=False):
        busy = {"Retry-After": str(RETRY_AFTER_S)}
        raise HTTPException(503, "another plan is being made: ask again later", busy)
    try:
        made = _planned(ask, said)
    finally:
        ask.service.planning.release()
    return ask.one(lambda: made)


def _planned(ask: TheOne, said: PlanRequest) -> dict[str, Any]:
    if said.instance is None:
        service = ask.service
        return asked.of_fleet(ask.store, service.configuration, said.at, said.wanted()).document()
    known = instance.read(msgspec.json.encode(said.instance))
    if len(known.nodes) > MOST_NODES or len(known.pods) > MOST_PODS:
        raise HTTPException(413, f"plan: at most {MOST_NODES} nodes and {MOST_PODS} pods here")
    return asked.of_instance(known, said.wanted()).document()
