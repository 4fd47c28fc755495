"""From a real Slurm and a (fake) driver to alert and report, over processes, on both stores.

Slurm runs two jobs and holds a third; the driver below the real NVML binding does what the jobs
are said to do: one works, one idles. Two pipelines watch the same cluster at the same time:
collectors → ClickHouse over HTTP → `serve`, and collectors → `serve`'s ingest → embedded engine.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.components.alertmanager import Alertmanager
from tests.components.clickhouse import ClickHouse
from tests.components.process import free_port, http_ok, wait_until
from tests.components.slurm import Slurm
from tests.fakes import nvml

GPULEDGER = str(Path(sys.executable).with_name("gpuledger"))
TOKEN = "a-token-for-the-test"
# Real time passes here, so conditions rest on two minutes instead of five or fifteen.
CONFIGURATION = """
[ledger]
startup_s = 0
teardown_s = 0
idle_after_min = 2
low_after_min = 2
[idle]
after_min = 2
[reclaim]
min_age_min = 2
[runner]
period_s = 15
settle_s = 25
[prices]
currency = "EUR"
capacity_value = 2.0
[slurm]
period_s = 5
"""
PAGING = """
[alerts]
mode = "page"
alertmanager_url = "{url}"
thresholds = {{ JobIdleGPU = 100 }}
"""
# Two whole minutes, the minute that is running, hand-over, settling and a tick.
DEADLINE_S = 420


@dataclass
class Watched:
    """The cluster under watch and the two stores that its book lands in."""

    stores: Mapping[str, Mapping[str, str]]
    services: Mapping[str, str]
    gpus: Mapping[str, frozenset[int]]
    jobs: Mapping[str, int]
    alertmanager: Alertmanager

    def ask(self, pipeline: str, *arguments: str) -> str:
        """What a command prints about one pipeline's store."""
        done = subprocess.run(
            [GPULEDGER, *arguments],
            env=dict(self.stores[pipeline]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, pipeline: str, *arguments: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.ask(pipeline, *arguments, "--format", "json"))
        return rows

    def has_advice(self, pipeline: str) -> bool:
        """Whether a pipeline's service proposes something; asked often, so without a process."""
        answer = urllib3.request(
            "GET",
            f"{self.services[pipeline]}/v1/recommendations",
            headers={"Authorization": f"Bearer {TOKEN}"},
            retries=False,
            timeout=60,
        )
        assert answer.status == 200, answer.data
        return bool(answer.json())


@contextmanager
def running(
    arguments: list[str], env: Mapping[str, str], log: Path, ready: Callable[[], bool]
) -> Iterator[None]:
    """A gpuledger process, ready; it must end with 0 when asked to."""
    with log.open("w") as out:
        process = subprocess.Popen(
            [GPULEDGER, *arguments], env=dict(env), stdout=out, stderr=subprocess.STDOUT
        )
        try:
            wait_until(lambda: ready() or process.poll() is not None, 60, f"{arguments[0]} ready")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, log.read_text()


def await_rarely(happened: Callable[[], bool], what: str) -> None:
    """Minutes of real time have to pass: a look every few seconds is enough."""
    ends_at = time.monotonic() + DEADLINE_S
    while not happened():
        assert time.monotonic() < ends_at, f"{what}: not within {DEADLINE_S} s"
        time.sleep(3)


def indices(slurm: Slurm, job: int) -> frozenset[int]:
    """GPU indices that Slurm gave to a job."""
    told = slurm.run("scontrol", "-d", "show", "job", str(job))
    found = re.search(r"IDX:([0-9,-]+)", told)
    assert found, told
    out: set[int] = set()
    for part in found[1].split(","):
        first, _, last = part.partition("-")
        out.update(range(int(first), int(last or first) + 1))
    return frozenset(out)


def scenario(working: frozenset[int], idle: frozenset[int]) -> nvml.Scenario:
    """A node whose GPUs do what the jobs are said to do."""
    cards = nvml.healthy()
    for gpu in cards.gpus:
        if gpu.minor not in working:
            gpu.idle()
        holds = gpu.minor in working | idle
        gpu.processes = (nvml.Process(os.getpid(), 10 << 30),) if holds else ()
    return cards


def submitted(slurm: Slurm) -> dict[str, int]:
    """Two jobs that run and one that waits for more GPUs than are free."""
    jobs = {
        "train": slurm.submit("sleep 1200", gpus=4, name="train"),
        "notebook": slurm.submit("sleep 1200", gpus=2, name="notebook"),
    }
    for job in jobs.values():
        slurm.wait_state(job, "RUNNING")
    return {**jobs, "large": slurm.submit("sleep 1200", gpus=6, name="large")}


def environments(
    home: Path, clickhouse: ClickHouse, alertmanager: Alertmanager
) -> dict[str, dict[str, str]]:
    """Environment of the commands of each pipeline: store, password, configuration, token."""
    (home / "server.toml").write_text(CONFIGURATION + PAGING.format(url=alertmanager.url))
    (home / "embedded.toml").write_text(CONFIGURATION)
    server = f"http://{clickhouse.user}@127.0.0.1:{clickhouse.http_port}/e2e"
    stores = {"server": server, "embedded": f"chdb://{home}/embedded"}
    return {
        name: {
            **os.environ,
            "GPULEDGER_TOKEN": TOKEN,
            "GPULEDGER_STORE": url,
            "GPULEDGER_STORE_PASSWORD": clickhouse.password,
            "GPULEDGER_CONFIG": str(home / f"{name}.toml"),
        }
        for name, url in stores.items()
    }


@dataclass
class Pipelines:
    """Starts services and collectors; what is started ends with the stack."""

    home: Path
    slurm: Slurm
    stack: ExitStack

    def start(self, name: str, env: Mapping[str, str]) -> str:
        """A service, and a node's and a cluster's collector that send to store or service.

        Returns the service's address.
        """
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        self._run(
            ["serve", "--listen", f"127.0.0.1:{port}", "--spool", f"{self.home}/{name}-relay.db"],
            env,
            f"serve-{name}",
            lambda _: http_ok(f"{url}/readyz"),
        )
        direct = name == "server"
        shared = {k: v for k, v in env.items() if direct or k != "GPULEDGER_STORE"}
        for role in ("node", "cluster"):
            spool = str(self.home / f"{name}-{role}.db")
            arguments = ["collect", "--role", role, "--cluster", "e2e", "--node", self.slurm.node]
            sink = [] if direct else ["--ingest", url]
            self._run(
                [*arguments, "--spool", spool, *sink],
                {**self._driver(role), **shared},
                f"collect-{name}-{role}",
                lambda log: log.exists() and "ready" in log.read_text(),
            )
        return url

    def _driver(self, role: str) -> dict[str, str]:
        if role == "cluster":
            return {"SLURM_CONF": str(self.slurm.conf)}
        return dict(nvml.environment(nvml.build(self.home / "driver"), self.home / "scenario"))

    def _run(
        self,
        arguments: list[str],
        env: Mapping[str, str],
        name: str,
        ready: Callable[[Path], bool],
    ) -> None:
        log = self.home / f"{name}.log"
        self.stack.enter_context(running(arguments, env, log, lambda: ready(log)))


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory,
    slurm: Slurm,
    clickhouse: ClickHouse,
    alertmanager: Alertmanager,
) -> Iterator[Watched]:
    home = tmp_path_factory.mktemp("end_to_end")
    jobs = submitted(slurm)
    gpus = {name: indices(slurm, jobs[name]) for name in ("train", "notebook")}
    scenario(gpus["train"], gpus["notebook"]).write(home / "scenario")
    stores = environments(home, clickhouse, alertmanager)
    with ExitStack() as stack:
        pipelines = Pipelines(home, slurm, stack)
        services = {name: pipelines.start(name, env) for name, env in stores.items()}
        yield Watched(stores, services, gpus, jobs, alertmanager)
    slurm.cancel_all()


@pytest.fixture(scope="module", params=["server", "embedded"])
def pipeline(request: pytest.FixtureRequest, watched: Watched) -> str:
    """A pipeline that has seen long enough to have an opinion."""
    name: str = request.param
    await_rarely(lambda: watched.has_advice(name), f"a recommendation in the {name} store")
    return name


def test_every_gpu_has_the_right_owner_and_state(watched: Watched, pipeline: str) -> None:
    rows = watched.json(pipeline, "ledger", "--since", "1m", "--by", "job,state,user,node")
    booked = {(r["job"], r["state"], r["user"], r["node"]): r["gpu_hours"] * 60 for r in rows}

    user = "root" if os.geteuid() == 0 else os.environ["USER"]
    assert booked == pytest.approx(
        {
            (f"e2e/{watched.jobs['train']}", "productive", user, "n1"): 4.0,
            (f"e2e/{watched.jobs['notebook']}", "alloc_idle", user, "n1"): 2.0,
            # The waiting job wants six GPUs, so it could not start on the two that are free.
            (None, "free_surplus", None, "n1"): 2.0,
        },
        rel=1e-4,
    )


def test_evidence_is_of_the_best_grade(watched: Watched, pipeline: str) -> None:
    rows = watched.json(pipeline, "ledger", "--since", "1m", "--by", "state")
    assert {r["grade"] for r in rows} == {"A"}


def test_only_the_idle_job_is_found(watched: Watched, pipeline: str) -> None:
    findings = watched.json(pipeline, "findings")
    assert [(f["kind"], f["subject"], f["gpus"]) for f in findings] == [
        ("idle", f"e2e/{watched.jobs['notebook']}", 2)
    ]


def test_only_the_idle_job_is_to_be_reclaimed(watched: Watched, pipeline: str) -> None:
    (proposal,) = watched.json(pipeline, "recommend", "list")
    assert proposal["subject"] == f"e2e/{watched.jobs['notebook']}"
    assert proposal["command"] == f"scancel {watched.jobs['notebook']}"
    # Without a time limit the two GPUs may stay idle for the whole horizon of a week.
    assert proposal["gain_high_gpu_hours"] == pytest.approx(2 * 168)
    assert 0 < proposal["gain_gpu_hours"] < 2 * 168
    worth = proposal["gain_gpu_hours"] * 2.0
    assert proposal["gain_capacity_value"] == pytest.approx(worth, rel=0.02)


def test_the_report_names_the_waste(watched: Watched, pipeline: str) -> None:
    html = watched.ask(pipeline, "report", "weekly")
    assert "notebook" in html
    assert "End notebook and free 2 idle GPUs" in html


def test_the_book_closes(watched: Watched, pipeline: str) -> None:
    rows = watched.json(pipeline, "ledger", "--since", "2m", "--by", "state")
    assert sum(r["gpu_hours"] for r in rows) == pytest.approx(8 * 2 / 60, rel=1e-4)
    assert sum(r["share"] for r in rows) == pytest.approx(1.0)


def test_alertmanager_hears_of_the_idle_job_and_of_nothing_else(watched: Watched) -> None:
    def heard() -> list[dict[str, Any]]:
        told = watched.alertmanager.alerts()
        return [a for a in told if a["labels"]["alertname"] != "Watchdog"]

    await_rarely(lambda: bool(heard()), "an alert")
    (alert,) = heard()
    assert alert["labels"]["alertname"] == "JobIdleGPU"
    assert alert["labels"]["subject"] == f"e2e/{watched.jobs['notebook']}"
    assert alert["status"]["state"] == "active"
