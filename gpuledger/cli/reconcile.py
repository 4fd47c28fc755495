"""`gpuledger ledger reconcile`: the book against accounting, kube-state-metrics and asset list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from gpuledger.cli import lists, options, show
from gpuledger.errors import ConfigError
from gpuledger.schema import FOREVER

if TYPE_CHECKING:
    from analytics.reconcile.explain import Explained

OVER = 1
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("reconcile")
@options.store_option
@options.config_option
@click.option("--sacct", multiple=True, type=FILE, help="Output of sacct --parsable2; repeatable.")
@click.option("--sreport", type=FILE, help="Output of sreport … AccountUtilizationByUser -P.")
@click.option("--kube", type=FILE, help="GPU-hours by pod: CSV, or Prometheus's answer (.json).")
@click.option("--assets", type=FILE, help="The asset list, as for 'gpuledger assets import'.")
@click.option("--cluster", default="", help="Which one, where there are several.")
@click.option("--since", default="", help="First whole hour  [default: 7 days before the last]")
@click.option("--until", default="", help="End of the last whole hour  [default: what is booked]")
@click.option("--timezone", default="UTC", show_default=True, help="Of times without a zone.")
@click.option("--over", type=float, help="End with 1 where more than this percent is unexplained.")
@options.format_option("table", "json")
def command(
    store_url: str,
    config_path: Path | None,
    sacct: tuple[Path, ...],
    sreport: Path | None,
    kube: Path | None,
    assets: Path | None,
    cluster: str,
    since: str,
    until: str,
    timezone: str,
    over: float | None,
    fmt: str,
) -> int:
    """Explain every GPU-hour of difference between the book and what others say."""
    from analytics.lists import BadLines
    from analytics.reconcile import run

    asked = run.Asked(cluster, _time(since, "since"), _time(until, "until"), _zone(timezone))
    store = options.open_store(store_url, options.load_config(config_path))
    try:
        found = run.compare(store, run.Files(sacct, sreport, kube, assets), asked)
    except BadLines as e:
        lists.tell_lines(assets or kube or Path(), e)
        raise
    store.close()
    if fmt == "json":
        show.as_json([run.as_dict(one) for one in found])
    else:
        for one in found:
            _tell(one)
    return OVER if over is not None and _is_over(found, over) else 0


def _is_over(found: Sequence[Explained], percent: float) -> bool:
    return any(100 * (one.unexplained_ratio or 0.0) > percent for one in found)


def _tell(one: Explained) -> None:
    from analytics.reconcile.run import as_dict

    told = as_dict(one)
    rows = [
        {
            "difference": r["means"],
            "GPU-hours": _signed(r["gpu_hours"]),
            "of": r["subjects"],
            "most in": r["example"],
        }
        for r in told["reasons"]
    ]
    ratio = told["unexplained_ratio"]
    share = "" if ratio is None else f" ({100 * ratio:.3f} %)"
    rows.append(
        {
            "difference": f"unexplained{share}",
            "GPU-hours": _signed(told["unexplained_gpu_hours"]),
            "of": "",
            "most in": "",
        }
    )
    title = (
        f"{one.against}: {told['theirs_gpu_hours']:,.2f} GPU-hours, the book"
        f" {told['ours_gpu_hours']:,.2f}, difference {told['difference_gpu_hours']:+,.2f}"
    )
    show.plain_table(rows, title)


def _signed(hours: float) -> str:
    return f"{hours:+,.2f}"


def _time(text: str, name: str) -> datetime | None:
    from analytics.lists import moment

    try:
        return moment(text, FOREVER) if text else None
    except ValueError as e:
        raise ConfigError(f"--{name}: {e}") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(f"--timezone {name}: there is no such zone; e.g. Europe/Berlin") from None
