"""What commands that take lists share: options, and how bad lines are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options

if TYPE_CHECKING:
    from analytics.lists import BadLines, Taken
    from gpuledger.store import Store

MOST_LINES = 20

FILE = click.argument(
    "path", metavar="FILE", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
COMPLETE = click.option(
    "--complete", is_flag=True, help="The list is all there is: what it does not name ends now."
)


def take(path: Path, importing: Callable[[], Taken], store: Store, what: str) -> None:
    """Run an import of `what` and tell what became of it; each bad line on standard error."""
    from analytics.lists import BadLines

    try:
        taken = importing()
    except BadLines as e:
        tell_lines(path, e)
        raise
    if taken.written:
        counts = {"file": path.name, "lines": taken.lines, "written": taken.written}
        options.audited(store, f"import.{what}", what, None, counts)
    news = f"{taken.written:,} rows written" if taken.written else "nothing new"
    click.echo(f"{path}: {taken.lines:,} read, {news}")
    for note in taken.notes:
        click.echo(note)


def tell_lines(path: Path, bad: BadLines) -> None:
    """Each bad line on standard error; the first ones where there are many."""
    for line in bad.lines[:MOST_LINES]:
        click.echo(f"{path}: {line}", err=True)
    if len(bad.lines) > MOST_LINES:
        click.echo(f"{path}: … and {len(bad.lines) - MOST_LINES:,} more", err=True)
