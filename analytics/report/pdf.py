"""The page as PDF, by WeasyPrint: the same page gives the same bytes."""

from __future__ import annotations

import hashlib
import logging
import threading
from typing import Any

from gpuledger.errors import ConfigError

_PRINTING = threading.Lock()


def render_pdf(html: str) -> bytes:
    """A4 pages of a self-contained page. ConfigError says what to install where it is missing."""
    weasyprint, fetcher_of = _library()
    identifier = hashlib.sha256(html.encode()).digest()[:16]
    # A report has all its parts in itself, whatever a hostile name asks for.
    fetcher = fetcher_of(allowed_protocols=())
    with _PRINTING:
        page = weasyprint.HTML(string=html, url_fetcher=fetcher, media_type="print")
        made: bytes = page.write_pdf(pdf_identifier=identifier)
    return made


def _library() -> tuple[Any, Any]:
    """WeasyPrint, and its class of what fetches parts of a page."""
    try:
        import weasyprint  # noqa: PLC0415 - an extra of its own, and slow to load
        from weasyprint.urls import URLFetcher  # noqa: PLC0415 - see above
    except ImportError:
        raise ConfigError(
            "PDF needs the package 'weasyprint' from 68 on: install 'gpuledger[pdf]', or choose"
            " another format"
        ) from None
    except OSError as e:
        raise ConfigError(
            f"PDF needs the system's Pango (package libpango-1.0-0 and libpangoft2-1.0-0): {e}"
        ) from None
    for name in ("weasyprint", "fontTools"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return weasyprint, URLFetcher
