"""The one door to OpenTelemetry: our traces and logs, sent by OTLP over HTTP; off by default.

Names follow https://opentelemetry.io/docs/specs/semconv where it has one. A span never holds a
token, a question's text or a value of one: only what kind of thing was done, for which role, and
how it ended.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Protocol, Self
from urllib.parse import urlsplit

import msgspec

from gpuledger import logs
from gpuledger.config import Settings
from gpuledger.errors import ConfigError

log = logging.getLogger(__name__)

CLOSE_WITHIN_S = 2.0
SILENT_S = 600.0
LONGEST_SAID = 300
LIBRARY = "opentelemetry"
# What the exporter itself says and does must not be exported.
NOT_EXPORTED = (LIBRARY, "urllib3", "requests")
# What libraries tell of their daily work may hold addresses and paths.
OURS = ("gpuledger", "analytics", "alerts", "collector", "uvicorn")

Value = str | int | float | bool


class Access(StrEnum):
    """Of which requests a line is logged."""

    ALL = "all"
    READING = "reading"
    ERRORS = "errors"
    NONE = "none"


class TelemetrySettings(Settings):
    """Section `[telemetry]`: what the service and the relay tell of themselves."""

    endpoint: Annotated[
        str, "OTLP over HTTP, e.g. http://host:4318: traces to /v1/traces, logs to /v1/logs"
    ] = ""
    sample_ratio: Annotated[
        float, msgspec.Meta(ge=0, le=1), "share of requests and ticks that are traced"
    ] = 1.0
    timeout_s: Annotated[float, "longest wait for one export"] = 10.0
    headers_file: Annotated[str, "file of `name: value` lines, e.g. an authorization header"] = ""
    ca_file: Annotated[str, "certificates to trust; empty = the system's"] = ""
    access: Annotated[
        Access,
        "requests of which a line is logged: all; reading = all but what senders, scrapes and"
        " health checks get an answer to; errors = status 400 and above; none",
    ] = Access.READING

    def __post_init__(self) -> None:
        """ConfigError where the endpoint cannot be asked over HTTP."""
        parts = urlsplit(self.endpoint)
        if self.endpoint and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise ConfigError(f"[telemetry] endpoint '{self.endpoint}': write http(s)://host:4318")


class Span(Protocol):
    """Something that is under way."""

    trace_id: str

    def tell(self, name: str, value: Value | None) -> None:
        """Say something of it; None says nothing."""


class _NoSpan:
    """What goes on where nobody traces."""

    trace_id = ""

    def tell(self, name: str, value: Value | None) -> None:
        """Nobody hears it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


_NO_SPAN = _NoSpan()


class Telemetry:
    """Spans and logs of one process; costs nothing until `open`, and nothing without an endpoint.

    The SDK is loaded by `open` alone.
    """

    def __init__(self, settings: TelemetrySettings | None = None, service: str = "serve") -> None:
        self.settings = settings or TelemetrySettings()
        self._service = f"gpuledger-{service}"
        self._tracing: _Tracing | None = None

    def open(self) -> Telemetry:
        """Begin to send. ConfigError where the file of headers cannot be read."""
        if self.settings.endpoint and self._tracing is None:
            self._tracing = _Tracing(self.settings, self._service)
        return self

    def close(self) -> None:
        """Send what waits, for two seconds at most, and end."""
        if self._tracing is not None:
            self._tracing.close()
            self._tracing = None

    def span(
        self, name: str, carrier: Mapping[str, str] | None = None, *, serves: bool = False
    ) -> AbstractContextManager[Span]:
        """What is done within it; `carrier` are headers that may name the trace it belongs to.

        `serves`: somebody from outside asked for it.
        """
        tracing = self._tracing
        return _NO_SPAN if tracing is None else tracing.span(name, carrier, serves=serves)


class _Span:
    """A span of the SDK."""

    def __init__(self, span: Any) -> None:
        self._span = span
        self.trace_id = f"{span.get_span_context().trace_id:032x}"

    def tell(self, name: str, value: Value | None) -> None:
        """An attribute."""
        if value is not None:
            self._span.set_attribute(name, value)


class _Tracing:
    """The SDK, as far as we use it."""

    def __init__(self, settings: TelemetrySettings, service: str) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only where it is on

        told = {"service.name": service, "service.version": version("gpuledger")}
        resource, headers = Resource.create(told), _headers(settings.headers_file)
        options = {
            "headers": headers,
            "timeout": settings.timeout_s,
            "certificate_file": settings.ca_file or None,
        }
        url = settings.endpoint.rstrip("/")
        self._traces = _trace_provider(settings.sample_ratio, resource, url, options)
        self._tracer = self._traces.get_tracer("gpuledger", version("gpuledger"))
        self._logs = _log_provider(resource, url, options)
        self._handler = _Exported(self._logs.get_logger("gpuledger"))
        logging.getLogger().addHandler(self._handler)
        self._trouble = _Trouble()
        library = logging.getLogger(LIBRARY)
        library.propagate = False
        library.addHandler(self._trouble)

    @contextmanager
    def span(self, name: str, carrier: Mapping[str, str] | None, *, serves: bool) -> Iterator[Span]:
        """A span that is the current one of this task or thread."""
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - see above
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - see above
            TraceContextTextMapPropagator,
        )

        context = TraceContextTextMapPropagator().extract(carrier) if carrier else None
        kind = SpanKind.SERVER if serves else SpanKind.INTERNAL
        # What an error says may hold a question or a value: its kind is told, not its words.
        with self._tracer.start_as_current_span(
            name, context, kind=kind, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield _Span(span)
            except BaseException as e:
                span.set_attribute("error.type", type(e).__name__)
                raise

    def close(self) -> None:
        """Send what waits; a receiver that is gone must not hold up our own end."""
        logging.getLogger().removeHandler(self._handler)
        library = logging.getLogger(LIBRARY)
        library.removeHandler(self._trouble)
        library.addHandler(logging.NullHandler())
        ending = threading.Thread(target=self._shut, name="telemetry", daemon=True)
        ending.start()
        ending.join(CLOSE_WITHIN_S)

    def _shut(self) -> None:
        for provider in (self._traces, self._logs):
            provider.shutdown()


def _trace_provider(ratio: float, resource: Any, url: str, options: Mapping[str, Any]) -> Any:
    """Spans, sampled by us: a stranger's header must not decide what we store."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - see above
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above
    from opentelemetry.sdk.trace.sampling import (  # noqa: PLC0415 - see above
        ParentBased,
        TraceIdRatioBased,
    )

    share = TraceIdRatioBased(ratio)
    sampler = ParentBased(share, remote_parent_sampled=share, remote_parent_not_sampled=share)
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{url}/v1/traces", **options)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _log_provider(resource: Any, url: str, options: Mapping[str, Any]) -> Any:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import (  # noqa: PLC0415 - see above
        OTLPLogExporter,
    )
    from opentelemetry.sdk._logs import LoggerProvider  # noqa: PLC0415 - see above
    from opentelemetry.sdk._logs.export import (  # noqa: PLC0415 - see above
        BatchLogRecordProcessor,
    )

    provider = LoggerProvider(resource, shutdown_on_exit=False)
    exporter = OTLPLogExporter(f"{url}/v1/logs", **options)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


class _Trouble(logging.Handler):
    """Says now and then that exports fail: the library tells each try of each of them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said_s = -SILENT_S

    def emit(self, record: logging.LogRecord) -> None:
        """Tell what the library says, if nothing was told lately."""
        now_s = time.monotonic()
        if now_s - self._said_s >= SILENT_S:
            self._said_s = now_s
            said = " ".join(record.getMessage().split())[:LONGEST_SAID]
            log.warning("telemetry is not taken by its receiver: %s", said)


class _Exported(logging.Handler):
    """Log lines with the trace and the request that they belong to."""

    def __init__(self, logger: Any) -> None:
        super().__init__(logging.INFO)
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Hand it over, with the context of whoever logs."""
        from opentelemetry._logs import LogRecord, SeverityNumber  # noqa: PLC0415 - see above
        from opentelemetry.context import get_current  # noqa: PLC0415 - see above

        library = not record.name.startswith(OURS)
        if record.name.startswith(NOT_EXPORTED) or (library and record.levelno < logging.WARNING):
            return
        told = logs.told(record)
        own = {n: v for n, v in told.items() if n not in {"time", "level", "message", "trace_id"}}
        number = SeverityNumber[_severity(record.levelno)]
        self._logger.emit(
            LogRecord(
                timestamp=round(record.created * 1e9),
                context=get_current(),
                severity_text=record.levelname,
                severity_number=number,
                body=told["message"],
                attributes={n: v for n, v in own.items() if v not in ("", None)},
            )
        )


def _severity(level: int) -> str:
    """The data model's name of a level: https://opentelemetry.io/docs/specs/otel/logs/data-model"""
    named = ((logging.CRITICAL, "FATAL"), (logging.ERROR, "ERROR"), (logging.WARNING, "WARN"))
    return next((name for least, name in named if level >= least), "INFO")


def _headers(path: str) -> dict[str, str]:
    """Headers of a file. ConfigError where it cannot be read, or a line is none."""
    if not path:
        return {}
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, ValueError) as e:
        raise ConfigError(f"[telemetry] headers_file {path}: {e}") from None
    found = [line.partition(":") for line in lines if line.strip()]
    if not all(colon for _, colon, _ in found):
        raise ConfigError(f"[telemetry] headers_file {path}: a line is `name: value`")
    return {name.strip(): value.strip() for name, _, value in found}
