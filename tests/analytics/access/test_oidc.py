"""Bearer tokens of a real issuer on loopback: taken as its keys say, refused in one line."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from analytics.access import issuer_keys
from analytics.access.caller import Caller, NotKnown, Role
from analytics.access.issuer_keys import IssuerKeys, fetcher
from analytics.access.oidc import Issuer as Trusted
from analytics.access.oidc import by_issuer, keys_in
from analytics.access.trust import OidcSettings, People, issuers
from gpuledger.config import Config
from gpuledger.errors import ConfigError, ReadError
from gpuledger.store import Store
from tests.analytics.access.issuer import AUDIENCE, Issuer, rsa_key
from tests.analytics.web import client, make_service

ROLES = {"leads": "team-owner", "watchers": "viewer", "staff": "operator", "root": "admin"}
TEAMS = {"leads": "red", "blues": "blue"}
POD = "system:serviceaccount:gpuledger:agent"


@pytest.fixture(scope="module")
def server() -> Iterator[Issuer]:
    """One issuer for the whole module: keys cost time."""
    with Issuer() as started:
        yield started


def trusted(url: str, **more: Any) -> list[Trusted]:
    section = {"issuer": url, "roles": ROLES, "teams": TEAMS, **more}
    return issuers(Config({"oidc": section}))


def whose(found: list[Trusted], token: str) -> Caller | None:
    return asyncio.run(by_issuer(found, token))


def refusal(found: list[Trusted], token: str) -> str:
    with pytest.raises(NotKnown) as refused:
        whose(found, token)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("groups", "role", "teams"),
    [
        (["leads"], Role.TEAM_OWNER, ("red",)),
        (["leads", "blues", "others"], Role.TEAM_OWNER, ("blue", "red")),
        (["watchers"], Role.VIEWER, ()),
        (["watchers", "blues"], Role.VIEWER, ("blue",)),
        (["leads", "staff"], Role.OPERATOR, ()),
        (["root"], Role.ADMIN, ()),
        ("root", Role.ADMIN, ()),
    ],
)
def test_groups_become_a_role_and_teams(
    server: Issuer, groups: Any, role: Role, teams: tuple[str, ...]
) -> None:
    caller = whose(trusted(server.url), server.token(groups=groups))
    assert caller
    assert (caller.name, caller.role, caller.teams) == ("oidc:ada", role, teams)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "another"}, "Audience doesn't match"),
        ({"aud": None}, "aud"),
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"exp": int(time.time()) - 61}, "expired"),
        ({"exp": None}, "exp"),
        ({"nbf": int(time.time()) + 3600}, "not yet valid"),
        ({"sub": None}, "sub"),
        ({"sub": "a\nb"}, "no claim 'sub' with a name"),
        ({"groups": ["others"]}, "no group of ada has a role"),
        ({"groups": None}, "no group of ada has a role"),
        ({"groups": {"leads": 1}}, "no group of ada has a role"),
    ],
)
def test_a_token_that_says_the_wrong_thing_is_refused(
    server: Issuer, claims: dict[str, Any], said: str
) -> None:
    assert said in refusal(trusted(server.url), server.token(**claims))


def test_clocks_may_differ_by_the_leeway(server: Issuer) -> None:
    now = int(time.time())
    assert whose(trusted(server.url), server.token(exp=now - 50, nbf=now + 50))


def _by_hand(header: dict[str, Any], claims: dict[str, Any], key: bytes | None) -> str:
    """A token as an attacker makes one; without a key, without a signature."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in (header, claims)
    ]
    body = b".".join(parts)
    signature = hmac.new(key, body, hashlib.sha256).digest() if key is not None else b""
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_an_unsigned_token_is_refused(server: Issuer) -> None:
    for name in ("none", "None", "nOnE"):
        forged = _by_hand({"alg": name, "kid": "one"}, server.claims(groups=["root"]), None)
        assert "not signed in a way" in refusal(trusted(server.url), forged)


def test_the_public_key_as_a_shared_secret_is_refused(server: Issuer) -> None:
    header = {"alg": "HS256", "kid": "one", "typ": "JWT"}
    forged = _by_hand(header, server.claims(groups=["root"]), server.pem("one"))
    assert "not signed in a way" in refusal(trusted(server.url), forged)


def test_a_key_that_the_token_brings_along_is_refused(server: Issuer) -> None:
    key = rsa_key()
    told = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(key.public_key()))  # type: ignore[attr-defined] # RSA has it
    header = {"kid": "one", "jwk": told, "jku": "http://127.0.0.1:1/"}
    forged = jwt.encode(server.claims(groups=["root"]), key, "RS256", header)
    assert "Signature verification failed" in refusal(trusted(server.url), forged)


def test_a_changed_token_is_refused(server: Issuer) -> None:
    head, _, sign = server.token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(server.claims(groups=["root"])).encode())
    changed = f"{head}.{body.rstrip(b'=').decode()}.{sign}"
    assert "Signature verification failed" in refusal(trusted(server.url), changed)


def test_another_algorithm_than_the_keys_is_refused(server: Issuer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode(server.claims(), key, "ES256", {"kid": "one"})
    assert refusal(trusted(server.url), forged)


def test_what_is_no_such_token_is_nobodys(server: Issuer) -> None:
    found = trusted(server.url)
    for text in ("", "a.b", "a.b.c", "....", "é.é.é", f"{'a' * 20_000}.b.c"):
        assert whose(found, text) is None


def test_a_new_key_is_fetched_once_it_is_used_and_not_more_often() -> None:
    now = [0.0]
    with Issuer() as server:
        fetch = fetcher(server.url, "", "", keys_in)
        people = People(OidcSettings(issuer=server.url, roles=ROLES, teams=TEAMS))
        keys = IssuerKeys(fetch, clock=lambda: now[0])
        found = [Trusted(server.url, AUDIENCE, keys, people)]
        assert whose(found, server.token())
        server.keys["two"] = (ec.generate_private_key(ec.SECP256R1()), "ES256")
        token = server.token("two")
        assert "does not publish" in refusal(found, token)
        for _ in range(20):
            refusal(found, token)
        assert server.fetches == 1
        now[0] += issuer_keys.ASK_AGAIN_S
        assert whose(found, token)
        assert server.fetches == 2


def test_a_key_that_is_published_no_more_opens_nothing() -> None:
    now = [0.0]
    with Issuer() as server:
        keys = IssuerKeys(fetcher(server.url, "", "", keys_in), clock=lambda: now[0])
        people = People(OidcSettings(issuer=server.url, roles=ROLES, teams=TEAMS))
        found = [Trusted(server.url, AUDIENCE, keys, people)]
        stolen = server.token()
        assert whose(found, stolen)
        server.keys = {"two": server.keys["one"]}
        now[0] += issuer_keys.FRESH_S
        keys.refresh()
        assert "does not publish" in refusal(found, stolen)


def test_while_the_issuer_is_away_its_last_keys_go_on() -> None:
    now = [0.0]
    with Issuer() as server:
        keys = IssuerKeys(fetcher(server.url, "", "", keys_in), clock=lambda: now[0])
        people = People(OidcSettings(issuer=server.url, roles=ROLES, teams=TEAMS))
        found = [Trusted(server.url, AUDIENCE, keys, people)]
        token = server.token()
        assert whose(found, token)
        server.stop()
        now[0] += 2 * issuer_keys.FRESH_S
        keys.refresh()
        assert whose(found, token)


def test_before_its_keys_came_nobody_is_refused_for_good(server: Issuer) -> None:
    with Issuer() as gone:
        token = gone.token()
    with pytest.raises(ReadError, match="does not answer"):
        whose(trusted(gone.url), token)


def test_a_discovery_document_of_another_issuer_is_not_believed(
    server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "document", {"issuer": "https://elsewhere.example"})
    with pytest.raises(ReadError, match="of another issuer"):
        whose(trusted(server.url), server.token())


def test_keys_are_not_fetched_where_others_can_change_them(
    server: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "document", {"jwks_uri": "http://keys.example/"})
    with pytest.raises(ReadError, match="write https"):
        whose(trusted(server.url), server.token())


def test_weak_and_foreign_keys_check_nothing(server: Issuer) -> None:
    weak = json.loads(jwt.get_algorithm_by_name("RS256").to_jwk(rsa_key(1024).public_key()))  # type: ignore[attr-defined] # RSA has it
    good = server.published("one")
    listed = [
        {**weak, "kid": "weak"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"},
        {**good, "kid": "sealing", "use": "enc"},
        {"kty": "RSA", "kid": "broken"},
        "none",
        good,
    ]
    assert [*keys_in({"keys": listed})] == ["one"]
    assert keys_in([]) == {}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"issuer": "http://sso.example.com"}, "write https"),
        ({"issuer": "https://a", "jwks": "http://b/keys"}, "write https"),
        ({"issuer": "https://a", "audience": ""}, "for whom"),
        ({"issuer": "https://a", "roles": {"g": "team-owners"}}, "did you mean 'team-owner'?"),
        ({"issuer": "https://a", "roles": {"g": "ingest"}}, "is no role"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        issuers(Config({"oidc": section}))
    assert said in str(refused.value)


def pods(server: Issuer, path: Path, **more: Any) -> list[Trusted]:
    path.write_text(json.dumps({"keys": [server.published("one")]}))
    section = {"issuer": server.url, "jwks": str(path), "cluster": "alpha", "subjects": [POD]}
    return issuers(Config({"serviceaccounts": {**section, **more}}))


def test_a_pod_is_bound_to_the_node_that_kubernetes_tells(server: Issuer, tmp_path: Path) -> None:
    node = {"kubernetes.io": {"namespace": "gpuledger", "node": {"name": "n1"}}}
    before = server.fetches
    caller = whose(pods(server, tmp_path / "keys.json"), server.token(sub=POD, **node))
    assert caller
    assert (caller.role, caller.cluster, caller.node) == (Role.INGEST, "alpha", "n1")
    assert server.fetches == before


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"sub": "system:serviceaccount:other:agent"}, "may not send"),
        ({"sub": POD}, "does not tell its node"),
        ({"sub": POD, "kubernetes.io": {"node": "n1"}}, "does not tell its node"),
    ],
)
def test_a_pod_without_a_node_and_another_account_are_refused(
    server: Issuer, tmp_path: Path, claims: dict[str, Any], said: str
) -> None:
    assert said in refusal(pods(server, tmp_path / "keys.json"), server.token(**claims))


def test_pods_need_a_cluster_and_tables_that_there_are(server: Issuer, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whose rows"):
        pods(server, tmp_path / "keys.json", cluster="")
    with pytest.raises(ConfigError, match="did you mean 'gpu_samples'"):
        pods(server, tmp_path / "keys.json", tables=["gpu_sample"])


def test_a_person_reaches_the_service_and_is_refused_with_the_reason(
    store: Store, server: Issuer
) -> None:
    service = make_service(store)
    service.issuers = trusted(server.url)
    watcher = server.token(groups=["watchers"])
    asking = client(service)
    good = asking.get("/v1/ledger", headers={"Authorization": f"Bearer {watcher}"})
    assert good.status_code == 200
    past = server.token(exp=int(time.time()) - 600)
    answer = asking.get("/v1/ledger", headers={"Authorization": f"Bearer {past}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert "expired" in answer.json()["detail"]
    assert (
        asking.get("/v1/tokens", headers={"Authorization": f"Bearer {watcher}"}).status_code == 403
    )
