"""The kubelet's PodResources service, v1: who has which devices, over a unix socket.

Its messages are declared below, as few fields as are read, with the numbers of the public API.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from gpuledger.errors import ReadError, Unavailable

SERVICE = "/v1.PodResourcesLister/"
LIST = "List"
ALLOCATABLE = "GetAllocatableResources"
TEXT, MESSAGE = 9, 11  # FieldDescriptorProto.Type
ONE, MANY = 1, 3  # FieldDescriptorProto.Label
UNKNOWN_CALL = "UNIMPLEMENTED"

# Message: its fields as (number, name, type of message or empty for text, repeated).
MESSAGES: dict[str, tuple[tuple[int, str, str, bool], ...]] = {
    "ListPodResourcesResponse": ((1, "pod_resources", "PodResources", True),),
    "PodResources": (
        (1, "name", "", False),
        (2, "namespace", "", False),
        (3, "containers", "ContainerResources", True),
    ),
    "ContainerResources": (
        (2, "devices", "ContainerDevices", True),
        (5, "dynamic_resources", "DynamicResource", True),
    ),
    "ContainerDevices": ((1, "resource_name", "", False), (2, "device_ids", "", True)),
    "DynamicResource": ((4, "claim_resources", "ClaimResource", True),),
    "ClaimResource": ((2, "driver_name", "", False), (4, "device_name", "", False)),
    "AllocatableResourcesResponse": ((1, "devices", "ContainerDevices", True),),
}


@dataclass(frozen=True, order=True)
class Device:
    """One device as a device plugin (resource) or a DRA driver (driver) names it."""

    resource: str
    id: str


@dataclass(frozen=True)
class PodDevices:
    """A pod and every device that its containers have."""

    namespace: str
    name: str
    devices: frozenset[Device]


def pods(body: bytes) -> list[PodDevices]:
    """Pods of an answer to `List`. ReadError where it is none."""
    told = _decode("ListPodResourcesResponse", body)
    return [
        PodDevices(p.namespace, p.name, frozenset(_devices(p.containers)))
        for p in told.pod_resources
    ]


def advertised(body: bytes) -> list[Device]:
    """Every device of an answer to `GetAllocatableResources`. ReadError where it is none."""
    return list(_plugin_devices(_decode("AllocatableResourcesResponse", body).devices))


class Kubelet:
    """One connection; nothing is opened before the first question, or after a failed one."""

    def __init__(self, socket: str, timeout_s: float, longest_bytes: int) -> None:
        self._socket = socket
        self._timeout_s = timeout_s
        self._longest_bytes = longest_bytes
        self._channel: Any = None

    def pods(self) -> list[PodDevices]:
        """Who has what. ReadError where the kubelet does not answer in time or in sense."""
        return pods(self._ask(LIST))

    def advertised(self) -> list[Device]:
        """Every device it could give away; ReadError also where it is too old to tell."""
        return advertised(self._ask(ALLOCATABLE))

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def _ask(self, call: str) -> bytes:
        grpc = load_grpc()
        if self._channel is None:
            self._channel = self._open(grpc)
        try:
            answer: bytes = self._channel.unary_unary(SERVICE + call)(b"", timeout=self._timeout_s)
        except grpc.RpcError as e:
            # A kubelet that restarted is another peer; gRPC alone would wait up to two minutes.
            if e.code().name != UNKNOWN_CALL:
                self.close()
            said = " ".join((e.details() or "").split())[:200]
            raise ReadError(f"kubelet, {call}: {e.code().name}: {said}") from None
        return answer

    def _open(self, grpc: Any) -> Any:
        options = [
            ("grpc.max_receive_message_length", self._longest_bytes),
            ("grpc.default_authority", "localhost"),  # Go refuses the path of a socket as a host
            ("grpc.enable_http_proxy", 0),
        ]
        return grpc.insecure_channel(f"unix:{self._socket}", options=options)


def load_grpc() -> Any:
    """The grpc module, which only nodes with a kubelet load. Unavailable where it is missing."""
    try:
        import grpc  # noqa: PLC0415 - 20 MB that a node without a kubelet must not pay
    except ImportError:
        raise Unavailable("grpcio is not installed: pip install 'gpuledger[kubernetes]'") from None
    return grpc


def _devices(containers: Iterable[Any]) -> Iterator[Device]:
    for container in containers:
        yield from _plugin_devices(container.devices)
        for claim in container.dynamic_resources:
            for device in claim.claim_resources:
                yield Device(device.driver_name, device.device_name)


def _plugin_devices(told: Iterable[Any]) -> Iterator[Device]:
    """The kubelet tells one resource in several parts where its devices differ in topology."""
    return (Device(part.resource_name, each) for part in told for each in part.device_ids)


def _decode(message: str, body: bytes) -> Any:
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - as grpc

    try:
        return _classes()[message].FromString(body)
    except DecodeError as e:
        raise ReadError(f"the kubelet says something unknown: {e}") from None


@cache
def _classes() -> dict[str, Any]:
    """Message classes by name, in a pool of their own: other packages are called v1 too."""
    from google.protobuf import (  # noqa: PLC0415 - as grpc
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    file = descriptor_pb2.FileDescriptorProto(name="podresources", package="v1", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind, repeated in fields:
            message.field.add(
                name=field,
                number=number,
                label=MANY if repeated else ONE,
                type=MESSAGE if kind else TEXT,
                type_name=f".v1.{kind}" if kind else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v1.{name}"))
        for name in MESSAGES
    }
