"""What a pod asks for, as the scheduler counts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from collector.kubernetes_objects import Amounts, Container, PodSpec
from collector.quantities import amounts
from gpuledger.accelerators import is_gpu, whole


@dataclass(frozen=True)
class Request:
    """What one pod takes from its node."""

    gpus: int = 0
    resource: str = ""
    cpu: Fraction = Fraction(0)
    memory: Fraction | None = None


def request(spec: PodSpec, resources: Sequence[str]) -> Request:
    """The effective request: what the scheduler counts. ValueError where a quantity is none.

    Containers and sidecars run together; each init container runs beside the sidecars started
    before it; overhead comes on top; amounts told for the whole pod replace its containers'.
    """
    together: dict[str, Fraction] = {}
    for container in spec.containers:
        _add(together, _asked(container))
    sidecars: dict[str, Fraction] = {}
    peak: dict[str, Fraction] = {}
    for container in spec.init_containers or ():
        asked = _asked(container)
        if container.restart_policy == "Always":
            _add(sidecars, asked)
            asked = {}
        _raise(peak, {n: sidecars.get(n, Fraction(0)) + asked.get(n, 0) for n in asked | sidecars})
    _add(together, sidecars)
    _raise(together, peak)
    together |= amounts(spec.resources.asked) if spec.resources else {}
    _add(together, amounts(spec.overhead))
    gpus = {n: v for n, v in together.items() if v and is_gpu(n, resources)}
    return Request(
        gpus=sum(whole(v) for v in gpus.values()),
        resource=max(gpus, key=lambda n: gpus[n], default=""),
        cpu=together.get("cpu", Fraction(0)),
        memory=together.get("memory"),
    )


def _asked(container: Container) -> dict[str, Fraction]:
    told: Amounts = container.resources.asked if container.resources else {}
    return amounts(told)


def _add(total: dict[str, Fraction], more: Mapping[str, Fraction]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, Fraction(0)) + amount


def _raise(total: dict[str, Fraction], least: Mapping[str, Fraction]) -> None:
    for name, amount in least.items():
        total[name] = max(total.get(name, Fraction(0)), amount)
