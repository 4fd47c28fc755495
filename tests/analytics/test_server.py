"""Running the service: ports, tokens, the announcement, and a clean end."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics.server import _url, bind, token
from gpuledger.errors import ConfigError
from tests.analytics.command import Running, complaint, output, rows
from tests.components.process import http_ok, wait_until


def test_a_free_port_is_bound_and_listens() -> None:
    with bind("127.0.0.1:0") as bound, socket.create_connection(bound.getsockname()):
        assert bound.getsockname()[1] > 0


def test_an_address_of_the_sixth_version_is_written_in_brackets() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with bind("[::1]:0") as bound:
        assert bound.family is socket.AF_INET6
        assert _url(bound) == f"http://[::1]:{bound.getsockname()[1]}"


def test_a_port_in_use_is_refused_by_name() -> None:
    with bind("127.0.0.1:0") as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: Address already in use"):
            bind(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "listen",
    [
        *("", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:²"),
        *("127.0.0.1:65536", "127.0.0.1:-1", "no.such.host.invalid:80", ".:80"),
        pytest.param("é" * 70 + ":80", id="long"),
    ],
)
def test_an_address_that_is_none_is_refused_by_name(listen: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        bind(listen)
    assert listen in str(refusal.value)


def test_a_token_comes_from_its_file_or_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("from the file\n")
    assert token({"GPULEDGER_TOKEN_FILE": str(path), "GPULEDGER_TOKEN": "x"}) == "from the file"
    assert token({"GPULEDGER_TOKEN": "from the environment"}) == "from the environment"
    assert token({"OTHER_FILE": str(path)}, "OTHER") == "from the file"
    assert token({}) == ""


def test_a_token_file_that_is_missing_or_empty_opens_no_door(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        token({"GPULEDGER_TOKEN_FILE": str(tmp_path / "none")})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        token({"GPULEDGER_TOKEN_FILE": str(tmp_path / "empty")})


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_service_answers_once_it_says_ready_and_ends_well(
    tmp_path: Path, name: signal.Signals
) -> None:
    store = tmp_path / "store"
    announcement = store / "service.json"
    with Running(tmp_path, "serve", "--store", f"chdb://{store}") as service:
        status, body = service.get("/readyz")
        assert (status, json.loads(body)["status"]) == (200, "ready")
        assert service.get("/v1/ledger")[0] == 401
        assert "Nothing is booked yet" in service.page()
        told = json.loads(announcement.read_text())
        assert stat.S_IMODE(announcement.stat().st_mode) == 0o600
        assert told["url"] == f"http://{service.address}"
        assert service.get("/v1/ledger", {"Authorization": f"Bearer {told['token']}"}) == (
            200,
            "[]",
        )
        assert service.end(name) == 0
        assert "Traceback" not in service.log
    assert not announcement.exists()


def test_a_service_with_a_token_of_its_own_writes_no_login_link_into_its_log(
    tmp_path: Path,
) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    with Running(tmp_path, "serve", "--store", store, GPULEDGER_TOKEN="of the site") as service:
        assert service.get("/v1/ledger", {"Authorization": "Bearer of the site"})[0] == 200
        assert "login" not in service.log


def test_a_signal_right_after_ready_is_not_lost(tmp_path: Path) -> None:
    service = Running(tmp_path, "serve", "--store", f"chdb://{tmp_path / 'store'}")
    service.child.start()
    wait_until(lambda: "ready" in service.log, 90, "ready")
    assert service.end(signal.SIGTERM) == 0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Path]]:
    """A demo of one node and one day that serves, and its directory."""
    home = tmp_path_factory.mktemp("demo") / "home"
    arguments = ("demo", "--nodes", 1, "--days", 1, "--dir", home)
    with Running(home.parent, *arguments, GPULEDGER_TOKEN="of the demo") as service:
        yield service, home


def test_the_demo_serves_what_it_wrote(demo: tuple[Running, Path]) -> None:
    service, home = demo
    page = service.page()
    (total,) = re.findall(r"All.*?</tr>", page, re.DOTALL)
    assert re.findall(r">(192|100%)<", total) == ["192", "100%"]
    status, report = service.get("/weekly-report.html", {"Authorization": "Bearer of the demo"})
    assert (status, report) == (200, (home / "weekly-report.html").read_text())


def test_other_commands_work_through_the_running_service(demo: tuple[Running, Path]) -> None:
    _, home = demo
    store = f"chdb://{home / 'store'}"
    by_state = rows(output("ledger", "--store", store, "--format", "json"))
    assert sum(r["gpu_hours"] for r in by_state) == pytest.approx(8 * 24)
    for command in ("findings", ("recommend", "list"), ("report", "weekly")):
        words = (command,) if isinstance(command, str) else command
        assert output(*words, "--store", store)


def test_a_second_demo_does_not_take_the_store_away_from_under_the_first(
    demo: tuple[Running, Path],
) -> None:
    service, home = demo
    said = complaint(2, "demo", "--exit", "--nodes", 1, "--days", 1, "--dir", home)
    assert "is in use by process" in said
    assert http_ok(f"http://{service.address}/readyz")


# The last of this module: it ends the demo.
def test_the_demo_ends_well(demo: tuple[Running, Path]) -> None:
    service, home = demo
    assert service.end(signal.SIGINT) == 0
    assert "Traceback" not in service.log
    assert not (home / "store" / "service.json").exists()
