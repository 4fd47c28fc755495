"""What pods ask for and nodes offer: GPUs in numbers and shares, by the labels of the cluster.

A device of a node is a card, a slice (MIG) or a replica (time slicing, MPS); the labels of GPU
feature discovery and of GKE tell which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction

from collector.kubelet_devices import WHOLE, profile_share, slices_of_card
from collector.kubernetes_objects import Amounts, Container, PodSpec
from collector.quantities import amounts, whole

MODEL_LABELS = (
    "nvidia.com/gpu.product",
    "amd.com/gpu.product-name",
    "gpu.intel.com/product",
    "habana.ai/device.product",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
)
COUNT_LABEL = "nvidia.com/gpu.count"
REPLICAS = "nvidia.com/{}.replicas"
GKE_CLIENTS = "cloud.google.com/gke-max-shared-clients-per-gpu"
GKE_PARTITION = "cloud.google.com/gke-gpu-partition-size"
# What feature discovery appends to the product where it is cut or shared.
_PRODUCT = re.compile(r"(?P<model>.*?)(?:-MIG-(?P<profile>[0-9][0-9a-z.+]*))?(?:-SHARED)?")

Labels = Mapping[str, str]


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


def is_gpu(resource: str, resources: Iterable[str]) -> bool:
    """Whether the name is that of an accelerator."""
    return any(fnmatchcase(resource, name) for name in resources)


def model(labels: Labels, names: Iterable[str] = MODEL_LABELS) -> str:
    """GPU model as the node's labels tell it, without what is said there of slices and sharing."""
    told = next((labels[n] for n in names if labels.get(n)), "")
    found = _PRODUCT.fullmatch(told)
    return found["model"] if found else told


def share_milli(resource: str, labels: Labels) -> int:
    """Thousandths of a card that one such device is, by the labels of its node (or of none)."""
    profile = _profile(resource, labels)
    share = profile_share(profile, model(labels)) or WHOLE
    return max(1, round(share / replicas(resource, labels)))


def replicas(resource: str, labels: Labels) -> int:
    """How many pods share one such device."""
    name = resource.rpartition("/")[2].removesuffix(".shared")
    for told in (labels.get(REPLICAS.format(name)), labels.get(GKE_CLIENTS)):
        if told and told.isascii() and told.isdecimal() and 0 < int(told) <= WHOLE:
            return int(told)
    return 1


def cards(capacity: Mapping[str, Fraction], labels: Labels, resources: Iterable[str]) -> int:
    """Physical GPUs of a node: as labelled, else from what it offers."""
    told = labels.get(COUNT_LABEL, "")
    cut = _PRODUCT.fullmatch(labels.get(MODEL_LABELS[0], ""))
    if told.isascii() and told.isdecimal() and not (cut and cut["profile"]):
        return min(int(told), WHOLE)
    names = [n for n in capacity if is_gpu(n, resources)]
    return whole(sum((capacity[n] / _per_card(n, labels) for n in names), Fraction(0)), WHOLE)


def offers(allocatable: Mapping[str, Fraction], resources: Iterable[str]) -> str:
    """Slices and shares that the node offers: `mig-1g.10gb=7,gpu.shared=32`."""
    names = sorted(n for n in allocatable if is_gpu(n, resources) and allocatable[n])
    short = ((n.rpartition("/")[2], whole(allocatable[n])) for n in names)
    return ",".join(f"{n}={count}" for n, count in short if n != "gpu")


def _per_card(resource: str, labels: Labels) -> int:
    return slices_of_card(_profile(resource, labels), model(labels)) * replicas(resource, labels)


def _profile(resource: str, labels: Labels) -> str:
    """Shape of the slice behind a resource; empty for a whole card."""
    name = resource.rpartition("/")[2]
    if name.startswith("mig-"):
        return name
    product = _PRODUCT.fullmatch(labels.get(MODEL_LABELS[0], ""))
    return (product["profile"] if product else "") or labels.get(GKE_PARTITION, "") or ""


def _asked(container: Container) -> dict[str, Fraction]:
    told: Amounts = container.resources.asked if container.resources else {}
    return amounts(told)


def _add(total: dict[str, Fraction], more: Mapping[str, Fraction]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, Fraction(0)) + amount


def _raise(total: dict[str, Fraction], least: Mapping[str, Fraction]) -> None:
    for name, amount in least.items():
        total[name] = max(total.get(name, Fraction(0)), amount)
