"""A real Prometheus that scrapes, and promtool's opinion of expositions and rule files."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.components.process import Child, Component, free_port, http_ok, program

LIMIT_S = 60.0
START_S = 30.0


class Prometheus(Component):
    """One Prometheus that scrapes `targets` (host:port) every second; `jobs` are more of them.

    With `write_to` it writes what it scrapes there, with `token` for a bearer: soon, in small
    requests, over several connections, so that a scrape comes in pieces.
    """

    def __init__(
        self,
        directory: Path,
        targets: Sequence[str],
        *,
        jobs: Mapping[str, str] | None = None,
        write_to: str = "",
        token: str = "",
        interval_s: int = 1,
    ) -> None:
        self.directory = directory
        self.targets = list(targets)
        self.jobs = dict(jobs or {})
        self.write_to = write_to
        self.token = token
        self.interval_s = interval_s
        self.port = 0
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it says that it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._config_file.write_text(json.dumps(self._config()))
        self.port = self.port or free_port()
        self.child = Child(self._command(), self.directory / "prometheus.log")
        self.child.start()
        self.child.wait_ready(lambda: http_ok(f"{self.url}/-/ready"), START_S)

    def stop(self) -> None:
        """Stop; what it scraped stays in the directory."""
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        """End it like a power cut: nothing is flushed."""
        assert self.child is not None
        assert self.child.process is not None
        self.child.process.kill()
        self.child.process.wait()

    def samples(self, selector: str, over: str = "1h") -> dict[tuple[str, ...], dict[int, float]]:
        """What it keeps: values by milliseconds since 1970, by a series' sorted labels."""
        asked = urllib.parse.urlencode({"query": f"{selector}[{over}]"})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return {
            tuple(f"{k}={v}" for k, v in sorted(series["metric"].items())): {
                round(at * 1000): float(value) for at, value in series["values"]
            }
            for series in found
        }

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series now."""
        address = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in found]

    @property
    def _config_file(self) -> Path:
        return self.directory / "prometheus.yml"

    def _config(self) -> dict[str, Any]:
        jobs = [
            {"job_name": name, "static_configs": [{"targets": targets}]}
            for name, targets in {
                "tests": self.targets,
                **{name: [target] for name, target in self.jobs.items()},
            }.items()
            if targets
        ]
        config: dict[str, Any] = {
            "global": {"scrape_interval": f"{self.interval_s}s"},
            "scrape_configs": jobs,
        }
        if self.write_to:
            queue = {"batch_send_deadline": "1s", "max_samples_per_send": 100, "min_shards": 4}
            bearer = {"credentials": self.token}
            writing = {"url": self.write_to, "authorization": bearer, "queue_config": queue}
            config["remote_write"] = [writing]
        return config

    def _command(self) -> list[str]:
        return [
            program("prometheus"),
            f"--config.file={self._config_file}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]


def promtool_check_metrics(text: str) -> list[str]:
    """What `promtool check metrics` complains about in an exposition; empty when nothing."""
    return _complaints(["check", "metrics"], text)


def promtool_check_rules(*files: Path) -> list[str]:
    """What `promtool check rules` complains about in rule files; empty when nothing."""
    return _complaints(["check", "rules", *map(str, files)])


def promtool_test_rules(*files: Path) -> list[str]:
    """What `promtool test rules` finds wrong in rule unit tests; empty when all pass."""
    return _complaints(["test", "rules", *map(str, files)])


def _complaints(arguments: list[str], text: str = "") -> list[str]:
    done = subprocess.run(
        [program("promtool"), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode == 0:
        return []
    # promtool tells linting problems on stderr and failed rules partly on stdout.
    lines = (done.stderr + done.stdout).splitlines()
    return [line for line in lines if line.strip()] or [f"promtool ended with {done.returncode}"]
