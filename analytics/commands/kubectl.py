"""Commands of Kubernetes: cordon, evict, patch, uncordon.

A pod is named by namespace, name and the first characters of its UID: a pod that came back under
the name is another one and is left alone. Eviction goes through the API's own door
(`pods/eviction`), which honours disruption budgets; deleting would not.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from analytics.commands.command import (
    Block,
    Command,
    Unspeakable,
    line,
    named,
    nothing,
    speakable,
    spoken,
)

GPUS = "requests.nvidia.com/gpu"
COMES_BACK = "the owner of the pod makes another one, and a pod without an owner is gone for good"
STAYS = "this opens nodes again: a pod stays where its owner made the next one"
SWITCHED_ON = "the node must be on again"


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
        "then switch the node off as the platform does",
        SWITCHED_ON,
    )


@spoken
def evict(native: str) -> Command:
    """Take one pod off its node, budgets permitting."""
    return Command((_evict(native),), (), COMES_BACK)


@spoken
def move(native: str, source: str, to: str) -> Command:
    """Evict a pod and keep the next one off the node that it was on, until somebody has looked."""
    look = f"Look where the next pod runs: it should be {named(to)}, and the scheduler chooses."
    reopen = f"Only once it runs elsewhere, and only if {named(source)} took new pods before:"
    return Command(
        (_node("cordon", source), _evict(native)),
        (_node("uncordon", source),),
        COMES_BACK,
        STAYS,
        (Block(look, (_pods(native, to),)), Block(reopen, (_node("uncordon", source),))),
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


def _pods(native: str, node: str) -> str:
    """The pods of a namespace that are on a node; a selector reads `,`, `=` and `!` as its own."""
    if not node or set(node) & set(",=!\\"):
        raise Unspeakable(f"Kubernetes would not read {named(node)} as one name")
    return line(
        "kubectl",
        "get",
        "pods",
        f"--namespace={native.partition('/')[0]}",
        f"--field-selector=spec.nodeName={_named(node)}",
        "--output=wide",
    )


def _node(verb: str, node: str) -> str:
    return line("kubectl", verb, "--", _named(node))


def _evict(native: str) -> str:
    """One pipe: the eviction, if the pod is still the one that is meant."""
    pod, _, uid = native.partition("@")
    namespace, _, name = pod.partition("/")
    if not namespace:
        raise Unspeakable(f"{named(native)} names no pod")
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
        raise Unspeakable(f"{named(uid)} begins no UID")
    return uid


def _segment(name: str) -> str:
    if name in {".", ".."}:
        raise Unspeakable(f"{named(name)} names nothing")
    return quote(speakable(name), safe="")


def _named(name: str) -> str:
    """A name of a resource; `kind/name` would be one of another kind."""
    if not name or "/" in name:
        raise Unspeakable(f"Kubernetes would not read {named(name)} as one name")
    return name
