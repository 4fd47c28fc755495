"""The database's users see what policies say: the generated XML on a real listener."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from gpuledger.catalogue import TABLES
from gpuledger.cli import cli
from gpuledger.errors import ConfigError
from gpuledger.store import Address, Store
from gpuledger.users import Users, names, read_digests, user_of
from gpuledger.views import VIEWS
from tests import two_teams
from tests.components.clickhouse import ClickHouse
from tests.components.clickhouse_users import CONFIG, USERS
from tests.components.fixtures import or_skip
from tests.store_contract import AWKWARD
from tests.test_policies import CLOSED
from tests.two_teams import BLUE, RED, table_of

TEAMS = (RED, BLUE, AWKWARD)


def digests() -> dict[str, str]:
    return {user: hashlib.sha256(f"word-of-{user}".encode()).hexdigest() for user in names(TEAMS)}


class Guarded(ClickHouse):
    """A server with the users that we print."""

    def _write_files(self) -> None:
        (self.directory / "users.d").mkdir(parents=True, exist_ok=True)
        (self.directory / "users.d" / "gpuledger.xml").write_text(Users(TEAMS, digests()).xml())
        (self.directory / "config.xml").write_text(CONFIG.format(directory=self.directory))
        (self.directory / "users.xml").write_text(USERS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with or_skip(Guarded(tmp_path_factory.mktemp("guarded"))) as started:
        assert isinstance(started, Guarded)
        store = as_user(started, "gpuledger")
        store.apply()
        two_teams.fill(store)
        yield started
        store.close()


def as_user(server: Guarded, user: str) -> Store:
    address = Address(
        host=server.host, port=server.http_port, user=user, password=f"word-of-{user}"
    )
    return Store(address)


def ask(server: Guarded, user: str, sql: str, **settings: str) -> str:
    """The answer, or the server's refusal, as text."""
    token = b64encode(f"{user}:word-of-{user}".encode()).decode()
    url = f"{server.url}/?{urlencode({'database': 'gpuledger', **settings})}"
    request = Request(url, data=sql.encode(), headers={"Authorization": f"Basic {token}"})
    try:
        with urlopen(request, timeout=30) as answer:
            return str(answer.read().decode()).strip()
    except HTTPError as refusal:
        return str(refusal.read().decode(errors="replace"))


PRIVATE = {"api_tokens", "api_token_uses", "audit_log", "forgotten"}
SHOWN = [t for t in (*TABLES, *VIEWS) if t not in PRIVATE]


def test_a_teams_user_sees_all_of_its_rows_and_none_of_others(server: Guarded) -> None:
    for name in SHOWN:
        sql = f"SELECT * FROM {name} ORDER BY ALL FORMAT JSONCompactEachRow"
        seen, all_rows = ask(server, user_of(RED), sql), ask(server, "grafana", sql)
        assert BLUE not in seen, name
        mine = [row for row in all_rows.splitlines() if RED in row]
        own = [row for row in seen.splitlines() if RED in row]
        assert own == ([] if table_of(name) in CLOSED else mine), name


def test_grafana_sees_both_teams_and_what_belongs_to_nobody(server: Guarded) -> None:
    seen = ask(server, "grafana", "SELECT groupUniqArray(team) FROM accounts_1h")
    assert {RED, BLUE} <= set(seen.strip("[]").replace("'", "").split(","))


def test_a_team_of_an_awkward_name_sees_nothing_of_others(server: Guarded) -> None:
    assert ask(server, user_of(AWKWARD), "SELECT count() FROM jobs") == "0"


WAYS = [
    "SELECT user FROM merge('gpuledger', '^jobs$') WHERE user LIKE '%blue%'",
    "SELECT user FROM jobs PREWHERE throwIf(user = 'blue-user') = 0 AND user = 'blue-user'",
    "SELECT user FROM remote('127.0.0.1:9000', gpuledger.jobs) WHERE user = 'blue-user'",
    "SELECT user FROM jobs WHERE user = 'blue-user' SETTINGS additional_table_filters = {}",
    "SELECT query FROM system.query_log",
    "SELECT * FROM api_tokens",
    "SELECT * FROM v_audit_log",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    "CREATE TABLE gpuledger.x (a Int8) ENGINE = Memory",
    "INSERT INTO jobs (job_id) VALUES ('x')",
    "ALTER USER team_red IDENTIFIED BY 'x'",
    "DROP ROW POLICY team_red ON gpuledger.jobs",
    "SET readonly = 0",
]


@pytest.mark.parametrize("sql", WAYS)
def test_there_is_no_way_around(server: Guarded, sql: str) -> None:
    told = ask(server, user_of(RED), sql)
    refused = any(word in told for word in ("ACCESS_DENIED", "READONLY", "UNKNOWN_TABLE"))
    assert refused or told == "", told
    assert "blue-user" not in told or refused


def test_keys_of_other_rows_can_be_read_from_the_index(server: Guarded) -> None:
    """The server's own gap, which docs/security.md tells: such users are for boards, not people."""
    told = ask(server, user_of(RED), "SELECT job_id FROM mergeTreeIndex(gpuledger, jobs)")
    assert "c/blue-1" in told


def test_a_teams_user_may_set_its_time_limit_and_no_other_setting(server: Guarded) -> None:
    red = user_of(RED)
    assert ask(server, red, "SELECT 1", max_execution_time="30") == "1"
    assert "SETTING_CONSTRAINT" in ask(server, red, "SELECT 1", max_execution_time="301")
    assert "READONLY" in ask(server, red, "SELECT 1", additional_table_filters="{'a':'1'}")


def test_the_service_owns_its_database(server: Guarded) -> None:
    store = as_user(server, "gpuledger")
    assert [sql for sql in store.plan() if not sql.startswith("CREATE OR REPLACE VIEW")] == []
    store.close()


# --- SQL --------------------------------------------------------------------------------------


def test_every_statement_is_understood(engine: Store) -> None:
    for sql in Users(TEAMS, digests()).sql():
        assert engine.value("SELECT formatQuery({told:String})", told=sql)


def test_sql_and_xml_say_the_same_of_every_user(engine: Store) -> None:
    told = Users(TEAMS, digests())
    xml = ET.fromstring(told.xml())
    statements = list(told.sql())
    for user in names(TEAMS):
        place = xml.find(f"users/{user}")
        assert place is not None
        grants = [str(q.text) for q in place.iter("query")]
        said = [s for s in statements if s.endswith((f"TO {user}", f"FROM {user}"))]
        assert [g for g in grants if not any(s.startswith(g) for s in said)] == []
        filters = sum(s.startswith(f"CREATE ROW POLICY {user} ") for s in statements)
        assert filters == len(list(place.iter("filter")))


# --- names and digests ------------------------------------------------------------------------


def test_every_team_has_a_plain_user_of_its_own() -> None:
    odd = ["ML", "ml", "m l", "m-l", "m_l", AWKWARD, "日本", "1"]
    users = [user_of(team) for team in odd]
    assert len(set(users)) == len(odd)
    assert all(u.isascii() and u.replace("_", "a").isalnum() for u in users)


@pytest.mark.parametrize("teams", [("",), (RED, RED)])
def test_teams_that_cannot_be_users_are_refused(teams: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        Users(teams, {})


def test_a_digest_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "grafana.sha256").write_text(f"{'ab' * 32}  -\n")
    assert read_digests(tmp_path, ["grafana"]) == {"grafana": "ab" * 32}


@pytest.mark.parametrize("content", [None, "", "secret", "AB" * 32, "ab" * 31])
def test_what_is_no_digest_is_refused_and_not_shown(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "grafana.sha256").write_text(content)
    with pytest.raises(ConfigError) as refused:
        read_digests(tmp_path, ["grafana"])
    assert "grafana.sha256" in str(refused.value)
    assert not content or content not in str(refused.value)


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["schema", "print", *words], obj={})
    return done.exit_code, done.output


def test_the_command_prints_users_in_both_forms(tmp_path: Path) -> None:
    for user, digest in digests().items():
        (tmp_path / f"{user}.sha256").write_text(digest)
    told = ("--users", "--digests", str(tmp_path), "--team", RED)
    code, sql = run(*told)
    assert code == 0
    assert "CREATE ROW POLICY team_red ON gpuledger.jobs FOR SELECT USING" in sql
    code, xml = run(*told, "--format", "xml")
    assert code == 0
    assert ET.fromstring(xml).find("users/team_red/databases/gpuledger/jobs") is not None


@pytest.mark.parametrize(
    "words",
    [
        ("--users",),
        ("--users", "--digests", "/nowhere"),
        ("--format", "xml"),
        ("--team", RED),
        ("--users", "--digests", "/nowhere", "--cluster", "c"),
    ],
)
def test_what_cannot_be_printed_is_refused(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["schema", "print", *words], obj={})
    assert isinstance(done.exception, ConfigError)
    assert "\n" not in str(done.exception)
