"""A real MLflow tracking server on a SQLite file, and its own client."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.components.process import (
    Child,
    Component,
    ComponentMissingError,
    free_port,
    http_ok,
)

HOME = Path(__file__).parent.parent.parent / ".components" / "mlflow" / "bin"
START_S = 90.0
LIMIT_S = 90.0
# What the client is asked to do, as training code would.
CLIENT = """
import json, sys
from mlflow.client import MlflowClient
client = MlflowClient(sys.argv[1])
told = []
for run in json.load(sys.stdin):
    found = client.get_experiment_by_name(run["experiment"])
    experiment = found.experiment_id if found else client.create_experiment(run["experiment"])
    made = client.create_run(experiment, start_time=run["started"], tags=run["tags"],
        run_name=run["name"])
    for name, value in run["parameters"].items():
        client.log_param(made.info.run_id, name, value)
    for name, value in run["metrics"].items():
        client.log_metric(made.info.run_id, name, value)
    if run["ended"]:
        client.set_terminated(made.info.run_id, run["state"], run["ended"])
    told.append(made.info.run_id)
print(json.dumps(told))
"""


class Mlflow(Component):
    """One tracking server."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it says that it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        store = f"sqlite:///{self.directory / 'mlflow.db'}"
        command = [_program("mlflow"), "server", "--backend-store-uri", store]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        # Its own background jobs would be six processes more.
        idle = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self.child = Child(command, self.directory / "mlflow.log", env=idle)
        self.child.start()
        self.child.wait_ready(lambda: http_ok(f"{self.url}/health"), START_S)

    def stop(self) -> None:
        """Stop; what it was told stays in the directory."""
        if self.child is not None:
            self.child.stop()

    def record(self, runs: list[dict[str, Any]]) -> list[str]:
        """Have MLflow's own client make runs; their ids."""
        done = subprocess.run(
            [_program("python"), "-c", CLIENT, self.url],
            input=json.dumps(runs),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            env={**os.environ, "GIT_PYTHON_REFRESH": "quiet"},
        )
        assert done.returncode == 0, done.stderr
        ids: list[str] = json.loads(done.stdout.splitlines()[-1])
        return ids


def _program(name: str) -> str:
    path = HOME / name
    if not path.exists():
        raise ComponentMissingError("mlflow is not installed: run tests/components/install.sh")
    return str(path)
