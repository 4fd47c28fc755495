"""Documents say what is true: every TOML example is a configuration, every link leads somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gpuledger.cli.generate import sections
from gpuledger.cli.recommend import command as recommend
from gpuledger.config import load

REPOSITORY = Path(__file__).parents[1]
PAGES = [p for p in REPOSITORY.glob("**/*.md") if not {".venv", ".components"} & {*p.parts}]
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
PLAN = re.compile(r"\$ gpuledger recommend (plan --instance \S+)\n((?:.+\n|\n)*?)```")
# Rows of the tables that it prints: moves, and measures before, after and at the bound.
ROW = re.compile(r"(?:\d+ |before|after|no plan beats) .*")
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")
EXAMPLES = [(page, text) for page in PAGES for text in TOML.findall(page.read_text())]


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize(("page", "text"), EXAMPLES, ids=lambda v: getattr(v, "name", ""))
def test_an_example_is_a_configuration(page: Path, text: str, tmp_path: Path) -> None:
    path = tmp_path / "gpuledger.toml"
    path.write_text(text)
    configuration, known = load(path, {}), sections()
    configuration.check(known)
    for name in configuration.sections:
        configuration.section(name, known[name])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(REPOSITORY).as_posix())
def test_a_link_within_the_repository_leads_somewhere(page: Path) -> None:
    broken = [x for x in LINK.findall(page.read_text()) if not (page.parent / x).exists()]
    assert broken == []


def test_the_example_of_a_plan_moves_what_its_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    told = dict(PLAN.findall((REPOSITORY / "docs/plans.md").read_text()))
    words = "plan --instance docs/examples/plan.json"
    rows = [line.rstrip() for line in told[words].splitlines() if ROW.match(line)]
    out = CliRunner().invoke(recommend, words.split(), catch_exceptions=False).output
    assert len(rows) == 5
    assert rows == [line.rstrip() for line in out.splitlines() if ROW.match(line)]


def test_one_move_alone_gains_nothing_in_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    words = "plan --instance docs/examples/plan.json --max-moves 1 --format json"
    out = CliRunner().invoke(recommend, words.split(), catch_exceptions=False).output
    assert json.loads(out)["moves"] == []
