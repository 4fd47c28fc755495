"""The book of a cluster is that of one server, and so is every answer from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Stage

from analytics import book
from analytics.ledger import Ledger, Window
from analytics.runner import Runner
from dashboards.choices import COMMON, JOB, NODE, USER
from dashboards.macros import expand
from gpuledger.batch import by_table
from gpuledger.catalogue import Asset, Cell, CellHour
from gpuledger.cli import cli
from gpuledger.config import Config
from gpuledger.schema import Row
from gpuledger.store import Store
from gpuledger.views import VIEWS
from tests import two_teams
from tests.analytics import world
from tests.analytics.ledger_histories import histories
from tests.analytics.ledger_world import START, History
from tests.components.clickhouse import ClickHouse
from tests.dashboards import world as boards
from tests.shards import NAME, Pair, two_shards

BOARDS = sorted(Path("dashboards/generated").glob("*.json"))
BOOKED = ("ledger_1m", "ledger_1h")
FEW = settings(
    max_examples=5,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Stage.explicit, Stage.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield from two_shards(tmp_path_factory)


@pytest.fixture
def clean(pair: Pair) -> Pair:
    """Both stores empty, whatever the test before did."""
    pair.wipe()
    return pair


# --- the book ---------------------------------------------------------------------------------


@FEW
@given(history=histories())
def test_the_book_of_the_cluster_is_that_of_one_server(pair: Pair, history: History) -> None:
    pair.wipe()
    apart(history)
    for store in pair.stores:
        history.write(store)
        Ledger(store).book(Window(START, history.until), START + timedelta(days=1))
    for table in (*BOOKED, "booked_hours"):
        many, one = (store.select(f"SELECT * FROM {table} ORDER BY ALL") for store in pair.stores)
        assert many == one, table
    for shard in pair.on_each("SELECT DISTINCT node FROM gpuledger_local.ledger_1m"):
        assert len(shard.split()) <= 1


def test_a_window_booked_again_replaces_what_was_there_on_every_shard(clean: Pair) -> None:
    rows = [
        *(world.card(0, node) for node in ("n0", "n3")),
        *(world.node_state(node, gpus=1) for node in ("n0", "n3")),
        *world.samples(0, 0, 120),
        *world.samples(0, 0, 120, node="n3"),
    ]
    world.write(clean.many, rows)
    Runner(clean.many, Config({"runner": {"settle_s": 0}})).tick(world.at(120))
    before = clean.many.select("SELECT * FROM ledger_1m ORDER BY ALL")
    assert {r["node"] for r in before} == {"n0", "n3"}
    # Nothing is owned on one node any more: its shard must forget the window.
    clean.many.everywhere("ALTER TABLE assets DELETE WHERE node = 'n3' SETTINGS mutations_sync = 1")
    window = Window(world.START, world.at(120))
    Ledger(clean.many).book(window, world.at(121))
    after = clean.many.select("SELECT * FROM ledger_1m ORDER BY ALL")
    assert after == [r for r in before if r["node"] == "n0"]


def test_a_tick_of_the_cluster_says_what_one_server_says(clean: Pair) -> None:
    ticked = []
    for store in clean.stores:
        world.write(store, _history())
        Runner(store, Config({"runner": {"settle_s": 0}})).tick(world.at(150))
        ticked.append(
            (
                book.ledger(store, book.span(store, "7d"), ["state", "node", "team"]),
                book.findings(store),
                book.recommendations(store),
                store.select("SELECT * EXCEPT version FROM v_assets ORDER BY ALL"),
                store.select("SELECT * FROM free_states ORDER BY ALL"),
            )
        )
    assert ticked[0] == ticked[1]
    assert all(ticked[0])


def _history() -> list[Row]:
    return [
        *(world.card(slot, node) for node in ("n0", "n3") for slot in (0, 1)),
        *(world.node_state(node, gpus=2) for node in ("n0", "n3")),
        *world.samples(0, 0, 150),
        *world.samples(1, 0, 30, node="n3"),
        *world.samples(1, 30, 120, node="n3", active=0.0),
        world.job("1", started=world.at(0)),
        world.job("2", name="notebook", user="bo", started=world.at(0)),
        world.job("3", name="waits", user="bo", state="pending"),
        world.given("1", 0),
        world.given("2", 1, node="n3"),
    ]


# --- questions --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def filled(pair: Pair) -> Pair:
    """Both stores with the small book of the boards, its second node on another shard."""
    pair.wipe()
    for store in pair.stores:
        for batch in by_table(_spread(boards.rows())):
            store.insert(batch)
    return pair


@pytest.mark.parametrize("board", BOARDS, ids=lambda p: p.stem)
def test_every_panel_shows_what_it_shows_on_one_server(filled: Pair, board: Path) -> None:
    panels = json.loads(board.read_text())["panels"]
    asked = [(p["title"], t["rawSql"]) for p in panels for t in p.get("targets", [])]
    assert asked
    for title, sql in asked:
        many, one = (_shown(store, sql) for store in filled.stores)
        assert many == one, title
    places = filled.on_each("SELECT DISTINCT node FROM gpuledger_local.ledger_1m")
    assert sorted(places) == ["n1", "n3"]


def _spread(rows: list[Row]) -> list[Row]:
    """With the node in each cell, and the second node by a name that another shard has."""
    nodes = {row.gpu_id: row.node for row in rows if isinstance(row, Asset)}
    for row in rows:
        if isinstance(row, Cell | CellHour):
            row.node = nodes[row.gpu_id]
        if getattr(row, "node", "") == "n2":
            setattr(row, "node", "n3")  # noqa: B010 - not every row has one
    return rows


def _shown(store: Store, sql: str) -> list[dict[str, Any]]:
    names = ("ds", *(v.name for v in (*COMMON, USER, JOB, NODE)))
    everything: dict[str, list[str]] = {name: [] for name in names}
    asked = expand(sql, boards.SINCE, boards.UNTIL, 60, everything)
    return [_rounded(row) for row in store.select(asked)]


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}


def test_commands_ask_a_cluster_as_they_ask_one_server(filled: Pair, tmp_path: Path) -> None:
    file = tmp_path / "cluster.toml"
    shards = [server.url for server in filled.servers]
    file.write_text(f'[store]\ncluster = "{NAME}"\nshards = {json.dumps(shards)}\n')
    told = []
    for store, more in ((filled.many, ["--config", str(file)]), (filled.one, [])):
        env = {"GPULEDGER_STORE": str(store.address)}
        env["GPULEDGER_STORE_PASSWORD"] = ClickHouse.password
        ledger = ["ledger", "--since", "7d", "--by", "node,state", "--format", "json", *more]
        for words in (ledger, ["schema", "check", *more]):
            done = CliRunner().invoke(cli, words, env=env, obj={})
            assert done.exit_code == 0, done.output
            told.append(done.output)
    assert json.loads(told[0]) == json.loads(told[2]) != []
    assert "schema is up to date" in told[1]


def test_a_team_sees_its_own_rows_of_every_shard_and_none_of_others(clean: Pair) -> None:
    two_teams.fill(clean.many)
    names = ("jobs", "ledger_1m", "gpu_samples", "gpu_samples_1m", "findings", "people", *VIEWS)
    two_teams.check(clean.many, names, frozenset())
    places = clean.on_each("SELECT DISTINCT node FROM gpuledger_local.gpu_samples")
    assert sorted(places) == ["blue-n-2", "red-n-1"]


def apart(history: History) -> None:
    """The second node by a name that another shard has."""
    rows = [*history.assets, *history.allocations, *history.node_states, *history.runs]
    for row in (*rows, *(t.owner for t in history.telemetry)):
        if row.node == "n1":
            row.node = "n3"
