"""Labels of exporters as the names that Kubernetes and we use.

kube-state-metrics spells every character that Prometheus did not take as an underscore, so
`nvidia.com/gpu` is `nvidia_com_gpu`; names that matter to us are known, and turned back. Where
Prometheus attached labels of its own, what the exporter said is called `exported_<name>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gpuledger import accelerators as devices
from gpuledger import kubernetes_names as names

Labels = Mapping[str, str]
MOST_AMOUNT = float(1 << 62)  # of anything; the API itself tells no more

_FOREIGN = re.compile(r"[^a-zA-Z0-9_]")
_GPU = re.compile(r"(?P<vendor>(?:nvidia|amd|gpu_intel)_com|habana_ai)_(?P<rest>\w+)")
_MIG = re.compile(r"mig_(?P<shape>\w+)")
# Labels of pods and nodes that mean something to us, beside those that whoever configures adds.
KNOWN = (
    *devices.MODEL_LABELS,
    devices.COUNT_LABEL,
    devices.GKE_CLIENTS,
    devices.GKE_PARTITION,
    "nvidia.com/gpu.replicas",
    names.KUEUE_QUEUE,
    names.VOLCANO_QUEUE,
    names.TEMPLATE_HASH,
    *names.SERVICE_WORDS,
    *names.INTERACTIVE_WORDS,
    *names.USER_WORDS,
    *names.RACKS,
    *(label for labels in names.GANGS for label in labels),
    *(label for label in names.PLACING if not label.endswith("/")),
    "topology.kubernetes.io/region",
)


def mangled(name: str) -> str:
    """The name as kube-state-metrics spells it."""
    return _FOREIGN.sub("_", name)


class Words:
    """Turns `label_…` of a series into labels of the object."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._known = {mangled(name): name for name in (*KNOWN, *more) if name}

    def of(self, labels: Labels, prefix: str = "label_") -> dict[str, str]:
        """Those that we know, by their own names."""
        told = ((k.removeprefix(prefix), v) for k, v in labels.items() if k.startswith(prefix))
        return {self._known[k]: v for k, v in told if v and k in self._known}


def told(labels: Labels, name: str) -> str:
    """What the exporter said, whatever Prometheus called it then; empty = nothing."""
    return labels.get(f"exported_{name}") or labels.get(name, "")


def resource(text: str) -> str:
    """The name of a resource: `nvidia_com_mig_1g_10gb` is `nvidia.com/mig-1g.10gb`."""
    found = _GPU.fullmatch(text)
    if not found:
        return text
    rest = found["rest"]
    mig = _MIG.fullmatch(rest)
    rest = f"mig-{mig['shape'].replace('_', '.')}" if mig else rest.replace("_", ".")
    return f"{found['vendor'].replace('_', '.')}/{rest}"
