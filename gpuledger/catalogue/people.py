"""People, teams, services and what was agreed with them; from files or directories, time-valid."""

from gpuledger.schema import (
    FOREVER,
    Holds,
    Label,
    Number,
    Row,
    Time,
    Versions,
    ident,
    label,
    number,
    text,
    time,
)


class Team(Row, table="teams", layout=Versions(key=("kind", "name", "valid_from"))):
    """To whom an account, namespace, project or mail domain belongs, from when to when."""

    kind: Label = label("account, namespace, project or mail")
    name: Label = label("its name, `cluster/name` where clusters differ", holds=Holds.NAME)
    team: Label = label("team that pays")
    lead: Label = label("user who decides for the team", default="", holds=Holds.NAME)
    mail: Label = label("where the team is told", default="", holds=Holds.NAME)
    department: Label = label("unit above the team", default="")
    valid_from: Time = time("from")
    valid_to: Time = time("until", default=FOREVER)
    version: Number = number("time of the import", bits=64)


class Person(Row, table="people", layout=Versions(key=("user", "valid_from"))):
    """One user: name, mail and team, from when to when."""

    user: Label = label("user name as schedulers know it", holds=Holds.NAME)
    name: Label = text("name of the person", default="", holds=Holds.NAME)
    mail: Label = text("where the person is told", default="", holds=Holds.NAME)
    team: Label = label("team; empty = as the account says", default="")
    valid_from: Time = time("from")
    valid_to: Time = time("until", default=FOREVER)
    version: Number = number("time of the import", bits=64)


class Exemption(Row, table="exemptions", layout=Versions(key=("subject", "valid_from"))):
    """Idleness that was agreed to: of a job or service, why, by whom and until when."""

    subject: Label = text("job id, or `service/` and its name")
    kinds: Label = text("kinds of findings, joined by commas; empty = all", default="")
    reason: Label = text("why", holds=Holds.WORDS)
    owner: Label = label("who asked for it", holds=Holds.NAME)
    approved_by: Label = label("who agreed; empty = nobody yet", default="", holds=Holds.NAME)
    valid_from: Time = time("from")
    valid_to: Time = time("until")
    version: Number = number("time it was written", bits=64)


class Service(Row, table="services", layout=Versions(key=("cluster", "service"))):
    """An inference service that is meant to be warm: which jobs are its replicas."""

    cluster: Label = label("cluster name")
    service: Label = label("name")
    team: Label = label("team that pays", default="")
    jobs: Label = text("beginning of the names of its jobs")
    least_replicas: Number = number("replicas that must stay up", default=1)
    valid_from: Time = time("from")
    valid_to: Time = time("until", default=FOREVER)
    version: Number = number("time it was written", bits=64)


class AssetState(Row, table="asset_states", layout=Versions(key=("gpu_id", "valid_from"))):
    """What the owner says of one place, from when to when; without a word it is in service."""

    gpu_id: Number = ident("hash of the asset id")
    state: Label = label("service, delivered, repair, powered_down or retired")
    reason: Label = text("why", default="", holds=Holds.WORDS)
    valid_from: Time = time("from, in whole minutes")
    valid_to: Time = time("until", default=FOREVER)
    version: Number = number("trust of the source, then time", bits=64)


class NodeOwner(Row, table="node_owner", layout=Versions(key=("cluster", "node", "valid_from"))):
    """Which scheduler owns a node, where several could speak for it."""

    cluster: Label = label("cluster name")
    node: Label = label("node name")
    scheduler: Label = label("slurm or kubernetes")
    valid_from: Time = time("from")
    valid_to: Time = time("until", default=FOREVER)
    version: Number = number("trust of the source, then time", bits=64)
