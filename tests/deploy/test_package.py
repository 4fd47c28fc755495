"""The agent's packages are built, linted, unpacked and run; the gate tells good from bad."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.components.fixtures import skipping
from tests.components.process import program
from tests.deploy.files import DEPLOY

RECIPE = DEPLOY / "package"
BIN = Path(sys.executable).parent
# What lintian finds in a package that is no part of Debian, and why it stays.
STAYS = {
    "dir-or-file-in-opt": "add-on software, beside everything of the system's",
    "no-changelog": "changes stand in the repository's CHANGELOG",
    "maintainer-script-calls-systemctl": "one script for both; RPM has no deb-systemd-invoke",
    "copyright-without-copyright-notice": "the licences lie beside each library",
}


@pytest.fixture(scope="module")
def python_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution's interpreter as one that can be moved; a release takes a standalone one."""
    home = tmp_path_factory.mktemp("python")
    system = Path(os.path.realpath("/usr/bin/python3"))
    if not system.exists():
        pytest.skip("no /usr/bin/python3")
    (home / "bin").mkdir()
    shutil.copy(system, home / "bin" / "python3")
    library = Path("/usr/lib") / system.name
    shutil.copytree(library, home / "lib" / system.name, symlinks=True)
    (home / "lib" / system.name / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    return home


def recipe(script: str, *arguments: object, **environment: str) -> None:
    done = subprocess.run(
        ["sh", str(RECIPE / script), *map(str, arguments)],
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both packages around a tree without libraries: what is ours of them, for the linters."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("packages")
    (tree / "python" / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/true", tree / "python" / "bin" / "python3")
    recipe("pack.sh", tree, out)
    return out


@pytest.fixture(scope="module")
def installed(python_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The files of a whole DEB, unpacked."""
    out, root = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("root")
    recipe("build.sh", out, "deb", PYTHON_HOME=str(python_home))
    (deb,) = out.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", str(deb), str(root)], check=True, timeout=60)
    yield root
    shutil.rmtree(root)


def agent(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The packaged program, as systemd would start it: with hardly any environment."""
    return subprocess.run(
        [str(installed / "opt/gpuledger/bin/gpuledger"), *words],
        env={"PATH": "/usr/bin:/bin", "PYTHONOPTIMIZE": "2", "PYTHONHOME": "/nowhere"},
        cwd=installed,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_there_is_one_of_each_kind(packages: Path) -> None:
    names = sorted(f.name for f in packages.iterdir())
    assert [n.rpartition(".")[2] for n in names] == ["rpm", "deb"]
    assert all(n.startswith("gpuledger-agent") for n in names)


def test_the_packaged_agent_reads_this_machine(installed: Path) -> None:
    done = agent(installed, "collect", "--once", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert {"host_samples", "source_runs"} <= {row["table"] for row in json.loads(done.stdout)}


def test_it_rests_on_nothing_of_this_machine(installed: Path) -> None:
    home = installed / "opt" / "gpuledger"
    done = subprocess.run(
        [str(home / "python/bin/python3"), "-c", "import sys; print(sys.prefix)"],
        env={},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert Path(done.stdout.strip()) == home / "python"
    outward = [
        p for p in home.rglob("*") if p.is_symlink() and not p.resolve().is_relative_to(home)
    ]
    assert outward == []


def test_what_is_compiled_is_used_and_never_written(installed: Path) -> None:
    library = installed / "opt/gpuledger/lib"
    before = {p: p.stat().st_mtime_ns for p in library.rglob("*.pyc")}
    assert agent(installed, "--version").returncode == 0
    assert before
    assert {p: p.stat().st_mtime_ns for p in library.rglob("*.pyc")} == before


def test_lintian_finds_nothing_that_is_not_explained(packages: Path) -> None:
    with skipping():
        lintian = program("lintian")
    (deb,) = packages.glob("*.deb")
    done = subprocess.run(
        [lintian, "--suppress-tags", ",".join(STAYS), "--fail-on", "error,warning", str(deb)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout


def test_rpmlint_finds_nothing_that_is_not_explained(packages: Path) -> None:
    with skipping():
        rpmlint = program("rpmlint")
    (rpm,) = packages.glob("*.rpm")
    command = [rpmlint, "--config", str(RECIPE / "rpmlint.toml"), str(rpm)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert "0 errors, 0 warnings" in done.stdout, done.stdout


SYSTEMCTL = """#!/bin/sh
case "$1" in
  show) cat "{folder}/restarts" ;;
  is-active) [ -e "{folder}/active" ] ;;
esac
"""
DOCTOR = """#!/bin/sh
[ -e "{folder}/well" ] || {{ echo "wrong  service  nobody answers"; exit 1; }}
{then}
"""


class Node:
    """A node on which everything is well; what is changed then is what is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "libexec").mkdir()
        (folder / "bin").mkdir()
        shutil.copy(RECIPE / "gate.sh", folder / "libexec" / "gate")
        self.put("systemctl", SYSTEMCTL.format(folder=folder))
        self.doctor("")
        for name in ("active", "well", "spool.db"):
            (folder / name).touch()
        (folder / "restarts").write_text("3\n")

    def put(self, name: str, text: str) -> None:
        (self.folder / "bin" / name).write_text(text)
        (self.folder / "bin" / name).chmod(0o755)

    def doctor(self, then: str) -> None:
        """A doctor; `then` happens while it looks."""
        self.put("gpuledger", DOCTOR.format(folder=self.folder, then=then))

    def gate(self, seconds: str = "0") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(self.folder / "libexec" / "gate"), seconds],
            env={
                "PATH": f"{self.folder}/bin:/usr/bin:/bin",
                "SPOOL": str(self.folder / "spool.db"),
                "ENVIRONMENT_FILE": str(self.folder / "none"),
            },
            check=False,
            capture_output=True,
            text=True,
            timeout=30,
        )


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_the_gate_opens_for_an_agent_that_does_well(node: Node) -> None:
    assert node.gate().returncode == 0


@pytest.mark.parametrize(
    ("lacks", "says"), [("active", "does not run"), ("well", "nobody answers")]
)
def test_the_gate_stays_shut_and_says_why(node: Node, lacks: str, says: str) -> None:
    (node.folder / lacks).unlink()
    done = node.gate()
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_gate_stays_shut_while_the_agent_is_restarted(node: Node) -> None:
    node.doctor(f"echo 4 >{node.folder}/restarts")
    done = node.gate()
    assert (done.returncode, "restarted" in done.stderr) == (1, True)


def test_the_gate_stays_shut_where_nothing_is_written(node: Node) -> None:
    os.utime(node.folder / "spool.db", (0, 0))
    done = node.gate()
    assert (done.returncode, "not written" in done.stderr) == (1, True)


def test_the_gate_refuses_what_is_no_number(node: Node) -> None:
    assert node.gate("soon").returncode == 1
