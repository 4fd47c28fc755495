"""A real Alertmanager that keeps what it is told, or forwards it to one webhook."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.components.process import Child, Component, free_port, http_ok, program

START_S = 20.0


class Alertmanager(Component):
    """One Alertmanager without a cluster; `webhook` is the address that gets notifications.

    `inhibit` are its inhibition rules.
    """

    def __init__(
        self,
        directory: Path,
        *,
        webhook: str | None = None,
        inhibit: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.directory = directory
        self.webhook = webhook
        self.inhibit = list(inhibit)
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
        self.child = Child(self._command(), self.directory / "alertmanager.log")
        self.child.start()
        self.child.wait_ready(lambda: http_ok(f"{self.url}/-/ready"), START_S)

    def stop(self) -> None:
        """Stop; silences and notification state stay in the directory."""
        if self.child is not None:
            self.child.stop()

    def alerts(self) -> list[dict[str, Any]]:
        """What GET /api/v2/alerts answers."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=10) as answer:
            return list(json.load(answer))

    @property
    def _config_file(self) -> Path:
        return self.directory / "alertmanager.yml"

    def _config(self) -> dict[str, Any]:
        hooks = [{"url": self.webhook, "send_resolved": True}] if self.webhook else []
        route = {
            "receiver": "tests",
            "group_by": ["..."],
            "group_wait": "10ms",
            "group_interval": "100ms",
            "repeat_interval": "1h",
        }
        receivers = [{"name": "tests", "webhook_configs": hooks}]
        return {"route": route, "receivers": receivers, "inhibit_rules": self.inhibit}

    def _command(self) -> list[str]:
        return [
            program("prometheus-alertmanager"),
            f"--config.file={self._config_file}",
            f"--storage.path={self.directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
