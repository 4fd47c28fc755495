"""What a series becomes, found out of its labels once: its mapping, its target, its place."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Annotated

import msgspec

from analytics.ingest import protobuf
from analytics.ingest.limits import Sender
from analytics.ingest.targets import NAME, Key, Series, Target
from analytics.ingest.told import TellsFacts
from gpuledger.config import Settings
from gpuledger.mapping import Exporter, Feeding, Place, identifier
from gpuledger.mapping_format import Cell
from gpuledger.mapping_index import Index

log = logging.getLogger(__name__)

# How a first label begins, after its tag and length, that is the name of the metric.
FIRST_IS_NAME = b"\n\x08__name__\x12"
# A metric whose labels tell the name of its target's node.
TELLS_NODE = {"node_uname_info": "nodename"}
# Longest label, and most labels of a series; Prometheus' own users stay far below.
LABEL_CHARACTERS, LABELS = 4_096, 128
# Series that become nothing are remembered too, all forgotten when there are more than this.
MOST_REFUSED = 200_000
MOST_UNKNOWN = 1_000
# A series is known by so many orders of its labels, and replicas that tell of it, on average.
HEADS = 6
# Why a series may become something later all the same.
NO_ROOM = {"too_many_series", "too_many_targets", "token_series"}


class ScrapedSettings(Settings):
    """Section `[scraped]`: what comes by remote-write and OTLP."""

    cluster: Annotated[str, "cluster of series that no label gives one"] = ""
    cluster_labels: Annotated[list[str], "labels that name the cluster; the first that is set"] = (
        msgspec.field(default_factory=lambda: ["cluster"])
    )
    replica_labels: Annotated[
        list[str], "labels by which a pair of Prometheus servers tell themselves apart"
    ] = msgspec.field(default_factory=lambda: ["__replica__", "prometheus_replica"])
    jobs: Annotated[
        dict[str, str], "label `job` to a mapping's name, where that is doubtful; empty = unwanted"
    ] = msgspec.field(default_factory=dict)
    mappings: Annotated[list[str], "more mapping files, besides those that are shipped"] = (
        msgspec.field(default_factory=list)
    )
    late_s: Annotated[float, "how far behind its target's newest sample one may come"] = 900.0
    past_s: Annotated[float, "oldest sample that is taken; older ones are counted"] = 7 * 86_400.0
    future_s: Annotated[float, "how far ahead of our clock a sample may be"] = 600.0
    max_targets: Annotated[int, "most targets (job and instance)"] = 20_000
    max_series: Annotated[int, "most series that become rows, of some 1.6 KB"] = 500_000
    max_target_series: Annotated[int, "most of them of one target"] = 200_000
    max_request_series: Annotated[int, "most series in one request"] = 100_000
    max_body_bytes: Annotated[int, "largest request, unpacked"] = 32 << 20
    max_waiting: Annotated[int, "most readings that wait for the rest of their scrape"] = 4_000_000


@dataclass
class Homes:
    """Where cards are by the agents' own word: UUID to node and slot."""

    slots: dict[str, int] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    version: int = 0

    def learn(self, found: Iterable[tuple[str, str, int]]) -> None:
        """UUID, node and slot of every card."""
        told = {identifier(uuid): (node, slot) for uuid, node, slot in found if uuid}
        nodes = {uuid: node for uuid, (node, _) in told.items()}
        slots = {uuid: slot for uuid, (_, slot) in told.items()}
        if (nodes, slots) != (self.nodes, self.slots):
            self.nodes = nodes
            self.slots.clear()
            self.slots.update(slots)
            self.version += 1


@dataclass
class Counts:
    """What became of samples and series, by reason, since the start."""

    samples: Counter[str] = field(default_factory=Counter)
    series: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)


class Learner:
    """Every series that was seen lately, by the bytes of its labels. Not safe for two threads.

    `size` is how many of them become something, `owned` how many are in a sender's share.
    """

    def __init__(
        self,
        settings: ScrapedSettings,
        index: Index,
        facts: TellsFacts | None,
        counts: Counts,
        homes: Homes,
        monotonic: Callable[[], float],
    ) -> None:
        self.targets: dict[int, Target] = {}
        self.homes = homes
        self._settings = settings
        self._index = index
        self._facts = facts
        self._counts = counts
        self._monotonic = monotonic
        self._replicas = set(settings.replica_labels)
        self._by_key: dict[Key, Target] = {}
        self._by_digest: dict[bytes, Series] = {}
        self._refused: dict[bytes, str] = {}
        self._boring: dict[bytes, str] = {}
        self._tellers: dict[str, tuple[tuple[str, ...], bool]] = {}
        self._next_target = 1
        self.size = 0
        self.owned: Counter[str] = Counter()

    def of(self, head: bytes, sender: Sender | None = None) -> Series | str:
        """The series, or why it becomes nothing. ValueError where the head cannot be read.

        The same labels from senders of two clusters are two series.
        """
        # A first label that is the name tells by itself, if nobody makes anything of it.
        if head[2:13] == FIRST_IS_NAME and head[0] == 0x0A and head[13] == head[1] - 12 < 0x74:
            why = self._boring.get(head[14 : 2 + head[1]])
            if why is not None:
                return why
        salt = sender.salt if sender else b""
        digest = blake2b(head, digest_size=16, salt=salt).digest()
        found = self._by_digest.get(digest)
        if found is not None:
            return found
        refused = self._refused.get(digest)
        return self._learn(head, digest, sender) if refused is None else refused

    def restore_target(self, number: int, key: Key, node: str, period_ms: int) -> None:
        """A target of an earlier life."""
        target = Target(number, key, node, period_ms, saved=True)
        self.targets[number] = self._by_key[key] = target
        self._next_target = max(self._next_target, number + 1)

    def restore_series(self, number: int, place: int, labels: Mapping[str, str]) -> None:
        """A series of an earlier life; one that is of no use any more is not known then."""
        target, name = self.targets.get(number), labels[NAME]
        others = {sys.intern(n): sys.intern(v) for n, v in labels.items() if n != NAME}
        exporter = self._index.choose(name, labels.get("job", ""))
        is_fact = self._facts is not None and self._facts.feeds(name)
        if target and (exporter or is_fact):
            own = target.share(others)
            self._keep(Series(target, place, name, own, exporter, is_fact, own, saved=True))

    def renumber(self) -> None:
        """Numbers that no series has any more are free again."""
        for target in self.targets.values():
            top = max(target.series, default=-1) + 1
            target.free = [n for n in range(top) if n not in target.series]

    def sweep(self, unseen_s: float) -> tuple[list[tuple[int, int]], list[int]]:
        """Forget series, then targets without any, that sent nothing for so long: which ones."""
        limit_s = self._monotonic() - unseen_s
        gone = {
            digest: s
            for digest, s in self._by_digest.items()
            if s.seen_s < limit_s and not s.target.pending
        }
        for digest, series in gone.items():
            del self._by_digest[digest]
            series.target.shared.clear()
            if series.target.series.pop(series.number, None):
                series.target.free.append(series.number)
                self.size -= 1
                self.owned[series.owner] -= 1
        empty = [t for t in self.targets.values() if not t.series and not t.pending]
        for target in empty:
            del self.targets[target.id], self._by_key[target.key]
        if gone or empty:
            self._refused = {d: why for d, why in self._refused.items() if why not in NO_ROOM}
        return [(s.target.id, s.number) for s in gone.values()], [t.id for t in empty]

    def feeding(self, series: Series) -> Feeding | None:
        """What the series fills, as places are known now."""
        known_as = (series.target.node, self.homes.version)
        if series.known_as != known_as and series.exporter:
            series.known_as = known_as
            place, slots = self._place(series, series.exporter)
            fed_as = (place.node, slots)
            if series.feeding is None or fed_as != series.fed_as:
                series.fed_as = fed_as
                if series.is_fact and self._told_by(series.exporter)[0]:
                    series.told = series.target.share({**series.labels, "node": place.node})
                labels = {"instance": series.target.key.instance, **series.labels}
                found = series.exporter.feeding(series.name, labels, place)
                series.feeding = found and _slim(found, series.target)
        return series.feeding

    def _place(self, series: Series, exporter: Exporter) -> tuple[Place, tuple[int | None, ...]]:
        """Where the series' thing is, and the slots that agents tell of it."""
        labels, target = series.labels, series.target
        places, on_nodes = self._told_by(exporter)
        cards = [identifier(labels.get(n, "")) for n in places]
        known = (self.homes.nodes.get(card) for card in cards)
        told = (labels[n] for n in exporter.file.nodes if n != "instance" and labels.get(n))
        own = labels.get("node", "")
        if on_nodes:
            own = own or target.node or labels.get("host_name") or host_of(target.key.instance)
        node = next((n for n in (*known, *told) if n), own)
        place = Place(cluster=target.key.cluster, node=node, slots=self.homes.slots)
        return place, tuple(self.homes.slots.get(card) for card in cards)

    def _told_by(self, exporter: Exporter) -> tuple[tuple[str, ...], bool]:
        """Labels by which a card's place is known, and whether rows are named after a node."""
        found = self._tellers.get(exporter.name)
        if found is None:
            plans = {feed.plan for feeds in exporter.feeds.values() for feed in feeds}
            cells = [c for p in plans for c in p.sources.values() if isinstance(c, Cell)]
            places = tuple(dict.fromkeys(name for cell in cells for name in cell.place))
            on_nodes = any("node" in p.row.table.layout.key for p in plans)
            found = self._tellers[exporter.name] = places, on_nodes
        return found

    def _learn(self, head: bytes, digest: bytes, sender: Sender | None) -> Series | str:
        told = protobuf.labels_of(head)
        labels = self._bound(told, sender)
        found = "foreign" if labels is None else self._judge(labels)
        if isinstance(found, Series):
            # The same labels in another order, or by another replica, are the same series.
            same = blake2b(protobuf.head_of(found.all_labels), digest_size=16).digest()
            known = self._by_digest.get(same)
            full = self._is_full(found.target, sender)
            if known is None and not full:
                known = self._by_digest[same] = self._number(found)
            if known is not None:
                self._own(known, sender)
                if len(self._by_digest) < HEADS * self._settings.max_series:
                    self._by_digest[digest] = known
                return known
            found = full
        self._refuse(told.get(NAME, ""), digest, found)
        return found

    def _judge(self, labels: Mapping[str, str]) -> Series | str:
        """A series that has no number yet, or why there is none."""
        name, job = labels.get(NAME, ""), labels.get("job", "")
        exporter = self._index.choose(name, job)
        is_fact = self._facts is not None and self._facts.feeds(name)
        why = self._refusal(labels, wanted=is_fact or exporter is not None)
        if why:
            return why
        target = self._target(labels)
        if target is None:
            return "too_many_targets"
        left_out = {NAME, *self._replicas}
        kept = {sys.intern(n): sys.intern(labels[n]) for n in sorted(labels) if n not in left_out}
        own = target.share(kept)
        return Series(target, -1, sys.intern(name), own, exporter, is_fact, own)

    def _refusal(self, labels: Mapping[str, str], *, wanted: bool) -> str:
        """Why a series becomes nothing, whatever its target; empty: it becomes something."""
        name = labels.get(NAME, "")
        if not name:
            return "nameless"
        if len(labels) > LABELS or any(len(v) > LABEL_CHARACTERS for v in labels.values()):
            return "labels_too_long"
        if name in TELLS_NODE:
            self._tell_node(labels, labels.get(TELLS_NODE[name], ""))
            return "ignored"
        if self._index.is_unwanted(labels.get("job", "")):
            return "unwanted_job"
        if not wanted:
            return "ignored" if self._index.why_ignored(name) else "unknown"
        return ""

    def _bound(self, labels: dict[str, str], sender: Sender | None) -> dict[str, str] | None:
        """The labels with the cluster of their sender; None where they tell of another one."""
        cluster = sender.caller.cluster if sender else ""
        if not cluster:
            return labels
        told = next((labels[n] for n in self._settings.cluster_labels if labels.get(n)), cluster)
        label = next(iter(self._settings.cluster_labels), "cluster")
        return {**labels, label: cluster} if told == cluster else None

    def _is_full(self, target: Target, sender: Sender | None) -> str:
        """Why there is no room for another series; empty where there is."""
        most = self._settings.max_series, self._settings.max_target_series
        if self.size >= most[0] or len(target.series) >= most[1]:
            return "too_many_series"
        share = sender.most_series if sender else 0
        return "token_series" if sender and 0 < share <= self.owned[sender.prefix] else ""

    def _own(self, series: Series, sender: Sender | None) -> None:
        """Count it in the share of whoever told of it first since the start."""
        if sender and not series.owner:
            series.owner = sender.prefix
            self.owned[sender.prefix] += 1

    def _tell_node(self, labels: Mapping[str, str], node: str) -> None:
        target = self._target(labels)
        if target and node and node != target.node:
            target.node, target.saved = node, False

    def _refuse(self, name: str, digest: bytes, why: str) -> None:
        if name in TELLS_NODE:
            return  # heard each time: its target may have been forgotten since
        if len(self._refused) >= MOST_REFUSED:
            self._refused.clear()
        self._refused[digest] = why
        if why in {"ignored", "unknown"} and len(self._boring) < MOST_REFUSED:
            self._boring[name.encode()] = why
        if why == "unknown" and len(self._counts.unknown) < MOST_UNKNOWN:
            if name not in self._counts.unknown:
                log.warning("no mapping knows the metric %s", name[:200])
            self._counts.unknown[name] += 1
        self._counts.series[why] += 1

    def _number(self, series: Series) -> Series:
        target = series.target
        series.number = target.number()
        target.series[series.number] = series
        self.size += 1
        return series

    def _keep(self, series: Series) -> None:
        series.seen_s = self._monotonic()
        series.target.series[series.number] = series
        self.size += 1
        head = protobuf.head_of(series.all_labels)
        self._by_digest[blake2b(head, digest_size=16).digest()] = series

    def _target(self, labels: Mapping[str, str]) -> Target | None:
        told = (labels[n] for n in self._settings.cluster_labels if labels.get(n))
        cluster = next(told, self._settings.cluster)
        key = Key(cluster, labels.get("job", ""), labels.get("instance", ""))
        target = self._by_key.get(key)
        if target is None and len(self.targets) < self._settings.max_targets:
            target = Target(self._next_target, key)
            self._next_target += 1
            self.targets[target.id] = self._by_key[key] = target
        return target


def _slim(feeding: Feeding, target: Target) -> Feeding:
    """The same, with what names its rows in common with the other series of those rows."""
    cells = tuple(
        replace(
            cell,
            names=target.share(cell.names),
            key=target.shared.setdefault(cell.key, cell.key),
            beside=tuple(
                target.shared.setdefault((plan, key), (plan, key, target.share(names)))
                for plan, key, names in cell.beside
            ),
        )
        for cell in feeding.cells
    )
    return replace(feeding, cells=cells)


def host_of(instance: str) -> str:
    """The host of `host:port`."""
    host, colon, port = instance.rpartition(":")
    return host.strip("[]") if colon and port.isdecimal() else instance
