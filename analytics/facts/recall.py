"""What exporters told and nobody ended yet, read back from the store after a restart."""

from __future__ import annotations

from analytics.facts.says import TRUST
from gpuledger.catalogue.work import TRUST_BITS, Allocation, Job, NodeState, Quota
from gpuledger.schema import Row
from gpuledger.store import Store

# What is open is little, however long the history.
OPEN: tuple[tuple[type[Row], str], ...] = (
    (Job, "state IN ('pending', 'running')"),
    (Allocation, "valid_to >= '2106-01-01'"),
    (NodeState, "valid_to >= '2106-01-01'"),
    (Quota, "limit_milli > 0"),
)


def recall(store: Store, cluster: str) -> list[Row]:
    """Open rows of that cluster by the word of exporters, for `Facts.recall`. StoreError."""
    rows: list[Row] = []
    for kind, is_open in OPEN:
        told = store.select(
            f"SELECT * FROM v_{kind.table.name} WHERE cluster = {{cluster:String}}"
            f" AND bitShiftRight(version, {TRUST_BITS}) = {TRUST} AND {is_open}",
            cluster=cluster,
        )
        rows += [kind(**row) for row in told]
    return rows
