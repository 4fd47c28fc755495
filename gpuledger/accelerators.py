"""Accelerators as Kubernetes names them: resources, MIG shapes and labels of nodes as shares.

A device of a node is a card, a slice (MIG) or a replica (time slicing, MPS); the labels of GPU
feature discovery and of GKE tell which. Shares are thousandths of a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from fractions import Fraction

# Extended resources that are accelerators, as their makers' device plugins name them.
GPU_RESOURCES = (
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "nvidia.com/mig-*",
    "amd.com/gpu",
    "gpu.intel.com/*",
    "habana.ai/gaudi",
)
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
WHOLE = 1000
SLICES = 7
MOST = (1 << 32) - 1
# Cards that are cut in four (NVIDIA MIG user guide, supported profiles); all others in seven.
QUARTERED = ("A30", "RTX PRO")
_PROFILE = re.compile(r"(?:mig-)?(?:(?P<c>\d)c\.)?(?P<g>\d)g\.?\d+gb")
# What feature discovery appends to the product where it is cut or shared.
_PRODUCT = re.compile(r"(?P<model>.*?)(?:-MIG-(?P<profile>[0-9][0-9a-z.+]*))?(?:-SHARED)?")

Labels = Mapping[str, str]


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


def any_labels(resource: str, nodes: Mapping[str, Labels]) -> Labels:
    """Labels of a node that shares such devices; for a pod that has no node yet."""
    if not resource.endswith(".shared"):
        return {}
    shared = (n for n in nodes.values() if share_milli(resource, n) < WHOLE)
    return next(shared, {})


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


def profile_share(profile: str, model: str = "") -> int | None:
    """Share of a card from `1g.10gb`, `mig-1c.2g.10gb` or `1g12gb`; None for other texts."""
    found = _PROFILE.match(profile)
    if not found:
        return None
    return min(round(WHOLE * int(found["c"] or found["g"]) / slices(model)), WHOLE)


def slices_of_card(profile: str, model: str = "") -> int:
    """How many slices of that shape one card gives; 1 for what is no slice."""
    found = _PROFILE.match(profile)
    return max(1, slices(model) // max(1, int(found["c"] or found["g"]))) if found else 1


def slices(model: str) -> int:
    """Into how many compute slices a card of that model is cut."""
    return 4 if any(name in model.replace("-", " ") for name in QUARTERED) else SLICES


def milli(amount: Fraction | None, most: int = MOST) -> int:
    """Thousandths, rounded up as schedulers do; 0 for none, never above `most`."""
    return 0 if amount is None else min(-(-amount.numerator * 1000 // amount.denominator), most)


def whole(amount: Fraction | None, most: int = (1 << 16) - 1) -> int:
    """Whole things, rounded up; 0 for none, never above `most`."""
    return 0 if amount is None else min(-(-amount.numerator // amount.denominator), most)


def _per_card(resource: str, labels: Labels) -> int:
    return slices_of_card(_profile(resource, labels), model(labels)) * replicas(resource, labels)


def _profile(resource: str, labels: Labels) -> str:
    """Shape of the slice behind a resource; empty for a whole card."""
    name = resource.rpartition("/")[2]
    if name.startswith("mig-"):
        return name
    product = _PRODUCT.fullmatch(labels.get(MODEL_LABELS[0], ""))
    return (product["profile"] if product else "") or labels.get(GKE_PARTITION, "") or ""
