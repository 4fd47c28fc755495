"""What a pod asks for, as the scheduler counts it, from amounts by container and resource."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from gpuledger import accelerators as devices

Amounts = dict[tuple[str, str], float]  # by container and resource
Total = dict[str, Fraction]


@dataclass(frozen=True)
class Asked:
    """What one pod takes of its node."""

    gpus: int = 0
    resource: str = ""
    cpu: Fraction = Fraction(0)
    memory: Fraction | None = None


def effective(
    containers: Mapping[str, Total],
    first: Mapping[str, Total],
    overhead: Mapping[str, float],
    resources: Iterable[str],
) -> Asked:
    """Containers together, or the largest of those that run before them; overhead on top."""
    together: Total = {}
    for asked in containers.values():
        for name, amount in asked.items():
            together[name] = together.get(name, Fraction(0)) + amount
    for asked in first.values():
        for name, amount in asked.items():
            together[name] = max(together.get(name, Fraction(0)), amount)
    for name, more in overhead.items():
        together[name] = together.get(name, Fraction(0)) + Fraction(more)
    gpus = {n: v for n, v in together.items() if v and devices.is_gpu(n, resources)}
    return Asked(
        gpus=sum(devices.whole(v) for v in gpus.values()),
        resource=max(gpus, key=lambda n: gpus[n], default=""),
        cpu=together.get("cpu", Fraction(0)),
        memory=together.get("memory"),
    )


def by_container(requests: Amounts, limits: Amounts) -> dict[str, Total]:
    """Where only a limit is told, it is the request."""
    out: dict[str, Total] = {}
    for (container, name), amount in {**limits, **requests}.items():
        out.setdefault(container, {})[name] = Fraction(amount)
    return out
