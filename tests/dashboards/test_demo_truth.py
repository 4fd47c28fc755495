"""Every panel of every board, asked about the demo, shows what its simulator knows to be true."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from dashboards import build
from gpuledger.store import Store
from tests.conftest import empty
from tests.dashboards.truth.checks import CHECKS, CHOSEN
from tests.dashboards.truth.told import Told, build_told

BOARDS = build.boards()
for board in BOARDS:
    importlib.import_module(f"tests.dashboards.truth.{board}")
# A panel is known by its numbers, not by having rows.
LEAST_VALUES = 2


@pytest.fixture(scope="module")
def told(engine: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The demo, built once for all panels."""
    empty(engine)
    yield build_told(engine, tmp_path_factory.mktemp("demo"))
    empty(engine)


@pytest.mark.parametrize(
    ("name", "title"), [(n, p.title) for n in BOARDS for p in BOARDS[n].panels]
)
def test_a_panel_shows_the_truth(told: Told, name: str, title: str) -> None:
    chosen = CHOSEN[name](told) if name in CHOSEN else {}
    rows = told.ask(name, title, **chosen)
    assert rows, "the demo has nothing for it"
    pairs = list(CHECKS[name, title](told, rows))
    wrong = [(what, shown, true) for what, shown, true in pairs if shown != true]
    assert not wrong
    assert len(pairs) >= LEAST_VALUES


def test_no_check_is_about_a_panel_that_is_gone() -> None:
    assert set(CHECKS) == {(name, p.title) for name, board in BOARDS.items() for p in board.panels}
