"""`gpuledger prices`: the price book, cloud bills, and what the book costs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import lists, options, show

if TYPE_CHECKING:
    from analytics.money.intake import Billing


# What a table calls the measures, so that it fits.
HEADS = {
    "gpu_hours": "GPU-hours",
    "capacity_value": "worth",
    "cash_billed": "billed",
    "cash_avoidable": "avoidable",
    "energy_cost": "energy",
    "energy_kwh": "kWh",
    "site_energy_kwh": "site kWh",
    "kwh_per_productive_gpu_hour": "kWh/productive",
    "carbon_kg": "kg CO2",
}
PRICE_HEADS = {
    "told_for": "told for",
    "capacity_value": "worth/h",
    "energy_price": "per kWh",
    "carbon_kg_per_kwh": "CO2/kWh",
    "valid_from": "from",
    "valid_to": "until",
}
UNSEEN = {"priced_ratio"}


@click.group("prices")
def command() -> None:
    """Prices: what GPU-hours are worth, and what they cost in cash."""


@command.command("show")
@options.store_option
@options.config_option
@options.format_option("table", "json", "csv")
def show_(store_url: str, config_path: Path | None, fmt: str) -> None:
    """Every price with its source, and the GPUs that have none."""
    from analytics.money import costs

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    rows = costs.price_list(reader)
    show.answer(rows, fmt, _price_table, "No price is known: see [prices] in docs/money.md.")
    if fmt == "table":
        for row in costs.unpriced(reader):
            where = f"{row['gpus']} GPUs of pool {row['pool'] or '–'} ({row['model'] or '–'})"
            click.echo(f"{where} have no price: their worth is absent, not 0")


@command.command("focus")
@lists.FILE
@options.store_option
@options.config_option
@click.option("--cluster", default="", help="Only nodes of this cluster.")
@click.option("--tag", "tags", multiple=True, help="A tag that holds the node's name; repeatable.")
@click.option("--sku", "skus", multiple=True, metavar="SKU=POOL", help="A SKU that is a pool's.")
@click.option("--rate", default=1.0, show_default=True, help="Our currency for one of the bill's.")
@options.format_option("table", "json")
def focus_(
    path: Path,
    store_url: str,
    config_path: Path | None,
    cluster: str,
    tags: tuple[str, ...],
    skus: tuple[str, ...],
    rate: float,
    fmt: str,
) -> None:
    """Take a FinOps FOCUS 1.x export (CSV, may be .gz): what our nodes cost, commitments apart."""
    from analytics.lists import BadLines
    from analytics.money import costs, focus, intake

    configuration = options.load_config(config_path)
    store = options.open_store(store_url, configuration)
    store.apply()
    now = datetime.now(UTC)
    try:
        billing = intake.take(store, path, focus.places(store, cluster, tags, skus), now, rate)
    except BadLines as e:
        lists.tell_lines(path, e)
        raise
    options.audited(store, "import.bill", path.name, None, vars(billing))
    costs.refresh(store, configuration, now)
    store.close()
    if fmt == "json":
        show.as_json(vars(billing))
    else:
        _tell(path, billing)


def _price_table(rows: Sequence[show.Row]) -> None:
    show.plain_table([{PRICE_HEADS.get(k, k): v for k, v in r.items()} for r in rows])


def _tell(path: Path, b: Billing) -> None:
    if b.since is None or b.until is None:
        click.echo(f"{path}: {b.lines:,} lines, none of them about our nodes")
        return
    cost, avoidable, unused, other = (
        show.money(amount, b.currency) for amount in (b.cost, b.avoidable, b.unused, b.other_cost)
    )
    click.echo(f"{path}: {b.lines:,} lines, {b.since:%Y-%m-%d} to {b.until:%Y-%m-%d}")
    click.echo(f"{b.nodes:,} nodes of ours: {cost}, of which {avoidable} is")
    click.echo("  bound to no commitment: cash that using less would save")
    click.echo(f"commitments that nobody used: {unused}")
    click.echo(f"not about our nodes: {b.others:,} lines, {other}")


@command.command("cost")
@options.store_option
@options.config_option
@click.option("--since", default="7d", show_default=True, help="7d, 12h, 90m or an RFC 3339 time.")
@click.option(
    "--by", default="state", show_default=True, help="state, team, user, job, node, pool, cluster."
)
@options.format_option("table", "json", "csv")
def cost(store_url: str, config_path: Path | None, since: str, by: str, fmt: str) -> None:
    """What the book cost: worth, cash and energy, which are never added up."""
    from analytics import book
    from analytics.money import costs

    dimensions = book.dimensions(by)
    reader = options.open_for_questions(store_url, options.load_config(config_path))
    span = book.span(reader, since)
    rows: list[dict[str, Any]] = costs.cost(reader, span, dimensions)
    if fmt == "table":
        rows = [{HEADS.get(k, k): v for k, v in r.items() if k not in UNSEEN} for r in rows]
    show.answer(rows, fmt, show.plain_table, "No GPU owned: nothing was booked yet.")
    if fmt == "table":
        for line in costs.sources(reader):
            click.echo(line)
