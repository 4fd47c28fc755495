"""Tokens of the service, and who decided and changed what."""

from gpuledger.schema import (
    FOREVER,
    UNSET_TIME,
    Events,
    Holds,
    Label,
    Number,
    Row,
    Time,
    Versions,
    label,
    number,
    text,
    time,
)


class ApiToken(Row, table="api_tokens", layout=Versions(key=("token_id",))):
    """A token that opens the service's doors; the secret itself is nowhere, only its hash."""

    token_id: Label = text("the middle of the token, which is no secret")
    name: Label = text("who has it; stays when a token is replaced by a new one", holds=Holds.WORDS)
    role: Label = label("ingest, viewer, team-owner, operator or admin")
    teams: Label = text("teams whose rows it sees, as a JSON array; [] = all", default="[]")
    cluster: Label = label("cluster that it may send rows of; empty = any", default="")
    node: Label = label("node that it may send rows of; empty = any", default="")
    tables: Label = text("tables that it may send to, as a JSON array; [] = all", default="[]")
    secret_sha256: Label = text("SHA-256 of the secret's 256 random bits, hexadecimal")
    replaces: Label = text("id of the token that it takes over from; empty = none", default="")
    made_by: Label = label("who made it", holds=Holds.WORDS)
    made_at: Time = time("when")
    expires_at: Time = time("when it ends; 2106 = never", default=FOREVER)
    revoked_by: Label = label("who took it back; empty = nobody", default="", holds=Holds.WORDS)
    revoked_at: Time = time("when it was taken back; 2106 = it was not", default=FOREVER)
    version: Number = number("milliseconds since 1970 of the last change", bits=64)


class ApiTokenUse(Row, table="api_token_uses", layout=Versions(key=("token_id",))):
    """When a token was used last; a table of its own, so that a use never undoes a revocation."""

    token_id: Label = text("the token")
    used_at: Time = time("when, at most a minute old", default=UNSET_TIME)
    address: Label = text("from which address", default="")
    version: Number = number("milliseconds since 1970 of that", bits=64)


class AuditEntry(
    Row, table="audit_log", layout=Events(key=("action", "subject"), retention="ledger")
):
    """One decision or change by a person or a program; rows are only ever added."""

    ts: Time = time("when")
    who: Label = text(
        "name of the caller; cli:NAME = a user of the operating system", holds=Holds.WORDS
    )
    role: Label = label("the caller's role")
    action: Label = label("what was done, e.g. recommendation.accept, token.create")
    subject: Label = text("to what, e.g. an id, a job, a week", holds=Holds.WORDS)
    address: Label = text("address it was asked from; empty = the command line", default="")
    before: Label = text(
        "how it was, as JSON; null = it was not there", default="null", holds=Holds.WORDS
    )
    after: Label = text("how it is, as JSON; null = it is gone", default="null", holds=Holds.WORDS)
    request_id: Label = text("id of the request in the logs; empty = the command line", default="")
