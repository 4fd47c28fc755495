"""`gpuledger recommend plan`: which few moves free the most, of a file or of the fleet as it is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import advice, options, show
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from analytics.advice.asked import OfFleet, Shown, Wanted
    from analytics.advice.repacked import Weighed
    from analytics.advice.standing import Standing

SIZES = ("1", "2", "4", "8")
LONGEST_S = 3600.0
MODES = ("any", "live", "batch")
# Without notation of powers, and small enough to be counted in GPU-seconds.
BUDGET = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)h?", re.ASCII)


def _seconds(_ctx: click.Context, _option: click.Parameter, value: float) -> float:
    if not math.isfinite(value) or not 0 < value <= LONGEST_S:
        raise ConfigError(f"time-limit {value:g}: write seconds above 0, up to {LONGEST_S:g}")
    return value


def _budget(_ctx: click.Context, _option: click.Parameter, value: str) -> float | None:
    found = BUDGET.fullmatch(value.strip())
    if value and not found:
        raise ConfigError(f"budget {value}: write GPU-hours of lost work, e.g. 20h")
    return float(found[1]) if found else None


@click.command("plan")
@click.option("--instance", "path", type=click.Path(path_type=Path), help="A fleet as JSON.")
@click.option("--at", default="", metavar="TIME", help="now, 2h (ago), or a time of the book.")
@options.address_option("store", "STORE", "Where the book is; for --at.")
@options.config_option
@click.option(
    "--objective",
    default="fragmentation",
    show_default=True,
    metavar="fragmentation|slots:N|drain",
    help="Usable free GPUs, room for tasks of N GPUs on a node, or empty nodes.",
)
@click.option("--max-moves", type=click.IntRange(min=0), help="Default: K of the file, else 10.")
@click.option(
    "--time-limit",
    default=5.0,
    show_default=True,
    callback=_seconds,
    help="Seconds for the search.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default=MODES[0],
    show_default=True,
    help="live: one after another; batch: all stop at once; any: what saves clearly more.",
)
@click.option(
    "--budget",
    default="",
    metavar="GPU-HOURS",
    callback=_budget,
    help="Work that the moves may lose together, e.g. 20h.",
)
@click.option(
    "--any-task", is_flag=True, help="Also tasks that lose all their work, or stop their gang."
)
@click.option("--commands", is_flag=True, help="With --at: also what a person would run.")
@options.format_option("table", "json")
def command(
    path: Path | None, at: str, store_url: str, config_path: Path | None, **asked: Any
) -> None:
    """An ordered list of moves, each feasible when its turn comes, with what none could better.

    A file is taken literally, but for tasks of a gang and those that say that they may not be taken
    off and have no checkpoint. With --at, only tasks that may be taken off or have a checkpoint
    move, ten at most; the plan is compared with waiting and with another placement policy, and
    said to be worth it only where it beats both. Nothing is ever moved by us.
    """
    from analytics.advice import aim
    from analytics.advice.asked import of_fleet

    aim.check(asked["objective"])
    fmt = asked.pop("fmt")
    if (path is None) == (not at):
        raise ConfigError("plan: give either --instance FILE or --at TIME")
    if path is not None and asked["commands"]:
        raise ConfigError("commands: a file tells of no scheduler; use --at TIME")
    if path is not None:
        _of_file(path, fmt, _wanted(asked))
    elif not store_url:
        raise ConfigError("store: --at needs one; use --store URL or GPULEDGER_STORE")
    else:
        configuration = options.load_config(config_path)
        reader = options.open_for_questions(store_url, configuration)
        found = of_fleet(reader, configuration, at, _wanted(asked))
        _tell(found, fmt, commands=asked["commands"])


def _wanted(asked: Mapping[str, Any]) -> Wanted:
    from analytics.advice.asked import Wanted

    return Wanted(
        asked["objective"],
        asked["max_moves"],
        asked["time_limit"],
        asked["seed"],
        asked["mode"],
        asked["budget"],
        asked["any_task"],
    )


def _of_file(path: Path, fmt: str, wanted: Wanted) -> None:
    from analytics.advice.asked import of_instance
    from analytics.repacking.instance import read

    shown = of_instance(read(path), wanted)
    if fmt == "json":
        show.as_json(shown.document())
    else:
        _print(shown)


def _tell(found: OfFleet, fmt: str, *, commands: bool) -> None:
    if fmt == "json":
        show.as_json(found.document())
        return
    _print(found.shown)
    if found.weighed.plan.moves:
        _print_verdict(found.weighed, found.moment)
    if commands and found.weighed.plan.moves:
        advice.print_commands(found.commands.text, found.commands.undo_text)


def _print(shown: Shown) -> None:
    from analytics.advice import honest

    made = shown.plan
    if not made.moves:
        click.echo(f"{_sentence(shown.why_none)}.")
        return
    batch = made.mode == "batch"
    pods = {pod.name: pod for pod in shown.instance.pods}
    rows = [
        _row(number, move, pods[move.pod], batch=batch) for number, move in enumerate(made.moves, 1)
    ]
    order = (
        "all of these tasks stop at once, then they start in this order"
        if batch
        else "one after another"
    )
    show.plain_table(rows, f"{len(rows)} of at most {shown.max_moves} moves, {made.mode}: {order}")
    click.echo()
    show.plain_table(_standings(shown))
    click.echo(f"\nThe plan {shown.reach} ({made.method}).")
    if shown.budget is not None:
        lost = honest.lost_gpu_hours(shown.instance, (move.pod for move in made.moves))
        click.echo(f"It loses {lost:,.2f} of at most {shown.budget:,.6g} GPU-hours of work.")
    click.echo(f"{shown.movable.words}.")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _standings(shown: Shown) -> list[dict[str, Any]]:
    """Measures before and after, and at the bound where there is one of them."""
    from analytics.advice import aim

    of = shown.standings
    asked = shown.objective.removeprefix(aim.SLOTS) if ":" in shown.objective else SIZES[0]
    sizes = sorted({*SIZES, asked}, key=int)
    told = {"before": of.before, "after": of.after, "no plan beats": of.bound}
    rows = [_standing(name, reached, sizes) for name, reached in told.items()]
    if shown.objective != aim.DRAIN:
        return rows
    return [
        {
            **row,
            "empty nodes": _whole(reached.empty_nodes),
            "their GPUs": _whole(reached.empty_gpus),
        }
        for row, reached in zip(rows, told.values(), strict=True)
    ]


def _row(number: int, move: Any, pod: Any, *, batch: bool) -> Mapping[str, Any]:
    share = "" if pod.gpu_milli in {0, 1000} else f" × {pod.gpu_milli / 1000:g}"
    cost = pod.cost_gpu_seconds
    return {
        "#": number,
        "task": move.pod,
        "from": f"{pod.node} {_ids(pod.gpu_ids)}",
        "to": f"{move.to} {_ids(move.gpu_ids)}",
        "GPUs": f"{pod.num_gpu}{share}",
        **({"stops": "at once"} if batch else {}),
        "costs": f"{cost / 3600:,.2f} GPU-hours" if cost else "nothing",
        **({"may move": pod.why} if pod.why else {}),
    }


def _ids(gpu_ids: Sequence[int]) -> str:
    return f"[{', '.join(map(str, gpu_ids))}]" if gpu_ids else ""


def _standing(name: str, reached: Standing, sizes: Sequence[str]) -> dict[str, Any]:
    slots = {f"× {size}": reached.slots.get(size) for size in sizes}
    told = {column: show.NOTHING if n is None else n for column, n in slots.items()}
    return {"": name, "fragmented GPUs": f"{max(0.0, reached.frag_gpus):,.2f}", **told}


def _whole(value: float | None) -> str:
    return show.NOTHING if value is None else f"{value:,.0f}"


def _print_verdict(found: Weighed, moment: datetime) -> None:
    until = moment + timedelta(hours=found.offer.hours)
    verdict = f"Worth it until {until:%Y-%m-%d %H:%M} UTC" if found.offer.offered else "Not advised"
    click.echo(f"\n{verdict}: {found.offer.why}.")
