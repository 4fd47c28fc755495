"""The store over TLS: a real server behind a real handshake; what is wrong is one line."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from gpuledger.errors import ConfigError, StoreError
from gpuledger.store import Address, Store, StoreSettings
from tests.certificates import Authority, Signed
from tests.components.clickhouse import ClickHouse


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def in_front(server: ClickHouse, own: Signed, clients: Authority | None = None) -> Iterator[int]:
    """Ends TLS before the server, as its own listener would; the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.file)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=_accept, args=(listener, context, server), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, server: ClickHouse) -> None:
    with suppress(OSError):
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_join, args=(plain, context, server), daemon=True).start()


def _join(plain: socket.socket, context: ssl.SSLContext, server: ClickHouse) -> None:
    with suppress(OSError), closing(plain):
        outer = context.wrap_socket(plain, server_side=True)
        with (
            closing(outer),
            closing(socket.create_connection((server.host, server.http_port))) as inner,
        ):
            back = threading.Thread(target=_copy, args=(inner, outer), daemon=True)
            back.start()
            _copy(outer, inner)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def opened(port: int, **settings: str) -> Store:
    address = Address(
        host="127.0.0.1",
        port=port,
        secure=True,
        user=ClickHouse.user,
        database="default",
        password=ClickHouse.password,
    )
    return Store(address, StoreSettings(**settings))  # type: ignore[arg-type] # only texts


def answer(port: int, **settings: str) -> object:
    with closing(opened(port, **settings)) as store:
        return store.value("SELECT 1")


def test_a_server_of_our_authority_is_trusted(clickhouse: ClickHouse, authority: Authority) -> None:
    with in_front(clickhouse, authority.sign("server")) as port:
        assert answer(port, ca_cert=str(authority.file)) == 1


def test_another_name_in_its_certificate_can_be_told(
    clickhouse: ClickHouse, authority: Authority
) -> None:
    with in_front(clickhouse, authority.sign("named", host="book.example")) as port:
        told = answer(port, ca_cert=str(authority.file), server_host_name="book.example")
        assert told == 1


def test_we_show_our_certificate(clickhouse: ClickHouse, authority: Authority) -> None:
    own = authority.sign("us")
    files = {"client_cert": str(own.certificate), "client_key": str(own.key)}
    with in_front(clickhouse, authority.sign("asks"), authority) as port:
        assert answer(port, ca_cert=str(authority.file), **files) == 1
        with pytest.raises(StoreError) as refused:
            answer(port, ca_cert=str(authority.file))
        assert "\n" not in str(refused.value)


WRONG = {
    "authority": "is not trusted",
    "expired": "out of date",
    "name": "for another name",
}


@pytest.mark.parametrize("why", WRONG)
def test_what_is_wrong_with_its_certificate_is_one_line(
    clickhouse: ClickHouse, authority: Authority, tmp_path: Path, why: str
) -> None:
    signed = {
        "authority": lambda: Authority(tmp_path, "other").sign("a"),
        "expired": lambda: authority.sign("b", expired=True),
        "name": lambda: authority.sign("c", host="elsewhere.example"),
    }[why]()
    with in_front(clickhouse, signed) as port, pytest.raises(StoreError) as refused:
        answer(port, ca_cert=str(authority.file))
    assert WRONG[why] in str(refused.value)
    assert "\n" not in str(refused.value)
    assert ClickHouse.password not in str(refused.value)


@pytest.mark.parametrize("name", ["ca_cert", "client_cert", "client_key"])
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(StoreError, match=rf"no file /none \(see \[store\] {name}"):
        answer(1, **{name: "/none"})


def test_certificates_without_tls_are_refused() -> None:
    store = Store(Address(host="127.0.0.1", port=1), StoreSettings(ca_cert="/none"))
    with pytest.raises(ConfigError, match="has no TLS"):
        store.value("SELECT 1")
