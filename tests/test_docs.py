"""Documents say what is true: every TOML example is a configuration, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpuledger.cli.generate import sections
from gpuledger.config import load

REPOSITORY = Path(__file__).parents[1]
PAGES = [p for p in REPOSITORY.glob("**/*.md") if not {".venv", ".components"} & {*p.parts}]
TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
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
