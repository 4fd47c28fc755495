"""Whether the rules can be evaluated: here, in Grafana's form, and by Prometheus."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from alerts.build import write
from alerts.engine import look
from alerts.render import holding_sql
from alerts.rule import RUNBOOKS, Rule
from gpuledger.errors import StoreError
from gpuledger.service import Reader

PROMTOOL, LIMIT_S = "promtool", 120
TESTS = "prometheus_test.yaml"


def of_queries(rules: Mapping[str, Rule], reader: Reader, now: datetime) -> Iterator[str]:
    """A line for each rule whose SQL the engine refuses, ours or Grafana's form of it."""
    for rule in rules.values():
        try:
            look(reader, rule, now)
            reader.select(holding_sql(rule))
        except StoreError as e:
            yield f"{rule.name}: {e}"


def of_pages(rules: Mapping[str, Rule]) -> Iterator[str]:
    """A line for each rule without its page."""
    for rule in rules.values():
        if not (RUNBOOKS / rule.runbook).is_file():
            yield f"{rule.name}: there is no alerts/runbooks/{rule.runbook}"


def has_promtool() -> bool:
    """Whether Prometheus' own checker is installed."""
    return shutil.which(PROMTOOL) is not None


def of_prometheus() -> Iterator[str]:
    """What promtool says of the rules and of their unit tests; nothing where all is well."""
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory))
        for words in (("check", "rules", "prometheus.yaml"), ("test", "rules", TESTS)):
            done = subprocess.run(  # noqa: S603 - fixed words
                [shutil.which(PROMTOOL) or PROMTOOL, *words],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            if done.returncode:
                yield f"promtool {' '.join(words)}: {done.stdout}{done.stderr}".strip()
