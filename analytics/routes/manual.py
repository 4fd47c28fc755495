"""docs/api.md, made of the OpenAPI: every route with its parameters, fields and a command."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from analytics.routes.described import SENDERS
from gpuledger.reference import GENERATED

Json = Mapping[str, Any]
JSON = "application/json"
# Values of parameters in commands, where they have no example of their own.
PARAMETERS = {
    "recommendation_id": "9c1f07d2aa54e3b8",
    "finding_id": "5f2b8c1d9e3a7046",
    "job_id": "c1/1042",
    "node": "n17",
    "week": "2026-W47",
    "team": "vision",
    "token_id": "1f2e3d4c",
}
# What the commands of lists ask for, so that the page shows how.
QUERIES = {
    "/v1/ledger": {"since": "7d", "by": "team,state"},
    "/v1/jobs": {"state": "running", "limit": "100"},
    "/v1/findings": {"kind": "idle"},
    "/v1/changes": {"since": "30d", "kind": "driver"},
}
INTRODUCTION = '''
The service answers under `/v1` to whoever has a token. The same description for programs is at
`/openapi.json`. In the commands below, `$GPULEDGER_URL` is where the service listens
(`http://127.0.0.1:8080`) and `$GPULEDGER_TOKEN` the token.

- **Forms**: lists come as JSON, `application/x-ndjson`, `text/csv` or
  `application/vnd.apache.parquet`, as `Accept` asks, else 406. Nested values are JSON text in CSV
  and Parquet. A text in CSV that a spreadsheet would run (it begins with `=`, `+`, `-` or `@`)
  begins with `'`.
- **Pages**: JSON has 1,000 rows unless `limit` says otherwise (10,000 at most); the next page is
  where the `Link` header says (`rel="next"`, RFC 8288), and there is none after the last. A row
  that comes in between moves no page, and all pages of the ledger are about the same span. A cursor
  serves its own question alone.
- **Whole answers**: the other forms are streamed to their end without pages; two at once, else 503
  with `Retry-After`. A stream that breaks off ends without its last chunk, so that programs notice.
- **Known already**: what rests on the book has an `ETag`; with it in `If-None-Match` the answer is
  304, and nothing is asked of the book.
- **Values**: absent is null, never 0; units are in the keys, times are RFC 3339 in UTC.
- **Teams**: whoever belongs to a team sees its rows alone, in every form.
- **Errors**: problem details (RFC 9457) with `request_id`: 400 a parameter that makes no sense or
  is unknown, 404 nothing of that name, 409 where it stands this is not possible, 422 a wrong type,
  503 try again.

```sh
curl -sf -H "Authorization: Bearer $GPULEDGER_TOKEN" -H "Accept: text/csv" \\
  "$GPULEDGER_URL/v1/ledger?since=7d&by=team,state"
```

## A client

All rows of a list, page by page, with nothing but the standard library:

```python
import json
import re
import urllib.request


def rows(url: str, token: str, path: str):
    """Every row of a list of the API, e.g. `/v1/jobs?team=vision`."""
    while path:
        asked = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked) as answer:
            yield from json.load(answer)
            link = re.match(r'<(.+)>; rel="next"', answer.headers.get("Link", ""))
        path = link[1] if link else ""
'''


def page(openapi: Json) -> str:
    """The page. Every route of the description is on it."""
    parts = ["# API", GENERATED, INTRODUCTION.strip() + "\n" + _client(openapi) + "```"]
    for tag in dict.fromkeys(told["tags"][0] for _, _, told in _operations(openapi)):
        parts.append(f"## {tag.capitalize()}")
        parts += [
            _route(openapi, method, path, told)
            for method, path, told in _operations(openapi)
            if told["tags"][0] == tag
        ]
    return "\n\n".join(parts) + "\n"


def _operations(openapi: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in openapi["paths"].items():
        if path.startswith("/v1/"):
            for method, told in methods.items():
                yield method.upper(), path, {"tags": ["sending"], **told}


def _client(openapi: Json) -> str:
    """A function for each list, by its operation's name."""
    lines = []
    for method, path, told in _operations(openapi):
        if method == "GET" and "{" not in path and _has_rows(told):
            lines.append(f'\n\ndef {told["operationId"]}(url: str, token: str, query: str = ""):')
            lines.append(f'    return rows(url, token, f"{path}?{{query}}")')
    return "\n".join(lines) + "\n"


def _has_rows(told: Json) -> bool:
    return "text/csv" in told["responses"].get("200", {}).get("content", {})


def _route(openapi: Json, method: str, path: str, told: Json) -> str:
    parts = [f"### `{method} {path}`", str(told.get("description", ""))]
    if rows := [_parameter(p) for p in told.get("parameters", ())]:
        parts.append("\n".join(["| parameter | meaning |", "|---|---|", *rows]))
    if fields := _fields(openapi, told):
        parts.append(f"Fields: {', '.join(f'`{name}`' for name in fields)}.")
    if not path.startswith(SENDERS):
        parts.append(f"```sh\n{_command(openapi, method, path, told)}\n```")
    return "\n\n".join(part for part in parts if part)


def _parameter(told: Json) -> str:
    meaning = str(told.get("description", "")).replace("|", "\\|")
    return f"| `{told['name']}` | {meaning} |"


def _fields(openapi: Json, told: Json) -> list[str]:
    schema = told["responses"].get("200", {}).get("content", {}).get(JSON, {}).get("schema", {})
    return [*_resolved(openapi, schema.get("items", schema)).get("properties", {})]


def _resolved(openapi: Json, schema: Json) -> Json:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return openapi["components"]["schemas"][name] if name else schema


def _command(openapi: Json, method: str, path: str, told: Json) -> str:
    """The route asked by curl, with its examples."""
    for name, value in PARAMETERS.items():
        path = path.replace(f"{{{name}}}", quote(value))
    query = f"?{urlencode(QUERIES[path], safe=',')}" if path in QUERIES else ""
    words = ["curl -sf", '-H "Authorization: Bearer $GPULEDGER_TOKEN"']
    if method != "GET":
        words.append(f"-X {method}")
    if body := _body(openapi, told):
        words.append(f'-H "Content-Type: application/json" -d {shlex.quote(json.dumps(body))}')
    return " ".join([*words, f'"$GPULEDGER_URL{path}{query}"'])


def _body(openapi: Json, told: Json) -> Json:
    schema = told.get("requestBody", {}).get("content", {}).get(JSON, {}).get("schema", {})
    fields = _resolved(openapi, schema).get("properties", {})
    told_of = {name: field["examples"][0] for name, field in fields.items() if "examples" in field}
    return {name: value for name, value in told_of.items() if value not in (None, "")}
