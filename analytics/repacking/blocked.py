"""Jobs that wait although as many GPUs are free as they ask for, only not in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analytics.placing.queue import Waiting
from analytics.placing.shapes import WHOLE, Shape, fits, refused, too_small
from analytics.repacking.scene import Scene


@dataclass(frozen=True)
class Blocked:
    """A job, the pool where most would be free for it, and how many whole GPUs are free there."""

    job: Waiting
    cluster: str
    pool: str
    free: int


def blocked(scene: Scene) -> Iterator[Blocked]:
    """In the order of the queue, as the scene stands; shares and slices are no crumbs."""
    known: dict[Shape, tuple[str, str, int] | None] = {}
    for job in sorted(scene.play.waiting.values()):
        if job.shape.share_milli != WHOLE:
            continue
        if job.shape not in known:
            known[job.shape] = _place(scene, job.shape)
        found = known[job.shape]
        if found:
            yield Blocked(job, *found)


def _place(scene: Scene, shape: Shape) -> tuple[str, str, int] | None:
    """Cluster, pool and free GPUs where it could run after a repack, but cannot now."""
    free: dict[tuple[str, str], int] = {}
    fitting = 0
    for node in scene.play.nodes.values():
        if not node.open or refused(node.kind, shape.wish) or too_small(node.kind, shape):
            continue
        free[node.kind.cluster, node.pool] = free.get((node.kind.cluster, node.pool), 0) + len(
            node.free
        )
        fitting += fits(node, shape)
    if fitting >= shape.nodes or not free:
        return None
    (cluster, pool), most = min(free.items(), key=lambda item: (-item[1], item[0]))
    return (cluster, pool, most) if most >= shape.total else None
