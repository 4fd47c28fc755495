"""`gpuledger dashboards`: what each command prints, and with which exit code it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dashboards.build import boards
from gpuledger.cli import main
from gpuledger.store import Store
from tests.dashboards.world import fill
from tests.fakes.grafana import TOKEN, FakeGrafana, served

Told = tuple[int, str, str]
NAMES = sorted(boards())


@pytest.fixture
def grafana() -> Iterator[FakeGrafana]:
    with served() as fake:
        yield fake


@pytest.fixture
def told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Told]:
    """Exit code, output and errors of `gpuledger dashboards …`, run in this process."""

    def run(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["gpuledger", "dashboards", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def test_push_creates_then_changes_nothing_then_keeps_what_was_edited(
    told: Callable[..., Told], grafana: FakeGrafana, token_file: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("right\n")
    words = ("push", "--grafana", grafana.url, "--token-file", token_file)
    source = ("--datasource-host", "ch", "--datasource-password-file", password)
    whats = ["data source gpuledger", "folder gpuledger", *(f"board {n}" for n in boards())]
    code, out, err = told(*words, *source, "--dry-run")
    assert (code, out.splitlines()) == (0, [f"{w}: would be created" for w in whats])
    assert not grafana.boards
    code, out, err = told(*words, *source)
    assert (code, out.splitlines(), err) == (0, [f"{w}: created" for w in whats], "")
    code, out, _ = told(*words, *source)
    assert (code, out.splitlines()) == (0, [f"{w}: unchanged" for w in whats])
    uid = boards()[NAMES[0]].uid
    there = grafana.boards[uid]
    grafana.save(there["model"], there["folder"], "")
    code, out, _ = told(*words)
    assert code == 1
    assert f"board {NAMES[0]}: left alone (somebody saved it since: --force replaces it)" in out
    code, out, err = told(*words, "--force")
    assert f"board {NAMES[0]}: updated" in out
    assert (code, err) == (0, "")


def test_a_refused_token_is_one_line_that_does_not_show_it(
    told: Callable[..., Told], grafana: FakeGrafana, token_file: Path
) -> None:
    token_file.write_text("glsa_wrong")
    code, out, err = told("push", "--grafana", grafana.url, "--token-file", token_file)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "refuses the token (401)" in err
    assert "glsa_wrong" not in err


def test_a_grafana_that_fails_ends_with_3(
    told: Callable[..., Told], grafana: FakeGrafana, token_file: Path
) -> None:
    grafana.next = [(500, {"message": "database is locked"})]
    code, _, err = told("push", "--grafana", grafana.url, "--token-file", token_file)
    assert (code, err.count("\n")) == (3, 1)
    assert "database is locked" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("push", "--grafana", "grafana:3000", "--token-file", "/none"), "write http"),
        (("push", "--grafana", "http://g", "--token-file", "/none"), "--token-file /none: No such"),
        (("check", "--store", "nonsense"), "nonsense"),
        (("preview", "--store", "chdb:///none", "--out", "x", "--board", "exec"), "did you mean"),
    ],
)
def test_wrong_use_ends_with_2_and_one_line(
    told: Callable[..., Told], words: tuple[str, ...], says: str
) -> None:
    code, out, err = told(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_a_password_without_a_host_is_refused(told: Callable[..., Told], token_file: Path) -> None:
    words = ("push", "--grafana", "http://g", "--token-file", token_file)
    code, _, err = told(*words, "--datasource-password-file", token_file)
    assert (code, err) == (
        2,
        "gpuledger: --datasource-password-file: give --datasource-host too\n",
    )


def test_check_of_a_store_that_does_not_answer_ends_with_3(told: Callable[..., Told]) -> None:
    code, out, err = told("check", "--store", "http://default@127.0.0.1:1")
    assert (code, out) == (3, "")
    assert "cannot be reached" in err


def test_check_finds_nothing_wrong_with_our_boards(told: Callable[..., Told], store: Store) -> None:
    code, out, err = told("check", "--store", f"chdb://{store.address.directory}")
    assert (code, err) == (0, ""), out + err
    assert out.startswith(f"{len(NAMES)} boards, ")
    assert out.endswith(" queries: all right\n")


def test_preview_writes_a_page_for_each_board_that_is_asked_for(
    told: Callable[..., Told], store: Store, tmp_path: Path
) -> None:
    fill(store)
    words = ("preview", "--store", f"chdb://{store.address.directory}", "--out", tmp_path / "out")
    code, out, err = told(*words, "--since", "1d", "--board", "executive")
    assert (code, err) == (0, "")
    assert out.split() == [str(tmp_path / "out" / n) for n in ("index.html", "executive.html")]
    page = (tmp_path / "out" / "executive.html").read_text()
    assert "2026-03-01 10:30 to 2026-03-02 10:30 UTC" in page
    code, _, err = told(*words, "--since", "2027-01-01")
    assert code == 2
    assert "it is not before 2026-03-02 10:30 UTC" in err


def test_preview_of_an_empty_store_is_words(
    told: Callable[..., Told], store: Store, tmp_path: Path
) -> None:
    words = ("preview", "--store", f"chdb://{store.address.directory}", "--out", tmp_path)
    assert told(*words, "--board", "executive")[0] == 0
    assert "nothing to show: " in (tmp_path / "executive.html").read_text()
