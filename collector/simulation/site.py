"""What a simulated site tells once: quotas, how cards are joined, and what went wrong on the way.

Rows are facts of the whole world; the demo writes them beside agents' and schedulers' rows.
"""

from __future__ import annotations

from datetime import timedelta

from collector.simulation.health import NVLINKS
from collector.simulation.model import World
from collector.simulation.people import TEAM_WEIGHT
from collector.simulation.records import SCHEDULER
from collector.source import Trust
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.host import MissingValue, SpoolLoss
from gpuledger.catalogue.ingest import Quarantine
from gpuledger.catalogue.work import GpuLink, Quota, version
from gpuledger.schema import Row

MILLI = 1_000
# Close to what teams ask for (people.TEAM_WEIGHT), but for one pair: speech paid for GPUs that
# language runs on by now.
GUARANTEED_SHARE = {
    "vision": 0.20,
    "language": 0.17,
    "speech": 0.25,
    "robotics": 0.16,
    "bio": 0.14,
    "platform": 0.08,
}
# Rows that the spool of a silent agent let go, and rows of a clock that was years ahead.
DROPPED_ROWS, ASIDE_ROWS = 1_440, 12
MINUTE = timedelta(minutes=1)


def site_rows(world: World) -> list[Row]:
    """Quotas and links, rows that were lost or kept aside, and readings without a value."""
    return [*_quotas(world), *_links(world), *_losses(world), *_aside(world), *_missing(world)]


def guaranteed(world: World) -> dict[str, int]:
    """GPUs guaranteed to each team, in thousandths."""
    gpus = len(world.places)
    return {team: round(GUARANTEED_SHARE[team] * gpus) * MILLI for team in TEAM_WEIGHT}


def _told(world: World, trust: Trust) -> int:
    return version(trust, to_milliseconds(world.end))


def _quotas(world: World) -> list[Row]:
    return [
        Quota(
            cluster=world.cluster,
            scheduler=SCHEDULER,
            team=team,
            guaranteed_milli=milli,
            seen_at=world.end,
            version=_told(world, Trust.SCHEDULER),
        )
        for team, milli in guaranteed(world).items()
    ]


def _links(world: World) -> list[Row]:
    """Each card hangs on the switches of its board."""
    return [
        GpuLink(
            cluster=world.cluster,
            node=world.node_name(node),
            slot=slot,
            peer="switch",
            path="nvlink",
            nvlinks=NVLINKS,
            seen_at=world.end,
            version=_told(world, Trust.NVML),
        )
        for node, slot in world.places
    ]


def _losses(world: World) -> list[Row]:
    """While an agent was silent its spool ran full."""
    rows: list[Row] = []
    for trouble in world.silent:
        for at_s, dropped in ((trouble.since_s, 0), (trouble.until_s + 60, DROPPED_ROWS)):
            rows.append(
                SpoolLoss(
                    ts=world.at(at_s),
                    interval_seconds=60.0,
                    cluster=world.cluster,
                    node=world.node_name(trouble.node),
                    of="process_samples",
                    dropped_rows=dropped,
                    rejected_rows=0,
                )
            )
    return rows


def _aside(world: World) -> list[Row]:
    """A node that came back from an outage with a clock far ahead, until its time was set."""
    return [
        Quarantine(
            ts=world.at(trouble.until_s) + MINUTE,
            cluster=world.cluster,
            node=world.node_name(trouble.node),
            of="host_samples",
            reason="in the future: the clock of the node is ahead",
            rows=ASIDE_ROWS,
            first=world.at(trouble.until_s) + timedelta(days=400),
            last=world.at(trouble.until_s) + timedelta(days=400, minutes=ASIDE_ROWS - 1),
            body="",
        )
        for trouble in world.down
    ]


def _missing(world: World) -> list[Row]:
    """Cards that water cools have no fans; one node gives its agent no right to read the kernel."""
    unsupported = [
        MissingValue(
            cluster=world.cluster,
            node=world.node_name(node),
            source="nvml",
            reading="fan_ratio",
            reason="unsupported",
            detail="Not Supported",
            seen_at=world.start,
            version=version(Trust.NVML, to_milliseconds(world.start)),
        )
        for node in range(world.nodes)
    ]
    denied = MissingValue(
        cluster=world.cluster,
        node=world.node_name(0),
        source="kmsg",
        reading="/dev/kmsg",
        reason="denied",
        detail="Operation not permitted",
        seen_at=world.start,
        version=version(Trust.NVML, to_milliseconds(world.start)),
    )
    return [*unsupported, denied]
