"""Rules to files for Prometheus and Grafana."""

from __future__ import annotations

from collections.abc import Iterable
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


def build(some: Iterable[Rule] | None = None) -> dict[str, str]:
    """File name to YAML text of these rules, or of all as they are; the same bytes each time."""
    known = list(rules().values() if some is None else some)
    return {
        "grafana.yaml": grafana(known),
        "prometheus.yaml": prometheus(known),
        "prometheus_test.yaml": unit_tests(known, "prometheus.yaml"),
    }


def write(directory: Path = GENERATED, some: Iterable[Rule] | None = None) -> list[Path]:
    """Write the files of these rules, or of all, into the directory; the paths written."""
    return write_all(directory, build(some))
