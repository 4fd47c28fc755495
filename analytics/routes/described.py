"""How routes describe themselves in the OpenAPI: forms of lists, examples, problems, links."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, get_args

from fastapi import Path, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from analytics.routes.formats import CSV, NDJSON, PARQUET

LONGEST_NAME = 1000
SENDERS = ("/v1/ingest", "/v1/prometheus/", "/v1/otlp/")


class Answer(BaseModel):
    """What a route answers with; nothing else is in it."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(ge=400, le=599, examples=[400])
    detail: str = Field(examples=["since soon: write 7d, 12h, 90m or 2026-11-16T00:00Z"])
    request_id: str | None = Field(None, description="names the request in our logs")


_PROBLEMS = {
    400: "a parameter makes no sense, or is unknown",
    401: "nobody knows this token",
    403: "this caller may not do that",
    404: "there is nothing of that name",
    405: "the path has other methods",
    406: "no form of it is one that Accept asks for",
    409: "where it stands, this is not possible",
    413: "it is too much",
    415: "it is in a form that nobody reads here",
    422: "a parameter is of another type",
    429: "too much at once; see Retry-After",
    503: "the store does not answer; see Retry-After",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of routes that may go wrong so."""
    schema = {"$ref": "#/components/schemas/Problem"}
    content = {"application/problem+json": {"schema": schema}}
    return {s: {"description": _PROBLEMS[s], "content": content} for s in statuses}


COMMON = problems(400, 401, 403, 406, 422, 429, 503)


def route_id(route: APIRoute) -> str:
    """The operation's id: the name of its function."""
    return route.name


def listing(
    model: type[BaseModel],
    more: Mapping[int | str, dict[str, Any]] | None = None,
    *,
    one: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """Keywords of a route that answers with a list of `model`, and with `more` responses.

    `one` is the operation that answers with one of them, and the field that names it.
    """
    example = example_of(model)
    responses: dict[str, Any] = {
        "content": {
            "application/json": {"example": [example]},
            NDJSON: {"schema": {"type": "string"}},
            CSV: {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
        "headers": {
            "Link": {
                "description": 'the next page, `<…>; rel="next"` (RFC 8288); absent on the last',
                "schema": {"type": "string"},
            }
        },
    }
    if one:
        operation, name = one
        responses["links"] = {
            operation: {
                "operationId": operation,
                "parameters": {name: f"$response.body#/0/{name}"},
            }
        }
    return {"response_model": list[model], "responses": {200: responses, **(more or {})}}  # type: ignore[valid-type] # made for the description


def single(model: type[BaseModel], *statuses: int) -> dict[str, Any]:
    """Keywords of a route that answers with one `model`, and may go wrong so."""
    content = {"application/json": {"example": example_of(model)}}
    return {
        "response_model": model,
        "responses": {200: {"content": content}, **problems(*statuses)},
    }


UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "as If-None-Match has it"}}


def example_of(model: type[BaseModel]) -> dict[str, Any]:
    """An answer made of the examples of its fields."""
    return {f.alias or name: _example(f) for name, f in model.model_fields.items()}


def _example(field: FieldInfo) -> Any:
    if field.examples:
        return field.examples[0]
    for kind in (field.annotation, *get_args(field.annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            nested = example_of(kind)
            return [nested] if _is_list(field.annotation) else nested
        if get_args(kind) and _is_list(kind):
            return [example_of(get_args(kind)[0])]
    return None


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is list


def complete(description: dict[str, Any]) -> dict[str, Any]:
    """The application's description with what FastAPI does not know: problems, and the token."""
    components = description.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    description["security"] = [{"token": []}]
    senders = problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
    for path, methods in description["paths"].items():
        if path.startswith(SENDERS):
            for operation in methods.values():
                operation["responses"] = {
                    **{
                        str(status): {"description": p["description"]}
                        for status, p in senders.items()
                    },
                    **operation["responses"],
                }
    for path in ("/healthz", "/readyz", "/login"):
        for operation in description["paths"].get(path, {}).values():
            operation["security"] = []
    return description


AT = datetime(2026, 11, 16, 8, 0, tzinfo=UTC).isoformat().replace("+00:00", "Z")


def shown(example: Any, description: str = "", **more: Any) -> Any:
    """A field with an example of its value; `None` as default: it may be absent."""
    return Field(examples=[example], description=description or None, **more)


# Told to whoever generates questions; what is refused, and how, is known elsewhere.
TIME_PATTERN = r"^([1-9]\d{0,3}[mhdw]|20[0-9]{2}-(0[1-9]|1[0-2])-[0-2][1-8]T[01]\d:[0-5]\dZ)$"
WEEK_PATTERN = r"^20[0-9]{2}-W([0-4][1-9]|50)$"


def _filter(description: str, **told: Any) -> Any:
    return Query(max_length=LONGEST_NAME, description=description, json_schema_extra=told or None)


Cluster = Annotated[str, _filter("only of this cluster")]
Pool = Annotated[str, _filter("only of this pool")]
Team = Annotated[str, _filter("only of this team")]
User = Annotated[str, _filter("only of this user")]
Job = Annotated[str, _filter("only of this job, as `<cluster>/<number>`")]
Node = Annotated[str, _filter("only of this node")]
State = Annotated[str, _filter("only in this state")]
Kind = Annotated[str, _filter("only of this kind")]
Since = Annotated[
    str, _filter("from then on: 7d or 12h back, or an RFC 3339 time", pattern=TIME_PATTERN)
]
Until = Annotated[
    str,
    _filter("before then: as `since`; default: the last booked minute", pattern=TIME_PATTERN),
]
WeekName = Annotated[
    str, Path(description="an ISO week", json_schema_extra={"pattern": WEEK_PATTERN})
]


def filters(**given: str) -> Mapping[str, str]:
    """The filters that were given."""
    return {name: value for name, value in given.items() if value}
