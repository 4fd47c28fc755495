"""What `alerts check` and `dashboards check` share: an engine to ask, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from gpuledger.cli import options
from gpuledger.service import Reader

if TYPE_CHECKING:
    from gpuledger.store import Store

asked_option = options.address_option(
    "store", "STORE", "Ask that one; default: an empty embedded one."
)


@contextmanager
def reader(store_url: str, config_path: Path | None) -> Iterator[Reader]:
    """The store that is named, or an empty one for as long as this lasts."""
    if store_url:
        yield options.open_for_questions(store_url, options.load_config(config_path))
        return
    with empty_store() as store:
        yield store.reader()


@contextmanager
def empty_store() -> Iterator[Store]:
    """An empty embedded store for as long as this lasts."""
    from gpuledger.store import Address, Store

    with TemporaryDirectory(prefix="gpuledger-check-") as directory:
        store = Store(Address(directory=Path(directory) / "store"))
        try:
            store.apply()
            yield store
        finally:
            store.close()


def verdict(wrong: Sequence[object], seen: str) -> int:
    """Print each defect and how many there are of what was seen; the exit code."""
    for defect in wrong:
        click.echo(defect)
    said = f"{len(wrong)} wrong" if wrong else "all right"
    click.echo(f"{seen}: {said}", err=bool(wrong))
    return 1 if wrong else 0
