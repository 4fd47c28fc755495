"""A page like dcgm-exporter's, of cards whose values move with time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

MODEL = "NVIDIA H100 80GB HBM3"
WATTS = 400.0


class FakeDcgm:
    """Serves the default metrics of `cards` cards of one node; `page` may be replaced."""

    def __init__(self, node: str = "node-7", cards: int = 2) -> None:
        self.node = node
        self.cards = cards
        self.pages = 0
        self.page: Callable[[float], str] = self.metrics
        self._began = time.time()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.pages += 1
                body = outer.page(time.time()).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def uuid(self, card: int) -> str:
        return f"GPU-{card:08d}-aaaa-bbbb-cccc-000000000000"

    def metrics(self, now_s: float) -> str:
        """Each card draws 400 W more than the one before; one in two is idle."""
        since_s = now_s - self._began
        lines = []
        for card in range(self.cards):
            busy = card % 2 == 0
            watts = WATTS * (card + 1)
            lines += [
                self._line("DCGM_FI_DEV_GPU_UTIL", card, 50 + int(now_s) % 50 if busy else 0),
                self._line("DCGM_FI_DEV_POWER_USAGE", card, watts),
                self._line("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", card, watts * since_s * 1000),
                self._line("DCGM_FI_DEV_FB_USED", card, 40_000 if busy else 0),
                self._line("DCGM_FI_DEV_FB_TOTAL", card, 81_559),
                self._line("DCGM_FI_DEV_ENFORCED_POWER_LIMIT", card, 700),
                self._line("DCGM_FI_DEV_GPU_TEMP", card, 47),
                self._line("DCGM_FI_DEV_SM_CLOCK", card, 1980),
                self._line("DCGM_FI_DEV_PCIE_REPLAY_COUNTER", card, 3),
                self._line("DCGM_FI_PROF_DRAM_ACTIVE", card, 0.25 if busy else 0),
            ]
        return "\n".join(lines) + "\n"

    def _line(self, name: str, card: int, value: float) -> str:
        labels = {
            "gpu": str(card),
            "UUID": self.uuid(card),
            "pci_bus_id": f"00000000:0{card}:00.0",
            "device": f"nvidia{card}",
            "modelName": MODEL,
            "Hostname": self.node,
            "DCGM_FI_DRIVER_VERSION": "535.129.03",
        }
        told = ",".join(f'{k}="{v}"' for k, v in labels.items())
        return f"{name}{{{told}}} {value}"
