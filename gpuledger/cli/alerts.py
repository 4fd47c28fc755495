"""`gpuledger alerts`: rules for Prometheus and Grafana."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.files import writable


@click.group("alerts")
def command() -> None:
    """Alert rules, for sites that evaluate them elsewhere."""


@command.command("build")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory.")
def build(out: Path) -> None:
    """Write the rules as Prometheus and Grafana YAML."""
    from alerts.build import write

    for path in write(writable(out)):
        click.echo(path)
