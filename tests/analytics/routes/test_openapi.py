"""The API does what its OpenAPI says, whatever it is asked: cases are made by schemathesis."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test

from analytics.app import create_app
from analytics.ingest.intake import make_intake
from gpuledger.config import Config
from gpuledger.store import Store
from tests.analytics.routes.asked import operations
from tests.analytics.routes.filled import filled
from tests.analytics.web import TOKEN
from tests.conftest import empty

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi import checks

# A few of each operation; OPENAPI_CASES=200 makes thousands.
CASES = int(os.environ.get("OPENAPI_CASES", "3"))
LIMITS = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=CASES < 10,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
# A text may be of the right type and still make no sense: that is a 400 of ours.
UNFIT = [checks.positive_data_acceptance]
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def described(engine: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description of the application over a store of its own, which cases may change."""
    empty(engine)
    load_all_checks()
    service = filled(engine)
    path = tmp_path_factory.mktemp("intake") / "journal"
    service.intake = make_intake(path, engine, Config({})).open()
    yield schemathesis.openapi.from_asgi("/openapi.json", create_app(service), headers=HEADERS)
    service.intake.close()
    empty(engine)


@pytest.mark.parametrize(
    "label", [f"{method.upper()} {path}" for method, path, _ in operations() if "/v1/" in path]
)
def test_no_case_is_answered_by_what_is_not_described(described: Any, label: str) -> None:
    found = (result.ok() for result in described.get_all_operations())
    operation = next(one for one in found if one.label == label)

    @LIMITS
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(headers=HEADERS, excluded_checks=UNFIT)

    check()


def test_neither_is_one_that_follows_links(described: Any) -> None:
    machine = described.include(path_regex="^/v1/").as_state_machine()
    run_state_machine_as_test(machine, settings=settings(LIMITS, stateful_step_count=4))
