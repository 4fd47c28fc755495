"""How commands tell of one job or node: states, advice, shares and lengths of time."""

from __future__ import annotations

from collections.abc import Sequence

import click

from gpuledger.cli.show import Row, money, plain_table


def states_table(rows: Sequence[Row], title: str = "States") -> None:
    """States of a job or node with hours, share, worth and grade; nothing where there are none."""
    total = sum(r["gpu_hours"] for r in rows)
    if total:
        lines = [
            {
                "state": r["state"].replace("_", " "),
                "GPU-hours": round(r["gpu_hours"], 2),
                "share": percent(r["gpu_hours"] / total),
                "worth": money(r["capacity_value"], r["currency"]),
                "grade": r["grade"],
            }
            for r in rows
        ]
        plain_table(lines, title)


def advice(findings: Sequence[Row]) -> None:
    """Findings with what to do about them."""
    for found in findings:
        click.echo(f"{found['kind']}{'' if found['open'] else ' (over)'}: {found['summary']}")
        if found["action"]:
            click.echo(f"  → {found['action']}")


def percent(ratio: float | None) -> str | None:
    """A share in percent; None stays None."""
    return None if ratio is None else f"{100 * ratio:.1f} %"


def seconds(length: float | None) -> str | None:
    """A length of time as people say it; None stays None."""
    if length is None:
        return None
    if length < 120:
        return f"{length:.0f} s"
    return f"{length / 60:.0f} min" if length < 7200 else f"{length / 3600:.1f} h"
