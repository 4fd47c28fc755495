"""The metric service of the TPU runtime: its messages, and asking it.

libtpu serves `tpu.monitoring.runtime.RuntimeMetricService` on port 8431 while a workload runs. Only
the fields that are read are declared here; field numbers as in the service's published definition
(AI-Hypercomputer/cloud-accelerator-diagnostics, tpu_info/proto).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

from gpuledger.errors import ReadError, Unavailable

PACKAGE = "tpu.monitoring.runtime"
METHOD = f"/{PACKAGE}.RuntimeMetricService/GetRuntimeMetric"
MEMORY_TOTAL = "tpu.runtime.hbm.memory.total.bytes"
MEMORY_USED = "tpu.runtime.hbm.memory.usage.bytes"
DUTY_CYCLE = "tpu.runtime.tensorcore.dutycycle.percent"
MAX_MESSAGE = 4 << 20

# Message to (field, number, type, repeated); a type with a capital is another message. What the
# service declares as a oneof is told apart by which field is set.
MESSAGES: dict[str, tuple[tuple[str, int, str, bool], ...]] = {
    "MetricRequest": (("metric_name", 1, "string", False),),
    "MetricResponse": (("metric", 1, "TPUMetric", False),),
    "TPUMetric": (("name", 1, "string", False), ("metrics", 3, "Metric", True)),
    "Metric": (("attribute", 1, "Attribute", False), ("gauge", 3, "Gauge", False)),
    "Attribute": (("key", 1, "string", False), ("value", 2, "AttrValue", False)),
    "AttrValue": (
        ("string_attr", 1, "string", False),
        ("int_attr", 3, "int64", False),
        ("kvlist_attr", 6, "KeyValueList", False),
    ),
    "KeyValueList": (("attributes", 1, "Attribute", True),),
    "Gauge": (("as_double", 1, "double", False), ("as_int", 2, "int64", False)),
}


class TpuRuntime:
    """One address of the service; connections are made when it is asked."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._channel: Any = None

    def values(self, name: str) -> dict[int, float]:
        """A metric by device id. ReadError where the service does not answer, or nonsense.

        Unavailable where grpc is not installed.
        """
        try:
            import grpc  # noqa: PLC0415 - only a TPU node has it
        except ImportError:
            raise Unavailable("grpc is not installed: install gpuledger[tpu]") from None
        types = messages()
        try:
            ask = self._opened(grpc).unary_unary(
                METHOD,
                request_serializer=types["MetricRequest"].SerializeToString,
                response_deserializer=types["MetricResponse"].FromString,
            )
            answer = ask(types["MetricRequest"](metric_name=name), timeout=self._timeout_s)
        except grpc.RpcError as e:
            raise ReadError(f"{self._address}: {_said(e)}") from None
        return dict(_values(answer))

    def close(self) -> None:
        """Close the connection."""
        if self._channel:
            self._channel.close()
        self._channel = None

    def _opened(self, grpc: Any) -> Any:
        if self._channel is None:
            options = (
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.enable_http_proxy", 0),
                # The runtime comes and goes with each workload.
                ("grpc.max_reconnect_backoff_ms", 5_000),
            )
            self._channel = grpc.insecure_channel(self._address, options=options)
        return self._channel


@cache
def messages() -> dict[str, Any]:
    """The message classes by name."""
    from google.protobuf import (  # noqa: PLC0415 - only a TPU node has it
        descriptor_pb2,
        descriptor_pool,
        message_factory,
    )

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="gpuledger/tpu.proto", package=PACKAGE, syntax="proto2"
    )
    for message, fields in MESSAGES.items():
        made = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            one = made.field.add(name=name, number=number, label=label)
            if kind in MESSAGES:
                one.type, one.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                one.type = getattr(field, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        for name in MESSAGES
    }


def _values(answer: Any) -> Iterator[tuple[int, float]]:
    for metric in answer.metric.metrics:
        device = _device(metric.attribute)
        gauge = metric.gauge
        value = gauge.as_int if gauge.HasField("as_int") else gauge.as_double
        told = gauge.HasField("as_int") or gauge.HasField("as_double")
        if device is not None and told and math.isfinite(value) and value >= 0:
            yield device, value


def _device(attribute: Any) -> int | None:
    """The device's id; newer runtimes tell it among several attributes, and as text."""
    value = attribute.value
    for nested in value.kvlist_attr.attributes:
        if nested.key in {"device-id", "device_id", "device_ordinal"}:
            return _device(nested)
    if value.HasField("int_attr"):
        number = int(value.int_attr)
    elif value.string_attr.isascii() and value.string_attr.isdigit():
        number = int(value.string_attr)
    else:
        return None
    return number if 0 <= number < 1 << 16 else None


def _said(error: Any) -> str:
    code = getattr(error, "code", lambda: None)()
    details = getattr(error, "details", lambda: "")() or ""
    return f"{getattr(code, 'name', 'failed')}: {details[:150]}"
