"""A real Prometheus with a past: a backfilled block, and a door before it that wants a token."""

from __future__ import annotations

import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.components.process import ComponentError, program
from tests.components.prometheus import Prometheus

LIMIT_S = 120.0

# Name, labels, value, seconds since 1970.
Sample = tuple[str, Mapping[str, object], float, float]


class History(Prometheus):
    """One Prometheus that scrapes nothing and holds these samples, however old they are."""

    def __init__(self, directory: Path, samples: Iterable[Sample]) -> None:
        super().__init__(directory, [])
        self._samples = samples

    def start(self) -> None:
        """Write the samples as blocks, and return when they can be asked for."""
        data = self.directory / "data"
        if not data.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            text = self.directory / "history.om"
            write_openmetrics(text, self._samples)
            command = ["tsdb", "create-blocks-from", "openmetrics", "-q", str(text), str(data)]
            done = subprocess.run(
                [program("promtool"), *command],
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            text.unlink()
            if done.returncode:
                raise ComponentError(f"promtool: {done.stderr}{done.stdout}")
        super().start()

    def _command(self) -> list[str]:
        return [*super()._command(), "--storage.tsdb.retention.time=100y"]


def write_openmetrics(path: Path, samples: Iterable[Sample]) -> None:
    """Samples of one metric together, as the format wants; what each says is a gauge."""
    by_name: dict[str, list[str]] = {}
    for name, labels, value, at in samples:
        told = ",".join(f'{k}="{v}"' for k, v in labels.items())
        by_name.setdefault(name, []).append(f"{name}{{{told}}} {value!r} {at:.3f}\n")
    with path.open("w") as file:
        for name, lines in by_name.items():
            file.write(f"# TYPE {name} gauge\n")
            file.writelines(lines)
        file.write("# EOF\n")


@contextmanager
def door(upstream: str, token: str = "") -> Iterator[tuple[str, list[str]]]:
    """An address that hands questions on, and the paths asked for; it refuses a wrong token."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            asked.append(self.path)
            if token and self.headers.get("Authorization") != f"Bearer {token}":
                self._answer(401, b"no")
                return
            size = int(self.headers.get("Content-Length") or 0)
            request = urllib.request.Request(
                upstream + self.path, data=self.rfile.read(size) if size else None
            )
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as refusal:
                self._answer(refusal.code, refusal.read())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
