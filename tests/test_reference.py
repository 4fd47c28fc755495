"""What docs/ shows is what runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest

from gpuledger import reference
from gpuledger.catalogue import TABLES
from gpuledger.cli import generate, options
from gpuledger.config import Settings
from gpuledger.errors import ConfigError
from gpuledger.measures import MEASURES
from gpuledger.plugins import names

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _inside_the_repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(REPOSITORY)
    return


def test_generated_files_are_up_to_date() -> None:
    stale = [str(path) for path, text in generate.files() if path.read_text() != text]
    assert stale == [], "run 'make generate'"


def test_a_generated_file_that_is_out_of_date_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "files", lambda: [(tmp_path / "page.md", "new")])
    assert generate.command.callback
    with pytest.raises(ConfigError, match=r"out of date: .*page\.md; run 'make generate'"):
        generate.command.callback(check=True)
    generate.command.callback(check=False)
    assert (tmp_path / "page.md").read_text() == "new"
    generate.command.callback(check=True)


def test_every_setting_says_what_it_is_for() -> None:
    assert reference.undocumented(generate.sections()) == []


def test_a_setting_that_says_nothing_is_named() -> None:
    class Silent(Settings):
        said: Annotated[int, "why"] = 1
        unsaid: int = 1

    assert reference.undocumented({"silent": Silent}) == ["[silent] unsaid"]


def test_every_section_is_accepted_by_the_command_line() -> None:
    known = {*options.OWN_SECTIONS, *(n for p in options.PLUGIN_PACKAGES for n in names(p))}
    assert set(generate.sections()) == known


def test_every_section_and_key_is_on_the_configuration_page() -> None:
    page = Path("docs/config.md").read_text()
    for name, settings in generate.sections().items():
        section = page.partition(f"## [{name}]\n")[2].partition("\n## ")[0]
        for key in settings.__struct_fields__:
            assert f"| `{key}` |" in section, f"[{name}] {key}"


def test_every_table_column_and_measure_is_on_the_metrics_page() -> None:
    page = Path("docs/metrics.md").read_text()
    for table in TABLES.values():
        section = page.partition(f"## {table.name}\n")[2].partition("\n## ")[0]
        assert table.help in section
        for column in table.columns:
            assert f"| `{column.name}`" in section
        for field in table.fields:
            assert f"`{field.stored}` {field.type}" in section
    for measure in MEASURES:
        assert f"| {measure.name} | {measure.unit.ucum} | {measure.help} |" in page


def test_every_plugin_is_on_the_detectors_page() -> None:
    page = Path("docs/detectors.md").read_text()
    for package in ("analytics.detectors", "analytics.advisors"):
        for name in names(package):
            assert f"| {name} |" in page


def test_a_bar_in_a_text_does_not_break_its_table() -> None:
    page = reference.plugins_page({"Sources": [("a", "this | that")]})
    assert "| a | this \\| that |" in page


def test_every_rule_is_on_the_page_of_alert_rules() -> None:
    page = Path("docs/alert-rules.md").read_text()
    missing = [n for n in names("alerts.rules") if f"(../alerts/runbooks/{n}.md)" not in page]
    assert missing == []


def test_the_page_of_alert_rules_says_what_each_asks_for() -> None:
    told = ("NodeDown", "node_down.md", "a node is down", "10 min", "at once", "high", "platform")
    page = reference.alerts_page([(*told, "GPUs")])
    runbook = "[NodeDown](../alerts/runbooks/node_down.md)"
    assert f"| {runbook} | a node is down | 10 min | at once | high | platform | GPUs |" in page


def test_every_source_is_on_the_sources_page() -> None:
    page = Path("docs/sources.md").read_text()
    assert [name for name in names("collector.sources") if f"| `{name}` |" not in page] == []


def test_the_page_of_sources_says_what_each_needs_and_when_it_runs() -> None:
    page = reference.sources_page([("faults", "the kernel log", "node", True, "kmsg")])
    assert "| `faults` | the kernel log | node | where `[agent] also` names it | kmsg |" in page
