"""Commands of Kubernetes: cordon, evict, patch, uncordon.

A pod is named by namespace, name and the first characters of its UID: a pod that came back under
the name is another one and is left alone. Eviction goes through the API's own door
(`pods/eviction`), which honours disruption budgets; deleting would not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from analytics.commands.command import (
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
ANSWER = (
    "it asks before it opens a node again: look where the next pods run, since the scheduler"
    " chooses, and leave a node closed that took no new pods before"
)
CANNOT_SWAP = (
    "pods that change places at once cannot be told where to go: no command makes the scheduler"
    " choose a node; ask for a plan in which tasks move one after another, --mode live"
)
MADE_ANEW = (
    "for a Deployment whose first container has the GPUs, in limits alone; its pods start anew"
)
# A pod may take as long to end; if it takes longer, its node stays closed.
GONE_IN = "15m"
STAYS = "this opens nodes again: a pod stays where its owner made the next one"
ASKED = "/spec/template/spec/containers/0/resources/limits/nvidia.com~1gpu"
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
def move(moves: Sequence[tuple[str, str, str]]) -> Command:
    """Evict pods at once, each with the node that it is on and the one where it should go.

    Their nodes stay closed until the pods are gone and somebody has seen where the next ones run.
    """
    sources, targets = {m[1]: None for m in moves}, {m[2]: None for m in moves}
    if len(moves) > 1 and sources.keys() & targets.keys():
        return nothing(CANNOT_SWAP)
    opened = tuple(_node("uncordon", node) for node in sources)
    looks = dict.fromkeys(_pods(native, to) for native, _, to in moves)
    return Command(
        (
            *(_node("cordon", node) for node in sources),
            *(_evict(native) for native, _, _ in moves),
            *(_gone(native) for native, _, _ in moves),
            *looks,
            _asked(sources, targets),
            *opened,
        ),
        opened,
        f"{COMES_BACK}\n{ANSWER}",
        STAYS,
    )


@spoken
def shrink(native: str, owner: str, gpus: int, before: int) -> Command:
    """Let a deployment ask for so many GPUs for each of its pods, in place of `before`.

    The patch does nothing unless the first container asks for as many as before.
    """
    namespace = native.partition("/")[0]
    return Command(
        (_asks(namespace, owner, before, gpus),),
        (_asks(namespace, owner, gpus, before),),
        MADE_ANEW,
        MADE_ANEW,
    )


def _asks(namespace: str, owner: str, old: int, new: int) -> str:
    told = {"path": ASKED}
    steps = [
        {"op": "test", **told, "value": str(old)},
        {"op": "replace", **told, "value": str(new)},
    ]
    body = json.dumps(steps, separators=(",", ":"))
    words = (f"--namespace={namespace}", "--type=json", f"--patch={body}")
    return line("kubectl", "patch", "deployment", *words, "--", _named(owner))


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


def _gone(native: str) -> str:
    """Wait until a pod is off its node: it ends its work before, in its own time."""
    namespace, _, name = native.partition("@")[0].partition("/")
    words = ("--for=delete", f"--timeout={GONE_IN}", f"--namespace={namespace}")
    return line("kubectl", "wait", *words, "--", f"pod/{_named(name)}")


def _asked(sources: Iterable[str], targets: Iterable[str]) -> str:
    """A question to the person: but for `yes` the list ends, and the nodes stay closed."""
    there, closed = (", ".join(names) for names in (targets, sources))
    question = f"Do the next pods run on {there}? yes opens {closed} again, anything else stops: "
    return f'{line("printf", "%s", question)} && read -r seen && [ "$seen" = yes ]'


def _node(verb: str, node: str) -> str:
    return line("kubectl", verb, "--", _named(node))


def _evict(native: str) -> str:
    """One pipe: the eviction, if the pod is still the one that is meant."""
    pod, _, uid = native.partition("@")
    namespace, _, name = pod.partition("/")
    if not namespace or not name:
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
