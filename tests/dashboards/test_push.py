"""Pushing to a server with Grafana's documented routes: twice, over edits, and refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.choices import COMMON
from dashboards.grafana import TRIES, Grafana, checked_url
from dashboards.panel import Board, stat
from dashboards.push import Datasource, Outcome, Push, Pushed
from dashboards.words import Text
from gpuledger.errors import ConfigError, ReadError
from gpuledger.files import read_secret
from tests.fakes.grafana import TOKEN, FakeGrafana, served

TEXT = Text("title", "what it says", "what to do", link="/d/gpuledger-a")
BOARDS = {
    name: Board(f"gpuledger-{name}", name, "help", COMMON, (stat(TEXT, "SELECT 1", width=6),))
    for name in ("a", "b")
}
SOURCE = Datasource("ch", 9000, "native", False, "grafana", "right", "gpuledger", "gpuledger")
ALL = ["data source gpuledger", "folder gpuledger", "board a", "board b"]


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with served() as fake:
        yield fake


def client(grafana: FakeGrafana, token: str = TOKEN) -> Grafana:
    return Grafana(grafana.url, token, sleep=lambda _: None)


def push(
    grafana: FakeGrafana,
    *,
    boards: dict[str, Board] = BOARDS,
    source: Datasource | None = None,
    force: bool = False,
    dry: bool = False,
) -> list[Pushed]:
    return [*Push(client(grafana), force=force, dry=dry).everything(boards, "gpuledger", source)]


def outcomes(done: list[Pushed]) -> dict[str, str]:
    return {p.what: str(p.outcome) for p in done}


def changed(name: str) -> dict[str, Board]:
    return {**BOARDS, name: dataclasses.replace(BOARDS[name], help="other words")}


def edit(grafana: FakeGrafana, name: str) -> None:
    there = grafana.boards[f"gpuledger-{name}"]
    grafana.save({**there["model"], "title": "mine"}, there["folder"], "I like it so")


def test_a_first_push_creates_everything(grafana: FakeGrafana) -> None:
    assert outcomes(push(grafana, source=SOURCE)) == dict.fromkeys(ALL, "created")
    [folder] = grafana.folders
    for name, board in BOARDS.items():
        kept = grafana.boards[f"gpuledger-{name}"]
        assert kept["folder"] == folder["uid"]
        assert kept["model"] == board.model() | {"id": 7, "version": 1}
    kept = grafana.sources["gpuledger"]
    assert kept["type"] == "grafana-clickhouse-datasource"
    assert kept["jsonData"] == {
        "host": "ch",
        "port": 9000,
        "protocol": "native",
        "secure": False,
        "username": "grafana",
        "defaultDatabase": "gpuledger",
    }
    assert grafana.passwords == {"gpuledger": "right"}


def test_a_second_push_changes_nothing(grafana: FakeGrafana) -> None:
    push(grafana, source=SOURCE)
    grafana.asked.clear()
    assert outcomes(push(grafana, source=SOURCE)) == dict.fromkeys(ALL, "unchanged")
    assert {method for method, _, _ in grafana.asked} == {"GET"}


def test_a_board_that_we_changed_is_updated_where_it_lies(grafana: FakeGrafana) -> None:
    push(grafana)
    grafana.boards["gpuledger-b"]["folder"] = "moved"
    done = outcomes(push(grafana, boards=changed("b")))
    assert done == {"folder gpuledger": "unchanged", "board a": "unchanged", "board b": "updated"}
    kept = grafana.boards["gpuledger-b"]
    assert kept["model"]["description"] == "other words"
    assert kept["folder"] == "moved"


@pytest.mark.parametrize("boards", [BOARDS, changed("a")], ids=["ours unchanged", "ours changed"])
def test_a_board_edited_by_hand_is_kept_but_for_force(
    grafana: FakeGrafana, boards: dict[str, Board]
) -> None:
    push(grafana)
    edit(grafana, "a")
    kept = push(grafana, boards=boards)[1]
    assert (kept.what, kept.outcome) == ("board a", Outcome.KEPT)
    assert "--force" in kept.why
    assert grafana.boards["gpuledger-a"]["model"]["title"] == "mine"
    assert outcomes(push(grafana, boards=boards, force=True))["board a"] == "updated"
    assert grafana.boards["gpuledger-a"]["model"]["title"] == "a"
    assert outcomes(push(grafana, boards=boards))["board a"] == "unchanged"


def test_a_board_saved_while_we_push_is_kept(grafana: FakeGrafana) -> None:
    push(grafana)
    pushing = Push(client(grafana))
    read = pushing._last_message

    def read_and_somebody_saves(uid: str, what: str) -> str:
        said = read(uid, what)
        edit(grafana, "a")
        return said

    object.__setattr__(pushing, "_last_message", read_and_somebody_saves)
    kept = pushing.board("a", changed("a")["a"], "f0")
    assert kept.outcome is Outcome.KEPT
    assert "in this moment" in kept.why
    assert grafana.boards["gpuledger-a"]["model"]["title"] == "mine"


def test_a_provisioned_board_is_left_to_its_file(grafana: FakeGrafana) -> None:
    push(grafana)
    grafana.provisioned.add("gpuledger-a")
    for force in (False, True):
        kept = push(grafana, boards=changed("a"), force=force)[1]
        assert kept.outcome is Outcome.KEPT
        assert "provisioned" in kept.why


def test_a_dry_run_says_what_would_be_and_only_asks(grafana: FakeGrafana) -> None:
    done = push(grafana, source=SOURCE, dry=True)
    assert [p.line(dry=True) for p in done] == [f"{what}: would be created" for what in ALL]
    assert {method for method, _, _ in grafana.asked} == {"GET"}
    push(grafana)
    assert push(grafana, boards=changed("a"), dry=True)[1].line(dry=True) == (
        "board a: would be updated"
    )


def test_a_data_source_is_brought_up_to_date_and_keeps_what_others_set(
    grafana: FakeGrafana,
) -> None:
    push(grafana, source=SOURCE)
    grafana.sources["gpuledger"]["name"] = "our ClickHouse"
    grafana.sources["gpuledger"]["jsonData"]["dialTimeout"] = "20"
    moved = dataclasses.replace(SOURCE, host="elsewhere")
    done = push(grafana, source=moved)[0]
    assert (done.outcome, done.why) == (Outcome.UPDATED, "host")
    kept = grafana.sources["gpuledger"]
    assert kept["name"] == "our ClickHouse"
    assert kept["jsonData"]["host"] == "elsewhere"
    assert kept["jsonData"]["dialTimeout"] == "20"


def test_a_password_is_sent_again_when_grafanas_test_fails(grafana: FakeGrafana) -> None:
    push(grafana, source=SOURCE)
    grafana.right_password = "new"
    rotated = dataclasses.replace(SOURCE, password="new")
    assert outcomes(push(grafana, source=rotated))["data source gpuledger"] == "updated"
    assert outcomes(push(grafana, source=rotated))["data source gpuledger"] == "unchanged"


def test_a_provisioned_data_source_is_left_to_its_file(grafana: FakeGrafana) -> None:
    push(grafana, source=SOURCE)
    grafana.sources["gpuledger"]["readOnly"] = True
    kept = push(grafana, source=dataclasses.replace(SOURCE, host="other"))[0]
    assert kept.outcome is Outcome.KEPT
    assert "provisioned" in kept.why


def test_a_data_source_of_another_kind_is_refused(grafana: FakeGrafana) -> None:
    push(grafana, source=SOURCE)
    grafana.sources["gpuledger"]["type"] = "prometheus"
    with pytest.raises(ConfigError, match="of type prometheus"):
        push(grafana, source=SOURCE)


def test_a_wrong_token_is_one_line_and_not_shown(grafana: FakeGrafana) -> None:
    wrong = client(grafana, "glsa_wrong")
    with pytest.raises(ConfigError, match="refuses the token \\(401\\): Invalid API key") as told:
        list(Push(wrong).everything(BOARDS, "gpuledger", None))
    assert "glsa" not in str(told.value) + repr(wrong)


def test_a_missing_permission_says_which(grafana: FakeGrafana) -> None:
    grafana.next = [(403, {"message": "You'll need additional permissions"})]
    with pytest.raises(ConfigError, match=r"may not GET /api/folders.*403.*Editor"):
        push(grafana)


def test_a_grafana_that_restarts_is_asked_again(grafana: FakeGrafana) -> None:
    grafana.next = [(503, {}), (502, b"<html>")]
    assert outcomes(push(grafana))["board a"] == "created"


@pytest.mark.parametrize(
    ("replies", "says"),
    [
        ([(503, {})] * TRIES, "answers 503: try again later"),
        ([(500, {"message": "database is locked"})], r"failed at .*\(500\): database is locked"),
        ([(200, b"<html>hello</html>")], "is no Grafana API"),
        ([(302, b"")], "is no Grafana API"),
        ([(200, []), (400, {"message": "bad folder"})], r"folder gpuledger: .*\(400\): bad folder"),
    ],
)
def test_other_answers_are_one_line(
    grafana: FakeGrafana, replies: list[tuple[int, object]], says: str
) -> None:
    grafana.next = [*replies]
    with pytest.raises(ReadError, match=says):
        push(grafana)


def test_nobody_at_the_address_is_one_line() -> None:
    with served() as gone:
        url = gone.url
    with pytest.raises(ReadError, match=f"Grafana at {url} does not answer: .*refused"):
        Grafana(url, TOKEN, sleep=lambda _: None).ask("GET", "/api/folders")


def test_a_secret_is_one_line_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_secret(path, "--token-file") == TOKEN
    for bad in (b"", b"\n\n", b"two\nlines\n", b"\xff\xfe"):
        path.write_bytes(bad)
        with pytest.raises(ConfigError, match="--token-file"):
            read_secret(path, "--token-file")
    with pytest.raises(ConfigError, match="No such file"):
        read_secret(tmp_path / "none", "--token-file")


def test_an_address_is_http_and_holds_no_user() -> None:
    assert checked_url("https://grafana.example/sub/") == "https://grafana.example/sub"
    for bad in ("grafana:3000", "ftp://x", "http://"):
        with pytest.raises(ConfigError, match="write http"):
            checked_url(bad)
    with pytest.raises(ConfigError, match="no user") as told:
        checked_url("http://admin:secret@grafana")
    assert "secret" not in str(told.value)
