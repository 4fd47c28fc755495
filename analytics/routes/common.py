"""How routes reach the service, who asks, and what they may read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from analytics.access.audit import Audit
from analytics.access.caller import Caller
from analytics.service import Service
from gpuledger.store import Store


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope["caller"]
    return caller


TheCaller = Annotated[Caller, Depends(_caller)]


def _reader(service: TheService, caller: TheCaller) -> Store:
    return service.boards.only(caller.teams)


# The store as the caller may see it: with rows of the caller's teams alone.
TheReader = Annotated[Store, Depends(_reader)]


def _audit(service: TheService) -> Audit:
    return service.audit


TheAudit = Annotated[Audit, Depends(_audit)]
