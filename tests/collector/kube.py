"""Kubernetes for tests: objects in documented shapes, and a real HTTP server that lists them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from collector.kubernetes_rows import World
from collector.slurm_rows import Snapshot
from gpuledger.kubernetes_names import Teams

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
GPU = "nvidia.com/gpu"
RESOURCES = (GPU, "nvidia.com/gpu.shared", "nvidia.com/mig-*", "amd.com/gpu")
CORE, KUEUE, VOLCANO = "/api/v1", "/apis/kueue.x-k8s.io", "/apis/scheduling.volcano.sh/v1beta1"
PODS, NODES = f"{CORE}/pods", f"{CORE}/nodes"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"

Json = dict[str, Any]


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def uid(name: str) -> str:
    return f"{sum(map(ord, name)):08x}-0000-4000-8000-000000000000"


def meta(name: str, namespace: str = "ml", **more: Any) -> Json:
    told = {"name": name, "uid": uid(name), "creationTimestamp": stamp(ago(60))}
    return {**told, **({"namespace": namespace} if namespace else {}), **more}


def owned(kind: str, name: str) -> list[Json]:
    return [{"apiVersion": "v1", "kind": kind, "name": name, "uid": uid(name), "controller": True}]


def container(gpus: float = 0, resource: str = GPU, **more: Any) -> Json:
    asked = {resource: str(gpus)} if gpus else {}
    both = {"requests": {"cpu": "500m", "memory": "1Gi", **asked}, "limits": asked}
    return {"name": "main", "image": "x", "resources": both, **more}


def spec(gpus: float = 1, resource: str = GPU, **more: Any) -> Json:
    return {"containers": [container(gpus, resource)], "schedulerName": "default-scheduler", **more}


def pod(name: str, gpus: float = 1, *, node: str = "n1", **more: Any) -> Json:
    """A pod that runs since 50 minutes; with an empty node it waits, nobody says why."""
    bound = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(ago(50))}
    status = (
        {"phase": "Running", "startTime": stamp(ago(49)), "conditions": [bound]}
        if node
        else {"phase": "Pending"}
    )
    body = {"metadata": meta(name), "spec": spec(gpus), "status": status}
    if node:
        body["spec"]["nodeName"] = node
    for key, value in more.items():
        body[key] = {**body[key], **value}
    return body


def unschedulable(message: str, reason: str = "Unschedulable") -> Json:
    said = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {"conditions": [{**said, "lastTransitionTime": stamp(ago(59))}]}


def node(name: str = "n1", gpus: float = 8, **more: Any) -> Json:
    amounts = {"cpu": "64", "memory": "512Gi", "pods": "110", GPU: str(gpus)}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": stamp(ago(600))}
    body: Json = {
        "metadata": meta(name, "", labels={"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}),
        "spec": {},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }
    for key, value in more.items():
        body[key] = {**body[key], **value}
    return body


def workload(name: str, gpus: float = 8, count: int = 2, **more: Any) -> Json:
    sets = [{"name": "main", "count": count, "template": {"metadata": {}, "spec": spec(gpus)}}]
    body: Json = {
        "metadata": meta(name, ownerReferences=owned("Job", f"{name}-job")),
        "spec": {"podSets": sets, "queueName": "team", "priority": 7},
        "status": {"conditions": []},
    }
    for key, value in more.items():
        body[key] = {**body[key], **value}
    return body


def world(**more: Any) -> World:
    known = {"snapshot": Snapshot("c", NOW), "resources": RESOURCES, "teams": Teams()}
    return World(**{**known, **more})


class Api:
    """Lists what `kinds` holds by path; a number there is a status, bytes are a whole body."""

    def __init__(self) -> None:
        self.kinds: dict[str, Any] = {PODS: [], NODES: []}
        self.page = 500
        self.expire = 0
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.tokens: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {k: v[0] for k, v in parse_qs(parts.query).items()}
                api.asked.append((parts.path, query))
                api.tokens.append(self.headers.get("Authorization", ""))
                status, body = api.answer(parts.path, query)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        told = self.kinds.get(path, 404)
        start = int(query.get("continue", "0"))
        if start and self.expire:
            self.expire -= 1
            told = 410
        if isinstance(told, bytes):
            return 200, told
        if isinstance(told, int):
            words = {"kind": "Status", "status": "Failure", "code": told, "message": f"no {path}"}
            return told, json.dumps(words).encode()
        rest = told[start : start + self.page]
        more = {"continue": str(start + self.page)} if start + self.page < len(told) else {}
        body = {"kind": "List", "metadata": {"resourceVersion": "7", **more}, "items": rest or None}
        return 200, json.dumps(body).encode()

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "here",
                    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": {"token": "s3cret"}}],
                }
            )
        )
        return path

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
