"""`gpuledger recommend plan`: which few moves free the most, of a file or of the fleet as it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpuledger.cli import options, show
from gpuledger.errors import ConfigError

if TYPE_CHECKING:
    from analytics.advice.repacked import Ask, Weighed
    from analytics.repacking.instance import Instance
    from analytics.repacking.plan import Plan

MOST_MOVES = 10
SIZES = ("1", "2", "4", "8")
LONGEST_S = 3600.0
NOTHING_HELPS = "No move helps."


def _seconds(_ctx: click.Context, _option: click.Parameter, value: float) -> float:
    if not math.isfinite(value) or not 0 < value <= LONGEST_S:
        raise ConfigError(f"time-limit {value:g}: write seconds above 0, up to {LONGEST_S:g}")
    return value


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
@click.option("--any-task", is_flag=True, help="With --at: also tasks that lose all their work.")
@options.format_option("table", "json")
def command(
    path: Path | None, at: str, store_url: str, config_path: Path | None, **asked: Any
) -> None:
    """An ordered list of moves, each feasible when its turn comes, with what none could better.

    A file is taken literally. With --at, only tasks that may be taken off or have a checkpoint
    move, ten at most; the plan is compared with waiting and with another placement policy, and
    said to be worth it only where it beats both. Nothing is ever moved by us.
    """
    from analytics.advice import aim

    aim.check(asked["objective"])
    fmt = asked.pop("fmt")
    if (path is None) == (not at):
        raise ConfigError("plan: give either --instance FILE or --at TIME")
    if path is not None:
        _of_file(path, fmt, **asked)
    elif not store_url:
        raise ConfigError("store: --at needs one; use --store URL or GPULEDGER_STORE")
    else:
        _of_store(at, store_url, config_path, fmt, **asked)


def _of_file(path: Path, fmt: str, **asked: Any) -> None:
    """Every task may move as the file says, and nothing is compared with waiting."""
    from analytics.repacking.instance import read
    from analytics.repacking.plan import plan

    instance = read(path)
    moves = asked["max_moves"]
    if moves is None:
        moves = MOST_MOVES if instance.K is None else instance.K
    made = plan(
        instance,
        asked["objective"],
        max_moves=moves,
        time_limit_s=asked["time_limit"],
        seed=asked["seed"],
    )
    if fmt == "json":
        show.as_json(made.document())
    else:
        _print(instance, made, asked["objective"], moves)


def _of_store(at: str, store_url: str, config_path: Path | None, fmt: str, **asked: Any) -> None:
    """The fleet of a moment, with the honest default."""
    from analytics.advice import honest, repacked
    from analytics.placing.settings import PlacementSettings
    from analytics.repacking.settings import SnapshotSettings
    from analytics.repacking.snapshot import snapshot
    from gpuledger.states import LedgerSettings

    configuration = options.load_config(config_path)
    reader = options.open_for_questions(store_url, configuration)
    moment = _moment(reader, at)
    instance = snapshot(
        reader,
        moment,
        configuration.section("snapshot", SnapshotSettings),
        ledger=configuration.section("ledger", LedgerSettings),
        placing=configuration.section("placement", PlacementSettings),
    )
    given = asked["max_moves"]
    ask = repacked.Ask(
        asked["objective"],
        honest.MOST_MOVES if given is None else given,
        asked["time_limit"],
        asked["seed"],
        asked["any_task"],
    )
    found = repacked.weighed(reader, instance, ask, moment)
    if fmt == "json":
        show.as_json({**found.plan.document(), **_verdict(found, moment)})
    else:
        _print(found.instance, found.plan, ask.objective, ask.max_moves)
        _print_verdict(found, ask, moment)


def _moment(reader: Any, at: str) -> datetime:
    """The minute asked for, which the book must have. ConfigError."""
    from analytics import book

    last = book.last_booked(reader)
    if last is None:
        raise ConfigError("at: nothing was booked yet")
    if at == "now":
        return last
    moment = book.parse_since(at, last)
    first = reader.value("SELECT min(hour) FROM booked_hours")
    if not first <= moment <= last:
        raise ConfigError(
            f"at {at}: the book is from {first:%Y-%m-%dT%H:%MZ} to {last:%Y-%m-%dT%H:%MZ}"
        )
    return moment


def _verdict(found: Weighed, moment: datetime) -> dict[str, Any]:
    """What the JSON of the fleet has beside that of a file."""
    offer = found.offer
    return {
        "at": moment,
        "offered": offer.offered,
        "best": offer.best,
        "why": offer.why,
        "gain_gpu_hours": vars(offer.gain_gpu_hours),
        "net_gpu_hours": vars(offer.net_gpu_hours),
        "horizon_seconds": offer.hours * 3600,
    }


def _print(instance: Instance, made: Plan, objective: str, max_moves: int) -> None:
    from analytics.advice import wording

    if not made.moves:
        click.echo(NOTHING_HELPS)
        return
    pods = {pod.name: pod for pod in instance.pods}
    rows = [_row(number, move, pods[move.pod]) for number, move in enumerate(made.moves, 1)]
    order = "one after another" if made.mode == "live" else "all stopped first, then started"
    show.plain_table(rows, f"{len(rows)} of at most {max_moves} moves, {made.mode}: {order}")
    click.echo()
    show.plain_table(_standings(instance, made, objective))
    click.echo(f"\nThe plan {wording.reach(made, max_moves)}: {made.method}.")


def _standings(instance: Instance, made: Plan, objective: str) -> list[dict[str, Any]]:
    """Measures before and after, and at the bound where there is one of them."""
    from analytics.advice import aim

    told = {"before": made.before, "after": made.after, "no plan beats": made.bound}
    rows = [_standing(name, reached) for name, reached in told.items()]
    if objective == aim.DRAIN:
        states = (instance, aim.moved(instance, made.moves))
        empty = [f"{aim.reached(state, aim.DRAIN):,.0f}" for state in states]
        rows = [
            {**row, "GPUs of empty nodes": told}
            for row, told in zip(rows, (*empty, show.NOTHING), strict=True)
        ]
    return rows


def _row(number: int, move: Any, pod: Any) -> Mapping[str, Any]:
    share = "" if pod.gpu_milli in {0, 1000} else f" × {pod.gpu_milli / 1000:g}"
    cost = pod.cost_gpu_seconds
    return {
        "#": number,
        "task": move.pod,
        "from": f"{pod.node} {_ids(pod.gpu_ids)}",
        "to": f"{move.to} {_ids(move.gpu_ids)}",
        "GPUs": f"{pod.num_gpu}{share}",
        "costs": f"{cost / 3600:,.2f} GPU-hours" if cost else "nothing",
        **({"may move": pod.why} if pod.why else {}),
    }


def _ids(gpu_ids: Sequence[int]) -> str:
    return f"[{', '.join(map(str, gpu_ids))}]" if gpu_ids else ""


def _standing(name: str, reached: Any) -> dict[str, Any]:
    slots = {f"× {size}": reached.slots[size] for size in SIZES}
    return {"": name, "fragmented GPUs": f"{reached.frag_gpus:,.2f}", **slots}


def _print_verdict(found: Weighed, ask: Ask, moment: datetime) -> None:
    until = moment + timedelta(hours=found.offer.hours)
    may = sum(pod.movable for pod in found.instance.pods)
    movable = f"{may} of {len(found.instance.pods)} running tasks"
    if not found.plan.moves:
        click.echo(f"{movable} may move{'' if ask.any_task else '; --any-task: more'}.")
        return
    verdict = f"Worth it until {until:%Y-%m-%d %H:%M} UTC" if found.offer.offered else "Not advised"
    click.echo(f"\n{verdict}: {found.offer.why}.")
    if not ask.any_task:
        cheap = "may be taken off or have a checkpoint, and move"
        click.echo(f"Only {movable} {cheap}; --any-task: more.")
