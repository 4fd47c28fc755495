"""`gpuledger schema`: the tables that the catalogue declares."""

from __future__ import annotations

from pathlib import Path

import click

from gpuledger.cli import options
from gpuledger.errors import StoreError


@click.group("schema")
def command() -> None:
    """Print, apply or check the generated tables."""


@command.command("print")
@click.option("--retention", is_flag=True, help="With the time after which rows are deleted.")
def print_(retention: bool) -> None:
    """Every CREATE statement."""
    from gpuledger import ddl

    for target in ddl.targets(retention=retention):
        click.echo(f"{target.create};\n")


@command.command("apply")
@options.store_option
@options.config_option
@click.option("--retention", is_flag=True, help="Delete old rows by TTL (off by default).")
def apply_(store_url: str, config_path: Path | None, retention: bool) -> None:
    """Create what is missing; shows what it runs, only adds, may run any number of times."""
    store = options.open_store(store_url, options.load_config(config_path))
    for statement in store.apply(retention=retention):
        first = statement.partition("\n")[0]
        if not first.startswith("CREATE OR REPLACE VIEW"):
            click.echo(first)
    click.echo(f"{store.address}: schema is up to date")


@command.command("check")
@options.store_option
@options.config_option
def check(store_url: str, config_path: Path | None) -> None:
    """Whether the database has everything; exit 1 and the missing SQL where it has not."""
    store = options.open_store(store_url, options.load_config(config_path))
    version = store.check()
    missing = [s for s in store.plan() if not s.startswith("CREATE OR REPLACE VIEW")]
    for statement in missing:
        click.echo(f"{statement};\n")
    if missing:
        raise StoreErrorOne(f"{len(missing)} statements missing: run 'gpuledger schema apply'")
    click.echo(f"{store.address}: ClickHouse {version}, schema is up to date")


class StoreErrorOne(StoreError):
    """The schema lags: a finding, not a fault."""

    exit_code = 1
