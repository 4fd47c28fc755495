"""Pods as kube-state-metrics tells of them: what was heard of each life, reading by reading.

Readings come late, twice, in any order and in part: what never changes in a pod's life is taken
from any of them, what changes from the latest. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from analytics.facts.asked import Amounts, Asked, by_container, effective
from analytics.facts.cards import Device
from analytics.facts.hearing import Hearing
from analytics.facts.words import MOST_AMOUNT, Labels, Words, resource, told
from gpuledger.catalogue.work import Allocation, Job
from gpuledger.kubernetes_names import STATES, TAKEN_AWAY, native_id

# Readings that say something only where they are not 0.
FLAGS = frozenset({"kube_pod_status_phase", "kube_pod_status_reason"})
GATED = "SchedulingGated"
LATEST_S = 4_291_747_199  # a second before a column's FOREVER
# How the scheduler's own condition calls it; the pod's status says Preempting.
PREEMPTED = "PreemptionByScheduler"


@dataclass(slots=True)
class Life:
    """One pod, from its making to its end."""

    namespace: str
    name: str
    uid: str
    first_ms: int
    last_ms: int
    node: str = ""
    phase: str = ""
    phase_ms: int = -1
    created_ms: int = 0
    scheduled_ms: int = 0
    started_ms: int = 0
    completed_ms: int = 0
    over_ms: int = 0
    gated_ms: int = -1
    refused_ms: int = -1
    taken: bool = False
    owner_kind: str = ""
    owner_name: str = ""
    priority: str = ""
    words: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)
    first_requests: Amounts = field(default_factory=dict)
    first_limits: Amounts = field(default_factory=dict)
    overhead: dict[str, float] = field(default_factory=dict)
    gone: bool = False
    lost: bool = False
    whole_node: bool = False
    named_ms: int = 0
    told_ms: int = 0
    counted: Asked | None = None
    row: Job | None = None
    held: dict[Device, Allocation | None] = field(default_factory=dict)

    @property
    def native(self) -> str:
        """Its id in our tables."""
        return native_id(self.namespace, self.name, self.uid)

    @property
    def begun_ms(self) -> int:
        """When it got its node, as far as that is told; 0 = not yet."""
        return self.scheduled_ms or self.started_ms

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.gone or self.phase in STATES

    @property
    def waits(self) -> bool:
        """Whether it was said why it has no node."""
        return not self.node and not self.over and max(self.gated_ms, self.refused_ms) > 0

    @property
    def known(self) -> bool:
        """Whether enough was heard to say what it is."""
        return bool(self.phase) and (bool(self.created_ms) or self.last_ms > self.first_ms)

    def asked(self, resources: Iterable[str]) -> Asked:
        """What it asks for; `resources` are those that are accelerators."""
        if self.counted is None:
            self.counted = effective(
                by_container(self.requests, self.limits),
                by_container(self.first_requests, self.first_limits),
                self.overhead,
                resources,
            )
        return self.counted

    @property
    def seen_ms(self) -> int:
        """When anybody last named it."""
        return max(self.last_ms, self.named_ms)


class Pods:
    """Every pod that is listed, and those that ended a short while ago."""

    def __init__(self, words: Words, hearing: Hearing, most: int) -> None:
        self._words = words
        self._hearing = hearing
        self._most = most
        self._lives: dict[str, Life] = {}
        self._names: dict[tuple[str, str], list[str]] = {}
        self.changed: set[str] = set()
        self.refused = 0
        self._readers: Mapping[str, Callable[[Life, Labels, float, int], None]] = {
            "kube_pod_info": self._info,
            "kube_pod_owner": self._owner,
            "kube_pod_labels": self._labels,
            "kube_pod_nodeselectors": self._selectors,
            "kube_pod_created": self._created,
            "kube_pod_start_time": self._started,
            "kube_pod_completion_time": self._completed,
            "kube_pod_status_phase": self._phase,
            "kube_pod_status_scheduled_time": self._scheduled,
            "kube_pod_status_reason": self._reason,
            "kube_pod_status_unschedulable": self._unschedulable,
            "kube_pod_container_resource_requests": self._requests,
            "kube_pod_container_resource_limits": self._limits,
            "kube_pod_init_container_resource_requests": self._first_requests,
            "kube_pod_init_container_resource_limits": self._first_limits,
            "kube_pod_overhead_cpu_cores": self._overhead_cpu,
            "kube_pod_overhead_memory_bytes": self._overhead_memory,
        }

    def feeds(self, name: str) -> bool:
        """Whether the metric tells of pods."""
        return name in self._readers

    def take(self, name: str, labels: Labels, value: float, at_ms: int) -> None:
        """One reading; what names no pod says nothing."""
        self._hearing.heard(at_ms)
        if not value and name in FLAGS:
            return
        life = self._life(labels, at_ms)
        if life is None:
            return
        if at_ms > life.last_ms:
            life.last_ms = at_ms
        elif at_ms < life.first_ms:
            life.first_ms = at_ms
        if life.gone and not self._hearing.missed(life.last_ms):
            life.gone = False  # it was late, not gone
            self.changed.add(life.native)
        self._readers[name](life, labels, value, at_ms)

    def get(self, native: str) -> Life | None:
        """The life of that id."""
        return self._lives.get(native)

    def adopt(self, life: Life) -> None:
        """Know a life that an earlier process knew."""
        self._lives[life.native] = life
        self._names.setdefault((life.namespace, life.name), []).append(life.native)

    def at(self, namespace: str, name: str, at_ms: int) -> Life | None:
        """The latest life of that name that had begun by then; one without a node has not."""
        natives = self._names.get((namespace, name), ())
        found = (self._lives[n] for n in natives if self._lives[n].node)
        begun = [x for x in found if (x.begun_ms or x.created_ms or x.first_ms) <= at_ms]
        return max(begun, key=lambda x: (x.begun_ms or x.created_ms, x.last_ms), default=None)

    def sweep(self) -> None:
        """Pods that are no longer listed are gone; what ended long ago is forgotten.

        Why a pod waits may change without a word of it.
        """
        for native, life in list(self._lives.items()):
            if not self._hearing.missed(life.last_ms):
                if life.waits:
                    self.changed.add(native)
                continue
            if not life.gone:
                life.gone = True
                self.changed.add(native)
            elif native not in self.changed and self._hearing.forgotten(life.last_ms):
                self._forget(native, life)

    def all(self) -> Iterator[Life]:
        """Every life that is known."""
        return iter(self._lives.values())

    def _forget(self, native: str, life: Life) -> None:
        del self._lives[native]
        name = life.namespace, life.name
        self._names[name].remove(native)
        if not self._names[name]:
            del self._names[name]

    def _life(self, labels: Labels, at_ms: int) -> Life | None:
        namespace, name = told(labels, "namespace"), told(labels, "pod")
        uid = labels.get("uid", "")
        if not name or not uid:
            return None
        native = native_id(namespace, name, uid)
        life = self._lives.get(native)
        if life is None:
            if len(self._lives) >= self._most:
                self.refused += 1
                return None
            life = Life(namespace, name, uid, at_ms, at_ms)
            self.adopt(life)
            self.changed.add(native)
        return life

    def _set(self, life: Life, name: str, value: object) -> None:
        if getattr(life, name) != value:
            setattr(life, name, value)
            self.changed.add(life.native)

    def _info(self, life: Life, labels: Labels, _value: float, _at_ms: int) -> None:
        # Its node is empty until it has one, and never another.
        if node := told(labels, "node"):
            self._set(life, "node", node)
        if priority := labels.get("priority_class", ""):
            self._set(life, "priority", priority)

    def _owner(self, life: Life, labels: Labels, _value: float, _at_ms: int) -> None:
        kind, name = labels.get("owner_kind", ""), labels.get("owner_name", "")
        controls = labels.get("owner_is_controller") == "true"
        if kind not in {"", "<none>"} and (controls or not life.owner_kind):
            self._set(life, "owner_kind", kind)
            self._set(life, "owner_name", name)

    def _labels(self, life: Life, labels: Labels, _value: float, at_ms: int) -> None:
        if at_ms == life.last_ms:
            self._set(life, "words", self._words.of(labels))

    def _selectors(self, life: Life, labels: Labels, _value: float, _at_ms: int) -> None:
        self._set(life, "wanted", self._words.of(labels, "nodeselector_"))

    def _created(self, life: Life, _labels: Labels, value: float, _at_ms: int) -> None:
        self._set(life, "created_ms", _milliseconds(value))

    def _started(self, life: Life, _labels: Labels, value: float, _at_ms: int) -> None:
        self._set(life, "started_ms", _milliseconds(value))

    def _scheduled(self, life: Life, _labels: Labels, value: float, _at_ms: int) -> None:
        self._set(life, "scheduled_ms", _milliseconds(value))

    def _completed(self, life: Life, _labels: Labels, value: float, _at_ms: int) -> None:
        self._set(life, "completed_ms", _milliseconds(value))

    def _phase(self, life: Life, labels: Labels, _value: float, at_ms: int) -> None:
        phase = labels.get("phase", "")
        if phase in STATES:
            life.over_ms = min(life.over_ms or at_ms, at_ms)
        if at_ms >= life.phase_ms:
            life.phase_ms = at_ms
            self._set(life, "phase", phase)

    def _reason(self, life: Life, labels: Labels, _value: float, at_ms: int) -> None:
        reason = labels.get("reason", "")
        if reason == GATED:
            self._flag(life, "gated_ms", at_ms)
        elif reason in TAKEN_AWAY or reason == PREEMPTED:
            self._set(life, "taken", True)

    def _unschedulable(self, life: Life, _labels: Labels, value: float, at_ms: int) -> None:
        if value:
            self._flag(life, "refused_ms", at_ms)

    def _flag(self, life: Life, name: str, at_ms: int) -> None:
        """What holds as long as it is said; a change only where it was not said lately."""
        before = getattr(life, name)
        if self._hearing.apart(before, at_ms):
            self.changed.add(life.native)
        setattr(life, name, max(before, at_ms))

    def _requests(self, life: Life, labels: Labels, value: float, _at_ms: int) -> None:
        self._amount(life, life.requests, labels, value)

    def _limits(self, life: Life, labels: Labels, value: float, _at_ms: int) -> None:
        self._amount(life, life.limits, labels, value)

    def _first_requests(self, life: Life, labels: Labels, value: float, _at_ms: int) -> None:
        self._amount(life, life.first_requests, labels, value)

    def _first_limits(self, life: Life, labels: Labels, value: float, _at_ms: int) -> None:
        self._amount(life, life.first_limits, labels, value)

    def _amount(self, life: Life, amounts: Amounts, labels: Labels, value: float) -> None:
        if not life.node and (node := told(labels, "node")):
            self._set(life, "node", node)
        key = told(labels, "container"), resource(labels.get("resource", ""))
        value = min(value, MOST_AMOUNT)
        if amounts.get(key) != value and value >= 0:
            amounts[key] = value
            life.counted = None
            self.changed.add(life.native)

    def _overhead_cpu(self, life: Life, _labels: Labels, value: float, _at_ms: int) -> None:
        self._overhead(life, "cpu", value)

    def _overhead_memory(self, life: Life, _labels: Labels, value: float, _at_ms: int) -> None:
        self._overhead(life, "memory", value)

    def _overhead(self, life: Life, name: str, value: float) -> None:
        value = min(value, MOST_AMOUNT)
        if life.overhead.get(name) != value and value >= 0:
            life.overhead[name] = value
            life.counted = None
            self.changed.add(life.native)


def _milliseconds(seconds: float) -> int:
    """Seconds since 1970 as milliseconds, within what a column holds."""
    return round(min(max(seconds, 0), LATEST_S) * 1000)
