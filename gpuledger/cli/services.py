"""`gpuledger services`: inference services that are meant to be warm."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gpuledger.cli import lists, options, show


@click.group("services")
def command() -> None:
    """Inference services: which jobs are their replicas, and how many must stay up."""


@command.command("import")
@lists.FILE
@options.store_option
@options.config_option
def import_(path: Path, store_url: str, config_path: Path | None) -> None:
    """Take a CSV of services.

    Columns: cluster, service, jobs (beginning of their names), team, least_replicas, valid_from,
    valid_to.
    """
    from analytics import people

    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    now = datetime.now(UTC)
    lists.take(path, lambda: people.import_services(store, path, now), store, "services")
    store.close()


@command.command("declare")
@click.argument("name")
@click.option("--jobs", required=True, help="Beginning of the names of its jobs.")
@click.option("--cluster", required=True, help="Cluster where it runs.")
@click.option("--team", default="", help="Team that pays.")
@click.option("--least-replicas", default=1, show_default=True, type=click.IntRange(0))
@options.store_option
@options.config_option
def declare(
    name: str,
    jobs: str,
    cluster: str,
    team: str,
    least_replicas: int,
    store_url: str,
    config_path: Path | None,
) -> None:
    """Declare one service."""
    from analytics import people
    from gpuledger.batch import EPOCH
    from gpuledger.catalogue import Service

    service = Service(
        cluster=cluster,
        service=name,
        team=team,
        jobs=jobs,
        least_replicas=least_replicas,
        valid_from=EPOCH,
        version=0,
    )
    store = options.open_store(store_url, options.load_config(config_path))
    store.apply()
    taken = people.declare(store, [service], datetime.now(UTC))
    if taken.written:
        options.audited(store, "service.declare", f"service/{name}", None, service.values())
    click.echo(f"{name}: " + ("declared" if taken.written else "nothing new"))
    for note in taken.notes:
        click.echo(note)
    store.close()


@command.command("list")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
def list_(store_url: str, config_path: Path | None, fmt: str) -> None:
    """The services that are declared."""
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = reader.select(
        "SELECT cluster, service, team, jobs, least_replicas, valid_from, valid_to"
        " FROM v_services WHERE valid_to > now64(3) ORDER BY cluster, service"
    )
    show.answer(rows, fmt, show.plain_table, "No service is declared.")
