"""Rules to files for Prometheus and Grafana."""

from __future__ import annotations

from pathlib import Path

from alerts.promtest import unit_tests
from alerts.render import grafana, prometheus
from alerts.rule import Rule
from gpuledger.files import write_all
from gpuledger.plugins import discover

GENERATED = Path(__file__).parent / "generated"


def rules() -> dict[str, Rule]:
    """Every rule by the name of its module."""
    return discover("alerts.rules", Rule)


def build() -> dict[str, str]:
    """File name to YAML text; the same bytes each time."""
    known = list(rules().values())
    return {
        "grafana.yaml": grafana(known),
        "prometheus.yaml": prometheus(known),
        "prometheus_test.yaml": unit_tests(known, "prometheus.yaml"),
    }


def write(directory: Path = GENERATED) -> list[Path]:
    """Write the files into the directory; the paths written."""
    return write_all(directory, build())
