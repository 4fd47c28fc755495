"""Every noun of `/v1`: its routes, in the order of the documentation."""

from __future__ import annotations

from analytics.routes import (
    alerts,
    audit,
    book,
    capacity,
    changes,
    collection,
    exemptions,
    findings,
    inventory,
    jobs,
    plans,
    recommendations,
    reports,
    statements,
    tokens,
)

NOUNS = (
    *(book, findings, recommendations, jobs, inventory, capacity, plans, changes, exemptions),
    *(reports, alerts, collection, statements, tokens, audit),
)
ROUTERS = tuple(noun.router for noun in NOUNS)
