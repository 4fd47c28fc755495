"""What cannot be reached, entered or trusted is told in one line that names the store."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from gpuledger.errors import ConfigError, GpuledgerError, StoreError
from gpuledger.store import Address, Store, StoreSettings, parse_address
from tests.components.clickhouse import ClickHouse
from tests.components.fixtures import skipping
from tests.components.process import free_port, program
from tests.store_contract import another_database, sample, served_address

SECRET = "correct-horse-battery"
IMPATIENT = StoreSettings(connect_timeout_s=1, query_timeout_s=1)
REPOSITORY = Path(__file__).parents[1]

HOLD = """
import sys
from pathlib import Path
from gpuledger.store import Address, Store
store = Store(Address(directory=Path(sys.argv[1])))
store.check()
print("open", flush=True)
sys.stdin.read()
"""
TRY = """
import sys
from pathlib import Path
from gpuledger.errors import GpuledgerError
from gpuledger.store import Address, Store
try:
    Store(Address(directory=Path(sys.argv[1]))).check()
except GpuledgerError as e:
    print(type(e).__name__, e)
"""


def at_port(port: int, **changes: Any) -> Store:
    address = Address(host="127.0.0.1", port=port, user="someone", password=SECRET)
    return Store(replace(address, **changes), IMPATIENT)


def complaint(store: Store, kind: type[GpuledgerError] = StoreError) -> str:
    """The error's one line, which names the store and keeps its password to itself."""
    with pytest.raises(kind) as caught:
        store.check()
    store.close()
    text = str(caught.value)
    assert str(store.address) in text
    assert "\n" not in text
    assert SECRET not in text + repr(store.address)
    return text


@contextmanager
def serving(version: bytes, rest: bytes = b"", status: int = 200) -> Iterator[int]:
    """The port of something that answers the driver's first question with `version`."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            body = version if b"version()" in question else rest
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server, running(server):
        yield server.server_port


@contextmanager
def running(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def test_a_closed_port_cannot_be_reached() -> None:
    assert "cannot be reached" in complaint(at_port(free_port()))


def test_a_server_that_never_answers_cannot_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "cannot be reached" in complaint(at_port(silent.getsockname()[1]))


@pytest.mark.parametrize("status", [200, 404, 502])
def test_a_web_page_is_no_clickhouse(status: int) -> None:
    with serving(b"<html>\n<title>Welcome to nginx!</title>\n</html>", status=status) as port:
        assert "<html>" in complaint(at_port(port))


def test_an_empty_answer_is_no_clickhouse() -> None:
    with serving(b"") as port:
        complaint(at_port(port))


@pytest.mark.parametrize("version", ["20.1.2.3", "25.7.9.1"])
def test_a_server_that_is_too_old_is_told_so(version: str) -> None:
    with serving(f"{version}\tUTC\n".encode()) as port:
        text = complaint(at_port(port))
    assert f"{version} is too old, 25.8 or newer" in text


def test_a_wrong_password_is_told_as_such(clickhouse: ClickHouse) -> None:
    text = complaint(at_port(clickhouse.http_port, user=clickhouse.user))
    assert "wrong user or password" in text


def test_an_unknown_user_is_told_as_a_wrong_password(clickhouse: ClickHouse) -> None:
    assert "wrong user or password" in complaint(at_port(clickhouse.http_port))


def test_an_unknown_database_says_what_to_do(clickhouse: ClickHouse) -> None:
    store = Store(served_address(clickhouse, "nowhere"))
    with pytest.raises(StoreError, match=r"nowhere.*run 'gpuledger schema apply' first"):
        store.insert_rows([sample("n")])


def test_a_missing_table_says_what_to_do(engine: Store) -> None:
    with (
        another_database(engine) as empty,
        pytest.raises(StoreError, match=r"run 'gpuledger schema apply' first"),
    ):
        empty.insert_rows([sample("n")])


def test_a_wrong_question_is_one_line_with_the_servers_words(engine: Store) -> None:
    with pytest.raises(StoreError, match=r"^chdb://[^\n]*Syntax error[^\n]*$"):
        engine.select("SELEC 1")


def test_an_error_leaves_the_store_usable(engine: Store) -> None:
    for _ in range(3):
        with pytest.raises(StoreError):
            engine.select("SELECT throwIf(1)")
        assert engine.value("SELECT 1") == 1


def test_a_closed_store_opens_again_when_asked(clickhouse: ClickHouse) -> None:
    store = Store(served_address(clickhouse, "default"))
    for _ in range(2):
        assert store.value("SELECT 1") == 1
        store.close()


def test_a_directory_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(Address(directory=tmp_path / "file" / "store"))
    assert "cannot write" in refusal(store)


def refusal(store: Store) -> str:
    with pytest.raises(ConfigError) as caught:
        store.check()
    return str(caught.value)


def test_a_directory_in_use_is_refused_and_names_the_way_out(tmp_path: Path) -> None:
    directory = str(tmp_path / "store")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        second = subprocess.run(
            [sys.executable, "-c", TRY, directory],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=REPOSITORY,
        )
        holder.communicate()
    told = f"ConfigError chdb://{directory} is in use by process {holder.pid}: stop it"
    assert second.stdout.startswith(told), second.stdout + second.stderr
    assert second.stdout.count("\n") == 1


# --- TLS --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of an authority of our own, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    order = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=tests"
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    with skipping():
        command = [program("openssl"), *order.split(), *names, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return folder


@pytest.fixture
def secured(clickhouse: ClickHouse, certificate: Path) -> Iterator[Address]:
    """The server behind a TLS terminator."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")

    class Terminator(StreamRequestHandler):
        def handle(self) -> None:
            try:
                plain = context.wrap_socket(self.request, server_side=True)
            except (ssl.SSLError, ConnectionError):
                return
            backend = socket.create_connection((clickhouse.host, clickhouse.http_port))
            with plain, backend:
                back = threading.Thread(target=pump, args=(backend, plain))
                back.start()
                pump(plain, backend)
                back.join()

    with ThreadingTCPServer(("127.0.0.1", 0), Terminator) as server, running(server):
        address = served_address(clickhouse, "default")
        yield replace(address, port=server.server_address[1], secure=True)


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Everything that one side says to the other, then the end."""
    try:
        while said := source.recv(65_536):
            sink.sendall(said)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_server_with_an_authority_of_its_own_is_trusted_when_told(
    secured: Address, certificate: Path
) -> None:
    store = Store(secured, StoreSettings(ca_cert=str(certificate / "cert.pem")))
    assert store.value("SELECT 42") == 42
    store.close()


def test_a_server_with_an_unknown_authority_is_refused(secured: Address) -> None:
    assert "certificate" in complaint(Store(secured))


def test_a_missing_authority_file_is_told(secured: Address, tmp_path: Path) -> None:
    complaint(Store(secured, StoreSettings(ca_cert=str(tmp_path / "absent.pem"))))


def test_plain_words_to_a_tls_port_are_refused(secured: Address) -> None:
    complaint(Store(replace(secured, secure=False)))


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("chdb:///var/lib/ledger", "chdb:///var/lib/ledger"),
        ("chdb:///with%20space", "chdb:///with space"),
        ("http://host", "http://default@host:8123/gpuledger"),
        ("https://me@host", "https://me@host:8443/gpuledger"),
        ("http://a%40b@host:9/db", "http://a@b@host:9/db"),
    ],
)
def test_an_address_is_read_with_its_defaults(url: str, shown: str) -> None:
    assert str(parse_address(url, {})) == shown


@pytest.mark.parametrize(
    "url",
    ["", "chdb://relative/dir", "chdb:relative", "ftp://host", "http://", "/var/lib", "http://h:x"],
)
def test_an_address_of_another_shape_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="write"):
        parse_address(url, {})


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(f"http://me:{SECRET}@host", {})
    assert SECRET not in str(caught.value)


def test_the_password_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    named = {"GPULEDGER_STORE_PASSWORD_FILE": str(file), "GPULEDGER_STORE_PASSWORD": "other"}
    assert parse_address("http://host", named).password == SECRET
    assert parse_address("http://host", {"GPULEDGER_STORE_PASSWORD": "other"}).password == "other"
    with pytest.raises(ConfigError, match="No such file"):
        parse_address("http://host", {"GPULEDGER_STORE_PASSWORD_FILE": str(tmp_path / "absent")})
