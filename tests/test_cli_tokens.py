"""`gpuledger tokens` and `audit`, beside a running service and at the store itself."""

from __future__ import annotations

import csv
import getpass
import json
import re
import signal
from pathlib import Path
from typing import Any

from tests.analytics.command import Running, complaint, filled, output, rows, run

NODE = ("--role", "ingest", "--cluster", "alpha", "--node", "n1", "--tables", "gpu_samples")


def audit(store: str) -> list[dict[str, Any]]:
    return rows(output("audit", "--store", store, "--since", "1h", "--format", "json"))


def test_tokens_and_decisions_go_through_the_running_service(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    with Running(tmp_path, "serve", "--store", store) as service:
        made = run("tokens", "create", "--store", store, "--role", "viewer", "--name", "grafana")
        assert made.returncode == 0, made.stderr
        token = made.stdout.strip()
        assert re.fullmatch(r"gpl_[0-9a-f]{12}_[\w-]{43}", token)
        assert "grafana: viewer until 2" in made.stderr
        bearer = {"Authorization": f"Bearer {token}"}
        assert service.get("/v1/ledger", bearer)[0] == 200
        assert service.get("/v1/tokens", bearer)[0] == 403
        assert service.get("/v1/ledger", {"Authorization": f"Bearer {token}x"})[0] == 401
        said = complaint(2, "tokens", "create", "--store", store, "--role", "boss", "--name", "x")
        assert said.startswith("role boss: there are ingest")
        token_id = token.split("_")[1]
        assert output("tokens", "revoke", token_id, "--store", store) == f"{token_id}: revoked\n"
        (advice,) = rows(output("recommend", "list", "--store", store, "--format", "json"))
        short = advice["recommendation_id"][:8]
        said = output("recommend", "snooze", short, "--until", "7d", "--store", store)
        assert said.startswith(f"{short} ")
        assert ": snoozed until 2" in said
        assert service.end(signal.SIGTERM) == 0
        assert "Traceback" not in service.log
        assert token not in service.log
    assert output("tokens", "list", "--store", store) == "There is no token.\n"
    (gone,) = rows(output("tokens", "list", "--all", "--store", store, "--format", "json"))
    assert (gone["state"], gone["revoked_by"], gone["used_from"]) == (
        "revoked",
        "owner",
        "127.0.0.1",
    )
    assert gone["used_at"]
    assert [(e["who"], e["action"]) for e in audit(store)] == [
        ("owner", "recommendation.snooze"),
        ("owner", "token.revoke"),
        ("owner", "token.create"),
    ]


def test_without_a_service_they_are_made_in_the_store_by_whoever_types(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    made = json.loads(output("tokens", "create", "--store", store, *NODE, "--format", "json"))
    assert (made["name"], made["tables"]) == ("alpha/n1", ["gpu_samples"])
    assert made["token"].startswith(f"gpl_{made['token_id']}_")
    again = run("tokens", "rotate", made["token_id"], "--store", store, "--grace", "0s")
    assert again.stdout != made["token"]
    assert "alpha/n1  ingest  alpha/n1 gpu_samples  good" in re.sub(
        r"  +", "  ", output("tokens", "list", "--store", store)
    )
    told = output("audit", "--store", store, "--format", "csv")
    first, second = csv.DictReader(told.splitlines())
    assert (first["action"], second["action"]) == ("token.rotate", "token.create")
    assert first["who"] == second["who"] == f"cli:{getpass.getuser()}"
    assert json.loads(second["after"])["cluster"] == "alpha"
    assert made["token"] not in told
