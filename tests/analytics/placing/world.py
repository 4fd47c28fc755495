"""Small fleets and queues: builders whose numbers one can check, and strategies."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from analytics.placing.facts import Event, Facts, Span
from analytics.placing.fleet import Fleet
from analytics.placing.judge import Verdict
from analytics.placing.queue import Queue, Waiting
from analytics.placing.settings import PlacementSettings
from analytics.placing.shapes import Kind, Node, Run, Shape, Wish
from analytics.placing.timeline import Timeline

FIXED = settings(max_examples=150, derandomize=True, database=None, deadline=None)
# Of whole windows, each of which is looked at from every instant at which something changes.
FEW = settings(FIXED, max_examples=30)
MINUTE = 60_000
HOUR = Span(0, 60 * MINUTE)


def node(
    number: int = 0, free: int = 4, *, of: int = 0, pool: str = "big", **known: object
) -> Node:
    """A node with GPUs 100 × its number and upwards, the first of them free."""
    first, total = 100 * number, of or free
    kind = Kind(cluster="c", gpus=total, **known)  # type: ignore[arg-type]
    return Node(f"c/n{number}", kind, pool=pool, free=set(range(first, first + free)))


def fleet(*nodes: Node) -> Fleet:
    """Nodes to serve the queue on."""
    found = Fleet({n.name: n for n in nodes})
    for name in found.nodes:
        found.touch(name)
    return found


def waiting(
    name: str, shape: Shape, priority: int = 0, eligible: int = 0, gang: str = ""
) -> Waiting:
    """A job that waits for capacity."""
    return Waiting((-priority, eligible, name), name, shape, gang=gang)


def queue(*jobs: Waiting) -> Queue:
    """What waits."""
    found = Queue()
    for job in jobs:
        found.add(job)
    return found


def run(name: str, number: int, *slots: int, ends_by: int = 0, cpu: int = 0) -> Run:
    """What a job holds of a node."""
    gpus = tuple((100 * number + slot, 1000, "") for slot in slots)
    return Run(name, gpus, cpu_milli=cpu, ends_by_ms=ends_by)


def during(f: int, t: int, what: object, number: int | None = None) -> list[Event]:
    """Something that lasts from one millisecond to another, at a node or in the queue."""
    place = "" if number is None else f"c/n{number}"
    return [Event(f, +1, place, what), Event(t, -1, place, what)]  # type: ignore[arg-type]


def waits(job: Waiting, f: int = 0, t: int = HOUR.hi) -> list[Event]:
    """A job that waits for some time."""
    return [e for e in during(f, t, job) if e.at < HOUR.hi]


Told = list[tuple[int, int, int, Verdict]]


def played(nodes: list[Node], events: list[Event], **settings: object) -> Told:
    """What holds of free GPUs of an hour, in order."""
    return timeline(nodes, events, **settings)[0]


def timeline(nodes: list[Node], events: list[Event], **settings: object) -> tuple[Told, Timeline]:
    """The same, and who told it."""
    facts = Facts({n.name: n.copy() for n in nodes}, {}, events)
    found = Timeline(facts, PlacementSettings(**settings))  # type: ignore[arg-type]
    return sorted(found.play(HOUR), key=lambda told: (told[2], told[0])), found


WISHES = st.sampled_from(
    (
        *(Wish(), Wish(), Wish(gpu_model="h100"), Wish(gpu_model="a100")),
        *(Wish(pools=frozenset("p")), Wish(pools=frozenset("qr")), Wish(cluster="c")),
    )
)
SHAPES = st.builds(
    Shape,
    gpus=st.integers(1, 4),
    nodes=st.sampled_from((1, 1, 2, 3)),
    cpu_milli=st.integers(0, 12) | st.just(0),
    memory_mib=st.integers(0, 12) | st.just(0),
    wish=WISHES,
)


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    """Up to four nodes of up to four GPUs, all free."""
    return [
        replace(
            node(
                number,
                draw(st.integers(1, 4)),
                gpu_model=draw(st.sampled_from(("", "NVIDIA H100", "A100"))),
                pools=draw(st.sampled_from((frozenset(), frozenset("p"), frozenset("pq")))),
                cpu_milli=draw(st.integers(0, 30)),
                memory_mib=draw(st.integers(0, 30)),
            ),
            plans=draw(st.booleans()),
        )
        for number in range(draw(st.integers(1, 4)))
    ]


@st.composite
def jobs(draw: st.DrawFn, most: int = 6) -> list[Waiting]:
    """Jobs that wait, some of them in gangs."""
    shapes = draw(st.lists(SHAPES, max_size=most))
    return [
        waiting(
            f"j{i}",
            shape,
            draw(st.integers(0, 2)),
            draw(st.integers(0, 2)),
            draw(st.sampled_from(("", "", "", "g1", "g2"))),
        )
        for i, shape in enumerate(shapes)
    ]
