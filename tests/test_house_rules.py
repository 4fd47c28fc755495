"""The house style, as far as a machine can judge it."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from gpuledger import plugins

REPOSITORY = Path(__file__).parents[1]
PARTS = ("gpuledger", "collector", "analytics", "dashboards", "alerts")
PLUGINS = (
    *("collector.sources", "collector.sinks", "analytics.detectors", "analytics.advisors"),
    *("dashboards.boards", "alerts.rules"),
)
LINES_OF_A_FILE, LINES_OF_A_FUNCTION, LINES_OF_THE_MEDIAN_FUNCTION = 400, 50, 9

# One library, one door: a path that ends with / is a folder.
DOORS = {
    "pynvml": ("collector/nvml.py",),
    "clickhouse_connect": ("gpuledger/connect.py",),
    "grafanalib": ("dashboards/panel.py",),
    "prometheus_client": (
        *("collector/sinks/prometheus.py", "collector/exposition.py"),
        "analytics/routes/",
    ),
    "fastapi": (
        *("analytics/app.py", "analytics/routes/", "analytics/ingest/", "analytics/console/"),
    ),
    "matplotlib": ("analytics/report/charts.py", "dashboards/preview/draw.py"),
    "grafana_foundation_sdk": ("dashboards/roundtrip.py",),
    "grpc": ("collector/podresources.py", "collector/tpu.py", "collector/sinks/otlp.py"),
    "kubernetes": ("collector/kubernetes_api.py",),
    "opentelemetry": (
        *("collector/sinks/otlp.py", "analytics/ingest/otlp.py"),
        "analytics/telemetry.py",
    ),
    "sklearn": ("analytics/learn/",),
    "highspy": ("analytics/repacking/master.py",),
    "apprise": ("alerts/apprise_door.py",),
    "cramjam": ("analytics/ingest/remote_write.py",),
    "weasyprint": ("analytics/report/pdf.py",),
    "boto3": ("analytics/report/send/",),
    "jwt": ("analytics/access/oidc.py",),
}
# What a GPU node does not have, or should not pay for.
HEAVY = (
    *("numpy", "pyarrow", "pandas", "fastapi", "matplotlib", "rich", "chdb"),
    *("grpc", "kubernetes", "opentelemetry", "yaml", "clickhouse_connect"),
)

REASON = re.compile(r"(?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z,-]+\]) (?:-|#) \w")
SUPPRESSION = re.compile(r"#\s*(?:noqa|type: ignore)")
CODES = re.compile(r"[A-Z]+[0-9]+|(?<=\[)[a-z,-]+(?=\])")

# Spelled with a bar, or this file would be the first to break the rule.
FORBIDDEN = [
    word.replace("|", "")
    for word in (
        *("pythonhosted|.org", "pypi|.org", "artifact|ory", "extra-index|-url"),
        *("/opt|/wheels", "/opt|/pypi", "/work|/main", "/work|/shared", "/root|/"),
    )
]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Files of the repository, those that wait to be added included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    found = (REPOSITORY / line for line in done.stdout.splitlines())
    return tuple(sorted(p for p in found if p.is_file()))


def modules() -> list[Path]:
    """Every Python file."""
    return list(tracked("*.py"))


def shipped() -> list[Path]:
    """The Python files of the installed packages."""
    return [p for p in modules() if name_of(p).partition("/")[0] in PARTS]


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of every function."""
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            assert node.end_lineno
            yield node.name, node.end_lineno - node.lineno + 1


def imported(path: Path) -> Iterator[str]:
    """Top-level names of every import, wherever in the file it stands."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_files_are_short() -> None:
    lengths = {name_of(p): len(p.read_text().splitlines()) for p in modules()}
    assert {n: lines for n, lines in lengths.items() if lines > LINES_OF_A_FILE} == {}


def test_functions_are_short() -> None:
    long = [
        f"{name_of(path)}: {name} has {lines} lines"
        for path in modules()
        for name, lines in functions(path)
        if lines > LINES_OF_A_FUNCTION
    ]
    assert long == []


def test_the_median_function_has_nine_lines_at_most() -> None:
    lengths = [lines for path in shipped() for _, lines in functions(path)]
    assert statistics.median(lengths) <= LINES_OF_THE_MEDIAN_FUNCTION


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    users = {name_of(path) for path in shipped() if library in imported(path)}
    allowed = DOORS[library]
    strangers = {u for u in users if not any(u == door or u.startswith(door) for door in allowed)}
    assert strangers == set()
    assert users or library == "pynvml", "the door leads nowhere: remove it from DOORS"


def test_no_error_is_swallowed() -> None:
    swallowed = [
        f"{name_of(path)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and is_swallowed(node)
    ]
    assert swallowed == []


def is_swallowed(handler: ast.ExceptHandler) -> bool:
    """Bare, or of every error and followed by nothing."""
    if handler.type is None:
        return True
    everything = ast.unparse(handler.type) in {"Exception", "BaseException"}
    nothing = (ast.Pass, ast.Continue, ast.Expr)
    return everything and all(
        isinstance(s, nothing) and not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Call))
        for s in handler.body
    )


def test_what_is_suppressed_has_a_reason() -> None:
    unreasoned = [place for path in shipped() for place in without_reason(path)]
    assert unreasoned == []


def without_reason(path: Path) -> Iterator[str]:
    """Suppressions that give none, nor follow a comment or one of the same code that does."""
    explained: set[str] = set()
    before = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := SUPPRESSION.search(line):
            codes = set(CODES.findall(line[found.start() :]))
            if REASON.search(line):
                explained |= codes
            elif not codes <= explained and not before.lstrip().startswith("#"):
                yield f"{name_of(path)}:{number}"
        before = line


def test_no_file_tells_where_it_was_made() -> None:
    told = [
        f"{name_of(path)}: {word}"
        for path in tracked()
        for word in FORBIDDEN
        if word in text_of(path)
    ]
    assert told == []


@cache
def text_of(path: Path) -> str:
    """The file's text; nothing for pictures and the like."""
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("package", PLUGINS)
def test_every_plugin_has_a_mirrored_test(package: str) -> None:
    tests = {p.stem for p in tracked("tests/*.py")}
    if package == "alerts.rules":
        # One test runs them all on their examples (tests/alerts/test_examples.py).
        tests = {f"test_{p.stem}" for p in tracked("alerts/examples/*.yaml")}
    for name in plugins.names(package):
        assert any(re.fullmatch(rf"test_{name}(_\w+)?", t) for t in tests), f"{package}.{name}"


def test_every_module_says_what_it_is_in_one_line() -> None:
    for path in shipped():
        said = ast.get_docstring(tree(path))
        if said or path.read_text().strip():
            assert said, name_of(path)
            assert len(said.splitlines()[0]) > 10, name_of(path)


def test_the_collector_stays_light() -> None:
    code = (
        "import sys, gpuledger.cli.collect, collector.run;"
        " from collector.run import sections; sections();"
        f" print(*(n for n in {HEAVY!r} if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
