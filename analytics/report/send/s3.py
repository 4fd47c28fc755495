"""An S3-compatible object store; keys come from the environment, as for backups."""

from __future__ import annotations

from analytics.report.send.log import Delivery
from analytics.report.send.outcome import FAILED, SENT, Outcome, told
from analytics.report.send.papers import Papers
from analytics.report.settings import DeliverySettings


def upload(delivery: Delivery, papers: Papers, settings: DeliverySettings) -> Outcome:
    """Put page, PDF, text and numbers under `<prefix>/<week>/edition-<n>/`; may be repeated."""
    import boto3  # noqa: PLC0415 - slow to load, and only for who uploads
    from botocore.config import Config  # noqa: PLC0415 - comes with boto3
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    bucket, _, prefix = settings.s3.removeprefix("s3://").partition("/")
    folder = "/".join(
        filter(None, (prefix.strip("/"), delivery.week, f"edition-{delivery.edition}"))
    )
    try:
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=settings.s3_endpoint or None,
            config=Config(
                connect_timeout=settings.timeout_s,
                read_timeout=settings.timeout_s,
                retries={"total_max_attempts": 2},
            ),
        )
        for name, kind, body in files(papers):
            key = f"{folder}/{name}"
            client.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind)
    except (BotoCoreError, ClientError, ValueError) as e:
        return told(FAILED, e)
    return Outcome(SENT)


def files(papers: Papers) -> list[tuple[str, str, bytes]]:
    """Name, media type and content of every file."""
    made = [
        (f"{papers.name}.html", "text/html; charset=utf-8", papers.html.encode()),
        (f"{papers.name}.md", "text/markdown; charset=utf-8", papers.markdown.encode()),
        (f"{papers.name}.json", "application/json", papers.json.encode()),
    ]
    if papers.pdf:
        made.append((f"{papers.name}.pdf", "application/pdf", papers.pdf))
    return made
