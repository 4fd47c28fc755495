"""Addresses."""

from __future__ import annotations

import pytest

from collector.address import is_address


@pytest.mark.parametrize("url", ["http://n", "https://n:8443/path", "http://[::1]:80"])
def test_an_address_of_http(url: str) -> None:
    assert is_address(url)


@pytest.mark.parametrize(
    "url", ["", "n:8080", "localhost", "http://", "ftp://n", "http://n:0", "http://n:70000"]
)
def test_what_http_cannot_ask(url: str) -> None:
    assert not is_address(url)
