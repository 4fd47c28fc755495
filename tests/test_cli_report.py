"""`gpuledger report`: formats, steps of a week, and what would be sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from analytics.report import release
from gpuledger.cli import options
from gpuledger.cli.report import command
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.report.office import (
    EVERYBODY,
    W47,
    QuickDesk,
    accounts,
    by_mail,
    recipients,
    staff,
)
from tests.components.smtp import SmtpServer

Report = Callable[..., Result]


@pytest.fixture
def report(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Report:
    """Run the command over the engine of the tests, with a configuration."""
    accounts(store)
    staff(store)
    monkeypatch.setattr(store, "close", lambda: None)
    monkeypatch.setattr(options, "open_store", lambda *_: store)
    monkeypatch.setattr(options, "open_for_questions", lambda *_: store)
    monkeypatch.setattr(release, "Desk", QuickDesk)

    def run(*words: str, config: str = "", fails: bool = False) -> Result:
        path = tmp_path / "gpuledger.toml"
        path.write_text(config)
        given = [*words, "--store", "chdb:///nowhere", "--config", str(path)]
        return CliRunner().invoke(command, given, catch_exceptions=fails)

    return run


@contextmanager
def refused(told: str) -> Iterator[None]:
    with pytest.raises(ConfigError, match=told):
        yield


def toml(settings: dict[str, Any]) -> str:
    """Section `[report.delivery]` as text."""
    lines = [f"{k} = {json.dumps(v)}" for k, v in settings.items()]
    return "\n".join(["[report.delivery]", *lines])


def test_every_format_has_the_same_bytes_twice(report: Report, tmp_path: Path) -> None:
    for fmt in ("html", "md", "json", "pdf"):
        files = [tmp_path / f"{n}.{fmt}" for n in "ab"]
        for path in files:
            told = report("weekly", "--week", W47, "--format", fmt, "--out", str(path))
            assert str(path) in told.output
        assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().startswith(b"%PDF-")
    assert json.loads((tmp_path / "a.json").read_text())["week"] == W47


def test_which_version_is_shown_is_said(report: Report) -> None:
    assert f"{W47}: Not frozen" in report("weekly", "--week", W47, "--format", "md").output
    assert "edition 1, draft" in report("draft", "--week", W47, "--by", "ada").output
    told = report("weekly", "--week", W47, "--format", "md").output
    assert f"{W47}: Draft for remarks of team leads" in told
    told = report("weekly", "--week", W47, "--format", "md", "--live").output
    assert f"{W47}: Not frozen" in told


def test_a_week_is_drafted_annotated_and_released(report: Report) -> None:
    assert f"{W47} is not drafted yet" in report("status").output
    report("draft", "--by", "ada")
    report("note", "--team", "vision", "The sweep ended", "--by", "vera")
    assert "released" in report("release", "--by", "ada").output
    told = report("weekly", "--week", W47, "--format", "md").output
    assert "- vision: The sweep ended" in told
    assert "Edition 1, released" in told
    steps = json.loads(report("status", "--format", "json").output)["steps"]
    assert [(s["state"], s["by"]) for s in steps] == [("draft", "ada"), ("released", "ada")]
    with refused("needs a --reason"):
        report("draft")


def test_the_part_of_a_team_names_its_users_only(report: Report) -> None:
    told = report("weekly", "--team", "robotics", "--week", W47, "--format", "md").output
    assert "user0" in told
    assert "user1" not in told
    with refused("no team 'visio' held a GPU in this period; did you mean 'vision'"):
        report("weekly", "--team", "visio", "--week", W47)


def test_a_dry_run_says_what_would_go_to_whom_and_sends_nothing(
    report: Report, store: Store, tmp_path: Path
) -> None:
    with SmtpServer(tmp_path) as server:
        config = toml(by_mail(server, tmp_path))
        told = report("weekly", "--send", "--dry-run", "--week", W47, config=config).output
        assert server.mails == []
    for address in (*EVERYBODY, "rob@example.org", "vera@example.org"):
        assert address in told
    assert "waits for the release" in told
    assert store.value("SELECT count() FROM report_snapshots") == 0
    assert store.value("SELECT count() FROM report_deliveries") == 0


def test_send_sends_what_is_due_now(report: Report, tmp_path: Path) -> None:
    with SmtpServer(tmp_path) as server:
        server.refused.add(EVERYBODY[1])
        config = toml(by_mail(server, tmp_path))
        told = report("weekly", "--send", "--week", W47, config=config)
        assert recipients(server) == ["rob@example.org", "vera@example.org"]
        assert "management gets it once it is released" in told.output
        report("release", "--week", W47, config=config)
        told = report("weekly", "--send", "--week", W47, config=config)
        assert recipients(server)[2:] == [EVERYBODY[0], EVERYBODY[2]]
    assert told.exit_code == 3
    assert "refused" in told.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--dry-run"], "go with --send"),
        (["--send", "--team", "vision"], "no --team"),
        (["--week", "2026-W60"], "ISO week that exists"),
        (["--week", W47, "--edition", "3"], "no edition 3"),
        (["--edition", "3"], "of a --week"),
        (["--week", W47, "--edition", "1", "--live"], "no --team, --live"),
        (["--week", W47, "--edition", "1", "--team", "vision"], "no --team, --live"),
        (["--week", "abc", "--send", "--dry-run"], "ISO week that exists"),
        (["--week", W47, "--send", "--dry-run", "--format", "pdf"], "--format or --out"),
    ],
)
def test_flags_that_cannot_be_are_refused(report: Report, words: list[str], told: str) -> None:
    with refused(told):
        report("weekly", *words)
