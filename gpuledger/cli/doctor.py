"""`gpuledger doctor`: what is wrong with this installation, and what to do."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path

import click

from gpuledger import checks
from gpuledger.checks import Check, Verdict
from gpuledger.cli import options, show
from gpuledger.config import Config
from gpuledger.directory import is_store
from gpuledger.errors import ConfigError
from gpuledger.service import ServiceFile
from gpuledger.store import Store, StoreSettings, parse_address

SEE = "see that it runs and that the address is right"
# Where deploy/systemd keeps it.
SERVICE_SPOOL = Path("/var/lib/gpuledger-collector/spool.db")


def default_spool(environ: Mapping[str, str], installed: Path = SERVICE_SPOOL) -> Path:
    """The spool of the agent that runs as a service, where there is one; else this directory's."""
    if folders := environ.get("STATE_DIRECTORY"):
        return Path(folders.partition(":")[0]) / "spool.db"
    try:
        installed.stat()
    except PermissionError:
        return installed
    except OSError:
        return Path("gpuledger-spool.db")
    return installed


@click.command("doctor")
@options.config_option
@options.address_option("store", "STORE", "Also ask this ClickHouse.")
@options.address_option("ingest", "INGEST", "Also ask this service.")
@click.option(
    "--role",
    type=click.Choice(["node", "cluster"]),
    envvar="GPULEDGER_ROLE",
    default="node",
    show_default=True,
    help="Whose sources to ask.",
)
@click.option(
    "--spool",
    type=click.Path(path_type=Path),
    default=lambda: default_spool(os.environ),
    show_default="the service's, else gpuledger-spool.db",
    help="The agent's file.",
)
@options.format_option("table", "json")
def command(
    config_path: Path | None, store_url: str, ingest_url: str, role: str, spool: Path, fmt: str
) -> int:
    """Check driver, rights, clocks, connection, schema and packages; exit 1 if one is wrong."""
    from collector.doctor import examine
    from collector.source import Context, Role

    # What libraries and sources would log, the checks say.
    logging.disable(logging.CRITICAL)
    configuration = options.load_config(config_path)
    context = Context("doctor", socket.gethostname())
    found = list(
        chain(
            examine(configuration, context, spool, (Role(role),)),
            _connections(configuration, store_url, ingest_url),
            checks.foreign_packages(),
        )
    )
    if fmt == "json":
        show.as_json([asdict(check) for check in found])
    else:
        show.checks_table(found)
    return int(any(check.verdict is Verdict.WRONG for check in found))


def _connections(configuration: Config, store_url: str, ingest_url: str) -> Iterator[Check]:
    """The store and the service, where one is named."""
    if store_url:
        yield from checks.asked("store", partial(_store, configuration, store_url), SEE)
    if ingest_url:
        from collector.doctor import service

        token, unread = _token()
        yield from unread
        yield from checks.asked("service", partial(service, ingest_url, token), SEE)
    if not store_url and not ingest_url:
        yield checks.note("connection", "not asked", "name --ingest URL or --store URL")


def _token() -> tuple[str | None, list[Check]]:
    """The token of the environment; where its file cannot be read, a check that says so."""
    try:
        return options.token(), []
    except ConfigError as e:
        return None, [checks.wrong("token", str(e), "make the file, readable for the agent")]


def _store(configuration: Config, url: str) -> Iterator[Check]:
    """Version, clock, schema, and GPUs that nobody's asset list has; an embedded one that is."""
    settings, address = (
        configuration.section("store", StoreSettings),
        parse_address(url, os.environ),
    )
    if address.directory and not is_store(address.directory):
        raise ConfigError(f"there is no gpuledger store in {address.directory}")
    if address.directory and (running := ServiceFile(address.directory).read()):
        advice = f"ask the service: gpuledger doctor --ingest {running['url']}"
        yield checks.note("store", f"{address.directory}: the service that runs holds it", advice)
        return
    store = Store(address, settings)
    try:
        yield checks.ok("store", f"{store.address}: ClickHouse {store.check()}")
        (told,) = store.select("SELECT toUnixTimestamp64Milli(now64(3)) AS ms")
        yield checks.clock("store's clock", told["ms"] / 1000 - time.time())
        missing = [s for s in store.plan() if not s.startswith("CREATE OR REPLACE VIEW")]
        if missing:
            advice = "run gpuledger schema apply"
            yield checks.wrong("schema", f"{len(missing)} statements are missing", advice)
        else:
            yield checks.ok("schema", "up to date")
            yield from _unowned(store)
            yield from quarantined(store)
            yield from odd(store)
    finally:
        store.close()


def _unowned(store: Store) -> Iterator[Check]:
    """Assets that were discovered and are on no list."""
    (told,) = store.select(
        "SELECT count() AS assets, countIf(bitShiftRight(version, 48) = 0) AS found FROM v_assets"
    )
    if told["found"]:
        yield checks.note(
            "assets",
            f"{told['found']} of {told['assets']} GPUs are owned because they were seen",
            "nothing, unless an asset list of your own should say what is paid for",
        )
    else:
        yield checks.ok("assets", f"{told['assets']} on the asset list")


def quarantined(store: Store) -> Iterator[Check]:
    """Rows of the last week that were kept aside, by what is wrong with them."""
    for told in store.select(
        "SELECT of, reason, sum(rows) AS rows, groupUniqArray(4)(node) AS nodes"
        " FROM v_quarantine WHERE ts > now() - INTERVAL 7 DAY"
        " GROUP BY of, reason ORDER BY of, reason"
    ):
        named = ", ".join(sorted(filter(None, told["nodes"]))) or "several nodes"
        found = f"{told['rows']} rows for {told['of']} were kept aside: {told['reason']} ({named})"
        yield checks.wrong("quarantine", found, "set the clock there; see the view v_quarantine")


def odd(store: Store) -> Iterator[Check]:
    """What the book of the last week closes over although it is odd."""
    from analytics import book, oddities

    if until := book.last_booked(store):
        for found in oddities.met(store, until):
            yield checks.note(found.oddity.name, found.text, found.oddity.advice)
