"""`gpuledger generate`: the generated files of the repository, written or checked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from gpuledger import reference
from gpuledger.config import Settings
from gpuledger.errors import ConfigError
from gpuledger.mapping_load import load, shipped
from gpuledger.plugins import discover


@click.command("generate", hidden=True)
@click.option("--check", is_flag=True, help="Write nothing; exit 2 where a file is out of date.")
def command(check: bool) -> None:
    """Write docs, boards and alert rules of this repository from the code."""
    stale = [path for path, text in files() if not path.exists() or path.read_text() != text]
    if check and stale:
        raise ConfigError(f"out of date: {', '.join(map(str, stale))}; run 'make generate'")
    for path, text in files():
        if path in stale:
            path.write_text(text)
            click.echo(path)


def files() -> Iterator[tuple[Path, str]]:
    """Every generated file of the repository and what it should hold."""
    import alerts.build
    import dashboards.build

    yield Path("docs/metrics.md"), reference.metrics_page()
    yield Path("docs/config.md"), reference.config_page(sections())
    yield Path("docs/sources.md"), reference.sources_page(_sources())
    yield Path("docs/mappings.md"), reference.mappings_page(map(load, shipped()))
    yield Path("docs/alert-rules.md"), reference.alerts_page(_rules())
    yield Path("docs/detectors.md"), reference.plugins_page(_plugins())
    yield Path("docs/api.md"), _api_page()
    for package, built in (("dashboards", dashboards.build), ("alerts", alerts.build)):
        for name, text in built.build().items():
            yield Path(package, "generated", name), text


def sections() -> dict[str, type[Settings]]:
    """Every section of the configuration and its settings."""
    import collector.run
    from alerts.settings import AlertSettings
    from analytics.access.trust import CertificateSettings, OidcSettings, ServiceAccountSettings
    from analytics.advisor import Advisor
    from analytics.backfill.settings import BackfillSettings
    from analytics.detector import Detector
    from analytics.experiments.server import MlflowSettings
    from analytics.ingest.gate import IngestSettings
    from analytics.ingest.learning import ScrapedSettings
    from analytics.ingest.limits import LimitSettings
    from analytics.ingest.relay import RelaySettings
    from analytics.learn.settings import LearnSettings
    from analytics.money.settings import EnergySettings, PriceSettings
    from analytics.placing.settings import PlacementSettings
    from analytics.repacking.settings import SnapshotSettings
    from analytics.report.settings import ReportSettings
    from analytics.runner import RunnerSettings
    from analytics.telemetry import TelemetrySettings
    from dashboards.check import DashboardSettings
    from gpuledger.states import LedgerSettings
    from gpuledger.store import StoreSettings

    return {
        "store": StoreSettings,
        "backfill": BackfillSettings,
        "ledger": LedgerSettings,
        "relay": RelaySettings,
        "runner": RunnerSettings,
        "learn": LearnSettings,
        "mlflow": MlflowSettings,
        "placement": PlacementSettings,
        "report": ReportSettings,
        "snapshot": SnapshotSettings,
        "ingest": IngestSettings,
        "limits": LimitSettings,
        "scraped": ScrapedSettings,
        "telemetry": TelemetrySettings,
        "oidc": OidcSettings,
        "serviceaccounts": ServiceAccountSettings,
        "certificates": CertificateSettings,
        "prices": PriceSettings,
        "energy": EnergySettings,
        "alerts": AlertSettings,
        "dashboards": DashboardSettings,
        **collector.run.sections(),
        **{n: d.settings for n, d in discover("analytics.detectors", Detector).items()},
        **{n: a.settings for n, a in discover("analytics.advisors", Advisor).items()},
    }


def _api_page() -> str:
    """The page of the API, of an application over nothing."""
    from typing import Any

    from analytics.app import create_app
    from analytics.routes import manual
    from analytics.service import Service

    nothing: Any = None
    service = Service(store=nothing, reader=nothing, runner=nothing, token="")
    return manual.page(create_app(service).openapi())


def _sources() -> list[tuple[str, str, str, bool, str]]:
    from collector.source import SourceKind

    kinds = discover("collector.sources", SourceKind)
    return [(n, k.help, k.role.value, k.optional, k.privilege) for n, k in kinds.items()]


def _rules() -> list[tuple[str, str, str, str, str, str, str, str]]:
    from alerts.rule import Rule, quantity
    from gpuledger.units import SECOND

    return [
        (
            *(r.name, r.runbook, r.meaning, quantity(r.threshold, r.unit)),
            quantity(r.for_s, SECOND) if r.for_s else "at once",
            *(r.severity.value, r.owner.value, "GPUs" if r.cost else ""),
        )
        for r in discover("alerts.rules", Rule).values()
    ]


def _plugins() -> dict[str, list[tuple[str, str]]]:
    from alerts.rule import Rule
    from analytics.advisor import Advisor
    from analytics.detector import Detector

    return {
        "Detectors": [(n, d.help) for n, d in discover("analytics.detectors", Detector).items()],
        "Advisors": [(n, a.help) for n, a in discover("analytics.advisors", Advisor).items()],
        "Alert rules": [(n, r.meaning) for n, r in discover("alerts.rules", Rule).items()],
    }
