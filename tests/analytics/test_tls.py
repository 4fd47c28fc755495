"""The service over TLS and over a socket in the file system: real handshakes on this machine."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
import uvicorn
from click.testing import CliRunner
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from analytics import server, tls
from analytics.tls import Tls, check_place, is_local, make_tls, names_of
from collector.sinks.ingest import IngestSink, pool
from gpuledger import local
from gpuledger.cli import cli
from gpuledger.entry import Block, Entry
from gpuledger.errors import ConfigError, StoreError
from gpuledger.service import RemoteStore, ServiceFile
from tests.certificates import Authority, Signed


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def good(authority: Authority) -> Signed:
    return authority.sign("service")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers what the SQL door would, with the names that the client's certificate has."""
    told = list(scope.get(tls.SCOPE, ["none"]))
    body = json.dumps({"columns": [{"name": "told", "type": "String"}], "rows": [[told]]}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def serving(bound: socket.socket, secure: Tls | None = None) -> Iterator[str]:
    """The same settings as the service has, around a small application; its address."""
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan="off",
        http=tls.naming(HttpToolsProtocol),
        **(secure.uvicorn() if secure else {}),
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([bound])))
    thread.start()
    try:
        yield server._url(bound, secure)
    finally:
        running.should_exit = True
        thread.join()
        bound.close()


def told(url: str, certificate: Path | str = "") -> Any:
    return RemoteStore(url, "token", str(certificate)).value("SELECT 1")


def ask(url: str, **options: Any) -> int:
    with urllib3.PoolManager(retries=False, **options) as connections:
        return connections.request("GET", url).status


# --- the certificate --------------------------------------------------------------------------


def test_whoever_trusts_the_authority_is_answered(good: Signed, authority: Authority) -> None:
    with serving(server.bind("127.0.0.1:0"), Tls(good.certificate, good.key)) as url:
        assert url.startswith("https://127.0.0.1:")
        assert ask(url, ca_certs=str(authority.file)) == 200


def test_whoever_trusts_another_authority_is_not(good: Signed, stranger: Authority) -> None:
    with (
        serving(server.bind("127.0.0.1:0"), Tls(good.certificate, good.key)) as url,
        pytest.raises(urllib3.exceptions.SSLError),
    ):
        ask(url, ca_certs=str(stranger.file))


def test_commands_of_this_machine_trust_the_one_certificate(good: Signed) -> None:
    with serving(server.bind("127.0.0.1:0"), Tls(good.certificate, good.key)) as url:
        assert told(url, good.certificate) == []


def test_commands_refuse_any_other_certificate(good: Signed, authority: Authority) -> None:
    other = authority.sign("other")
    with (
        serving(server.bind("127.0.0.1:0"), Tls(good.certificate, good.key)) as url,
        pytest.raises(StoreError, match="does not answer"),
    ):
        told(url, other.certificate)


# --- certificates of clients ------------------------------------------------------------------


@pytest.fixture
def asking(good: Signed, authority: Authority) -> Iterator[str]:
    """A service that knows the authority of its clients."""
    secure = Tls(good.certificate, good.key, authority.file)
    with serving(server.bind("127.0.0.1:0"), secure) as url:
        yield url


def shown(url: str, authority: Authority, client: Signed | None) -> Any:
    context = ssl.create_default_context(cafile=str(authority.file))
    if client:
        context.load_cert_chain(client.certificate, client.key)
    with urllib3.PoolManager(retries=False, ssl_context=context) as connections:
        return connections.request("GET", url).json()["rows"][0][0]


def test_a_route_is_told_whom_the_certificate_names(asking: str, authority: Authority) -> None:
    client = authority.sign("n17", host="n17.cluster.example")
    assert shown(asking, authority, client) == ["n17", "n17.cluster.example"]


def test_a_client_without_a_certificate_has_no_names(asking: str, authority: Authority) -> None:
    assert shown(asking, authority, None) == []


@pytest.mark.parametrize("expired", [True, False])
def test_a_certificate_that_is_no_good_opens_nothing(
    asking: str, authority: Authority, stranger: Authority, expired: bool
) -> None:
    client = authority.sign("late", expired=True) if expired else stranger.sign("n17")
    with pytest.raises((urllib3.exceptions.SSLError, urllib3.exceptions.ProtocolError)):
        shown(asking, authority, client)


def test_names_are_those_of_subject_and_alternatives() -> None:
    told = {
        "subject": ((("organizationName", "o"),), (("commonName", "n1"),)),
        "subjectAltName": (("DNS", "n1"), ("URI", "spiffe://c/n1"), ("IP Address", "10.0.0.1")),
    }
    assert names_of(told) == ("n1", "spiffe://c/n1")
    assert names_of(None) == names_of({}) == ()


# --- wrong files ------------------------------------------------------------------------------


def test_half_of_the_options_are_refused(good: Signed) -> None:
    for given in ((good.certificate, None, None), (None, good.key, None), (None, None, good.key)):
        with pytest.raises(ConfigError, match="both --tls-cert and --tls-key"):
            make_tls(*given)
    assert make_tls(None, None, None) is None


def test_files_that_do_not_fit_are_one_line(
    good: Signed, authority: Authority, tmp_path: Path
) -> None:
    other, junk = authority.sign("another"), tmp_path / "junk"
    junk.write_text("junk")
    wrong = [
        (good.certificate, other.key, None),
        (junk, good.key, None),
        (good.certificate, junk, None),
        (tmp_path / "none", good.key, None),
        (good.certificate, good.key, junk),
        (good.certificate, good.key, tmp_path),
    ]
    for files in wrong:
        with pytest.raises(ConfigError) as refused:
            Tls(*files)
        assert "--tls-" in str(refused.value)
        assert "\n" not in str(refused.value)


# --- where it may listen ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "listen", ["127.0.0.1:1", "127.8.8.8:1", "localhost:1", "[::1]:1", "unix:/a"]
)
def test_loopback_and_sockets_are_local(listen: str) -> None:
    assert is_local(listen)
    check_place(listen, tls=False, tokens=False, insecure=False)


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "node:1", "127.0.0.1.example:1"]
)
def test_elsewhere_wants_tls_and_a_token(listen: str) -> None:
    for secure, tokens in ((False, True), (True, False), (False, False)):
        with pytest.raises(ConfigError, match="others reach this"):
            check_place(listen, tls=secure, tokens=tokens, insecure=False)
    check_place(listen, tls=True, tokens=True, insecure=False)
    check_place(listen, tls=False, tokens=False, insecure=True)


@pytest.mark.parametrize("command", ["serve", "relay"])
def test_the_commands_refuse_it(command: str, tmp_path: Path) -> None:
    words = [command, "--listen", "0.0.0.0:0", "--store", f"chdb://{tmp_path}/store"]
    done = CliRunner().invoke(cli, words, obj={}, env={"GPULEDGER_TOKEN": "x"})
    assert isinstance(done.exception, ConfigError)
    assert "without TLS" in str(done.exception)
    assert not (tmp_path / "store").exists()


# --- a socket in the file system --------------------------------------------------------------


def test_the_socket_is_for_its_owner_and_commands_find_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / "service.sock"
    with serving(server.bind(f"unix:{path}")) as url:
        assert url == f"unix:{path}"
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600
        announced = ServiceFile(tmp_path)
        announced.write(url, "token")
        found = announced.read()
        assert found
        assert told(found["url"]) == []


def test_a_socket_that_is_left_over_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "service.sock"
    server.bind(f"unix:{path}").close()
    assert path.exists()
    server.bind(f"unix:{path}").close()


def test_places_that_will_not_do_are_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("")
    living = server.bind(f"unix:{closed}/living")
    try:
        for path in ("relative", tmp_path / "open", closed / "file", closed / "living"):
            with pytest.raises(ConfigError) as refused:
                server.bind(f"unix:{path}")
            assert "\n" not in str(refused.value)
        with pytest.raises(ConfigError, match="cannot listen"):
            server.bind(f"unix:{closed}/{'long' * 40}")
    finally:
        living.close()


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not answer"):
        told(f"unix:{tmp_path}/none")


def test_a_certificate_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="certificate of the service"):
        local.pool("https://127.0.0.1:1", str(tmp_path / "none"))


# --- the collector ----------------------------------------------------------------------------


def sent(url: str, **files: str) -> Any:
    sink = IngestSink(url, "token", time.time, pool(**files))
    return sink.send(Entry(1, "gpu_samples", "key", 0.0, (Block(1, b"body"),)))


def test_the_collector_trusts_an_authority_of_its_own(asking: str, authority: Authority) -> None:
    client = authority.sign("n18")
    files = {"client_cert": str(client.certificate), "client_key": str(client.key)}
    assert sent(asking, ca_file=str(authority.file), **files)


@pytest.mark.parametrize("why", ["wrong authority", "expired", "wrong name"])
def test_the_collector_says_in_one_line_why_it_does_not_send(
    authority: Authority, stranger: Authority, why: str
) -> None:
    signed = {
        "wrong authority": lambda: stranger.sign("a"),
        "expired": lambda: authority.sign("b", expired=True),
        "wrong name": lambda: authority.sign("c", host="elsewhere.example"),
    }[why]()
    with (
        serving(server.bind("127.0.0.1:0"), Tls(signed.certificate, signed.key)) as url,
        pytest.raises(StoreError) as refused,
    ):
        sent(url, ca_file=str(authority.file))
    assert "certificate" in str(refused.value).lower()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["ca_file", "client_cert", "client_key"])
def test_a_file_of_the_collector_that_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"\[agent\] {name} /none"):
        pool(**{name: "/none"})
