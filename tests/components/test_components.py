"""Each real component starts, answers and stops, and leaves no process behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.components.alertmanager import Alertmanager
from tests.components.browser import screenshot
from tests.components.clickhouse import LIBRARY_VARIABLE, REPOSITORY, ClickHouse
from tests.components.fixtures import or_skip, skipping
from tests.components.process import (
    Child,
    ComponentError,
    ComponentMissingError,
    program,
    wait_until,
)
from tests.components.prometheus import (
    promtool_check_metrics,
    promtool_check_rules,
    promtool_test_rules,
)
from tests.components.slurm import Slurm

PNG_MAGIC = b"\x89PNG"
ALERT = {"labels": {"alertname": "GpuIdle", "gpu": "GPU-1"}, "annotations": {"summary": "idle"}}
GOOD_RULES = """groups:
- name: gpus
  rules:
  - alert: GpuIdle
    expr: gpu_utilization_ratio < 0.05
    for: 1m
"""
RULE_TEST = """rule_files: [rules.yml]
tests:
- interval: 1m
  input_series:
  - series: gpu_utilization_ratio{gpu="0"}
    values: 0 0 0
  alert_rule_test:
  - eval_time: 2m
    alertname: GpuIdle
    exp_alerts:
    - exp_labels: {gpu: "%s"}
"""


ORPHAN = """
import os, sys
from pathlib import Path
from tests.components.process import Child
child = Child(["sleep", "600"], Path(sys.argv[1]))
child.start()
child.wait_ready(lambda: Path(f"/proc/{child.pid}/comm").read_text() == "sleep\\n", 10)
print(child.pid, flush=True)
os._exit(0)
"""
ODD_HOST = """
import sys
from pathlib import Path
from tests.components.slurm import Slurm
with Slurm(Path(sys.argv[1]), node="gpu-node-017") as cluster:
    job = cluster.submit("echo $SLURMD_NODENAME $(hostname)")
    cluster.wait_state(job, "COMPLETED")
    print(cluster.output(job), end="")
"""


def needs(name: str) -> None:
    """Skip the test when the program is not installed here, unless components are required."""
    with skipping():
        program(name)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def is_dead(pid: int) -> bool:
    """Gone, or a zombie that the machine's init has not collected yet."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True
    return status.rpartition(")")[2].split()[0] == "Z"


def post(url: str, body: object) -> None:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


class TestClickHouse:
    def test_answers_over_http_and_stops(self, tmp_path: Path) -> None:
        with or_skip(ClickHouse(tmp_path)) as server:
            assert server.execute("SELECT currentUser(), 6 * 7") == "gpuledger\t42\n"
            assert server.tcp_port > 0
            assert server.child is not None
            pid = server.child.pid
        assert is_gone(pid)
        assert server.child.process is not None
        assert server.child.process.returncode == 0

    def test_users_have_different_rights(self, tmp_path: Path) -> None:
        with or_skip(ClickHouse(tmp_path)) as server:
            server.execute("CREATE DATABASE ledger ENGINE = Atomic")
            server.execute("CREATE TABLE ledger.t (a Int8) ENGINE = MergeTree ORDER BY a")
            server.execute("INSERT INTO ledger.t VALUES (1), (2)")
            counted = server.execute(
                "SELECT count() FROM ledger.t SETTINGS max_threads = 1", user=server.reader
            )
            assert counted == "2\n"
            with pytest.raises(ComponentError, match=r"ACCESS_DENIED|READONLY"):
                server.execute("INSERT INTO ledger.t VALUES (3)", user=server.reader)

    def test_data_and_ports_survive_kill_and_restart(self, tmp_path: Path) -> None:
        with or_skip(ClickHouse(tmp_path)) as server:
            server.execute("CREATE DATABASE ledger ENGINE = Atomic")
            server.execute("CREATE TABLE ledger.t (a Int8) ENGINE = MergeTree ORDER BY a")
            server.execute("INSERT INTO ledger.t VALUES (7)")
            url = server.url
            server.kill()
            server.start()
            assert server.url == url
            assert server.execute("SELECT a FROM ledger.t") == "7\n"

    def test_stops_with_an_open_connection(self, tmp_path: Path) -> None:
        with or_skip(ClickHouse(tmp_path)) as server:
            kept = urllib.request.urlopen(f"{server.url}/ping", timeout=5)
            server.stop()
            kept.close()
            assert server.child is not None
            assert not server.child.running

    def test_a_missing_library_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(LIBRARY_VARIABLE, str(tmp_path / "absent.so"))
        with pytest.raises(ComponentMissingError, match=r"install\.sh"):
            ClickHouse(tmp_path / "data").start()


class TestSlurm:
    def test_jobs_share_eight_gpus(self, tmp_path: Path) -> None:
        with or_skip(Slurm(tmp_path)) as cluster:
            half = cluster.submit(
                "echo $CUDA_VISIBLE_DEVICES; sleep 600", 4, "half", account="vision"
            )
            cluster.wait_state(half, "RUNNING")
            waiting = cluster.submit("exit 3", 6, "waiting")
            assert cluster.state(waiting) == "PENDING"
            wait_until(lambda: cluster.output(half) == "0,1,2,3\n", 10, "the job's output")
            queue = json.loads(cluster.run("squeue", "--json"))["jobs"]
            told = next(job for job in queue if job["job_id"] == half)
            assert told["gres_detail"] == ["gpu:h100:4(IDX:0-3)"]
            assert told["account"] == "vision"
            cluster.cancel(half)
            cluster.wait_state(half, "CANCELLED")
            cluster.wait_state(waiting, "FAILED")
            pids = [child.pid for child in cluster.children]
        assert len(pids) == 3
        assert all(map(is_gone, pids))
        assert not cluster.socket_directory.exists()

    def test_a_second_cluster_starts_after_the_first(self, tmp_path: Path) -> None:
        for turn in range(2):
            with or_skip(Slurm(tmp_path / str(turn))) as cluster:
                job = cluster.submit("true")
                cluster.wait_state(job, "COMPLETED")
                assert job == 1

    def test_a_hostname_that_nobody_resolves_does_not_matter(self, tmp_path: Path) -> None:
        needs("slurmctld")
        inside = f"hostname odd-NAME.nowhere && exec {sys.executable} -c '{ODD_HOST}' {tmp_path}"
        done = subprocess.run(
            [program("unshare"), "--uts", "sh", "-c", inside],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if "unshare failed" in done.stderr:
            pytest.skip("this machine forbids a hostname of our own")
        assert done.returncode == 0, done.stderr
        assert done.stdout == "gpu-node-017 odd-NAME.nowhere\n"

    def test_a_failing_command_tells_why(self, tmp_path: Path) -> None:
        with or_skip(Slurm(tmp_path)) as cluster, pytest.raises(ComponentError, match="sbatch"):
            cluster.submit("true", 9)


class TestAlertmanager:
    def test_keeps_alerts_and_stops(self, tmp_path: Path) -> None:
        with or_skip(Alertmanager(tmp_path)) as server:
            assert server.alerts() == []
            post(f"{server.url}/api/v2/alerts", [ALERT])
            wait_until(lambda: len(server.alerts()) == 1, 10, "the alert is listed")
            [alert] = server.alerts()
            assert alert["labels"] == ALERT["labels"]
            assert server.child is not None
            pid = server.child.pid
        assert is_gone(pid)

    def test_notifies_a_webhook(self, tmp_path: Path) -> None:
        received: list[dict[str, object]] = []

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                received.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        with HTTPServer(("127.0.0.1", 0), Hook) as listener:
            thread = threading.Thread(target=listener.serve_forever)
            thread.start()
            try:
                webhook = f"http://127.0.0.1:{listener.server_port}/hook"
                with or_skip(Alertmanager(tmp_path, webhook=webhook)) as server:
                    now = datetime.now(UTC).isoformat()
                    post(f"{server.url}/api/v2/alerts", [{**ALERT, "startsAt": now}])
                    wait_until(lambda: bool(received), 15, "the notification")
            finally:
                listener.shutdown()
                thread.join()
        assert received[0]["status"] == "firing"


class TestPromtool:
    def test_judges_expositions(self) -> None:
        needs("promtool")
        good = "# HELP gpu_power_watts Draw.\n# TYPE gpu_power_watts gauge\ngpu_power_watts 1\n"
        assert promtool_check_metrics(good) == []
        complaints = promtool_check_metrics(good.replace("gauge", "counter"))
        assert any("_total" in line for line in complaints)

    def test_judges_rules(self, tmp_path: Path) -> None:
        needs("promtool")
        rules = tmp_path / "rules.yml"
        rules.write_text(GOOD_RULES)
        assert promtool_check_rules(rules) == []
        test = tmp_path / "test.yml"
        test.write_text(RULE_TEST % "0")
        assert promtool_test_rules(test) == []
        test.write_text(RULE_TEST % "1")
        assert promtool_test_rules(test) != []
        rules.write_text(GOOD_RULES.replace("<", "<<"))
        assert any("parse error" in line for line in promtool_check_rules(rules))


def test_the_browser_takes_a_picture(tmp_path: Path) -> None:
    needs("chromium")
    page, png = tmp_path / "page.html", tmp_path / "page.png"
    page.write_text("<body style='background:#336699'><h1>GPU ledger</h1></body>")
    screenshot(page, png, 400, 300)
    header = png.read_bytes()[:24]
    assert header.startswith(PNG_MAGIC)
    assert (int.from_bytes(header[16:20]), int.from_bytes(header[20:24])) == (400, 300)


def test_a_child_that_dies_shows_its_log(tmp_path: Path) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    child = Child([shell, "-c", "echo no such thing; exit 1"], tmp_path / "log")
    child.start()
    with pytest.raises(ComponentError, match="no such thing"):
        child.wait_ready(lambda: False, 10)


def test_a_late_child_is_killed(tmp_path: Path) -> None:
    sleep = shutil.which("sleep")
    assert sleep is not None
    child = Child([sleep, "600"], tmp_path / "log")
    child.start()
    with pytest.raises(ComponentError, match="not within"):
        child.wait_ready(lambda: False, 0.1)
    assert is_gone(child.pid)


def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    needs("setpriv")
    done = subprocess.run(
        [sys.executable, "-c", ORPHAN, str(tmp_path / "log")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    wait_until(lambda: is_dead(int(done.stdout)), 10, "the orphan ends")
