"""What each kind of finding must find, may find, and must not: labels by kind."""

from __future__ import annotations

from dataclasses import dataclass

from tests.labelled.truth import CAUSES, Truth

SERVICES = frozenset({"serving", "warm_serving", "low_traffic"})
IDLE = frozenset({"idle", "idle_blips", "idle_notebook_mem"})
LOW_SM, SURELY_LOW_SM = 0.30, 0.22
BUSY_SM = 0.45


@dataclass(frozen=True)
class Rule:
    """One kind of finding.

    `must`: labels that it is judged to miss. `right`: labels that it is right about. `open`: labels
    of which nobody can say that it is wrong (counted neither way). `by`: other kinds that tell the
    same. `least_min`: how long a truth must have held, and been seen, to be missed. `grades`:
    evidence with which it can be found at all. `about`: what a person reads of it. `overlap`: the
    share of a finding's time that must be right (0: any of it, where signs come and go).
    """

    must: frozenset[str]
    right: frozenset[str]
    open: frozenset[str] = frozenset()
    by: tuple[str, ...] = ()
    least_min: float = 12
    grades: str = "ABC"
    about: str = "job"
    overlap: float = 0.5


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


# Whose GPUs do nothing at that time is idle in the book, whether it is meant or not: what harms is
# advice to end it, which is judged apart.
_PAUSES = _set("cpu_phase", "startup", "checkpoint", "shared_idle", "warm_serving", "low_traffic")

RULES: dict[str, Rule] = {
    "idle": Rule(IDLE, IDLE | {"dead_peer"}, _PAUSES, by=("notebook", "stalled")),
    "notebook": Rule(
        *(_set("idle_notebook_mem"), IDLE, _PAUSES), by=("idle",), least_min=20
    ),
    "partial_idle": Rule(
        *(_set("partial_idle"), _set("partial_idle")), _set("startup", "dead_peer"), least_min=40
    ),
    "rogue": Rule(_set("rogue"), _set("rogue"), least_min=15, grades="AB", about="gpu"),
    "stalled": Rule(
        *(_set("hung", "dead_peer"), _set("hung", "dead_peer")),
        by=("idle",), least_min=25, grades="AB",
    ),
    "straggler": Rule(
        *(_set("straggler"), _set("straggler", "throttled", "sick")), least_min=40, grades="A"
    ),
    "overprovisioned": Rule(
        _set("over_provisioned"),
        _set("over_provisioned", "small_batch", "low_traffic", "warm_serving", "partial_idle"),
        IDLE | _set(*CAUSES) | SERVICES | _PAUSES,
        by=("underused",), least_min=60, grades="A",
    ),
    "underused": Rule(
        _set(*CAUSES), _set(*CAUSES) | SERVICES | {"over_provisioned", "storage_slow"},
        _set("shared_idle"),
        by=("serving", "overprovisioned"), least_min=40,
    ),
    "serving": Rule(
        _set("warm_serving", "low_traffic"), SERVICES, by=("idle", "overprovisioned"), least_min=60
    ),
    "storage_slow": Rule(_set("storage_slow"), _set("storage_slow"), least_min=20, about="site"),
    "throttled": Rule(_set("throttled"), _set("throttled"), least_min=30, grades="AB"),
    "sick_gpu": Rule(
        *(_set("sick", "lost"), _set("sick", "lost", "dead_peer")), least_min=15, grades="AB",
        about="gpu", overlap=0,
    ),
}  # fmt: skip
# Other words for the same kinds and causes.
KINDS = {
    "hung": "stalled", "sick": "sick_gpu", "sick_hardware": "sick_gpu", "over_provisioned":
    "overprovisioned", "throttling": "throttled", "hardware": "sick_gpu",
}  # fmt: skip
CAUSE_WORDS = {
    "communication_bound": "comm_bound", "input": "input_bound", "cpu": "cpu_bound",
    "hoarding": "memory_hoarding", "copies": "host_device_copies",
}  # fmt: skip
# Causes that show in profiling counters alone: without those, no cause is as good as the right one.
PROFILED = _set("no_tensor", "host_device_copies", "small_batch", "comm_bound")


def must_find(rule: Rule, kind: str, truth: Truth) -> bool:
    """Whether that kind of finding misses something if it does not find this."""
    seen_min = truth.seen * truth.duration.total_seconds() / 60
    if truth.label not in rule.must or truth.grade not in rule.grades:
        return False
    if rule.about == "site" and truth.job:
        return False
    if kind == "underused" and not truth.mean_sm < SURELY_LOW_SM:
        return False
    if kind == "stalled" and "idle" in truth.also and truth.mean_sm < 0.01:
        return False
    return seen_min >= rule.least_min


def is_right(rule: Rule, kind: str, truth: Truth) -> bool:
    """Whether that kind of finding is right to be about this."""
    if kind == "underused" and truth.label in {"working", "serving"}:
        return truth.mean_sm < LOW_SM
    return truth.label in rule.right


def is_open(rule: Rule, kind: str, truth: Truth) -> bool:
    """Whether nobody can say that it is wrong."""
    if kind == "overprovisioned" and truth.label == "working":
        return truth.mean_sm < BUSY_SM
    return truth.label in rule.open
