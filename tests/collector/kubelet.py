"""A kubelet for tests: a real gRPC server on a unix socket, with messages written byte by byte."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from tests.collector.support import tree

GPU = "nvidia.com/gpu"
UIDS = {n: f"{n:08x}-0000-4000-8000-00000000000{n}" for n in range(10)}


def uuid(slot: int) -> str:
    return f"GPU-{slot:08d}-aaaa-bbbb-cccc-dddddddddddd"


def part(number: int, body: str | bytes) -> bytes:
    """A text or message as field `number` of a protocol buffer."""
    data = body.encode() if isinstance(body, str) else body
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def plugin(resource: str, *ids: str) -> bytes:
    """ContainerDevices, with a topology that nobody reads."""
    topology = part(3, part(1, b"\x08\x01"))
    return part(1, resource) + b"".join(part(2, i) for i in ids) + topology


def claim(driver: str, device: str) -> bytes:
    """DynamicResource with one device."""
    resource = part(1, part(1, f"k8s.{driver}/gpu={device}"))
    resource += part(2, driver) + part(3, "n1") + part(4, device)
    return part(2, "claim") + part(3, "ml") + part(4, resource)


def pod(
    name: str,
    *devices: bytes,
    namespace: str = "ml",
    claims: Iterable[bytes] = (),
    init: bytes = b"",
) -> bytes:
    container = part(1, "main") + b"".join(part(2, d) for d in devices)
    container += b"\x18\x07" + b"".join(part(5, c) for c in claims)
    first = part(3, part(1, "init") + part(2, init)) if init else b""
    return part(1, name) + part(2, namespace) + first + part(3, container)


def listing(*pods: bytes) -> bytes:
    return b"".join(part(1, p) for p in pods)


def allocatable(*devices: bytes) -> bytes:
    return b"".join(part(1, d) for d in devices) + part(2, b"\x00\x01")


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


Answer = bytes | Callable[[Any], bytes]


class Server:
    """Answers with whatever `answers` holds at the time, by name of call."""

    def __init__(self, socket: Path, answers: Mapping[str, Answer]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self.release = threading.Event()
        socket.parent.mkdir(parents=True, exist_ok=True)
        self._socket = socket
        self.start()

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(2))
        calls = {
            name: grpc.unary_unary_rpc_method_handler(self._behaviour(name))
            for name in self.answers
        }
        handler = grpc.method_handlers_generic_handler("v1.PodResourcesLister", calls)
        self._server.add_generic_rpc_handlers((handler,))
        assert self._server.add_insecure_port(f"unix:{self._socket}")
        self._server.start()

    def stop(self) -> None:
        self.release.set()
        self._server.stop(None).wait()
        self._socket.unlink(missing_ok=True)

    def hang(self, _: Any) -> bytes:
        self.release.wait(10)
        return b""

    def _behaviour(self, name: str) -> Callable[[bytes, Any], bytes]:
        def answer(_: bytes, context: Any) -> bytes:
            self.asked.append(name)
            told = self.answers[name]
            return told if isinstance(told, bytes) else told(context)

        return answer


def refuse(context: Any) -> bytes:
    """What a kubelet older than the call says."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method")
    raise AssertionError


def node(root: Path, cards: int = 2, model: str = "NVIDIA H100 80GB HBM3") -> Path:
    """The driver's /proc of a machine whose minors run against the order of addresses."""
    files = {
        f"proc/driver/nvidia/gpus/0000:{0x10 + n:02x}:00.0/information": (
            f"Model: \t\t {model}\nIRQ:   \t\t 18{n}\nGPU UUID: \t {uuid(cards - 1 - n)}\n"
            f"Device Minor: \t {cards - 1 - n}\n"
        )
        for n in range(cards)
    }
    return tree(root, files)


def begin(root: Path, name: str, uid: str, *, namespace: str = "ml", at: float = 0.0) -> None:
    """A pod's log folder and its cgroup with a process, as systemd names it."""
    logs = root / "var/log/pods" / f"{namespace}_{name}_{uid}"
    logs.mkdir(parents=True)
    os.utime(logs, (at, at))
    populate(root, uid, 1)


def populate(root: Path, uid: str, populated: int) -> None:
    folder = (
        "sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/"
        f"kubepods-burstable-pod{uid.replace('-', '_')}.slice"
    )
    tree(root, {f"{folder}/cgroup.events": f"populated {populated}\nfrozen 0\n"})
