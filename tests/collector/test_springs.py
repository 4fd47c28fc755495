"""How pages are got: certificates, packing, names without secrets."""

from __future__ import annotations

import gzip
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.missing import Reason
from collector.springs import Failure, FileSpring, HttpSpring, unpacker, without_secrets
from tests.components.fixtures import skipping
from tests.components.process import program


class Page(BaseHTTPRequestHandler):
    """Answers everybody alike."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a 1\n")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    order = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests"
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    with skipping():
        command = [program("openssl"), *order.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return folder


@pytest.fixture
def secured(certificate: Path) -> Iterator[str]:
    """The address of a page over TLS."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_over_tls_is_read_when_its_authority_is_trusted(
    secured: str, certificate: Path
) -> None:
    spring = HttpSpring(secured, 5.0, time.monotonic, ca=str(certificate / "cert.pem"))
    assert spring.get().data == b"a 1\n"
    spring.close()


def test_a_page_of_whom_nobody_vouches_for_is_not_read(secured: str) -> None:
    spring = HttpSpring(secured, 5.0, time.monotonic)
    with pytest.raises(Failure) as failed:
        spring.get()
    spring.close()
    assert failed.value.reason is Reason.UNREADABLE
    assert "certificate" in failed.value.said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:pass@host:9400/metrics?key=1#x", "http://host:9400/metrics?1389"),
        ("https://[::1]:9400", "https://[::1]:9400"),
        ("http://host/a/b", "http://host/a/b"),
    ],
)
def test_a_name_tells_no_secret(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_no_more_is_unpacked_than_is_wanted() -> None:
    packing = unpacker("gzip")
    assert len(packing.unpack(gzip.compress(bytes(1_000_000)), 100)) == 100
    assert not packing.whole


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_every_member_of_a_page_is_unpacked(at_once: int) -> None:
    packed = gzip.compress(b"a 1\n") + gzip.compress(b"") + gzip.compress(b"b 2\n")
    packing = unpacker("gzip")
    pieces = [packed[i : i + at_once] for i in range(0, len(packed), at_once)]
    assert b"".join(packing.unpack(piece, 1000) for piece in pieces) == b"a 1\nb 2\n"
    assert packing.whole


def test_the_limit_is_for_all_members_together() -> None:
    packing = unpacker("gzip")
    assert len(packing.unpack(gzip.compress(bytes(60)) * 3, 100)) == 100
    assert not packing.whole


def test_what_follows_the_last_member_and_is_none_is_malformed() -> None:
    with pytest.raises(Failure) as failed:
        unpacker("gzip").unpack(gzip.compress(b"a 1\n") + b"garbage", 1000)
    assert failed.value.reason is Reason.MALFORMED


def test_a_page_that_is_too_large_says_which_setting_it_exceeds(tmp_path: Path) -> None:
    (tmp_path / "a.prom").write_bytes(bytes(5000))
    with pytest.raises(Failure) as failed:
        FileSpring(tmp_path / "a.prom", time.time, max_bytes=4096).get()
    assert failed.value.said == "more than 4096 bytes, [scrape] max_page_bytes"


@given(st.binary(max_size=200), st.integers(-5, 100))
@settings(max_examples=200, deadline=None)
def test_any_bytes_unpack_or_fail(piece: bytes, most: int) -> None:
    with suppress(Failure):
        assert len(unpacker("gzip").unpack(piece, most)) <= max(most, 1)


def test_a_text_file_that_is_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Failure) as failed:
        FileSpring(tmp_path, time.time).get()
    assert failed.value.reason is Reason.UNREADABLE
