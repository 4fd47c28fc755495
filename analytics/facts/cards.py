"""Cards as dcgm-exporter tells of them, and whom its labels name as their holders.

Every series of a GPU says the same of it: a few that most sites collect are enough. Where
Prometheus attached the labels of its target, `pod` may be the exporter's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from analytics.facts.hearing import Hearing
from analytics.facts.says import Says
from analytics.facts.words import Labels
from gpuledger.catalogue.work import Allocation, Gpu
from gpuledger.identity import gpu_id
from gpuledger.mapping import identifier

SOURCE = "dcgm-exporter"
NODE_LABELS = ("node", "Hostname")  # as the mapping's `nodes`
MEMORY = "DCGM_FI_DEV_FB_TOTAL"
METRICS = frozenset(
    {
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_GPU_UTIL",
        "DCGM_FI_DEV_FB_USED",
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE",
        "DCGM_FI_PROF_SM_ACTIVE",
        MEMORY,
    }
)
POD = ("exported_pod", "pod", "pod_name")
NAMESPACE = ("exported_namespace", "namespace", "pod_namespace")
TELLING = ("UUID", "modelName", "DCGM_FI_DRIVER_VERSION")
REFRESH_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Device:
    """A card in its place, or a slice of one."""

    node: str
    slot: int
    slice: str = ""
    profile: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom the labels name: a pod, or a job of a batch scheduler.

    `sure` where nobody but the exporter can have said it.
    """

    namespace: str = ""
    pod: str = ""
    uid: str = ""
    job: str = ""
    sure: bool = field(default=False, compare=False)


@dataclass(slots=True)
class Claim:
    """A holder on a device: from when until when it was named, and which job that is.

    `asked_ms`: the time for which that is to be found out; 0 = it is known. `row` is what was told
    where the labels are all that is known of the holder.
    """

    device: Device
    holder: Holder
    first_ms: int
    last_ms: int
    asked_ms: int
    native: str = ""
    row: Allocation | None = None
    told_ms: int = 0


@dataclass(slots=True)
class Card:
    """What was last heard of one card."""

    device: Device
    labels: Labels
    heard: Hearing
    memory_mib: float | None = None
    told_ms: int = 0
    dirty: bool = True


@dataclass
class Cards:
    """Every card, and every claim that is not over."""

    patience_ms: int
    slots: Mapping[str, int]
    node_labels: Sequence[str]
    most: int
    claims: dict[tuple[Device, Holder], Claim] = field(default_factory=dict)
    nodes: dict[str, Hearing] = field(default_factory=dict)
    relabelled: set[str] = field(default_factory=set)
    refused: int = 0
    _cards: dict[tuple[str, int], Card] = field(default_factory=dict)

    def feeds(self, name: str) -> bool:
        """Whether the metric is one of those that are enough."""
        return name in METRICS

    def take(self, name: str, labels: Labels, value: float, at_ms: int) -> None:
        """One reading; what names no card says nothing."""
        node = next((labels[n] for n in self.node_labels if labels.get(n)), "")
        slot = self._slot(labels)
        if not node or slot is None:
            return
        card = self._card(node, slot, labels, at_ms)
        if card is None:
            return
        card.heard.heard(at_ms)
        self.nodes[node].heard(at_ms)
        if at_ms >= card.heard.last_ms:
            card.dirty = card.dirty or any(labels.get(n) != card.labels.get(n) for n in TELLING)
            card.labels = labels
        if name == MEMORY and not labels.get("GPU_I_ID") and card.memory_mib != value:
            card.memory_mib, card.dirty = value, True
        if holder := _holder(labels):
            self._claim(self._device(card, labels), holder, at_ms)

    def whole(self, node: str) -> list[Device]:
        """Cards of a node that were heard lately."""
        now = self.nodes.get(node)
        cards = (c for (n, _), c in self._cards.items() if n == node)
        return [c.device for c in cards if now and not now.missed(c.heard.last_ms)]

    def hearing(self, device: Device) -> Hearing | None:
        """Since and until when the device's card was heard."""
        card = self._cards.get((device.node, device.slot))
        return card.heard if card else None

    def rows(self, says: Says, now_ms: int) -> Iterator[Gpu]:
        """Cards that are new or changed, and all of them now and then."""
        for card in self._cards.values():
            if card.dirty or now_ms - card.told_ms >= REFRESH_MS:
                card.dirty, card.told_ms = False, now_ms
                yield _row(card, says)

    def missed(self, claim: Claim) -> bool:
        """Whether the card was heard and the holder no longer named."""
        heard = self.hearing(claim.device)
        return heard is not None and heard.missed(claim.last_ms)

    def drop(self, claim: Claim) -> None:
        """Forget a claim that is over; if it is named again, that is another."""
        self.claims.pop((claim.device, claim.holder), None)

    def adopt(self, claim: Claim) -> None:
        """Know a claim that an earlier process knew."""
        self.claims[claim.device, claim.holder] = claim

    def _slot(self, labels: Labels) -> int | None:
        """As it is known better by UUID or address, else the exporter's index."""
        for name in ("UUID", "uuid", "pci_bus_id"):
            if self.slots and labels.get(name):
                slot = self.slots.get(identifier(labels[name]))
                if slot is not None:
                    return slot
        index = labels.get("gpu", "")
        return int(index) if index.isascii() and index.isdecimal() and len(index) < 5 else None

    def _card(self, node: str, slot: int, labels: Labels, at_ms: int) -> Card | None:
        card = self._cards.get((node, slot))
        if card is None:
            if len(self._cards) >= self.most:
                self.refused += 1
                return None
            heard = Hearing(self.patience_ms)
            card = self._cards[node, slot] = Card(Device(node, slot), labels, heard)
            self.nodes.setdefault(node, Hearing(self.patience_ms)).heard(at_ms)
        return card

    def _device(self, card: Card, labels: Labels) -> Device:
        """The card, or its slice as the samples of slices are named."""
        instance = labels.get("GPU_I_ID", "")
        if not instance:
            return card.device
        uuid = labels.get("UUID") or labels.get("uuid", "")
        name = f"MIG-{uuid}/{instance}/0"
        return Device(card.device.node, card.device.slot, name, labels.get("GPU_I_PROFILE", ""))

    def _claim(self, device: Device, holder: Holder, at_ms: int) -> None:
        if holder.pod and holder.sure:
            self.relabelled.add(device.node)
        key = device, holder
        claim = self.claims.get(key)
        if claim is None:
            if len(self.claims) >= self.most:
                self.refused += 1
                return
            claim = self.claims[key] = Claim(device, holder, at_ms, at_ms, at_ms)
        claim.last_ms = max(claim.last_ms, at_ms)
        claim.first_ms = min(claim.first_ms, at_ms)


def _holder(labels: Labels) -> Holder | None:
    """Whom a series names; None where nobody is named."""
    job = labels.get("hpc_job", "")
    if job:
        return Holder(job=job, sure=True)
    pod = next((labels[n] for n in POD if labels.get(n)), "")
    if not pod:
        return None
    namespace = next((labels[n] for n in NAMESPACE if labels.get(n)), "")
    sure = bool(labels.get("exported_pod"))
    return Holder(namespace, pod, labels.get("pod_uid", ""), sure=sure)


def _row(card: Card, says: Says) -> Gpu:
    labels, device = card.labels, card.device
    memory = None if card.memory_mib is None else card.memory_mib * (1 << 20)
    return Gpu(
        gpu_id=gpu_id(says.cluster, device.node, device.slot),
        cluster=says.cluster,
        node=device.node,
        slot=device.slot,
        uuid=labels.get("UUID") or labels.get("uuid", ""),
        serial=labels.get("DCGM_FI_DEV_SERIAL") or labels.get("DCGM_FI_DEV_BOARD_SERIAL", ""),
        model=labels.get("modelName", ""),
        memory_bytes=memory,
        driver=labels.get("DCGM_FI_DRIVER_VERSION", ""),
        vbios=labels.get("DCGM_FI_DEV_VBIOS_VERSION", ""),
        pci=labels.get("pci_bus_id", ""),
        **says.seen(),
    )
