"""Lists on the command line: what is taken, what is refused line by line, what is compared."""

from __future__ import annotations

from pathlib import Path

from tests.analytics.command import filled, output, run


def test_lists_are_taken_or_refused_by_line_and_a_difference_over_the_threshold_ends_with_one(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path / "store")
    teams = tmp_path / "teams.csv"
    teams.write_text("kind,name,team,lead\naccount,vision,Perception,lea\n")
    assert output("teams", "import", teams, "--store", store) == (
        f"{teams}: 1 read, 1 rows written\n"
    )
    people = tmp_path / "people.csv"
    people.write_text("user,team,valid_from\nana,x,tomorrow\n,y,\n")
    refused = run("people", "import", people, "--store", store)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        f"{people}: line 2: 'tomorrow' is no date; write 2026-11-16 or 2026-11-16T08:00Z",
        f"{people}: line 3: user: nothing is said",
        f"gpuledger: {people}: 2 of 2 lines cannot be used; nothing was imported",
    ]
    sacct = tmp_path / "sacct.txt"
    sacct.write_text("JobIDRaw|User|Account|State|Submit|Start|End|NodeList|AllocTRES\n")
    args = ("ledger", "reconcile", "--sacct", sacct, "--store", store)
    over = run(*args, "--over", "-1")
    assert (over.returncode, over.stderr) == (1, "")
    assert "allocations that only we know" in over.stdout
    assert "unexplained (0.000 %)" in over.stdout


def test_groups_of_a_directory_are_taken_or_refused_by_entry(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path / 'store'}"
    groups = tmp_path / "groups.ldif"
    groups.write_bytes(b"dn: cn=vision,dc=x\r\nmemberUid: ana\r\nmemberUid: b\r\n en\r\n")
    assert output("people", "import", groups, "--store", store) == (
        f"{groups}: 2 read, 2 rows written\n"
    )
    groups.write_text("dn: cn=a\nmemberUid: ana\n\ndn: cn=b\nmemberUid: ana\n")
    refused = run("people", "import", groups, "--store", store)
    assert refused.returncode == 2
    first, last = refused.stderr.splitlines()
    assert first.startswith(f"{groups}: line 5: group b: ana is in the group a too; ")
    assert last == f"gpuledger: {groups}: 1 of 2 entries cannot be used; nothing was imported"
