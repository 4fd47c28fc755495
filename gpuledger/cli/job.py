"""`gpuledger job`: what one job used, why it waits, and what would make it better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpuledger.cli import options, show, tell

HOUR_S = 3600.0


@click.command("job")
@click.argument("name", metavar="ID")
@options.store_option
@options.config_option
@options.format_option("table", "json")
def command(name: str, store_url: str, config_path: Path | None, fmt: str) -> None:
    """One job: ID is its number, or `cluster/number` where clusters share numbers."""
    from analytics import closer

    reader = options.open_for_questions(store_url, options.load_config(config_path))
    found = closer.job(reader, name)
    if fmt == "json":
        show.as_json(found)
        return
    for line in _lines(found):
        click.echo(line)
    tell.states_table(found["states"])
    tell.advice(found["findings"])


def _lines(job: show.Row) -> list[str]:
    """The job in words, a line for each thing that is known."""
    asked = f"{job['nodes']} × {job['gpus_per_node']}" if job["nodes"] > 1 else job["gpus_per_node"]
    work = " · ".join(str(job[k]) for k in ("work", "framework") if job[k])
    said = {
        f"Job {job['job_id']}": " · ".join(
            str(job[k]) for k in ("name", "user", "team", "pool", "kind") if job[k]
        ),
        "asked for": f"{asked} GPUs",
        "got": f"{job['gpus']} GPUs on {', '.join(job['on'])}" if job["gpus"] else None,
        "state": f"{job['state']}{_because(job)}",
        "submitted": _at(job["submitted"]),
        "waited": tell.seconds(job["wait_seconds"]),
        "started": _at(job["started"]),
        "ended": _at(job["ended"]),
        "kind of work": work or None,
        "SM activity": tell.percent(job["sm_active_ratio"]),
        **_progress(job["progress"] or {}),
        "energy": None if job["energy_kwh"] is None else f"{job['energy_kwh']:,.1f} kWh",
    }
    return [f"{name:<13} {value}" for name, value in said.items() if value is not None]


def _progress(told: show.Row) -> dict[str, str | None]:
    """What its training hook tells, and what a failure cost."""
    if not told:
        return {}
    lost = told["lost_gpu_seconds"]
    return {
        "goodput": tell.percent(told["goodput_ratio"]),
        "data wait": tell.percent(told["data_wait_ratio"]),
        "checkpoints": tell.percent(told["checkpoint_ratio"]),
        "last step": f"{told['last_step']:,}",
        "last saved": _at(told["last_checkpoint"]),
        "lost work": None if lost is None else f"{lost / HOUR_S:,.1f} GPU-hours",
    }


def _because(job: show.Row) -> str:
    return f" (waits for {job['reason']})" if job["state"] == "pending" and job["reason"] else ""


def _at(at: Any) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"
