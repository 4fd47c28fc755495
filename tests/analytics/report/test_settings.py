"""Section `[report]`: only addresses that can be written to and linked to."""

from __future__ import annotations

import pytest

from analytics.report.settings import DeliverySettings, ReportSettings
from gpuledger.config import Config
from gpuledger.contacts import is_address
from gpuledger.errors import ConfigError


@pytest.mark.parametrize("text", ["a@example.org", "a.b+c@x", "o'hara@sub.example.org"])
def test_a_mail_address(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "a..b@x",
        ".a@x",
        "a.@x",
        "a@x..y",
        "a@.x",
        "a@b\x7f",
        "a\x01@b",
        "a@b\n",
        "a@b@c",
        "@x",
        "a@",
    ],
)
def test_what_no_message_can_go_to_is_no_mail_address(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(ConfigError, match="is no mail address"):
        DeliverySettings(management=(text,), smtp_host="h", sender="a@example.org")


@pytest.mark.parametrize("key", ["console", "grafana"])
@pytest.mark.parametrize("text", ["javascript:alert(1)", "gpus.example.org", "https://"])
def test_links_lead_to_the_web_alone(key: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"{key}: '.*': write https"):
        Config({"report": {key: text}}).section("report", ReportSettings)
