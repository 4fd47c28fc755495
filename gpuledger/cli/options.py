"""Options that commands share, and how they become a configuration and a store."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger import config, logs, plugins
from gpuledger.config import Config
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from gpuledger.lake.out import Source
    from gpuledger.service import Reader
    from gpuledger.store import Store

# Sections that belong to a module of ours and not to a plugin.
OWN_SECTIONS = (
    *("store", "agent", "prometheus", "otlp", "ledger", "runner", "prices", "energy", "alerts"),
    *(
        "backfill",
        "dashboards",
        "ingest",
        "learn",
        "limits",
        "mlflow",
        "placement",
        "relay",
        "scraped",
    ),
    *("report", "snapshot", "telemetry", "oidc", "serviceaccounts", "certificates"),
)
PLUGIN_PACKAGES = (
    "collector.sources",
    "analytics.detectors",
    "analytics.advisors",
)

Command = Callable[..., Any]


def log_lines(form: str = "text") -> None:
    """Begin to log on standard error, as text or JSON."""
    logs.begin(form)


def log_format_option(function: Command) -> Command:
    """`--log-format`, or GPULEDGER_LOG_FORMAT."""
    return click.option(
        "--log-format",
        type=click.Choice(logs.FORMATS),
        envvar="GPULEDGER_LOG_FORMAT",
        show_envvar=True,
        default=logs.FORMATS[0],
        show_default=True,
        help="Log lines for people, or for programs.",
    )(function)


def store_option(function: Command) -> Command:
    """`--store`, or GPULEDGER_STORE."""
    return click.option(
        "--store",
        "store_url",
        envvar="GPULEDGER_STORE",
        show_envvar=True,
        callback=_given,
        metavar="URL",
        help="chdb:///absolute/dir or http(s)://user@host:port[/database]",
    )(function)


def address_option(name: str, variable: str, help: str) -> Callable[[Command], Command]:
    """`--<name> URL`, or GPULEDGER_<variable>; empty where nobody gives one."""
    return click.option(
        f"--{name}",
        f"{name}_url",
        envvar=f"GPULEDGER_{variable}",
        show_envvar=True,
        default="",
        metavar="URL",
        help=help,
    )


def _given(_ctx: click.Context, _option: click.Parameter, url: str | None) -> str:
    if not url:
        raise ConfigError(
            "store: none given; use --store URL or GPULEDGER_STORE,"
            " e.g. chdb:///absolute/dir or http://user@host:8123/gpuledger"
        )
    return url


def config_option(function: Command) -> Command:
    """`--config`, or GPULEDGER_CONFIG."""
    return click.option(
        "--config",
        "config_path",
        envvar="GPULEDGER_CONFIG",
        show_envvar=True,
        type=click.Path(path_type=Path),
        help="TOML file.",
    )(function)


def tables_option(function: Command) -> Command:
    """`--tables`, by name or pattern."""
    return click.option(
        "--tables",
        default="",
        metavar="NAMES",
        help="e.g. gpu_samples*,ledger_1m,jobs; default: all",
    )(function)


def format_option(*formats: str) -> Callable[[Command], Command]:
    """`--format`, the first one being the default."""
    return click.option(
        "--format", "fmt", type=click.Choice(formats), default=formats[0], show_default=True
    )


def zone(name: str) -> tzinfo:
    """The time zone that `--timezone` names. ConfigError where there is none."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"--timezone {name}: write a name such as Europe/Berlin") from None


def load_config(path: Path | None) -> Config:
    """The configuration, every section known. ConfigError names an unknown one."""
    loaded = config.load(path)
    known = [*OWN_SECTIONS]
    for package in PLUGIN_PACKAGES:
        known += plugins.names(package)
    loaded.check(known)
    return loaded


def open_store(url: str, configuration: Config) -> Store:
    """The store for reading and writing."""
    from gpuledger.store import Store, StoreSettings, parse_address

    settings = configuration.section("store", StoreSettings)
    return Store(parse_address(url, os.environ), settings)


def open_for_questions(url: str, configuration: Config) -> Reader:
    """The store for questions, through its running service where there is one."""
    from gpuledger.service import open_reader
    from gpuledger.store import StoreSettings

    return open_reader(url, os.environ, configuration.section("store", StoreSettings))


def open_for_export(url: str, configuration: Config) -> Source:
    """The store for large answers, through its running service where there is one."""
    from gpuledger.guard import EXPORT
    from gpuledger.store import Store

    found = open_for_questions(url, configuration)
    return found.within(EXPORT) if isinstance(found, Store) else found


def token() -> str:
    """The token of the environment; a sender without one sends none."""
    path = os.environ.get("GPULEDGER_TOKEN_FILE")
    if not path:
        return os.environ.get("GPULEDGER_TOKEN", "")
    try:
        return Path(path).read_text().strip()
    except OSError as e:
        raise ConfigError(f"GPULEDGER_TOKEN_FILE {path}: {e.strerror}") from None
    except ValueError:
        raise ConfigError(f"GPULEDGER_TOKEN_FILE {path}: it is not UTF-8 text") from None


def who() -> str:
    """Who types: the user of the operating system, told apart from callers of the service."""
    return f"cli:{getpass.getuser()}"


def audited(
    store: Store,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down what a command decided or changed; who reaches the store may do all."""
    from analytics.access.audit import Audit
    from analytics.access.caller import Caller, Role

    Audit(store).record(Caller(who(), Role.ADMIN), action, subject, before, after)
