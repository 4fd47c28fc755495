"""Whether moves are worth it: net of lost work, against waiting and another placement policy.

Moves give GPUs from now until the same would have come by itself (known ends), or the horizon;
what counts of them is what waiting work would use. Another policy costs no work and goes on. What
may as well lose as win (an interval that spans 0) is not offered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.advice.interval import NOTHING, Estimate, told
from analytics.advice.waiting import Waiting

HOUR = timedelta(hours=1)
MOVES, WAIT, POLICY, KEEP = "moves", "wait", "policy", "keep"


@dataclass(frozen=True)
class Policy:
    """Another way to place tasks, and the GPUs that it kept from being stranded in a replay."""

    name: str
    gpus: float
    days: float


@dataclass(frozen=True)
class Case:
    """What is weighed: GPUs that moves give, from when to when at most, and what they lose."""

    gpus: float
    at: datetime
    horizon: timedelta
    lost_gpu_hours: float
    waiting: Waiting
    policy: Policy | None = None
    by_policy_gpu_hours: float = 0.0
    not_replayed: str = ""
    # What the GPUs are for, where that is not waiting work.
    use: str = "waiting work would use"

    @property
    def hours(self) -> float:
        """How long the moves are ahead of waiting."""
        end = self.at + self.horizon
        if self.waiting.until:
            end = min(end, self.waiting.until)
        return (end - self.at) / HOUR


@dataclass(frozen=True)
class Offer:
    """What is best, GPU-hours of the moves before and after lost work, and why, in words."""

    best: str
    gain_gpu_hours: Estimate
    net_gpu_hours: Estimate
    hours: float
    why: str

    @property
    def offered(self) -> bool:
        """Whether the moves are."""
        return self.best == MOVES


def weigh(case: Case, used: Estimate) -> Offer:
    """The verdict; `used` are GPU-hours that waiting work would use of the moves' GPUs.

    `case.by_policy_gpu_hours` are those of the GPUs that another policy would give.
    """
    net = used.less(case.lost_gpu_hours)
    best, why = _verdict(case, used, net)
    told = why if best == POLICY else f"{why}; {_policy_words(case)}"
    return Offer(best, used, net, case.hours, told)


def keep(why: str) -> Offer:
    """Of a plan that has no moves, or whose moves give nothing."""
    return Offer(KEEP, NOTHING, NOTHING, 0.0, why)


def _verdict(case: Case, used: Estimate, net: Estimate) -> tuple[str, str]:
    gives = f"the moves give {told(case.gpus)} GPUs"
    lost = f"{case.lost_gpu_hours:.3g} GPU-hours of work are lost"
    other = case.by_policy_gpu_hours
    if used.expected <= 0 < case.hours:
        return KEEP, f"{gives}, but nobody would use them: nothing waited for them in two weeks"
    if net.expected <= 0:
        return WAIT, f"waiting is better: {_by_itself(case)}, and by the moves {lost}"
    if case.policy and other > net.expected:
        return POLICY, (
            f"another placement policy is better: {case.policy.name} would have kept"
            f" {case.policy.gpus:.3g} GPUs from being stranded in {case.policy.days:.3g} days and"
            f" loses no work: {other:.3g} GPU-hours in {case.hours:.3g} h, the moves"
            f" {net.expected:.3g} net"
        )
    balance = (
        f"{gives} that {case.use} for {used.words('GPU-hours')} in"
        f" {case.hours:.3g} h; {lost}, so {net.words('GPU-hours')} are left; {_by_itself(case)}"
    )
    if net.low is not None and net.low < 0:
        return KEEP, f"not shown to be worth it, since it may as well lose work: {balance}"
    return MOVES, balance


def _by_itself(case: Case) -> str:
    until = case.waiting.until
    if until is None:
        known = "known ends do not bring" if case.waiting.known_ends else "no end is known to bring"
        return f"{known} the same"
    return f"the same comes by itself by {until:%Y-%m-%d %H:%M} UTC"


def _policy_words(case: Case) -> str:
    if case.policy is None:
        return f"another placement policy was not compared ({case.not_replayed or 'no replay'})"
    if case.policy.gpus <= 0:
        return f"placing by {case.policy.name} kept no more GPUs from being stranded in the replay"
    return (
        f"placing by {case.policy.name} kept {case.policy.gpus:.3g} GPUs from being stranded in the"
        " replay"
    )
