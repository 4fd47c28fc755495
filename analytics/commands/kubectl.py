"""Commands of Kubernetes: cordon, evict, patch, uncordon.

A pod is named by namespace, name and the first characters of its UID: a pod that came back under
the name is another one and is left alone. Eviction goes through the API's own door
(`pods/eviction`), which honours disruption budgets; deleting would not.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from analytics.commands.command import Command, Unspeakable, line, nothing, speakable, spoken

GPUS = "requests.nvidia.com/gpu"
COMES_BACK = "its owner makes another pod; a pod without an owner is gone, and nothing undoes that"


@spoken
def cordon(node: str) -> Command:
    """Start nothing new on a node."""
    return Command((_node("cordon", node),), (_node("uncordon", node),))


@spoken
def empty(node: str) -> Command:
    """Start nothing new on a node, and evict what runs there but for daemons."""
    return Command(
        (line("kubectl", "drain", "--ignore-daemonsets", "--", _named(node)),),
        (_node("uncordon", node),),
        "then switch it off as the platform does; it must be on again before the undo",
    )


@spoken
def evict(native: str) -> Command:
    """Take one pod off its node, budgets permitting."""
    return Command((_evict(native),), (), COMES_BACK)


@spoken
def move(native: str, source: str, to: str) -> Command:
    """Evict a pod and keep the next one off the node that it was on."""
    speakable(to)
    return Command(
        (_node("cordon", source), _evict(native), _node("uncordon", source)),
        (_node("uncordon", source),),
        f"the scheduler should choose {to}: look before the last line; {COMES_BACK}",
    )


@spoken
def resource_quota(namespace: str, name: str, gpus: int | None, before: int | None) -> Command:
    """GPUs that a namespace may ask for, in one of its ResourceQuotas; None = no limit."""
    if not namespace or not name:
        return nothing("a limit of Kubernetes belongs to a ResourceQuota of a namespace")
    return Command((_hard(namespace, name, gpus),), (_hard(namespace, name, before),))


def _hard(namespace: str, name: str, gpus: int | None) -> str:
    amount = None if gpus is None else str(gpus)
    body = json.dumps({"spec": {"hard": {GPUS: amount}}}, separators=(",", ":"))
    words = (f"--namespace={namespace}", "--type=merge", f"--patch={body}")
    return line("kubectl", "patch", "resourcequota", *words, "--", _named(name))


def _node(verb: str, node: str) -> str:
    return line("kubectl", verb, "--", _named(node))


def _evict(native: str) -> str:
    """One pipe: the eviction, if the pod is still the one that is meant."""
    pod, _, uid = native.partition("@")
    namespace, _, name = pod.partition("/")
    if not namespace:
        raise Unspeakable(f"'{native}' names no pod")
    _named(name)
    # The name of a resource is a part of a path here, and of no other one.
    path = f"/api/v1/namespaces/{_segment(namespace)}/pods/{_segment(name)}/eviction"
    body = json.dumps(
        {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": speakable(name), "namespace": speakable(namespace)},
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )
    eviction = f"{line('printf', '%s', body)} | {line('kubectl', 'create', f'--raw={path}')} -f -"
    if not uid:
        return eviction
    asked = line(
        "kubectl",
        "get",
        "pod",
        f"--namespace={namespace}",
        "--output=jsonpath={.metadata.uid}",
        "--",
        name,
    )
    return f"{asked} | {line('grep', '-q', '-e', f'^{_plain(uid)}')} && {eviction}"


def _plain(uid: str) -> str:
    """The beginning of a UID, which is a number in base 16 and no pattern."""
    if not all(char in "0123456789abcdefABCDEF-" for char in uid):
        raise Unspeakable(f"'{uid}' begins no UID")
    return uid


def _segment(name: str) -> str:
    if name in {".", ".."}:
        raise Unspeakable(f"'{name}' names nothing")
    return quote(speakable(name), safe="")


def _named(name: str) -> str:
    """A name of a resource; `kind/name` would be one of another kind."""
    if not name or "/" in name:
        raise Unspeakable(f"Kubernetes would not read {name!r} as one name")
    return name
