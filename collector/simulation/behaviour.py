"""What jobs do: phases of activity for each kind of work.

Levels are those of H100 nodes under common frameworks: training keeps most multiprocessors
resident and pauses for checkpoints, starved jobs wait for their data, notebooks mostly hold memory.
"""

from __future__ import annotations

import numpy as np

from collector.simulation.model import SIGNALS, Behaviour, Job, Label, Phases, Plan

MINUTE_S, HOUR_S = 60, 3_600
BEHAVIOUR_STREAM = 3

Signals = tuple[float, ...]
NOTHING: Signals = (0.0,) * SIGNALS


class _Script:
    """Phases in the making; they end where the job ends."""

    def __init__(self, length_s: float, rng: np.random.Generator, memory: float) -> None:
        self.length_s = length_s
        self.rng = rng
        self.held: Signals = (0, 0, 0, 0, 0, memory, 1)
        self.now_s = 0.0
        self._rows: list[tuple[float, Label, Signals]] = []

    def add(self, seconds: float, label: Label, signals: Signals) -> None:
        """A phase of that length, or of what is left."""
        if seconds > 0 and self.now_s < self.length_s:
            self._rows.append((self.now_s, label, signals))
            self.now_s = min(self.now_s + seconds, self.length_s)

    def uniform(self, low: float, high: float) -> float:
        """A draw between the two."""
        return float(self.rng.uniform(low, high))

    def seconds(self, low: float, high: float) -> float:
        """A whole number of seconds between the two."""
        return float(round(self.rng.uniform(low, high)))

    def phases(self) -> Phases:
        """All of it as arrays."""
        starts, labels, signals = zip(*self._rows, strict=True)
        return Phases(
            np.array(starts, dtype=np.float64),
            np.array(labels, dtype=np.int64),
            np.array(signals, dtype=np.float64).reshape(-1, SIGNALS),
        )


def phases(seed: int, job: Job) -> Phases:
    """The phases of a job from its start to its end; a clean end has a short teardown."""
    plan = job.plan
    rng = np.random.default_rng([seed, BEHAVIOUR_STREAM, plan.number])
    length_s = job.end_s - job.start_s
    teardown_s = _teardown_s(rng, job)
    script = _Script(length_s - teardown_s, rng, float(rng.uniform(0.35, 0.95)))
    _start_up(script, plan)
    _WORK[plan.behaviour](script, plan)
    script.length_s = length_s
    script.add(teardown_s, Label.TEARDOWN, NOTHING)
    return script.phases()


def _teardown_s(rng: np.random.Generator, job: Job) -> float:
    longest_s = min(75.0, 0.2 * (job.end_s - job.start_s))
    drawn_s = float(round(rng.uniform(0.1, 1) * longest_s))
    return drawn_s if job.state in {"completed", "cancelled"} else 0.0


def _start_up(script: _Script, plan: Plan) -> None:
    """Image and imports without a process on the GPU, then a model that is loaded."""
    whole_s = script.seconds(60, 150 if plan.behaviour is Behaviour.NOTEBOOK else 480)
    bare_s = round(0.4 * whole_s)
    script.add(bare_s, Label.STARTUP, NOTHING)
    script.add(whole_s - bare_s, Label.STARTUP, (*script.held[:5], 0.4 * script.held[5], 1))


def _busy(script: _Script, sm: float, tensor: float, dram: float) -> Signals:
    """Steady work around an SM activity."""
    sm = min(0.97, max(0.3, sm + script.uniform(-0.03, 0.03)))
    return sm, min(1.0, 0.96 + sm * 0.05), sm * tensor, sm * dram, 1.0, *script.held[5:]


def _train(script: _Script, until_s: float) -> None:
    """Steps, with a checkpoint of 20-60 s every 20-40 min; never idle."""
    sm, tensor, dram = script.uniform(0.45, 0.9), script.uniform(0.3, 0.6), script.uniform(0.4, 0.7)
    while script.now_s < min(until_s, script.length_s):
        left_s = until_s - script.now_s
        steps_s = script.seconds(20 * MINUTE_S, 40 * MINUTE_S)
        script.add(min(left_s, steps_s), Label.BUSY, _busy(script, sm, tensor, dram))
        if steps_s < left_s:
            script.add(script.seconds(20, 60), Label.DIP, script.held)


def _training(script: _Script, plan: Plan) -> None:
    _train(script, plan.work_s)


def _inference(script: _Script, plan: Plan) -> None:  # noqa: ARG001 - all kinds are called alike
    """Requests come in waves, the service is never without some."""
    sm, dram = script.uniform(0.36, 0.55), script.uniform(0.8, 1.2)
    while script.now_s < script.length_s:
        level = sm + script.uniform(-0.05, 0.08)
        signals = (level, min(1, level * 1.7), level * 0.2, level * dram, 1.0, *script.held[5:])
        script.add(script.seconds(8 * MINUTE_S, 30 * MINUTE_S), Label.BUSY, signals)


def _starved(script: _Script, plan: Plan) -> None:  # noqa: ARG001 - see above
    """Small batches keep a kernel running but few multiprocessors; slow loaders leave gaps."""
    small_batch = script.uniform(0, 1) < 0.5
    sm = script.uniform(0.05, 0.17)
    while script.now_s < script.length_s:
        level = max(0.03, sm + script.uniform(-0.02, 0.02))
        busy = script.uniform(0.9, 0.99) if small_batch else script.uniform(0.25, 0.45)
        active = 1.0 if small_batch else script.uniform(0.6, 0.85)
        signals = (level, busy, level * 0.3, level * 0.6, active, *script.held[5:])
        script.add(script.seconds(15 * MINUTE_S, 60 * MINUTE_S), Label.UNDERUSED, signals)


def _notebook(script: _Script, plan: Plan) -> None:
    """Bursts of work, then hours of nothing with the memory held."""
    end_s = min(plan.work_s, script.length_s)
    while script.now_s < end_s:
        burst_s = script.seconds(12 * MINUTE_S, 50 * MINUTE_S)
        signals = _busy(script, script.uniform(0.4, 0.75), 0.3, 0.5)
        script.add(min(burst_s, end_s - script.now_s), Label.BUSY, signals)
        pause_s = float(round(script.rng.lognormal(np.log(1.4 * HOUR_S), 0.8)))
        if script.now_s < end_s:
            _idle(script, min(max(pause_s, 600), end_s - script.now_s))
    _idle(script, script.length_s - script.now_s)


def _abandoned(script: _Script, plan: Plan) -> None:
    """A training that was done but never released."""
    _train(script, plan.work_s)
    _idle(script, script.length_s - script.now_s)


def _idle(script: _Script, seconds: float) -> None:
    """Nothing, but for a blip of 2 s now and then (keep-alives, monitoring of the user's own)."""
    end_s = script.now_s + seconds
    blips = script.uniform(0, 1) < 0.6
    while script.now_s < min(end_s, script.length_s):
        quiet_s = script.seconds(9 * MINUTE_S, 45 * MINUTE_S) if blips else seconds
        script.add(min(quiet_s, end_s - script.now_s), Label.IDLE, script.held)
        if blips:
            blip = (0.06, 0.5, 0.0, 0.05, 1.0, *script.held[5:])
            script.add(min(2.0, end_s - script.now_s), Label.BLIP, blip)


_WORK = {
    Behaviour.TRAINING: _training,
    Behaviour.INFERENCE: _inference,
    Behaviour.STARVED: _starved,
    Behaviour.NOTEBOOK: _notebook,
    Behaviour.ABANDONED: _abandoned,
}
