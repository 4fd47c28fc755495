"""A plugin is a file with one public value: found by its place, checked when it is loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gpuledger import plugins
from gpuledger.errors import ConfigError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An importable package `workshop.tools` with two plugins that are numbers."""
    folder = tmp_path / "workshop" / "tools"
    folder.mkdir(parents=True)
    for init in (folder, folder.parent):
        (init / "__init__.py").write_text("")
    (folder / "saw.py").write_text("tool = 2\n")
    (folder / "axe.py").write_text("tool = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [n for n in sys.modules if n.partition(".")[0] == "workshop"]:
        del sys.modules[name]


def entry(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """An installed package that brings one more tool."""
    found = EntryPoint(name, value, "gpuledger.workshop.tools")

    def entry_points(*, group: str, **wanted: str) -> list[EntryPoint]:
        return [found] if found.matches(group=group, **wanted) else []

    monkeypatch.setattr(plugins, "entry_points", entry_points)


def test_every_module_of_the_folder_is_a_plugin(package: Path) -> None:
    assert plugins.discover("workshop.tools", int) == {"axe": 1, "saw": 2}


def test_names_are_known_without_importing_anything(package: Path) -> None:
    (package / "broken.py").write_text("raise RuntimeError\n")
    assert plugins.names("workshop.tools") == ["axe", "broken", "saw"]
    assert "workshop.tools.axe" not in sys.modules


def test_one_plugin_is_loaded_without_the_others(package: Path) -> None:
    assert plugins.load("workshop.tools", "saw", int) == 2
    assert "workshop.tools.axe" not in sys.modules


@pytest.mark.parametrize(
    ("text", "found"), [("tool = 'blunt'", "str"), ("tools = 3", "NoneType"), ("", "NoneType")]
)
def test_a_module_without_its_value_is_refused(package: Path, text: str, found: str) -> None:
    (package / "bent.py").write_text(text)
    with pytest.raises(
        ConfigError, match=rf"workshop\.tools\.bent: public value 'tool' must be a int, not {found}"
    ):
        plugins.discover("workshop.tools", int)


def test_an_installed_package_adds_a_plugin(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry(monkeypatch, "laser", "sys:maxsize")
    assert plugins.names("workshop.tools") == ["axe", "laser", "saw"]
    assert plugins.discover("workshop.tools", int)["laser"] == sys.maxsize


def test_an_installed_plugin_is_checked_too(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry(monkeypatch, "laser", "sys:version")
    with pytest.raises(ConfigError, match="entry point laser must be a int, not str"):
        plugins.discover("workshop.tools", int)
