"""A webhook: the short text and links as JSON, in the shape that chats take (`text`)."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from analytics.report.send.outcome import FAILED, REFUSED, SENT, UNSURE, Outcome, told
from analytics.report.send.papers import Papers
from analytics.report.value import WeeklyReport
from gpuledger.errors import ConfigError

TOO_MANY, SERVER_ERROR = 429, 500
SCHEMES = ("http", "https")


def post(url: str, papers: Papers, timeout_s: float, link: str = "") -> Outcome:
    """Post once; never an error of its own. What broke off half-way may have arrived."""
    body = json.dumps(payload(papers, link)).encode()
    pool = urllib3.PoolManager(retries=False, timeout=timeout_s)
    try:
        answer = pool.request(
            "POST", url, body=body, headers={"Content-Type": "application/json"}, redirect=False
        )
    except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as e:
        return told(FAILED, f"{shown(url)} cannot be reached: {_without(e, url)}")
    except urllib3.exceptions.SSLError as e:
        return told(FAILED, f"{shown(url)}: {_without(e, url)}")
    except urllib3.exceptions.HTTPError as e:
        return told(UNSURE, f"{shown(url)} did not answer: {_without(e, url)}")
    finally:
        pool.clear()
    if 200 <= answer.status < 300:
        return Outcome(SENT)
    again = answer.status == TOO_MANY or answer.status >= SERVER_ERROR
    said = answer.data.decode(errors="replace")
    return told(FAILED if again else REFUSED, f"{shown(url)} answered {answer.status}: {said}")


def payload(papers: Papers, link: str = "") -> dict[str, Any]:
    """What is posted."""
    report = papers.report
    edition = report.edition if isinstance(report, WeeklyReport) else None
    text = papers.markdown + (f"\n[The whole report]({link})\n" if link else "")
    return {
        "text": text,
        "week": report.week,
        "edition": edition.version if edition else None,
        "snapshot_id": edition.snapshot_id if edition else None,
        "corrects": edition.corrects if edition else None,
        "link": link or None,
    }


def shown(url: str) -> str:
    """Where a webhook is, without the secret in its path. ConfigError where it is no address."""
    try:
        parts = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        parts = urllib3.util.Url()
    if parts.scheme not in SCHEMES or not parts.host:
        raise ConfigError("[report.delivery] webhook: write https://host/path")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2] if parts.netloc else parts.host}"


def _without(error: Exception, url: str) -> str:
    """The complaint, without the path that must not be told."""
    path = urllib3.util.parse_url(url).request_uri
    return str(error).replace(path, "/…") if len(path) > 1 else str(error)
