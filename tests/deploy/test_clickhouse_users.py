"""The database's users can do what they must and no more: the deployed files on the real engine."""

from __future__ import annotations

import hashlib
import shutil
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from gpuledger.narrow import PRIVATE
from gpuledger.store import Address, Store
from tests.components.clickhouse import ClickHouse
from tests.components.clickhouse_users import CONFIG, USERS
from tests.components.fixtures import or_skip
from tests.deploy.files import DEPLOY

PASSWORDS = {"gpuledger": "of-the-service", "grafana": "of-the-boards"}

DIGESTS = "<clickhouse><users>{}</users></clickhouse>"


class Deployed(ClickHouse):
    """A server with the configuration and users of deploy/clickhouse/."""

    def _write_files(self) -> None:
        for name in ("config.d", "users.d"):
            shutil.copytree(DEPLOY / "clickhouse" / name, self.directory / name, dirs_exist_ok=True)
        # The launcher's own session logs in as `default`, so this one file stays out.
        (self.directory / "users.d" / "default.xml").unlink()
        digests = [
            f"<{user}><password_sha256_hex>{hashlib.sha256(word.encode()).hexdigest()}"
            f"</password_sha256_hex></{user}>"
            for user, word in PASSWORDS.items()
        ]
        passwords = self.directory / "users.d" / "passwords.xml"
        passwords.write_text(DIGESTS.format("".join(digests)))
        (self.directory / "config.xml").write_text(CONFIG.format(directory=self.directory))
        (self.directory / "users.xml").write_text(USERS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    directory: Path = tmp_path_factory.mktemp("deployed")
    with or_skip(Deployed(directory)) as started:
        assert isinstance(started, Deployed)
        store = Store(address(started))
        store.apply()
        store.close()
        yield started


def address(server: Deployed) -> Address:
    return Address(
        host=server.host,
        port=server.http_port,
        user="gpuledger",
        password=PASSWORDS["gpuledger"],
    )


def ask(server: Deployed, user: str, sql: str, **settings: str) -> str:
    """The answer, or the server's refusal, as text."""
    token = b64encode(f"{user}:{PASSWORDS[user]}".encode()).decode()
    url = f"{server.url}/?{urlencode(settings)}"
    request = Request(url, data=sql.encode(), headers={"Authorization": f"Basic {token}"})
    try:
        with urlopen(request, timeout=30) as answer:
            return str(answer.read().decode()).strip()
    except HTTPError as refusal:
        return str(refusal.read().decode(errors="replace"))


def test_the_service_creates_its_schema(server: Deployed) -> None:
    # Views are always replaced; any other statement would be something that was not created.
    store = Store(address(server))
    assert [sql for sql in store.plan() if not sql.startswith("CREATE OR REPLACE VIEW")] == []
    store.close()


def test_the_service_stages_and_swaps_partitions(server: Deployed) -> None:
    """What booking does, see `analytics.ledger`."""

    def run(sql: str) -> str:
        return ask(server, "gpuledger", sql)

    assert run("CREATE TABLE gpuledger.staging AS gpuledger.ledger_1m") == ""
    assert run("INSERT INTO gpuledger.staging (cluster) VALUES ('a')") == ""
    partition = run("SELECT partition_id FROM system.parts WHERE table = 'staging' AND active")
    swap = f"REPLACE PARTITION ID '{partition}' FROM gpuledger.staging"
    assert run(f"ALTER TABLE gpuledger.ledger_1m {swap}") == ""
    assert run("SELECT count() FROM gpuledger.ledger_1m") == "1"
    assert run("TRUNCATE TABLE gpuledger.ledger_1m") == ""
    assert run("DROP TABLE gpuledger.staging") == ""


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE DATABASE other",
        "CREATE USER somebody",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    ],
)
def test_the_service_has_no_rights_beside_its_database(server: Deployed, sql: str) -> None:
    assert "ACCESS_DENIED" in ask(server, "gpuledger", sql)


def test_grafana_reads_tables_and_views(server: Deployed) -> None:
    assert ask(server, "grafana", "SELECT count() FROM gpuledger.ledger_1m") == "0"
    assert ask(server, "grafana", "SELECT count() FROM gpuledger.v_gpu_samples_1m") == "0"


def test_grafana_may_set_its_time_limit_and_no_other_setting(server: Deployed) -> None:
    # Without CHANGEABLE_IN_READONLY every panel fails although 'Save & test' passes.
    assert ask(server, "grafana", "SELECT 1", max_execution_time="30") == "1"
    assert "SETTING_CONSTRAINT" in ask(server, "grafana", "SELECT 1", max_execution_time="301")
    assert "READONLY" in ask(server, "grafana", "SELECT 1", max_memory_usage="0")
    assert "READONLY" in ask(server, "grafana", "SELECT 1", readonly="0")


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO gpuledger.prices SELECT * FROM gpuledger.prices",
        "DROP TABLE gpuledger.ledger_1m",
        *(
            f"SELECT * FROM gpuledger.{view}{name}"
            for name in sorted(PRIVATE)
            for view in ("", "v_")
        ),
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    ],
)
def test_grafana_neither_writes_nor_reads_credentials(server: Deployed, sql: str) -> None:
    answer = ask(server, "grafana", sql)
    assert "ACCESS_DENIED" in answer or "READONLY" in answer, answer


def test_a_wrong_password_is_refused(server: Deployed) -> None:
    token = b64encode(b"grafana:guess").decode()
    with pytest.raises(HTTPError) as refusal:
        urlopen(Request(server.url, headers={"Authorization": f"Basic {token}"}, data=b"SELECT 1"))
    with refusal.value as answer:
        assert answer.code == 403


def test_the_user_without_a_password_is_removed() -> None:
    assert (
        '<default remove="remove"/>'
        in (DEPLOY / "clickhouse" / "users.d" / "default.xml").read_text()
    )
