"""Kubernetes API server: pods that want or have GPUs, nodes, quotas and queues; once per cluster.

The service account needs `list` on nodes, pods, resourcequotas, namespaces (for a namespace label
only) and priorityclasses.scheduling.k8s.io; where they exist also on clusterqueues, localqueues and
workloads of kueue.x-k8s.io, and on queues and podgroups of scheduling.volcano.sh. Nothing is
watched, and nothing is ever written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from math import inf
from typing import Annotated, Any, TypeVar

import msgspec

from collector import kubernetes_queues as queues
from collector.doubts import Doubts
from collector.episodes import Episodes, Run
from collector.facts import Facts
from collector.kubernetes_api import ApiServer, Kind
from collector.kubernetes_listing import Listing, Understood
from collector.kubernetes_objects import (
    Bare,
    Metadata,
    Node,
    Pod,
    PriorityClass,
    ResourceQuota,
    Shape,
)
from collector.kubernetes_rows import World, job_row, node_row, preemptors, quota_row
from collector.slurm_rows import Snapshot
from collector.source import Context, Role, Source, SourceKind
from gpuledger.accelerators import GPU_RESOURCES
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.work import Job, NodeState, Pool, Quota
from gpuledger.config import Settings
from gpuledger.identity import job_id
from gpuledger.kubernetes_names import Teams, native_id
from gpuledger.rows import changed
from gpuledger.schema import Row

NODES = Kind("nodes", "CoreV1Api", "list_node")
PODS = Kind("pods", "CoreV1Api", "list_pod_for_all_namespaces")
NAMESPACES = Kind("namespaces", "CoreV1Api", "list_namespace")
QUOTAS = Kind("resourcequotas", "CoreV1Api", "list_resource_quota_for_all_namespaces")
CLASSES = Kind("priorityclasses", "SchedulingV1Api", "list_priority_class")
REFRESH_S = 600.0
SLOW_S = 300.0  # what changes when somebody configures something

S = TypeVar("S", bound=Shape)


class KubernetesSettings(Settings):
    """Section `[kubernetes]`."""

    period_s: Annotated[float, "seconds between snapshots"] = 30.0
    kubeconfig: Annotated[str, "path; empty = the service account, else the user's own"] = ""
    context: Annotated[str, "context of the kubeconfig; empty = the current one"] = ""
    timeout_s: Annotated[float, "longest wait for one page"] = 20.0
    longest_bytes: Annotated[int, "longest list of one kind that is taken"] = 256 << 20
    resources: Annotated[tuple[str, ...], "names of resources that are GPUs; * = any text"] = (
        GPU_RESOURCES
    )
    teams: Annotated[dict[str, str], "team by pattern of namespace, the first that fits"] = (
        msgspec.field(default_factory=dict)
    )
    team_namespace_label: Annotated[str, "label of a namespace that names its team"] = ""
    team_protected_label: Annotated[
        str, "label of a pod that names its team; only one that admission keeps users from setting"
    ] = ""
    user_words: Annotated[tuple[str, ...], "labels or annotations of a pod that name its user"] = (
        "hub.jupyter.org/username",
    )


class KubernetesSource(Source):
    """One snapshot per reading; what cannot be understood of it ends nothing."""

    def __init__(
        self, settings: KubernetesSettings, context: Context, api: ApiServer | None = None
    ) -> None:
        self.period_s = settings.period_s
        self._settings = settings
        self._context = context
        self._api = api or ApiServer(
            settings.kubeconfig, settings.context, settings.timeout_s, settings.longest_bytes
        )
        self._doubts = Doubts("kubernetes")
        self._list = Listing(self._api, self._doubts, context.clock.monotonic)
        self._episodes = Episodes(context.memory)
        self._teams = Teams(
            settings.teams, settings.team_namespace_label, settings.team_protected_label
        )
        self._preemptors: tuple[int, ...] = ()
        self._queues: dict[tuple[str, str], str] = {}
        self._runs: dict[str, Run] = {}
        self._nodes: dict[str, NodeState] = {}
        self._facts = Facts(context.memory)
        self._looked = self._told_everything = -inf

    def read(self) -> Iterable[Row]:
        """What changed since the last snapshot. Unavailable without access to an API server.

        ReadError where it does not answer, or refuses nodes or pods: then nothing is concluded,
        and no job ends. An object that cannot be understood stays as it was known.
        """
        # The clock is read before asking: what vanishes meanwhile is not yet missed.
        at = from_milliseconds(round(self._context.clock.wall() * 1000))
        now = self._context.clock.monotonic()
        everything = now - self._told_everything >= REFRESH_S
        world = World(
            Snapshot(self._context.cluster, at),
            self._settings.resources,
            user_words=self._settings.user_words,
        )
        nodes, world = self._node_states(world)
        facts: list[Pool | Quota] = []
        if now - self._looked >= SLOW_S:
            facts = self._look(world)
            self._looked = now
        runs = self._current(self._configured(world))
        rows = self._episodes.advance(
            runs.values(), nodes.values(), world.snapshot, everything=everything
        )
        self._runs, self._nodes = runs, nodes
        self._told_everything = now if everything else self._told_everything
        return [*rows, *facts, *self._doubts.rows()]

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _configured(self, world: World) -> World:
        """The world with what was learned of its configuration."""
        return replace(world, teams=self._teams, preemptors=self._preemptors, queues=self._queues)

    def _node_states(self, world: World) -> tuple[dict[str, NodeState], World]:
        """Nodes with accelerators by name, and the world with the labels of all nodes."""
        found = self._list.required(
            NODES, Node, lambda node: (node.metadata, node_row(node, world))
        )
        states = {row.node: row for _, row in found.made if row}
        for name in self._kept(self._nodes, found, {who.name for who in found.unclear}):
            states.setdefault(name, self._nodes[name])
        return states, replace(world, labels={m.name: m.labels or {} for m, _ in found.made})

    def _current(self, world: World) -> dict[str, Run]:
        """Jobs by id: pods, and what waits in queues without pods."""
        workloads = self._list.optional(
            queues.WORKLOADS,
            queues.Workload,
            lambda work: (queues.waits(work), queues.workload_row(work, world)),
        )
        groups = self._list.optional(
            queues.POD_GROUPS, queues.PodGroup, lambda group: self._pod_group(group, world)
        )
        waits = {uid: wait for told, _ in workloads.made for uid, wait in told.items()}
        waited = replace(world, waits=waits)
        pods = self._list.required(PODS, Pod, lambda pod: job_row(pod, waited))
        rows = [*(row for _, row in workloads.made if row), *groups.made, *pods.made]
        runs = {row.job_id: Run(row) for row in rows}
        lists: tuple[Understood[Any], ...] = workloads, groups, pods
        for found in lists:
            names = {_job_id(world, who) for who in found.unclear}
            for key in self._kept(self._runs, found, names):
                runs.setdefault(key, self._runs[key])
        return runs

    def _kept(
        self, known: Collection[str], found: Understood[Any], unclear: Collection[str]
    ) -> Iterable[str]:
        """Names of what stays as it was known: what is unclear now, or may be that."""
        return known if found.nameless else [name for name in unclear if name in known]

    def _pod_group(self, group: queues.PodGroup, world: World) -> Job | None:
        """A gang that waits without pods; one that was let in since ended its wait now."""
        row = queues.pod_group_row(group, world)
        known = self._runs.get(_job_id(world, group.metadata))
        if row or known is None or known.over:
            return row or (known.job if known else None)
        at = world.snapshot.at
        said = {"seen_at": at, "version": world.snapshot.version}
        return changed(known.job, state="completed", reason="", ended=at, **said)

    def _look(self, world: World) -> list[Pool | Quota]:
        """Priorities, teams and queues; all quotas and pools, and those that are gone."""
        listed = self._list
        self._preemptors = preemptors(listed.optional(CLASSES, PriorityClass, _as_it_is).made)
        if self._settings.team_namespace_label:
            spaces = listed.optional(NAMESPACES, Bare, _as_it_is).made
            labels = {n.metadata.name: n.metadata.labels or {} for n in spaces}
            self._teams = replace(self._teams, labels=labels)
        local = listed.optional(queues.LOCAL_QUEUES, queues.LocalQueue, _as_it_is).made
        self._queues = {
            (q.metadata.namespace, q.metadata.name): q.spec.cluster_queue for q in local
        }
        rows, whole = self._quotas(self._configured(world))
        return self._facts.advance(rows, world.snapshot.at, world.snapshot.version, whole=whole)

    def _quotas(self, world: World) -> tuple[list[Pool | Quota], bool]:
        """Quotas and pools, and whether every one was understood."""
        kueue = self._list.optional(
            queues.CLUSTER_QUEUES,
            queues.ClusterQueue,
            lambda queue: queues.cluster_queue_rows(queue, world),
        )
        volcano = self._list.optional(
            queues.QUEUES, queues.Queue, lambda queue: queues.volcano_queue_rows(queue, world)
        )
        spaces = self._list.optional(
            QUOTAS, ResourceQuota, lambda quota: quota if quota_row([quota], world) else None
        )
        by_space: dict[str, list[ResourceQuota]] = {}
        for quota in spaces.made:
            by_space.setdefault(quota.metadata.namespace, []).append(quota)
        rows = [row for pair in (*kueue.made, *volcano.made) for row in pair if row]
        rows += [row for quotas in by_space.values() if (row := quota_row(quotas, world))]
        lists: tuple[Understood[Any], ...] = kueue, volcano, spaces
        return rows, not any(found.unclear or found.nameless for found in lists)


def _as_it_is(thing: S) -> S:
    return thing


def _job_id(world: World, who: Metadata) -> str:
    return job_id(world.snapshot.cluster, native_id(who.namespace, who.name, who.uid))


source = SourceKind(
    KubernetesSettings,
    KubernetesSource,
    Role.CLUSTER,
    privilege="list on nodes, pods, quotas, priority classes and queues of the API server",
)
