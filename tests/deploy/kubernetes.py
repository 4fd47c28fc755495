"""The manifests as kustomize makes them."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

import yaml

from tests.deploy.files import DEPLOY, ROOT

KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZE = ROOT / ".components" / "kustomize"
OVERLAYS = ("small", "large")
WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")

Thing = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Thing, ...]:
    """Every object of an overlay."""
    command = [str(KUSTOMIZE), "build", str(KUBERNETES / "overlays" / overlay)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def things(overlay: str, *kinds: str) -> list[Thing]:
    """Objects of those kinds."""
    return [t for t in rendered(overlay) if t["kind"] in kinds]


def thing(overlay: str, kind: str, name: str) -> Thing:
    """The one object of that kind and name."""
    (found,) = [t for t in things(overlay, kind) if t["metadata"]["name"] == name]
    return found


def pods(overlay: str) -> dict[str, Thing]:
    """Pod templates by the name of their workload."""
    found = things(overlay, *WORKLOADS)
    return {t["metadata"]["name"]: t["spec"]["template"] for t in found}


def containers(overlay: str) -> dict[str, Thing]:
    """The one container of each workload."""
    return {name: pod["spec"]["containers"][0] for name, pod in pods(overlay).items()}
