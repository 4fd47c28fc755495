"""Links keep time and choices, and set what is clicked; choices list what there is."""

from __future__ import annotations

import pytest

from dashboards.choices import COMMON, JOB, NODE, USER, board_link
from dashboards.macros import expand
from dashboards.words import Variable
from gpuledger.store import Store
from tests.dashboards.world import NOTEBOOK, SINCE, TRAIN, UNTIL, fill

VALUES = {
    "cluster": ["alpha"],
    "pool": ["big", "small"],
    "team": ["speech", "vision"],
    "user": ["ana", "ben"],
    "job": [TRAIN, NOTEBOOK],
    "node": ["n1", "n2"],
}


def test_a_panels_link_keeps_everything() -> None:
    assert board_link("gpuledger-idle") == (
        "/d/gpuledger-idle?${__all_variables}&${__url_time_range}"
    )


def test_a_cells_link_sets_what_is_clicked_and_keeps_the_rest_once() -> None:
    link = board_link("gpuledger-job", job="job_id", team="team")
    assert link == (
        "/d/gpuledger-job?${ds:queryparam}&${cluster:queryparam}&${pool:queryparam}"
        "&var-job=${__data.fields.job_id:percentencode}"
        "&var-team=${__data.fields.team:percentencode}&${__url_time_range}"
    )


@pytest.mark.parametrize("variable", [*COMMON, USER, JOB, NODE], ids=lambda v: v.name)
def test_a_choice_lists_what_there_is(store: Store, variable: Variable) -> None:
    fill(store)
    found = store.select(expand(variable.sql, SINCE, UNTIL, 1, {}))
    assert [row[variable.name] for row in found] == VALUES[variable.name]
