"""What the security page says is true: roles, exposure of units, and a test behind every attack."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from analytics.access.caller import Role
from analytics.access.rules import OPEN, RULES, WHOLE
from tests.components.process import program
from tests.deploy.files import DEPLOY, ROOT

FILE = ROOT / "docs" / "security.md"
PAGE = FILE.read_text()
BLOCK = re.compile(r"(?<=-->\n)(.*?)(?=<!-- roles end -->)", re.DOTALL)
ATTACKS = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def listed(routes: set[tuple[str, str]]) -> str:
    """Routes by path, with every method that each has."""
    methods: dict[str, list[str]] = {}
    for method, path in sorted(routes):
        methods.setdefault(path, []).append(method)
    return ", ".join(f"`{','.join(m)} {path}`" for path, m in sorted(methods.items()))


def table() -> str:
    """Who may use which routes, from the rules themselves."""
    rows = [
        ("nobody in particular", set(OPEN)),
        *((role.value, {r for r, least in RULES.items() if least is role}) for role in Role),
    ]
    lines = [f"| {name} | {listed(routes) or '–'} |" for name, routes in rows]
    whole = f"Only for callers who see every team: {listed(set(WHOLE))}."
    return "\n".join(["", "| role | may, besides | ", "|---|---|", *lines, "", whole, "", ""])


def test_the_page_tells_the_rules() -> None:
    page = BLOCK.sub(lambda _: table(), PAGE, count=1)
    if os.environ.get("UPDATE_GOLDEN"):
        FILE.write_text(page)
    assert FILE.read_text() == page


def test_attacks_are_told() -> None:
    assert len(ATTACKS) > 10


@pytest.mark.parametrize(("file", "name"), ATTACKS, ids=lambda v: Path(v).stem or "all")
def test_every_attack_names_a_test_that_exists(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    # A file alone: every test in it is about that.
    wanted = name or r"test_\w+"
    assert re.search(rf"^(?:async )?def {wanted}\(", text, flags=re.MULTILINE)


def test_every_line_of_the_attacks_names_a_test() -> None:
    rows = PAGE.rpartition("## Attacks")[2].splitlines()
    told = [r for r in rows if r.startswith("| ") and not r.startswith("| attack ")]
    assert [row for row in told if "`tests/" not in row] == []


def test_the_exposure_of_each_unit_is_what_systemd_says(tmp_path: Path) -> None:
    told = dict(
        re.findall(r"^\| (gpuledger[\w-]*\.service) \| ([\d.]+) \|", PAGE, flags=re.MULTILINE)
    )
    units = {u.name: u for u in (DEPLOY / "systemd").glob("*.service")}
    assert told.keys() == units.keys()
    for name, unit in units.items():
        copy = tmp_path / name
        copy.write_text(unit.read_text().replace("/opt/gpuledger/bin/gpuledger", "/bin/true"))
        done = subprocess.run(
            [program("systemd-analyze"), "--no-pager", "security", "--offline=true", str(copy)],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert f": {told[name]} " in done.stdout.splitlines()[-1]
