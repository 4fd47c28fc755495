"""Pictures of pages through a headless Chromium."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.components.process import ComponentError, program

LIMIT_S = 90.0
LOG_TAIL_CHARS = 2000
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--no-first-run",
)


def screenshot(page: str | Path, png: Path, width: int = 1280, height: int = 800) -> None:
    """Write the picture of an address or a file; ComponentError when there is none in time."""
    url = page.resolve().as_uri() if isinstance(page, Path) else page
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [program("chromium"), *FLAGS, f"--user-data-dir={profile}"]
        command += [f"--window-size={width},{height}", f"--screenshot={png.resolve()}", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if done.returncode != 0 or not png.exists():
        raise ComponentError(f"no screenshot of {url}\n{done.stderr[-LOG_TAIL_CHARS:]}")
