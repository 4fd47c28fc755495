"""docs/api.md: it has every route, and its commands and client work on a running service."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from analytics.app import create_app
from analytics.routes import manual
from tests.analytics.routes.asked import OPENAPI, operations
from tests.analytics.web import TOKEN

PAGE = (Path(__file__).parents[3] / "docs/api.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)\n```", PAGE, re.DOTALL)
READING = [c for c in COMMANDS if " -X " not in c]
# What the examples name is not in the tests' world; reports need a whole week.
REAL = {"c1/1042": "c/101", "/n17": "/m1", "2026-W47/teams/vision": "2026-W10/teams/vision"}
REAL |= {"/v1/reports/2026-W47": "/v1/reports/2026-W10"}


@pytest.fixture(scope="module")
def url(service: Any) -> Iterator[str]:
    """A service that listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        free.listen()
        server = uvicorn.Server(uvicorn.Config(create_app(service), log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [free]})
        thread.start()
        yield f"http://127.0.0.1:{free.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_the_page_is_that_of_the_routes_and_has_them_all() -> None:
    assert manual.page(OPENAPI) == PAGE
    missing = [
        f"{method} {path}"
        for method, path, _ in operations()
        if path.startswith("/v1/") and f"### `{method.upper()} {path}`" not in PAGE
    ]
    assert missing == []


def test_its_reading_commands_work(url: str, service: Any) -> None:
    ids = {
        manual.PARAMETERS["finding_id"]: service.store.value(
            "SELECT hex(finding_id) FROM findings"
        ),
        manual.PARAMETERS["recommendation_id"]: service.store.value(
            "SELECT hex(recommendation_id) FROM recommendations"
        ),
    }
    script = "\n".join(f"{c} -o /dev/null || echo 'failed: {c}'" for c in READING)
    for named, real in {**REAL, **ids}.items():
        script = script.replace(named, real)
    assert run(script, url) == ""
    assert len(READING) > 25


def test_its_client_walks_all_pages(url: str, service: Any) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(code, "api.md", "exec"), namespace)
    found = [*namespace["get_jobs"](url, TOKEN, "limit=7")]
    assert len(found) == service.store.value("SELECT count() FROM jobs FINAL")


def test_what_breaks_off_ends_without_its_last_chunk(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics.routes import jobs

    broken = "SELECT * REPLACE (if(throwIf(job_id = 'c/100') = 0, name, '') AS name) FROM v_jobs"
    monkeypatch.setattr(jobs, "SOURCE", f"{broken} SETTINGS max_block_size = 1")
    out = run(
        'curl -s -o /dev/null -H "Authorization: Bearer $GPULEDGER_TOKEN" -H "Accept: text/csv"'
        ' -w "%{http_code} %{exitcode}" "$GPULEDGER_URL/v1/jobs"',
        url,
    )
    assert out.split() in (["200", "18"], ["503", "0"])


def run(script: str, url: str) -> str:
    environment = {**os.environ, "GPULEDGER_URL": url, "GPULEDGER_TOKEN": TOKEN}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout
