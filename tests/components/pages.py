"""Pages of a running application in a headless Chromium, driven through Playwright."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.types import ASGIApp

from tests.components.clickhouse import REPOSITORY
from tests.components.process import ComponentMissingError, http_ok, program, wait_until

AXE = REPOSITORY / ".components" / "axe.min.js"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic")
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# A page that takes longer is broken, also on a busy machine.
PATIENCE_MS = 30_000
GRAVE = ("serious", "critical")


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of the application, which runs in a thread of this process."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            wait_until(lambda: http_ok(f"{url}/healthz"), 30, "the service")
            yield url
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's browser; ComponentMissingError where it is not installed."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, url: str, **given: Any) -> Iterator[Page]:
    """A page of a browser without a past; `given` as Playwright's contexts take it."""
    context = browser.new_context(base_url=url, viewport=given.pop("viewport", DESKTOP), **given)
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context.new_page()
    finally:
        context.close()


def graves(page: Page) -> list[str]:
    """What axe finds serious or worse on the page, each with the element; empty is well."""
    if not AXE.exists():
        raise ComponentMissingError(f"{AXE.name} is missing: run tests/components/install.sh")
    # As the page's own policy forbids a script of ours in it, the browser runs it from outside.
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {json.dumps(node['html'])[:200]} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


def first_paint_ms(page: Page) -> float:
    """When the page had its first contents on the screen, from the request on."""
    script = (
        "new Promise(done => new PerformanceObserver(list => done(list.getEntries()[0].startTime))"
        ".observe({type: 'paint', buffered: true}))"
    )
    found: float = page.evaluate(script)
    return found
