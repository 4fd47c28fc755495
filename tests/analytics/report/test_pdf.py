"""The PDF: the same bytes in any process, nothing from outside; where it cannot be, it is said."""

from __future__ import annotations

import builtins
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from analytics.report import pdf
from analytics.report.render import render_html
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.analytics.report.build import MONDAY, WEEK
from tests.analytics.report.office import desk
from tests.analytics.report.sample import build

PAGE = "<h1>GPU report 🚀 Ωμέγα</h1><p style='font-weight:bold'>1,200 GPU-hours</p>"
RENDER = """
import hashlib, sys
from analytics.report.pdf import render_pdf
print(hashlib.sha256(render_pdf(sys.argv[1])).hexdigest())
"""


def pages(body: bytes) -> list[str]:
    """The text of each page."""
    document = pypdfium2.PdfDocument(body)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def test_the_same_page_gives_the_same_bytes_in_another_process() -> None:
    here = hashlib.sha256(pdf.render_pdf(PAGE)).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", RENDER, PAGE],
        env={
            **os.environ,
            "PYTHONHASHSEED": "47",
            "TZ": "Asia/Tokyo",
            "PYTHONPATH": str(Path.cwd()),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == here
    assert hashlib.sha256(pdf.render_pdf(PAGE)).hexdigest() == here


def test_the_first_page_holds_verdict_and_decisions_on_one_a4_page(store: Store) -> None:
    build(store, 16)
    report = desk().live(store, "2026-W47")
    body = pdf.render_pdf(render_html(report))
    document = pypdfium2.PdfDocument(body)
    width, height = document[0].get_size()
    document.close()
    assert (round(width), round(height)) == (595, 842)
    first, second, *_ = pages(body)
    assert report.decisions[0].title in " ".join(first.split())
    assert report.clusters[0] in first
    assert "remark" not in second
    assert report.since == MONDAY
    assert report.until == MONDAY + WEEK


def test_a_page_cannot_make_it_fetch_anything(tmp_path: Path, caplog: Any) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("p::after { content: 'leaked' }")
    page = f"<link rel=stylesheet href='{secret.as_uri()}'><img src='http://127.0.0.1:1/'><p>text"
    (told,) = pages(pdf.render_pdf(page))
    assert "leaked" not in told
    assert "text" in told


@pytest.mark.parametrize(
    ("module", "error", "told"),
    [
        ("weasyprint", ImportError("no weasyprint"), r"gpuledger\[pdf\]"),
        ("weasyprint.urls", ImportError("no URLFetcher"), "from 68 on"),
        ("weasyprint", OSError("cannot load library 'libpango-1.0-0'"), "libpango-1.0-0"),
    ],
)
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, module: str, error: Exception, told: str
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == module:
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=told):
        pdf.render_pdf(PAGE)
