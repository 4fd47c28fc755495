"""The database's users of an installation: the service, the boards of all, and those of each team.

A team's user reads what `gpuledger.policies` lets it, by row policies of the server. Passwords are
here as SHA-256 digests alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpuledger import policies
from gpuledger.address import DATABASE
from gpuledger.errors import ConfigError
from gpuledger.narrow import PRIVATE

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SERVICE, GRAFANA = "gpuledger", "grafana"
# Profile and quota of everybody who only reads.
PROFILE = "gpuledger_reader"
# What the service's own user must be able to make; other engines reach files and hosts.
ENGINES = ("MergeTree", "AggregatingMergeTree", "ReplacingMergeTree")
READ_ONLY = {
    "readonly": 1,
    "max_execution_time": 60,
    "max_memory_usage": 4_000_000_000,
    "max_concurrent_queries_for_user": 32,
}
# Grafana's plugin sends its time limit with each query; without this, all are refused.
MOST_SECONDS = 300
# A board of twelve panels, read anew each half minute by twenty people, is 29,000 an hour.
HOURLY = {"queries": 60_000, "execution_time": 7_200}
DIGEST = re.compile(r"[0-9a-f]{64}")


def user_of(team: str) -> str:
    """The name of a team's user: plain, and another one for each team."""
    plain = re.sub(r"[^a-z0-9]+", "_", team.lower()).strip("_")
    if plain == team:
        return f"team_{plain}"
    return f"team_{plain}_{hashlib.sha256(team.encode()).hexdigest()[:8]}".replace("__", "_")


def read_digests(directory: Path, names: Sequence[str]) -> dict[str, str]:
    """The SHA-256 of each user's password, from the file `<user>.sha256`. ConfigError without."""
    return {name: _digest(directory / f"{name}.sha256") for name in names}


def _digest(path: Path) -> str:
    try:
        found = path.read_text().split()
    except (OSError, ValueError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it is no text"
        raise ConfigError(
            f'{path}: {reason}; make it by: printf %s "$PASSWORD" | sha256sum > {path}'
        ) from None
    if not found or not DIGEST.fullmatch(found[0]):
        raise ConfigError(f"{path}: it must begin with a SHA-256 in 64 hexadecimal digits")
    return found[0]


def names(teams: Sequence[str]) -> list[str]:
    """Every user that an installation with these teams has."""
    return [SERVICE, GRAFANA, *map(user_of, teams)]


@dataclass(frozen=True)
class Users:
    """Who may read and write one database; `digests` has each user's SHA-256.

    ConfigError for a team without a name or told twice.
    """

    teams: tuple[str, ...]
    digests: Mapping[str, str]
    database: str = DATABASE

    def __post_init__(self) -> None:
        """ConfigError where two users would be one."""
        if not all(self.teams) or len(set(self.teams)) != len(self.teams):
            raise ConfigError("--team: a team without a name, or one told twice")
        if not re.fullmatch(r"[A-Za-z_]\w*", self.database):
            raise ConfigError(f"--database {self.database}: write letters, digits and _")

    def grants(self, user: str) -> list[str]:
        """What the user may do, as GRANT and REVOKE without whom."""
        if user == SERVICE:
            engines = [f"GRANT TABLE ENGINE ON {engine}" for engine in ENGINES]
            return [f"GRANT ALL ON {self.database}.*", "GRANT SELECT ON system.*", *engines]
        private = [f"REVOKE SELECT ON {self.database}.{name}" for name in sorted(PRIVATE)]
        views = [f"REVOKE SELECT ON {self.database}.v_{name}" for name in sorted(PRIVATE)]
        return [f"GRANT SELECT ON {self.database}.*", *private, *views]

    def policies(self, team: str) -> dict[str, str]:
        """Table to the condition on the rows that the team's user sees."""
        return policies.conditions((team,), self.database)

    def sql(self) -> Iterator[str]:
        """Statements for a server whose users are kept by SQL."""
        limits = ", ".join(f"{name} = {value}" for name, value in READ_ONLY.items())
        most = f"max_execution_time MAX {MOST_SECONDS} CHANGEABLE_IN_READONLY"
        yield f"CREATE SETTINGS PROFILE IF NOT EXISTS {PROFILE} SETTINGS {limits}, {most}"
        told = ", ".join(f"{name} = {value}" for name, value in HOURLY.items())
        yield f"CREATE QUOTA IF NOT EXISTS {PROFILE} FOR INTERVAL 1 hour MAX {told}"
        owners = dict(zip(names(self.teams), (None, None, *self.teams), strict=True))
        for user, team in owners.items():
            yield from self._user_sql(user)
            for table, condition in self.policies(team).items() if team else ():
                place = f"{self.database}.{table}"
                yield f"CREATE ROW POLICY {user} ON {place} FOR SELECT USING {condition} TO {user}"

    def _user_sql(self, user: str) -> Iterator[str]:
        secret = f"IDENTIFIED WITH sha256_hash BY '{self.digests[user]}'"
        limited = f" SETTINGS PROFILE {PROFILE}" if user != SERVICE else ""
        yield f"CREATE USER IF NOT EXISTS {user} {secret}{limited}"
        if user != SERVICE:
            yield f"ALTER QUOTA {PROFILE} TO {user}"
        for grant in self.grants(user):
            word = "FROM" if grant.startswith("REVOKE") else "TO"
            yield f"{grant} {word} {user}"

    def xml(self) -> str:
        """A file for the server's users.d."""
        from xml.etree import ElementTree as ET  # noqa: PLC0415 - one command alone needs it

        root = ET.Element("clickhouse")
        _profile(ET.SubElement(ET.SubElement(root, "profiles"), PROFILE))
        interval = ET.SubElement(ET.SubElement(ET.SubElement(root, "quotas"), PROFILE), "interval")
        _fill(interval, {"duration": 3600, **HOURLY})
        users = ET.SubElement(root, "users")
        for user, team in zip(names(self.teams), (None, None, *self.teams), strict=True):
            self._user_xml(ET.SubElement(users, user), user, team)
        ET.indent(root)
        return ET.tostring(root, encoding="unicode") + "\n"

    def _user_xml(self, place: Element, user: str, team: str | None) -> None:
        from xml.etree.ElementTree import SubElement  # noqa: PLC0415 - see above

        limited = user != SERVICE
        _fill(place, {"password_sha256_hex": self.digests[user]})
        SubElement(SubElement(place, "networks"), "ip").text = "::/0"
        profile, quota = (PROFILE, PROFILE) if limited else ("default", "default")
        _fill(place, {"profile": profile, "quota": quota})
        grants = SubElement(place, "grants")
        for grant in self.grants(user):
            SubElement(grants, "query").text = grant
        if team:
            tables = SubElement(SubElement(place, "databases"), self.database)
            for table, condition in self.policies(team).items():
                SubElement(SubElement(tables, table), "filter").text = condition


def _profile(place: Element) -> None:
    from xml.etree.ElementTree import SubElement  # noqa: PLC0415 - see above

    _fill(place, READ_ONLY)
    limit = SubElement(SubElement(place, "constraints"), "max_execution_time")
    SubElement(limit, "changeable_in_readonly")
    _fill(limit, {"max": MOST_SECONDS})


def _fill(place: Element, values: Mapping[str, object]) -> None:
    from xml.etree.ElementTree import SubElement  # noqa: PLC0415 - see above

    for name, value in values.items():
        SubElement(place, name).text = str(value)
