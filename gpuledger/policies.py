"""Which rows of which table a team may see: the one place where that is said.

A team sees its own use, jobs, findings and money, the hardware, what is free, and what pools add up
to. It sees no other team's names, users, jobs or telemetry, and nothing of how the installation is
run. Whatever has no statement here is closed. The statements are conditions for ClickHouse: sent
with each question (`Store.only`), or written down as row policies (`gpuledger.users`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from gpuledger.catalogue import TABLES
from gpuledger.rollups import LEVELS
from gpuledger.schema import Samples, Table

OPEN, CLOSED = "1", "0"
HOUR_S, DAY_S = 3_600, 86_400
# Hours of one allocation that are looked at; samples live shorter.
LONGEST_D = 400


def quoted(text: str) -> str:
    """A text as a literal in which nothing can end it: what is not plain is told in hexadecimal."""
    if text.isascii() and all(c.isalnum() or c in " ._-/:@+" for c in text):
        return f"'{text}'"
    return f"unhex('{text.encode(errors='surrogatepass').hex()}')"


@dataclass(frozen=True)
class Words:
    """The parts that statements are made of, for some teams and one database."""

    teams: tuple[str, ...]
    database: str

    def of(self, table: str) -> str:
        """The table with its database: whoever hears it may be in another one."""
        return f"`{self.database}`.{table}"

    @cached_property
    def listed(self) -> str:
        """The teams as a list of literals."""
        return f"({', '.join(quoted(team) for team in self.teams)})"

    @cached_property
    def own(self) -> str:
        """Rows of the teams, by a column of that name."""
        return f"team IN {self.listed}"

    @cached_property
    def jobs(self) -> str:
        """SELECT of the ids of their jobs."""
        return f"(SELECT job_id FROM {self.of('job_teams')} FINAL WHERE {self.own})"

    @cached_property
    def users(self) -> str:
        """SELECT of who submitted their jobs."""
        return f"(SELECT user FROM {self.of('jobs')} FINAL WHERE job_id IN {self.jobs})"

    @cached_property
    def called(self) -> str:
        """SELECT of the accounts, namespaces and projects that are theirs."""
        return f"(SELECT name FROM {self.of('teams')} FINAL WHERE {self.own} AND kind != 'mail')"

    @cached_property
    def mail(self) -> str:
        """SELECT of the addresses and domains that are theirs."""
        return (
            f"(SELECT lower(name) FROM {self.of('teams')} FINAL WHERE {self.own} AND kind = 'mail')"
        )

    @cached_property
    def allocations(self) -> str:
        """SELECT of the ids of what was given to their jobs."""
        given = f"{self.of('allocations')} FINAL WHERE job_id IN {self.jobs}"
        return f"(SELECT alloc_id FROM {given})"

    def named(self, column: str) -> str:
        """Rows whose column has their name, or that of an account of theirs."""
        whole = f"concat(cluster, '/', {column})"
        return (
            f"({column} IN {self.listed} OR {column} IN {self.called} OR {whole} IN {self.called})"
        )

    def held(self, place: str, seconds: int = HOUR_S) -> str:
        """Telemetry of hours (or days) in which a place was given to their jobs.

        `place` is the columns that name it, which allocations have, too.
        """
        end = "least(valid_to, greatest(now64(3), valid_from) + INTERVAL 1 DAY)"
        begin = f"greatest(valid_from, {end} - INTERVAL {LONGEST_D} DAY)"
        turns = (
            f"arrayJoin(range(intDiv(toUnixTimestamp({begin}), {seconds}),"
            f" intDiv(toUnixTimestamp({end}), {seconds}) + 1))"
        )
        given = f"{self.of('allocations')} FINAL WHERE job_id IN {self.jobs}"
        return (
            f"({place}, intDiv(toUnixTimestamp(ts), {seconds}))"
            f" IN (SELECT {place}, {turns} FROM {given})"
        )


Rule = Callable[[Words], str]


def _open(_: Words) -> str:
    return OPEN


def _closed(_: Words) -> str:
    return CLOSED


def _team(words: Words) -> str:
    return words.own


def _job(words: Words) -> str:
    return f"job_id IN {words.jobs}"


def _cell(words: Words) -> str:
    """Cells of the book: theirs, and what nobody had."""
    return f"(alloc_id = 0 OR alloc_id IN {words.allocations})"


def _account(words: Words) -> str:
    """Accounts: theirs, and what nobody had."""
    return f"({words.own} OR (team = '' AND job = '' AND user = ''))"


def _gpu(words: Words) -> str:
    return words.held("gpu_id")


def _node(words: Words) -> str:
    return words.held("cluster, node")


def _on_node(column: str) -> Rule:
    return lambda words: f"({column} IN {words.users} AND {words.held('cluster, node')})"


def _of_jobs_group(words: Words) -> str:
    """Control groups are named by the scheduler's own id, without cluster and start."""
    native = f"SELECT splitByChar('@', job_id)[1] FROM {words.of('job_teams')} FINAL"
    return f"concat(cluster, '/', name) IN ({native} WHERE {words.own})"


def _reservation(words: Words) -> str:
    """Kept for them alone: one that names others tells who they are."""
    teams = "arrayFilter(x -> x != '', splitByChar(',', teams))"
    users = "arrayFilter(x -> x != '', splitByChar(',', users))"
    ours = f"(SELECT groupUniqArray(toString(user)) FROM {words.of('jobs')} FINAL"
    called = f"(SELECT groupUniqArray(toString(name)) FROM {words.of('teams')} FINAL"
    return (
        f"(length({teams}) + length({users}) > 0"
        f" AND hasAll(arrayConcat([{words.listed[1:-1]}], {called} WHERE {words.own})), {teams})"
        f" AND hasAll({ours} WHERE job_id IN {words.jobs}), {users}))"
    )


def _person(words: Words) -> str:
    """Those who are in the team, by name or by mail."""
    mail = f"lower(mail) IN {words.mail} OR splitByChar('@', lower(mail))[-1] IN {words.mail}"
    return f"({words.own} OR (team = '' AND mail != '' AND ({mail})))"


def _exemption(words: Words) -> str:
    services = f"(SELECT concat('service/', service) FROM {words.of('services')} FINAL"
    return f"(subject IN {words.jobs} OR subject IN {services} WHERE {words.own}))"


def _serving(words: Words) -> str:
    """Replicas by where they run: what serves names no team."""
    return words.held("cluster, node")


def _free(words: Words) -> str:
    """What is free; for whom it is kept is said of their own jobs alone."""
    return f"(job_id = '' OR job_id IN {words.jobs})"


def _occupancy(words: Words) -> str:
    return f"((job_id = '' AND alloc_id = 0) OR job_id IN {words.jobs})"


def _hardware_change(_: Words) -> str:
    """Of hardware; of quotas and drains, reasons and queues name others."""
    return "kind IN ('driver', 'vbios', 'card', 'mig')"


def _recommended(words: Words) -> str:
    own = f"SELECT recommendation_id FROM {words.of('recommendations')} FINAL WHERE {words.own}"
    return f"recommendation_id IN ({own})"


def _alert(words: Words) -> str:
    return f"JSONExtractString(labels, 'team') IN {words.listed}"


def _notification(words: Words) -> str:
    own = f"SELECT rule, subject FROM {words.of('alert_states')} FINAL WHERE {_alert(words)}"
    return f"(rule, subject) IN ({own})"


def _delivery(words: Words) -> str:
    return f"what IN ({', '.join(quoted(f'team/{team}') for team in words.teams)})"


def _quota(words: Words) -> str:
    return words.named("team")


def _queue(words: Words) -> str:
    return f"(project != '' AND {words.named('project')})"


def _process(words: Words) -> str:
    return f"(user IN {words.users} AND {words.held('gpu_id')})"


RULES: Mapping[str, Rule] = {
    # Telemetry: while their jobs had the device or the node. Names of mounts and buckets are
    # those of whoever made them.
    "gpu_samples": _gpu,
    "slice_samples": _gpu,
    "gpu_health_samples": _gpu,
    "process_samples": _process,
    "gpu_events": _gpu,
    "host_samples": _node,
    "cgroup_samples": _of_jobs_group,
    "network_samples": _node,
    "tcp_samples": _node,
    "block_samples": _node,
    "nvme_samples": _node,
    "filesystem_samples": _closed,
    "netfs_samples": _closed,
    "object_store_samples": _closed,
    "serving_samples": _serving,
    "progress_samples": _on_node("user"),
    "queue_samples": _queue,
    # How the installation is run.
    "source_runs": _closed,
    "agent_samples": _closed,
    "spool_losses": _closed,
    "quarantine": _closed,
    "backfill_chunks": _closed,
    "missing_values": _closed,
    "leases": _closed,
    "api_tokens": _closed,
    "api_token_uses": _closed,
    "audit_log": _closed,
    "forgotten": _closed,
    # Hardware and its places; what people wrote of nodes and places (reasons, taints) is closed.
    "assets": _open,
    "gpus": _open,
    "gpu_links": _open,
    "pools": _open,
    "node_owner": _open,
    "node_states": _closed,
    "asset_states": _closed,
    "changes": _hardware_change,
    "power_floors": _open,
    "startup_times": _open,
    # Work.
    "jobs": _job,
    "job_teams": _team,
    "job_stats": _job,
    "job_classes": _job,
    "allocations": _job,
    "runs": _job,
    "reservations": _reservation,
    "quotas": _quota,
    "teams": _team,
    "people": _person,
    "exemptions": _exemption,
    "services": _team,
    # Money: what a GPU-hour is worth to whoever uses it; not what the provider wrote.
    "prices": _open,
    "rates": _open,
    "price_book": _closed,
    "cloud_bills": _closed,
    # The book; what is free, wanted and expected is told by pool.
    "ledger_1m": _cell,
    "ledger_1h": _cell,
    "recoverable_1h": _cell,
    "occupancy": _occupancy,
    "accounts_1h": _account,
    "accounts_1d": _account,
    "ledger_adjust": _account,
    "booked_hours": _open,
    "free_states": _free,
    "free_blocks": _open,
    "demand_1m": _open,
    "recoverable_1m": _open,
    "forecasts": _open,
    "fragmentation_1h": _open,
    # Verdicts.
    "findings": _team,
    "recommendations": _team,
    "recommendation_events": _recommended,
    "outcomes": _team,
    "alert_states": _alert,
    "notifications": _notification,
    "report_snapshots": _closed,
    "report_notes": _team,
    "report_pages": _team,
    "report_deliveries": _delivery,
}


def conditions(teams: Sequence[str], database: str) -> dict[str, str]:
    """Table or rollup to the condition on its rows for these teams; open ones are left out."""
    words = Words(tuple(teams), database)
    out: dict[str, str] = {}
    for table in TABLES.values():
        rule = RULES.get(table.name, _closed)
        out[table.name] = rule(words)
        for name, daily in _rollups(table):
            out[name] = _by_day(words, table.name) if daily else out[table.name]
    return {name: condition for name, condition in out.items() if condition != OPEN}


def _by_day(words: Words, table: str) -> str:
    """The rule of a table for its days: which hours of one it was is not in them any more."""
    return RULES.get(table, _closed)(words).replace(f" {HOUR_S})", f" {DAY_S})")


def _rollups(table: Table) -> list[tuple[str, bool]]:
    """Names of its rollups, and whether a row is a whole day."""
    depth = table.layout.rollup if isinstance(table.layout, Samples) else 0
    return [(level.table(table), level.seconds == DAY_S) for level in LEVELS[:depth]]


def filters(teams: Sequence[str], database: str) -> str:
    """The value of ClickHouse's `additional_table_filters` for these teams."""
    told = (
        f"'{database}.{name}': '{_escaped(condition)}'"
        for name, condition in conditions(teams, database).items()
    )
    return f"{{{', '.join(told)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
