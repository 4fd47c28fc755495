"""How routes reach the service."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from analytics.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]
