"""What somebody may ask who may not see everything: questions about our tables and nothing else.

The engine itself takes the question apart (`parseQueryToJSON`), so that nothing depends on how it
is written. Whatever is not known to be harmless here is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from gpuledger.cluster import STAGING
from gpuledger.ddl import targets
from gpuledger.errors import StoreError

Ask = Callable[..., list[dict[str, Any]]]
Node = Mapping[str, Any]

TREE_SQL = "SELECT parseQueryToJSON({asked:String}) AS tree"
THERE_SQL = "SELECT name FROM system.tables WHERE database = currentDatabase()"
# Who may come in, and what was done: nobody reads it here but an administrator.
PRIVATE = frozenset({"api_tokens", "api_token_uses", "audit_log", "forgotten"})

# Parts of a question that only say what is read and how it is put together.
KNOWN = frozenset(
    {
        *("SelectWithUnionQuery", "SelectIntersectExceptQuery", "SelectQuery", "Subquery"),
        *("ExpressionList", "Literal", "Identifier", "Function", "QueryParameter", "WithElement"),
        *("TablesInSelectQuery", "TablesInSelectQueryElement", "TableExpression", "TableJoin"),
        *("TableIdentifier", "ArrayJoin", "Asterisk", "QualifiedAsterisk", "SampleRatio"),
        *("ColumnsListMatcher", "ColumnsRegexpMatcher", "QualifiedColumnsListMatcher"),
        *("QualifiedColumnsRegexpMatcher", "ColumnsTransformerList", "ColumnsExceptTransformer"),
        *("ColumnsReplaceTransformer", "ColumnsReplaceTransformerReplacement"),
        *("OrderByElement", "InterpolateElement", "WindowListElement", "WindowDefinition"),
    }
)
# A setting would lift the limits; PREWHERE is tried before rows are hidden, and its errors tell.
FORBIDDEN = {
    "settings": "SETTINGS",
    "prewhere": "PREWHERE",
    "out_file": "INTO OUTFILE",
    "format_ast": "FORMAT",
}
TABLE_FUNCTIONS = frozenset(
    {"numbers", "zeros", "generateSeries", "generate_series", "values", "SQLStandardValues"}
)
# Functions that read elsewhere, or tell of the engine and its machine.
ELSEWHERE = re.compile(
    r"(__|_?ai[A-Z]|AI|dict|joinget|remote|cluster|merge|mergetree|file|filesystem|url$|s3|gcs|hdfs"
    r"|azure|iceberg|deltalake|hudi|paimon|executable|python|view|loop$|input$|eval|fuzz|loki"
    r"|timeseries|prometheus|sqlite|mysql|postgresql|mongodb|redis|odbc|jdbc|ytsaurus|bigquery"
    r"|arrowstream|dictionary|getserver|getmergetree|getsetting|globalvariable|getmacro|getclient"
    r"|getos|hascolumnintable|addressto|demangle|sleep|logtrace|showcertificate|currentrequest"
    r"|serveruuid|fqdn|hostname$|fullhostname|tcpport|buildid|transaction|zookeeper|catboost"
    r"|naivebayes|regiont|region[A-Z]|tid$|generaterandom|pg_|pgget|pgtable|connection)",
    re.IGNORECASE,
)
CHECKS_SET = re.compile(r"(global)?(not)?(null)?(not)?in(ignoreset)?", re.IGNORECASE)


@dataclass(frozen=True)
class Door:
    """Which tables may be asked about: those of ours, less `closed` and what is made of them."""

    database: str
    closed: frozenset[str] = PRIVATE

    @property
    def tables(self) -> frozenset[str]:
        """Tables and views that may be read."""
        shut = self.closed | {f"v_{name}" for name in self.closed}
        return _ours() - shut

    def check(self, ask: Ask, sql: str, parameters: Mapping[str, Any]) -> None:
        """StoreError where the question is more than one about these tables.

        `ask` is `Store.select` of an embedded engine, which reads nothing of the question.
        """
        tree = json.loads(ask(TREE_SQL, asked=sql)[0]["tree"])
        there = {row["name"] for row in ask(THERE_SQL)}
        nodes = list(_nodes(tree))
        named = {node["name"] for node in nodes if node.get("type") == "WithElement"}
        if hidden := sorted(name for name in named if name in there or STAGING in name):
            raise StoreError(f"'{hidden[0]}' is the name of a table: call it otherwise")
        if not str(tree.get("type")).startswith("Select"):
            raise StoreError("only SELECT is answered here")
        asked = _Asked(self, frozenset(named))
        for node in nodes:
            asked.check(node)
        _check_parameters(parameters, nodes)


@cache
def _ours() -> frozenset[str]:
    return frozenset(t.name for t in targets() if t.kind in {"table", "view"})


def _nodes(tree: Any) -> Iterator[Node]:
    """Every part of the question, from the outside in."""
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    if isinstance(tree, dict):
        yield tree
        for key, part in tree.items():
            # What a literal holds is no part of the question.
            if key != "value":
                yield from _nodes(part)


@dataclass(frozen=True)
class _Asked:
    """One question: its door, and the names that it gives to subqueries."""

    door: Door
    named: frozenset[str]

    def check(self, node: Node) -> None:
        """StoreError where the part is not known to be harmless."""
        self._check_shape(node)
        if node.get("type") == "TableIdentifier":
            self._check_table(str(node.get("name", "")), node.get("name_parts"))
        if "table_function" in node:
            _check_table_function(str(node["table_function"].get("name")))
        if node.get("type") == "Function":
            self._check_function(node)

    def _check_shape(self, node: Node) -> None:
        kind = node.get("type")
        if kind is not None and kind not in KNOWN:
            raise StoreError(f"{kind} is not answered here")
        for key, says in FORBIDDEN.items():
            if key in node:
                raise StoreError(f"{says} is not answered here")
        # Rows are hidden by the names of tables, which an alias could take.
        if "." in str(node.get("alias", "")):
            raise StoreError("an alias must not have a dot")

    def _check_table(self, name: str, parts: Any) -> None:
        if parts is None and name in self.named:
            return
        database, table = (parts or [self.door.database, name])[-2:]
        whole = parts is None or len(parts) == 2
        if not whole or database != self.door.database or table not in self.door.tables:
            raise StoreError(f"there is no table '{name}' to ask about here")

    def _check_function(self, node: Node) -> None:
        name = str(node.get("name"))
        if ELSEWHERE.match(name):
            raise StoreError(f"the function '{name}' is not answered here")
        if CHECKS_SET.fullmatch(name):
            arguments = node.get("arguments", {}).get("children", [])
            for right in arguments[1:]:
                if right.get("type") == "Identifier":
                    self._check_table(str(right.get("name")), right.get("name_parts"))


def _check_table_function(name: str) -> None:
    if name not in TABLE_FUNCTIONS:
        raise StoreError(f"the table function '{name}' is not answered here")


def _check_parameters(parameters: Mapping[str, Any], nodes: list[Node]) -> None:
    """Only values, and bound by the engine: the driver would write others into the question."""
    bound = [node for node in nodes if node.get("type") == "QueryParameter"]
    if any("identifier" in str(node.get("param_type")).lower() for node in bound):
        raise StoreError("a parameter must be a value, not the name of something")
    names = {str(node.get("name")) for node in bound}
    if strange := sorted(set(parameters) - names):
        raise StoreError(f"the question has no parameter '{strange[0][:40]}'")
