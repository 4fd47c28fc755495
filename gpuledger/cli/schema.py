"""`gpuledger schema`: the tables that the catalogue declares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options
from gpuledger.config import Config
from gpuledger.directory import is_store
from gpuledger.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from gpuledger.address import StoreSettings
    from gpuledger.store import Store
    from gpuledger.upgrade import Server

retention_option = click.option(
    "--retention", is_flag=True, help="Delete rows by age, as [store] says (off by default)."
)


@click.group("schema")
def command() -> None:
    """Print, plan, apply or check the generated tables."""


@command.command("print")
@options.config_option
@retention_option
@click.option("--cluster", metavar="NAME", help="For a cluster of that name with a Keeper.")
@click.option("--database", default="gpuledger", show_default=True, help="Of a cluster or users.")
@click.option("--users", is_flag=True, help="Who may do what, and not the tables.")
@options.format_option("sql", "xml")
@click.option("--team", "teams", multiple=True, metavar="NAME", help="A team with a user. [users]")
@click.option(
    "--digests",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Files <user>.sha256 with the SHA-256 of each user's password. [users]",
)
def print_(
    config_path: Path | None,
    retention: bool,
    cluster: str | None,
    database: str,
    users: bool,
    fmt: str,
    teams: tuple[str, ...],
    digests: Path | None,
) -> None:
    """Every CREATE statement; or, with --users, the database's users.

    Users are the service's, Grafana's, and for each --team one that sees this team's rows alone:
    as SQL, or as a file for the server's users.d (xml).
    """
    from gpuledger import ddl
    from gpuledger.cluster import Cluster

    settings = _settings(options.load_config(config_path), retention=retention)
    if users:
        _print_users(teams, digests, database, fmt, cluster or settings.cluster)
        return
    if fmt == "xml" or teams or digests:
        raise ConfigError("schema print: xml, --team and --digests are about --users")
    targets = ddl.targets(settings.keeping())
    name = cluster or settings.cluster
    if name:
        spread = Cluster(name, database, keeper=not settings.shards or bool(cluster))
        statements = spread.script(targets)
    else:
        statements = [target.create for target in targets]
    for statement in statements:
        click.echo(f"{statement};\n")


def _print_users(
    teams: tuple[str, ...], digests: Path | None, database: str, fmt: str, cluster: str
) -> None:
    from gpuledger.users import Users, names, read_digests

    if digests is None:
        raise ConfigError("schema print --users: give --digests DIR with <user>.sha256 of each")
    if cluster:
        raise ConfigError("schema print --users: row policies are for one server, not a cluster")
    told = Users(teams, read_digests(digests, names(teams)), database)
    if fmt == "xml":
        click.echo(told.xml(), nl=False)
        return
    for statement in told.sql():
        click.echo(f"{statement};")


@command.command("plan")
@options.store_option
@options.config_option
@retention_option
def plan(store_url: str, config_path: Path | None, retention: bool) -> None:
    """The SQL that `apply` would run; changes nothing."""
    store = _open(store_url, options.load_config(config_path), retention=retention)
    _check_there(store)
    _tell(store)


@command.command("apply")
@options.store_option
@options.config_option
@retention_option
@click.option("--dry-run", is_flag=True, help="Show the SQL and change nothing.")
def apply_(store_url: str, config_path: Path | None, retention: bool, dry_run: bool) -> None:
    """Create what is missing; shows its SQL first, only adds, may run any number of times."""
    store = _open(store_url, options.load_config(config_path), retention=retention)
    if dry_run:
        _check_there(store)
    _tell(store)
    if not dry_run:
        store.apply()
        click.echo(f"{store.address}: schema is up to date")


@command.command("check")
@options.store_option
@options.config_option
def check(store_url: str, config_path: Path | None) -> None:
    """Whether the database has everything; exit 1 and the missing SQL where it has not."""
    from gpuledger import upkeep

    store = _open(store_url, options.load_config(config_path), retention=False)
    _check_there(store)
    version = store.check()
    _tell(store)
    missing = store.plan()
    unkept = ", ".join(upkeep.without_retention(missing))
    if unkept:
        click.echo(f"rows are kept for another time than configured: {unkept}")
    windows = [w for server, place in store.places() for w in upkeep.windows(server, place)]
    short = [w for w in windows if not w.holds]
    for window in short or windows[:1]:
        click.echo(f"deduplication: {window}")
    if missing:
        raise StoreErrorOne(f"{len(missing)} statements missing: run 'gpuledger schema apply'")
    if short:
        raise StoreErrorOne(f"{len(short)} tables forget tokens within the hour")
    click.echo(f"{store.address}: ClickHouse {version}, schema is up to date")


class StoreErrorOne(StoreError):
    """The schema lags: a finding, not a fault."""

    exit_code = 1


def _settings(configuration: Config, *, retention: bool) -> StoreSettings:
    import msgspec

    from gpuledger.address import StoreSettings

    settings = configuration.section("store", StoreSettings)
    return msgspec.structs.replace(settings, retention=settings.retention or retention)


def _open(url: str, configuration: Config, *, retention: bool) -> Store:
    from gpuledger.store import Store, parse_address

    settings = _settings(configuration, retention=retention)
    return Store(parse_address(url, os.environ), settings)


def _check_there(store: Store) -> None:
    """Refuse a directory without a store: to open it would make one."""
    directory = store.address.directory
    if directory and not is_store(directory):
        raise ConfigError(
            f"there is no gpuledger store in {directory}: 'gpuledger schema apply' makes it,"
            " 'gpuledger schema print' shows the SQL"
        )


def _tell(store: Store) -> None:
    """The plan as SQL, with what it cannot do as comments."""
    for line in _lines(store):
        click.echo(line)


def _lines(store: Store) -> Iterator[str]:
    place: Server | None = None
    for step in store.steps():
        if step.server is None:
            yield f"-- {step.sql}"
            continue
        if store.cluster and step.server is not place:
            place = step.server
            yield f"-- on {place.address.host}:{place.address.port}"
        yield f"{step.sql};\n"
