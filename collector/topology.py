"""How GPUs are joined: NVLinks of one card, and the path between each two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from collector.nvml import NOT_SUPPORTED, REFUSED, Asker

# nvmlGpuTopologyLevel_t.
PATHS = {0: "internal", 10: "switch", 20: "switches", 30: "bridge", 40: "numa", 50: "system"}
LINK_COUNT, LINK_SPEED, LINK_STATE, COMMON_SPEED = 91, 164, 165, 90
ACTIVE = 1
GPU, SWITCH = 0, 2  # nvmlIntNvLinkDeviceType_t
MOST_LINKS = 18  # of any card that has no field for the count
MEGABYTE = 1e6
SWITCH_NAME, NVLINK = "switch", "nvlink"


class NvLinks:
    """The NVLinks of one card."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._count: int | None = None
        self._code = 0

    def count(self) -> int:
        """How many there are; 0 where the card has none or does not tell."""
        if self._count is None and not self._code:
            ((code, told),) = self._asker.fields([(LINK_COUNT, 0)])
            self._count = int(told) if told is not None else self._tried()
            self._code = code if self._count is None and code in REFUSED else 0
        return self._count or 0

    def read(self, why: dict[str, int]) -> dict[str, float | None]:
        """Links, links up, and the speed of those in one direction."""
        links = range(self.count())
        if self._count is None:
            columns = ("nvlinks", "nvlinks_up", "nvlink_speed_bytes_per_second")
            why.update(dict.fromkeys(columns, self._code or NOT_SUPPORTED))
            return dict.fromkeys(columns)
        states = self._asker.fields([(LINK_STATE, link) for link in links])
        up = [self._is_up(link, state) for link, (_, state) in zip(links, states, strict=True)]
        return {
            "nvlinks": float(len(up)),
            "nvlinks_up": float(sum(up)),
            "nvlink_speed_bytes_per_second": self._speed(up, why),
        }

    def peers(self) -> Iterator[str]:
        """For each link that is up the PCI bus id behind it, or `switch`."""
        for link in range(self.count()):
            kind = self._asker.ask("nvmlDeviceGetNvLinkRemoteDeviceType", link)
            if kind == SWITCH:
                yield SWITCH_NAME
            elif kind in {GPU, None}:
                pci = self._asker.ask("nvmlDeviceGetNvLinkRemotePciInfo", link)
                if pci:
                    yield pci.busId

    def _tried(self) -> int | None:
        """Links that answer, for drivers without the field."""
        states = [self._asker.ask("nvmlDeviceGetNvLinkState", i) for i in range(MOST_LINKS)]
        found = sum(state is not None for state in states)
        return found or None

    def _is_up(self, link: int, state: float | None) -> bool:
        if state is None:
            state = self._asker.ask("nvmlDeviceGetNvLinkState", link)
        return state == ACTIVE

    def _speed(self, up: Sequence[bool], why: dict[str, int]) -> float | None:
        """Megabytes a second of each link; on older drivers all have a common one."""
        links = [link for link, is_up in enumerate(up) if is_up]
        if not links:
            return 0.0
        *speeds, (code, common) = self._asker.fields(
            [*((LINK_SPEED, link) for link in links), (COMMON_SPEED, 0)]
        )
        known = [speed for _, speed in speeds if speed is not None]
        if len(known) == len(links):
            return sum(known) * MEGABYTE
        if common is not None:
            return common * len(links) * MEGABYTE
        why["nvlink_speed_bytes_per_second"] = speeds[0][0] or code
        return None


@dataclass(frozen=True)
class Joint:
    """One card as the topology needs it; `bus` is its PCI bus id."""

    slot: int
    bus: str
    asker: Asker
    links: NvLinks


@dataclass(frozen=True)
class Join:
    """A GPU and what it is joined to: the slot of another GPU, or `switch`."""

    slot: int
    peer: str
    path: str
    nvlinks: int


def joins(cards: Sequence[Joint]) -> Iterator[Join]:
    """Every pair of GPUs in both directions, and every GPU with the NVSwitches it reaches.

    Lost or DriverGone where a card vanishes meanwhile.
    """
    for card in cards:
        behind = Counter(card.links.peers())
        if behind[SWITCH_NAME]:
            yield Join(card.slot, SWITCH_NAME, NVLINK, behind[SWITCH_NAME])
        for other in cards:
            if other is card:
                continue
            nvlinks = behind[other.bus]
            path = NVLINK if nvlinks else _path(card, other)
            if path:
                yield Join(card.slot, str(other.slot), path, nvlinks)


def _path(card: Joint, other: Joint) -> str:
    """The nearest common ancestor over PCIe; empty where the driver does not tell."""
    level = card.asker.put(
        ("ancestor", other.slot),
        "nvmlDeviceGetTopologyCommonAncestor",
        card.asker.handle,
        other.asker.handle,
    )
    return PATHS.get(level, "") if level is not None else ""
