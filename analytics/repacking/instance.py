"""What a plan is made of: nodes, tasks on them, and the tasks that are expected next.

The JSON of plans: milli-CPU, MiB, thousandths of a GPU (`gpu_milli` 1000 = a whole one; a task of
several GPUs has whole ones), `gpu_ids` count from 0 on their node. `gpu_spec` "" is any model, else
models separated by `|`. Keys beyond those of the contract are optional, and those that this file
does not know are kept out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from analytics.placing.shapes import WHOLE, Kind, Wish
from gpuledger.errors import ConfigError, nearest

MOST_GPUS = 64
# Of any amount: beyond it sums over a fleet would not be exact any more.
MOST = 1 << 36


class Node(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A machine and what it offers; `labels` and `pools` as schedulers name them."""

    name: str
    model: str
    cpu_milli: int
    memory_mib: int
    gpus: int
    cluster: str = ""
    pools: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    tainted: bool = False
    island: str = ""
    closed: bool = False  # nothing may move here: drained, down or reserved
    lost_gpus: tuple[int, ...] = ()  # nobody can have them


class Pod(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A running task and what it holds; `cost_gpu_seconds` is the work that a move loses."""

    name: str
    node: str
    gpu_ids: tuple[int, ...]
    cpu_milli: int
    memory_mib: int
    num_gpu: int
    gpu_milli: int
    gpu_spec: str = ""
    movable: bool = True
    preemptible: bool | None = None
    checkpointed: bool | None = None
    cost_gpu_seconds: float = 0.0
    gang: str = ""
    cluster: str = ""
    pools: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # labels that its node must have
    on: tuple[str, ...] = ()  # the only nodes that it accepts
    off: tuple[str, ...] = ()
    ends_by: str = ""  # RFC 3339; empty = not known
    why: str = ""  # what `movable` and the cost rest on, in words


class Target(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A kind of task that is expected, and its weight."""

    cpu_milli: int
    num_gpu: int
    gpu_milli: int
    gpu_spec: str
    p: float


class Instance(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A fleet at one moment."""

    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    target: tuple[Target, ...]
    K: int | None = None
    waiting: tuple[Pod, ...] = ()  # not placed; `node` and `gpu_ids` are empty


def read(source: Path | bytes) -> Instance:
    """The instance of a JSON document; ConfigError says where it is wrong."""
    name = str(source) if isinstance(source, Path) else "instance"
    try:
        text = source.read_bytes() if isinstance(source, Path) else source
        instance = msgspec.json.decode(text, type=Instance)
    except OSError as e:
        raise ConfigError(f"{name}: {e.strerror or e}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"{name}: {e}") from None
    for problem in problems(instance):
        raise ConfigError(f"{name}: {problem}")
    return instance


def write(instance: Instance) -> bytes:
    """The same as JSON."""
    return msgspec.json.encode(instance)


def kind_of(node: Node, words: frozenset[str] = frozenset()) -> Kind:
    """What a request sees of a node, for `placing.shapes.refused`; `words` are those that bind."""
    return Kind(
        cluster=node.cluster,
        name=node.name,
        gpu_model=node.model,
        pools=frozenset(node.pools),
        labels=frozenset(node.labels),
        known_words=words,
        tainted=node.tainted,
        gpus=node.gpus,
        cpu_milli=node.cpu_milli,
        memory_mib=node.memory_mib,
    )


def wish_of(task: Pod | Target) -> Wish:
    """Which nodes a task accepts at all."""
    models = frozenset(filter(None, task.gpu_spec.split("|")))
    if isinstance(task, Target):
        return Wish(models=models)
    return Wish(
        cluster=task.cluster,
        models=models,
        pools=frozenset(task.pools),
        words=frozenset(task.words),
        on=frozenset(task.on),
        off=frozenset(task.off),
    )


def problems(instance: Instance) -> Iterator[str]:
    """What is wrong, a line each, the first being the one to tell."""
    nodes = {node.name: node for node in instance.nodes}
    yield from _of_names("node", [n.name for n in instance.nodes])
    yield from _of_names("task", [p.name for p in instance.pods])
    for node in instance.nodes:
        yield from _of_node(node)
    for task in (*instance.pods, *instance.waiting):
        yield from _of_request(f"task {task.name}", task)
    for number, target in enumerate(instance.target):
        yield from _of_request(f"target[{number}]", target)
        if not 0 <= target.p < float("inf"):
            yield f"target[{number}]: p is {target.p}, not a weight of 0 or more"
    if instance.K is not None and instance.K < 0:
        yield f"K is {instance.K}, below 0"
    for task in instance.pods:
        yield from _of_place(task, nodes)
    yield from _overfilled(instance, nodes)


def _of_names(what: str, names: list[str]) -> Iterator[str]:
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        yield f"{what} {twice} is there twice"


def _of_node(node: Node) -> Iterator[str]:
    for key in ("cpu_milli", "memory_mib", "gpus"):
        yield from _number(f"node {node.name}: {key}", getattr(node, key))
    if any(not 0 <= g < node.gpus for g in node.lost_gpus):
        yield f"node {node.name}: it has GPUs 0 to {node.gpus - 1}, not {node.lost_gpus}"
    if node.gpus > MOST_GPUS:
        yield f"node {node.name}: gpus is {node.gpus}, more than {MOST_GPUS}"


def _of_request(what: str, task: Pod | Target) -> Iterator[str]:
    for key in ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli"):
        yield from _number(f"{what}: {key}", getattr(task, key, 0))
    yield from _number(f"{what}: cost_gpu_seconds", getattr(task, "cost_gpu_seconds", 0))
    if task.gpu_milli > WHOLE:
        yield f"{what}: gpu_milli is {task.gpu_milli}, more than a whole GPU of {WHOLE}"
    if task.num_gpu and not task.gpu_milli:
        yield f"{what}: num_gpu is {task.num_gpu}, and gpu_milli 0"
    if task.num_gpu > 1 and task.gpu_milli != WHOLE:
        yield f"{what}: {task.num_gpu} GPUs of {task.gpu_milli} thousandths; only one is shared"


def _number(what: str, value: float) -> Iterator[str]:
    if value < 0:
        yield f"{what} is {value}, below 0"
    if value > MOST:
        yield f"{what} is {value}, more than {MOST}"


def _of_place(task: Pod, nodes: dict[str, Node]) -> Iterator[str]:
    node = nodes.get(task.node)
    if node is None:
        yield f"task {task.name}: no node is called {task.node}{nearest(task.node, list(nodes))}"
    elif len(set(task.gpu_ids)) != task.num_gpu or len(task.gpu_ids) != task.num_gpu:
        yield f"task {task.name}: {task.num_gpu} GPUs asked, {len(set(task.gpu_ids))} in gpu_ids"
    elif any(not 0 <= g < node.gpus for g in task.gpu_ids):
        yield f"task {task.name}: {node.name} has GPUs 0 to {node.gpus - 1}, not {task.gpu_ids}"


def _overfilled(instance: Instance, nodes: dict[str, Node]) -> Iterator[str]:
    cpu: Counter[str] = Counter()
    memory: Counter[str] = Counter()
    gpu: Counter[tuple[str, int]] = Counter()
    for task in instance.pods:
        cpu[task.node] += task.cpu_milli
        memory[task.node] += task.memory_mib
        for g in task.gpu_ids:
            gpu[task.node, g] += task.gpu_milli
    for (name, g), milli in gpu.items():
        if milli > WHOLE:
            yield f"node {name}: tasks hold {milli} thousandths of GPU {g}"
    for name, node in nodes.items():
        if cpu[name] > node.cpu_milli > 0:
            yield f"node {name}: tasks hold {cpu[name]} of {node.cpu_milli} milli-CPUs"
        if memory[name] > node.memory_mib > 0:
            yield f"node {name}: tasks hold {memory[name]} of {node.memory_mib} MiB"
