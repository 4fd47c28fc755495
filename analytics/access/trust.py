"""Which issuers are trusted, and who their tokens make a caller: people, and pods on nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from analytics.access.caller import RANKS, Caller, NotKnown, Role
from analytics.access.issuer_keys import IssuerKeys, check_url, fetcher
from analytics.access.oidc import Claims, Issuer, keys_in
from gpuledger.catalogue import INGESTED
from gpuledger.config import Config, Settings
from gpuledger.errors import ConfigError, nearest
from gpuledger.schema import FOREVER

LONGEST_NAME = 200


class OidcSettings(Settings):
    """People who log in at an OpenID Connect issuer."""

    issuer: Annotated[str, "issuer as its tokens spell it, e.g. https://sso.example.com/r/a"] = ""
    audience: Annotated[str, "for whom its tokens must be"] = "gpuledger"
    jwks: Annotated[str, "address or file of its keys; empty = where its document says"] = ""
    ca_cert: Annotated[str, "PEM file of the CA that its certificate is checked with"] = ""
    leeway_s: Annotated[float, "seconds that its clock and ours may differ"] = 60.0
    name_claim: Annotated[str, "claim with the person's name, e.g. email"] = "sub"
    groups_claim: Annotated[str, "claim with the groups; a.b for one inside another"] = "groups"
    roles: Annotated[dict[str, str], "group to viewer, team-owner, operator or admin"] = (
        msgspec.field(default_factory=dict)
    )
    teams: Annotated[dict[str, str], "group to the team whose rows its members see"] = (
        msgspec.field(default_factory=dict)
    )


class ServiceAccountSettings(Settings):
    """Node agents in Kubernetes, known by the projected token of their service account."""

    issuer: Annotated[str, "issuer of the cluster's service account tokens; empty = none"] = ""
    audience: Annotated[str, "for whom the projected token must be"] = "gpuledger"
    jwks: Annotated[str, "address or file of its keys; empty = where its document says"] = ""
    ca_cert: Annotated[str, "PEM file of the CA that its certificate is checked with"] = ""
    leeway_s: Annotated[float, "seconds that its clock and ours may differ"] = 60.0
    cluster: Annotated[str, "cluster whose rows they may send"] = ""
    subjects: Annotated[list[str], "who may send, e.g. system:serviceaccount:gpuledger:agent"] = (
        msgspec.field(default_factory=list)
    )
    tables: Annotated[list[str], "tables that they may send to; empty = all"] = msgspec.field(
        default_factory=list
    )


class CertificateSettings(Settings):
    """Nodes that show a certificate of the authority that `--tls-client-ca` names."""

    cluster: Annotated[str, "cluster whose rows they may send; empty = they open nothing"] = ""
    suffix: Annotated[str, "end of their names that nodes' names lack, e.g. .example.com"] = ""
    tables: Annotated[list[str], "tables that they may send to; empty = all"] = msgspec.field(
        default_factory=list
    )


@dataclass(frozen=True)
class Certificates:
    """Nodes by the common name of the certificate that they show."""

    told: CertificateSettings

    def whose(self, names: Sequence[str]) -> Caller | None:
        """Which node it is; None where certificates open nothing, or the name ends otherwise."""
        name = names[0] if names else ""
        node = name.removesuffix(self.told.suffix)
        if not self.told.cluster or not node or not name.endswith(self.told.suffix):
            return None
        cluster, tables = self.told.cluster, tuple(self.told.tables)
        named = f"cert:{cluster}/{node}"
        return Caller(named, Role.INGEST, cluster=cluster, node=node, tables=tables)


def certificates(configuration: Config) -> Certificates:
    """What certificates open. ConfigError."""
    told = configuration.section("certificates", CertificateSettings)
    _check_tables("certificates", told.tables)
    return Certificates(told)


def issuers(configuration: Config) -> list[Issuer]:
    """The issuers that are configured; nothing is fetched yet. ConfigError."""
    people = configuration.section("oidc", OidcSettings)
    pods = configuration.section("serviceaccounts", ServiceAccountSettings)
    found = [_issuer("oidc", people, People(people))] if people.issuer else []
    found += [_issuer("serviceaccounts", pods, Pods(pods))] if pods.issuer else []
    if len({i.url for i in found}) < len(found):
        raise ConfigError("[oidc] and [serviceaccounts] have the same issuer: one of them is wrong")
    return found


def _issuer(section: str, told: OidcSettings | ServiceAccountSettings, whose: Any) -> Issuer:
    check_url(told.issuer, f"[{section}] issuer")
    if "://" in told.jwks:
        check_url(told.jwks, f"[{section}] jwks")
    if not told.audience:
        raise ConfigError(f"[{section}] audience: say for whom its tokens must be")
    keys = IssuerKeys(fetcher(told.issuer, told.jwks, told.ca_cert, keys_in))
    return Issuer(told.issuer, told.audience, keys, whose, told.leeway_s)


class People:
    """Persons by their groups: the highest role that one of them gives, and all teams."""

    def __init__(self, told: OidcSettings) -> None:
        self._told = told
        self._roles = {group: _role(group, name) for group, name in told.roles.items()}

    def __call__(self, claims: Claims) -> Caller:
        """Who it is. NotKnown where no group gives a role, or the name is none."""
        name = _name(claims, self._told.name_claim)
        groups = _groups(claims, self._told.groups_claim)
        roles = [self._roles[g] for g in groups if g in self._roles]
        if not roles:
            raise NotKnown(f"no group of {name} has a role here: see [oidc] roles")
        role = max(roles, key=RANKS.__getitem__)
        teams = tuple(sorted({self._told.teams[g] for g in groups if g in self._told.teams}))
        if role is Role.TEAM_OWNER and not teams:
            raise NotKnown(f"no group of {name} has a team here: see [oidc] teams")
        limited = role in {Role.VIEWER, Role.TEAM_OWNER}
        return Caller(f"oidc:{name}", role, teams if limited else (), ends_at=_ends(claims))


class Pods:
    """Pods by their service account, bound to the node where Kubernetes says that they run."""

    def __init__(self, told: ServiceAccountSettings) -> None:
        if told.issuer and not told.cluster:
            raise ConfigError("[serviceaccounts] cluster: say whose rows they may send")
        _check_tables("serviceaccounts", told.tables)
        self._told = told

    def __call__(self, claims: Claims) -> Caller:
        """Which node it is. NotKnown for other accounts, and where no node is told."""
        subject = str(claims["sub"])
        if subject not in self._told.subjects:
            raise NotKnown(f"{subject[:LONGEST_NAME]} may not send: see [serviceaccounts] subjects")
        node = _claim(claims, "kubernetes.io", "node", "name")
        if not isinstance(node, str) or not node:
            raise NotKnown("the token does not tell its node: Kubernetes 1.32 or newer does")
        return Caller(
            f"pod:{self._told.cluster}/{node}",
            Role.INGEST,
            cluster=self._told.cluster,
            node=node,
            tables=tuple(self._told.tables),
            ends_at=_ends(claims),
        )


def _check_tables(section: str, tables: Sequence[str]) -> None:
    """ConfigError for a table that takes no rows."""
    known = [table.name for table in INGESTED]
    for table in tables:
        if table not in known:
            hint = nearest(table, known)
            raise ConfigError(f"[{section}] tables: no such table '{table}'{hint}")


def _role(group: str, name: str) -> Role:
    """ConfigError for what is no role of people."""
    names = [role.value for role in RANKS]
    if name not in names:
        raise ConfigError(f"[oidc] roles: {group} = '{name}' is no role{nearest(name, names)}")
    return Role(name)


def _name(claims: Claims, claim: str) -> str:
    name = claims.get(claim)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise NotKnown(f"the token has no claim '{claim}' with a name: see [oidc] name_claim")
    return name


def _groups(claims: Claims, claim: str) -> list[str]:
    found = claims[claim] if claim in claims else _claim(claims, *claim.split("."))
    listed = found if isinstance(found, list) else [found]
    return [group for group in listed if isinstance(group, str)]


def _claim(claims: Claims, *path: str) -> Any:
    """A claim inside others; None where it is not there."""
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _ends(claims: Claims) -> datetime:
    """When the token is over; what no calendar holds is as good as for ever."""
    try:
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (ValueError, OverflowError, OSError):
        return FOREVER
