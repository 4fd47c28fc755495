"""The tasks that are expected: shapes of the last days with their weights.

A job on several nodes is as many tasks. Demand weights, of tasks with GPUs only, are the GPUs that
a shape asked for in all: with FGD's own, by popularity up to 95 % and with tasks without GPUs, a
shape of many GPUs that comes seldom has no weight, and every free GPU counts as a fragment for the
tasks that ask for none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from analytics.placing.judge import Usual
from analytics.placing.shapes import WHOLE, Kind, Node, Shape, refused, too_small
from analytics.repacking.instance import Target
from analytics.repacking.measure import POPULAR

# A kind of task: milli-CPUs, GPUs, thousandths of each, accepted models.
Task = tuple[int, int, int, str]


class Accepting:
    """Which GPU models a request accepts, among the nodes of a fleet."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._kinds: dict[Kind, bool] = {}
        for node in nodes.values():
            self._kinds[node.kind] = self._kinds.get(node.kind, False) or bool(node.shared)
        self.all = frozenset(kind.gpu_model for kind in self._kinds)

    def spec(self, shape: Shape) -> str | None:
        """As an instance tells it: "" is any, None is none.

        Of a part of a GPU, nodes that share whole cards count; slices are counted by themselves.
        """
        parts = shape.share_milli != WHOLE
        models = {
            kind.gpu_model
            for kind, shares in self._kinds.items()
            if not (refused(kind, shape.wish) or too_small(kind, shape)) and (shares or not parts)
        }
        if not models:
            return None
        return "" if models == self.all else "|".join(sorted(models))


def tasks_of(usual: Iterable[Usual], accepting: Accepting, cluster: str = "") -> Counter[Task]:
    """Tasks of each kind that some node of the fleet takes; of one cluster, or of all."""
    out: Counter[Task] = Counter()
    for one in usual:
        shape = one.shape
        if cluster and shape.wish.cluster not in {"", cluster}:
            continue
        spec = accepting.spec(shape)
        if spec is None:
            continue
        if shape.share_milli == WHOLE:
            out[shape.cpu_milli, shape.gpus, WHOLE, spec] += one.tasks
        else:
            each = shape.cpu_milli // max(shape.gpus, 1)
            out[each, 1, shape.share_milli, spec] += one.tasks * shape.gpus
    return out


def by_demand(tasks: Mapping[Task, int]) -> tuple[Target, ...]:
    """Each kind of task with GPUs weighed by the GPUs that it asked for in all."""
    return _normalised({t: n * t[1] * t[2] for t, n in tasks.items() if t[1]})


def by_popularity(tasks: Mapping[Task, int]) -> tuple[Target, ...]:
    """FGD's own weights: the most popular kinds, up to 95 % of all tasks."""
    kept: dict[Task, int] = {}
    for task, n in sorted(tasks.items(), key=lambda item: (-item[1], item[0])):
        if sum(kept.values()) >= POPULAR * sum(tasks.values()):
            break
        kept[task] = n
    return _normalised(kept)


def _normalised(weights: Mapping[Task, int]) -> tuple[Target, ...]:
    total = sum(weights.values())
    return tuple(Target(*task, p=w / total) for task, w in sorted(weights.items()) if w)
