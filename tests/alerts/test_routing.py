from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.receivers import Receivers
from alerts.routing import Target, names, routing
from gpuledger.catalogue import Person, Team
from gpuledger.store import Store
from tests.alerts.world import alert

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = Receivers(
    platform=("json://platform",),
    hardware=("json://hardware",),
    teams={"vision": ("json://vision",)},
    users={"bo": ("json://bo",)},
    mail="mailtos://u:p@mail.example.org",
)


def person(
    user: str, mail: str, *, since: datetime = NOW - DAY, until: datetime = NOW + DAY
) -> Person:
    return Person(user=user, mail=mail, valid_from=since, valid_to=until, version=1)


def keys(store: Store, receivers: Receivers = ALL, **labels: str) -> list[tuple[str, str]]:
    found = routing(store, receivers, NOW).targets(alert(NOW, **labels))
    return [(t.key, t.address) for t in found]


@pytest.mark.parametrize(
    ("labels", "key"),
    [
        ({"owner": "platform"}, "platform"),
        ({"owner": "hardware"}, "hardware"),
        ({"owner": "team", "team": "vision"}, "team/vision"),
        ({"owner": "team", "team": "robotics"}, "platform"),
        ({"owner": "user", "user": "ana", "team": "vision"}, "user/ana"),
        ({"owner": "user", "user": "bo", "team": "vision"}, "user/bo"),
        ({"owner": "user", "user": "nobody", "team": "vision"}, "team/vision"),
        ({"owner": "user", "user": "nobody"}, "platform"),
        ({"owner": "user"}, "platform"),
    ],
)
def test_the_owner_hears_else_the_team_else_the_platform(
    store: Store, labels: dict[str, str], key: str
) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    assert [k for k, _ in keys(store, **labels)] == [key]


def test_the_address_of_a_person_is_the_one_of_now(store: Store) -> None:
    store.insert_rows(
        [
            person("ana", "old@example.org", since=NOW - 9 * DAY, until=NOW - DAY),
            person("ana", "new@example.org"),
        ]
    )
    assert keys(store, owner="user", user="ana") == [("user/ana", "mailto:new@example.org")]


def test_a_team_is_told_at_its_leads_address_else_at_its_own(store: Store) -> None:
    since = NOW - DAY
    store.insert_rows(
        [
            Team(
                kind="account",
                name="r",
                team="robotics",
                lead="max",
                mail="r@x.org",
                valid_from=since,
                version=1,
            ),
            Team(
                kind="account", name="s", team="speech", mail="s@x.org", valid_from=since, version=1
            ),
        ]
    )
    store.insert_rows([person("max", "max@example.org")])
    assert keys(store, owner="team", team="robotics") == [
        ("team/robotics", "mailto:max@example.org")
    ]
    assert keys(store, owner="team", team="speech") == [("team/speech", "mailto:s@x.org")]


def test_without_a_mail_server_addresses_of_people_are_of_no_use(store: Store) -> None:
    store.insert_rows([person("ana", "ana@example.org")])
    without = Receivers(platform=("json://platform",))
    assert keys(store, without, owner="user", user="ana") == [("platform", "json://platform")]


def test_hardware_falls_back_to_the_platforms_receivers(store: Store) -> None:
    without = Receivers(platform=("json://platform",))
    assert keys(store, without, owner="hardware") == [("hardware", "json://platform")]


def test_several_addresses_have_names_that_hold_no_secret() -> None:
    listed = ["slack://T1/A1/secret", "slack://T2", "mailto:a@example.org", "mailto://u:p@h?to=x"]
    assert names(listed) == ["slack-1", "slack-2", "a@example.org", "mailto-2"]


def test_a_printed_target_shows_no_address() -> None:
    assert repr(Target("platform", "slack://secret")) == "Target(key='platform')"
