"""A trace driven by its events: arrivals, ends, and advice at fixed epochs."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from functools import partial

from analytics.placing.queue import Unit
from analytics.replay.advice import Run, Step, advised
from analytics.replay.line import Line
from analytics.replay.meter import Meter
from analytics.replay.outcome import Outcome, Scenario, waits_of
from analytics.replay.policy import Chooser, demanded, policy_of, wanted
from analytics.replay.room import Room
from analytics.replay.task import Task, Trace
from gpuledger.errors import ConfigError

HOUR_S = 3600.0


def drive(trace: Trace, scenario: Scenario) -> Outcome:
    """What becomes of a trace in that scenario."""
    played = Drive(trace, scenario)
    for _ in played.events():
        pass
    return played.outcome()


class Drive:
    """One replay; `events()` yields each moment once everything of it has happened."""

    def __init__(self, trace: Trace, scenario: Scenario) -> None:
        self.trace, self.scenario = trace, scenario
        self.tasks = {task.name: task for task in trace.tasks}
        if len(self.tasks) < len(trace.tasks):
            raise ConfigError("two tasks of the trace have the same name")
        if scenario.moves < 0 or not scenario.every_h > 0:
            raise ConfigError(
                f"{scenario.moves} moves every {scenario.every_h:g} hours: moves are 0 or more,"
                " hours more than 0"
            )
        self.room = Room(trace.nodes)
        policy = policy_of(scenario.policy, self.room, trace.tasks, scenario.seed)
        self._chooser = Chooser(self.room, policy)
        self._line = Line(self.room, self.tasks, scenario.quotas)
        measure = demanded(self.room, trace.tasks)
        self._meter = Meter(self.room, measure, trace.since_s, trace.until_s)
        self._target = wanted(trace.tasks) if scenario.moves else ()
        self._arrivals = _arrivals(trace.tasks)
        self._epoch_s = self._after(trace.since_s) if scenario.moves else math.inf
        self._ends: list[tuple[float, str]] = []
        self._moves, self._lost_gpu_s = 0, 0.0
        self.running: dict[str, Run] = {}
        self.started_s: dict[str, float] = {}

    def events(self) -> Iterator[float]:
        """Play until nothing is left to arrive or to end."""
        while self._arrivals or self._ends:
            now = min(self._next(), self._epoch_s)
            self._meter.advance(now)
            self._end(now)
            while self._arrivals and self._arrivals[-1][0] <= now:
                self._line.add(self._arrivals.pop()[1])
            if now >= self._epoch_s:
                self._epoch_s = self._after(now)
                self._advise()
            self._line.serve(partial(self._start, now))
            yield now
        self._meter.advance(self.trace.until_s)

    def outcome(self) -> Outcome:
        """What became of it, once `events` is through."""
        span_s = self.trace.until_s - self.trace.since_s
        waited = {n: at - self.tasks[n].arrives_s for n, at in self.started_s.items()}
        return Outcome(
            gpu_hours=self.room.owned * span_s / HOUR_S,
            allocated_gpu_hours=self._meter.held_gpu_s / HOUR_S,
            stranded_gpu_hours=self._meter.stranded_gpu_s / HOUR_S,
            waits=waits_of(self.trace.tasks, waited),
            moves=self._moves,
            lost_gpu_hours=self._lost_gpu_s / HOUR_S,
            wait_s=waited,
        )

    def _advise(self) -> None:
        if self.running:
            for step in advised(self.room, self.running, self._target, self.scenario):
                self._move(step)

    def _next(self) -> float:
        """When the next task arrives or ends."""
        arrives = self._arrivals[-1][0] if self._arrivals else math.inf
        return min(arrives, self._ends[0][0] if self._ends else math.inf)

    def _after(self, epoch_s: float) -> float:
        later = epoch_s + self.scenario.every_h * HOUR_S
        return later if later < self.trace.until_s else math.inf

    def _end(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            ends_s, name = heapq.heappop(self._ends)
            run = self.running.get(name)
            if run is None or run.ends_s > ends_s:
                continue  # a move made it end later
            self._take_back([run])
            del self.running[name]
            self._line.freed(row for row, _ in run.places)
            self._line.ended(run.task)

    def _start(self, now: float, unit: Unit) -> bool:
        placed: list[Run] = []
        for job in unit.jobs:
            task = self.tasks[job.job_id]
            places = self._chooser.place(task.shape)
            if not places:
                self._take_back(placed)
                return False
            placed.append(Run(task, places, now + task.runs_s))
        for run in placed:
            self.running[run.task.name] = run
            self.started_s[run.task.name] = now
            heapq.heappush(self._ends, (run.ends_s, run.task.name))
        return True

    def _take_back(self, runs: Sequence[Run]) -> None:
        for run in runs:
            for row, gpus in run.places:
                self.room.give(row, run.task.shape, gpus)

    def _move(self, step: Step) -> None:
        """A task starts at its new place before it leaves the old one, and loses some time."""
        run, pause_s = self.running[step.name], self.scenario.move_pause_s
        (row, gpus), shape = run.places[0], run.task.shape
        self.room.take(step.row, shape, step.gpus)
        self.room.give(row, shape, gpus)
        run.places = [(step.row, step.gpus)]
        run.ends_s += pause_s
        heapq.heappush(self._ends, (run.ends_s, step.name))
        self._line.freed([row])
        self._moves += 1
        self._lost_gpu_s += pause_s * run.task.gpus


def _arrivals(tasks: Sequence[Task]) -> list[tuple[float, list[Task]]]:
    """What arrives when, the last first; a gang arrives with the last of its tasks."""
    gangs: dict[str, list[Task]] = {}
    alone = []
    for task in tasks:
        if task.gang:
            gangs.setdefault(task.gang, []).append(task)
        else:
            alone.append([task])
    units = [(max(t.arrives_s for t in unit), unit) for unit in (*alone, *gangs.values())]
    return sorted(units, key=lambda unit: (-unit[0], unit[1][0].name))
