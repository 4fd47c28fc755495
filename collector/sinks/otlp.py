"""OTLP: the latest rows pushed as OpenTelemetry metrics, over HTTP or (cluster role) gRPC."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from collector.address import is_address
from collector.conventions import Form, Instrument, Shown, attributes, shown
from collector.latest import LEFT_OUT, LatestRows
from collector.window import Folded
from gpuledger.config import Settings
from gpuledger.errors import ConfigError

STOP_WITHIN_MS = 2_000
LIBRARY = "opentelemetry"
# Without any handler, Python would print what nobody listens to.
SILENCE = logging.NullHandler()
RETRIES = re.compile(r"^Transient error (.*) encountered while exporting", re.DOTALL)


class Protocol(StrEnum):
    """How metrics travel."""

    HTTP = "http"
    GRPC = "grpc"


class OtlpSettings(Settings):
    """Section `[otlp]`."""

    endpoint: Annotated[str, "http://host:4318/v1/metrics, grpc: host:4317; empty = off"] = ""
    protocol: Annotated[Protocol, "http; grpc only in the cluster role"] = Protocol.HTTP
    period_s: Annotated[float, "seconds between pushes"] = 30.0
    timeout_s: Annotated[float, "longest wait for one push"] = 10.0
    headers_file: Annotated[str, "file of `name: value` lines, e.g. an authorization header"] = ""
    ca_file: Annotated[str, "certificates to trust; empty = the system's"] = ""

    def __post_init__(self) -> None:
        """ConfigError where the endpoint cannot be asked over HTTP."""
        over_http = self.endpoint and self.protocol is Protocol.HTTP
        if over_http and not is_address(self.endpoint):
            raise ConfigError(
                f"[otlp] endpoint '{self.endpoint}': write http(s)://host:4318/v1/metrics"
            )


class Overheard(logging.Handler):
    """Keeps the first thing that the library says of a push: the later ones are of its retries."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, in one line and without what it says of its next try."""
        if not self.first:
            said = " ".join(record.getMessage().split())
            retried = RETRIES.match(said)
            self.first = retried[1] if retried else said


class Deliveries:
    """Says once that pushes fail, and why, and once that they arrive again."""

    def __init__(self, endpoint: str, log: logging.Logger) -> None:
        self._endpoint = endpoint
        self._log = log
        self._overheard = Overheard()
        self._fails = False

    def listen(self) -> None:
        """Hear what the library says, instead of everybody: it tells each try of each push."""
        library = logging.getLogger(LIBRARY)
        library.propagate = False
        library.setLevel(logging.WARNING)
        library.addHandler(SILENCE)
        library.addHandler(self._overheard)

    def leave(self) -> None:
        """Listen no more."""
        logging.getLogger(LIBRARY).removeHandler(self._overheard)

    def told(self, export: Callable[..., Any]) -> Callable[..., Any]:
        """The same export, of which the log learns how it stands."""

        def tell(*args: Any, **options: Any) -> Any:
            self._overheard.first = ""
            result = export(*args, **options)
            self._tell(fails=result.name != "SUCCESS")
            return result

        return tell

    def _tell(self, *, fails: bool) -> None:
        before, self._fails = self._fails, fails
        if fails and not before:
            cause = self._overheard.first or "it says nothing"
            self._log.warning("otlp: %s does not take metrics: %s", self._endpoint, cause)
        elif before and not fails:
            self._log.info("otlp: %s takes metrics again", self._endpoint)


class OtlpSink:
    """A service of the agent: observes the latest rows at each push. Imports the SDK at `start`."""

    def __init__(
        self,
        settings: OtlpSettings,
        cluster: str,
        node: str,
        monotonic: Callable[[], float],
        log: logging.Logger,
    ) -> None:
        self._settings = settings
        self._deliveries = Deliveries(settings.endpoint, log)
        self._place = {"cluster": cluster, "node": node}
        self._rows = LatestRows(monotonic)
        self._provider: Any = None

    def update(self, rows: Sequence[Folded]) -> None:
        """Take in finished rows."""
        self._rows.update(rows)

    def start(self) -> None:
        """Begin to push. ConfigError where the extra `otlp` is not installed or a file missing."""
        try:
            from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - only where asked
            from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415 - for
                PeriodicExportingMetricReader,
            )

            exporter = self._exporter()
        except ImportError as e:
            raise ConfigError(
                f"[otlp] needs {e.name}: install the extra, pip install gpuledger[otlp]"
            ) from None
        self._deliveries.listen()
        # A wrapper of its own would have to copy what the reader asks of an exporter in private.
        exporter.export = self._deliveries.told(exporter.export)
        reader = PeriodicExportingMetricReader(
            exporter,
            export_interval_millis=self._settings.period_s * 1000,
            export_timeout_millis=self._settings.timeout_s * 1000,
        )
        self._provider = MeterProvider(
            metric_readers=[reader], resource=self._resource(), shutdown_on_exit=False
        )
        self._register(self._provider.get_meter("gpuledger", version("gpuledger")))

    def stop(self) -> None:
        """Push what there is, once, and end."""
        provider, self._provider = self._provider, None
        if provider:
            provider.shutdown(timeout_millis=STOP_WITHIN_MS)
            self._deliveries.leave()

    def _resource(self) -> Any:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see `start`

        return Resource.create(
            {
                "service.name": "gpuledger-collector",
                "service.version": version("gpuledger"),
                "service.instance.id": self._place["node"],
                "host.name": self._place["node"],
                "gpuledger.cluster": self._place["cluster"],
            }
        )

    def _exporter(self) -> Any:
        settings, headers = self._settings, _headers(self._settings.headers_file)
        if settings.protocol is Protocol.GRPC:
            from opentelemetry.exporter.otlp.proto.grpc import (  # noqa: PLC0415 - see `start`
                metric_exporter as over_grpc,
            )

            return over_grpc.OTLPMetricExporter(
                settings.endpoint,
                insecure=not settings.endpoint.startswith("https"),
                credentials=_credentials(settings.ca_file),
                headers=headers,
                timeout=settings.timeout_s,
            )
        from opentelemetry.exporter.otlp.proto.http import (  # noqa: PLC0415 - see `start`
            metric_exporter as over_http,
        )

        return over_http.OTLPMetricExporter(
            settings.endpoint,
            certificate_file=settings.ca_file or None,
            headers=headers,
            timeout=settings.timeout_s,
        )

    def _register(self, meter: Any) -> None:
        """One observable instrument for each name; it is asked at every push."""
        make = {
            Form.COUNTER: meter.create_observable_counter,
            Form.GAUGE: meter.create_observable_gauge,
            Form.UPDOWN: meter.create_observable_up_down_counter,
        }
        groups: dict[Instrument, list[Shown]] = {}
        for one in shown(LEFT_OUT):
            groups.setdefault(one.instrument, []).append(one)
        for instrument, columns in groups.items():
            make[instrument.form](
                instrument.name,
                callbacks=[partial(self._observe, tuple(columns))],
                unit=instrument.unit,
                description=instrument.help,
            )

    def _observe(self, columns: Iterable[Shown], _: Any) -> Iterator[Any]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - see `start`

        fresh = {exposed.table.name: rows for exposed, rows in self._rows.fresh()}
        for one in columns:
            for row in fresh.get(one.exposed.table.name, ()):
                value = row.value(one.metric)
                if value is not None:
                    yield Observation(value, attributes(one, row.labels, row.values))


def _headers(path: str) -> dict[str, str]:
    """The headers in a file of `name: value` lines. ConfigError where it cannot be read."""
    if not path:
        return {}
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as e:
        raise ConfigError(f"[otlp] headers_file {path}: {e.strerror}") from None
    pairs = [line.partition(":") for line in lines if line.strip()]
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _credentials(ca_file: str) -> Any:
    """What gRPC shall trust; None = its own choice."""
    if not ca_file:
        return None
    import grpc  # noqa: PLC0415 - only in the cluster role

    try:
        return grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
    except OSError as e:
        raise ConfigError(f"[otlp] ca_file {ca_file}: {e.strerror}") from None
