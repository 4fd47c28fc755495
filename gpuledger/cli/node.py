"""`gpuledger node`: one node, its GPUs, who holds them, how they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show, tell


@click.command("node")
@click.argument("name", metavar="NAME")
@options.store_option
@options.config_option
@options.format_option("table", "json")
def command(name: str, store_url: str, config_path: Path | None, fmt: str) -> None:
    """One node now, its last day, signs of sickness, and what was changed this week."""
    from analytics import closer

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    found = closer.node(reader, name)
    if fmt == "json":
        show.as_json(found)
        return
    said = found["state"] or "no scheduler speaks for it"
    reason = f" ({found['reason']})" if found["reason"] else ""
    pools = f" · {found['pools']}" if found["pools"] else ""
    click.echo(f"Node {found['cluster']}/{found['node']}: {said}{reason}{pools}")
    if found["gpus"]:
        show.plain_table([_gpu(g) for g in found["gpus"]], "GPUs in the last booked minute")
    tell.states_table(found["states"], "The last day")
    if found["signs"]:
        show.plain_table([_sign(s) for s in found["signs"]], "Signs of sickness, last day")
    tell.advice(found["findings"])
    if found["changes"]:
        show.plain_table([_change(c) for c in found["changes"]], "Changed this week")


def _gpu(gpu: show.Row) -> dict[str, Any]:
    watts, celsius = gpu["power_watts"], gpu["temperature_celsius"]
    return {
        "GPU": str(gpu["slot"]),
        "model": gpu["model"],
        "state": gpu["state"].replace("_", " "),
        "flags": gpu["flags"],
        "job": gpu["job"],
        "user": gpu["user"],
        "use": tell.percent(gpu["utilization_ratio"]),
        "SM": tell.percent(gpu["sm_active_ratio"]),
        "power": None if watts is None else f"{watts:.0f} W",
        "heat": None if celsius is None else f"{celsius:.0f} °C",
        "grade": gpu["grade"],
    }


def _sign(sign: show.Row) -> dict[str, Any]:
    detail = f" ({sign['detail']})" if sign["detail"] else ""
    return {
        "GPU": str(sign["slot"]),
        "what": f"{sign['what']}{detail}",
        "first": sign["first"],
        "last": sign["last"],
    }


def _change(change: show.Row) -> dict[str, Any]:
    return {k: change[k] for k in ("ts", "kind", "before", "after")}
