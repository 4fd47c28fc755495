"""Every rule asks a database that is spread over two servers as it asks one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alerts.build import rules
from alerts.engine import look
from alerts.render import holding_sql
from alerts.test import load
from tests.shards import Pair, two_shards

# Joins, windows over findings and subqueries of two tables, on rows of several nodes.
ANSWERED = ("capacity_loss", "gpu_lost", "job_idle_chronic", "ledger_not_closed", "xid_critical")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    yield from two_shards(tmp_path_factory)


def test_every_rule_and_its_question_for_grafana_can_be_asked(pair: Pair) -> None:
    for module, rule in rules().items():
        look(pair.many, rule, load(module).now)
        pair.many.select(holding_sql(rule))


@pytest.mark.parametrize("module", ANSWERED)
def test_a_rule_says_what_it_says_of_one_server(pair: Pair, module: str) -> None:
    example = load(module)
    firing = example.cases["firing"]
    pair.wipe()
    for rows in firing.rows.values():
        pair.many.insert_rows(rows)
    seen = look(pair.many, rules()[module], example.now)
    assert {s: c.value for s, c in seen.items()} == pytest.approx(firing.alerts, rel=1e-3)
