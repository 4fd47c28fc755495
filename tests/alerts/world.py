"""Builders of the rows that rules read, of alerts that stand, and receivers that answer."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, Self

from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import AlertState, Finding, SourceRun
from gpuledger.identity import hash64
from gpuledger.schema import FOREVER


def finding(
    job: str,
    *,
    since: datetime,
    until: datetime,
    kind: str = "idle",
    open: int = 1,
    owner: str = "job owner",
) -> Finding:
    """One idle GPU of a job."""
    return Finding(
        finding_id=hash64(f"{kind}/{job}/{since}"),
        kind=kind,
        owner=owner,
        subject=job,
        user="ana",
        team="vision",
        pool="big",
        since=since,
        until=until,
        open=open,
        gpus=1,
        gpu_seconds=(until - since).total_seconds(),
        capacity_value=None,
        cash_avoidable=None,
        grade="B",
        confidence_ratio=0.9,
        summary="idle",
        evidence="SELECT 1",
        version=to_milliseconds(until) + 1 - open,
    )


def run(node: str, ts: datetime, interval_s: float, *, source: str = "nvml") -> SourceRun:
    """The agent's account of one source."""
    return SourceRun(
        ts=ts,
        interval_seconds=interval_s,
        cluster="alpha",
        node=node,
        source=source,
        runs=1,
        failures=0,
        rows=8,
        duration_seconds=0.01,
    )


def alert(
    fired: datetime,
    subject: str = "alpha/1",
    *,
    rule: str = "JobIdleGPU",
    resolved: datetime = FOREVER,
    summary: str = "idle",
    cost: float | None = None,
    **labels: str,
) -> AlertState:
    """An alert that fired then, and ended where `resolved` says so."""
    told = {"alertname": rule, "subject": subject, "severity": "high", "owner": "platform"}
    return AlertState(
        rule=rule,
        subject=subject,
        state="firing" if resolved == FOREVER else "resolved",
        since=fired,
        fired=fired,
        resolved=resolved,
        value=900.0,
        gpus=None,
        cost_per_hour=cost,
        currency="EUR" if cost else "",
        labels=json.dumps(told | labels),
        annotations=json.dumps({"summary": summary, "runbook": f"alerts/runbooks/{rule}.md"}),
        version=to_milliseconds(min(resolved, fired) if resolved == FOREVER else resolved),
    )


class Answers:
    """A server that gives the answers it was told to, then 200; keeps what it was asked."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[tuple[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(json.loads(body))

            def do_GET(self) -> None:
                self.answer(None)

            def answer(self, body: Any) -> None:
                outer.asked.append((self.path, body))
                status = outer.statuses.pop(0) if outer.statuses else 200
                text = b"ok" if status == 200 else b"what\nis wrong"
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
