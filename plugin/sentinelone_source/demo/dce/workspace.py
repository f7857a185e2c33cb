"""The Log Analytics query API: real KQL on the rows that have arrived.

The engine is the package duckdb-kql, which only this module needs, and only when it is asked.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sentinelone_source.demo.dce.identity import json
from sentinelone_source.demo.dce.ingestion import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.demo.dce.behaviour import Behaviour
    from sentinelone_source.demo.dce.received import Received
    from sentinelone_source.demo.dce.schema_check import Stream
    from sentinelone_source.demo.dce.token_issuer import TokenIssuer
    from sentinelone_source.demo.transport import Answer, Call

AUDIENCES: Final = frozenset(
    f"https://api.loganalytics.{domain}" for domain in ("io", "us", "azure.cn")
)
_PATH: Final = re.compile(r"/v1/workspaces/([^/]+)/query")
_ENGINE: Final = {"datetime": "TIMESTAMP", "real": "DOUBLE", "boolean": "BOOLEAN", "long": "BIGINT"}


class _Question(msgspec.Struct):
    query: str


def workspace_of(call: Call) -> str | None:
    """The workspace that a call asks; None when it asks none."""
    found = _PATH.fullmatch(call.path)
    return found[1] if found and call.method == "POST" else None


class DemoWorkspace:
    """One workspace; its tables hold what was received."""

    def __init__(
        self,
        behaviour: Behaviour,
        streams: Iterable[Stream],
        issuer: TokenIssuer,
        received: Received,
    ) -> None:
        self._behaviour = behaviour
        self._streams = {stream.table: stream for stream in streams}
        self._issuer = issuer
        self._received = received

    def handle(self, call: Call) -> Answer:
        """What the service would answer."""
        known = self._behaviour
        reason = self._issuer.refusal(call.headers.get("authorization", ""), AUDIENCES)
        if reason:
            return refused(401, "InvalidTokenError", reason)
        if workspace_of(call) != known.workspace_id:
            return refused(404, "PathNotFoundError", "The requested path does not exist")
        if not known.may_query:
            text = "The provided credentials have insufficient access to perform the requested"
            return refused(403, "InsufficientAccessError", f"{text} operation")
        try:
            return self._run(msgspec.json.decode(call.body, type=_Question).query)
        except ImportError:
            return refused(501, "NoEngine", "install duckdb-kql to query the demo's workspace")
        except Exception as error:  # noqa: BLE001 - the engine's errors have no common base
            inner = {"code": "SEM0100", "message": f"{error}"}
            outer = {
                "code": "BadArgumentError",
                "message": "The request had some invalid properties",
            }
            return json({"error": outer | {"innererror": inner}}, 400)

    def _run(self, query: str) -> Answer:
        kql: Any = import_module("duckdb_kql")
        with kql.connect(config={"threads": 1}) as connection:
            for table, stream in self._streams.items():
                if table in query:
                    self._fill(connection, stream)
            schema = import_module("duckdb_kql.engine").schema(connection)
            sql = kql.to_sql(query, schema)
            found = connection.sql(sql, params=sql.parameters or None)
            columns = [
                {"name": name, "type": _type_of(str(kind))}
                for name, kind in zip(found.columns, found.types, strict=True)
            ]
            rows = found.fetchall()
        kept = rows[: self._behaviour.most_rows]
        answer: dict[str, Any] = {
            "tables": [{"name": "PrimaryResult", "columns": columns, "rows": kept}]
        }
        if len(kept) < len(rows):
            most = self._behaviour.most_rows
            text = f"Query result set has exceeded the internal record count limit {most}"
            inner = {"code": "-2133196797", "message": f"{text} (E_QUERY_RESULT_SET_TOO_LARGE)."}
            words = "There were some errors when processing your query."
            answer["error"] = {"code": "PartialError", "message": words, "innererror": inner}
        return json(answer)

    def _fill(self, connection: Any, stream: Stream) -> None:
        columns = ", ".join(
            f'TRY_CAST(line->>\'$."{name}"\' AS {_ENGINE.get(kind, "VARCHAR")}) AS "{name}"'
            for name, kind in stream.columns.items()
        )
        lines = [line.decode() for line in self._received.lines[stream.table][:]]
        connection.execute(
            f'CREATE TABLE "{stream.table}" AS SELECT {columns} '  # noqa: S608 - a mapping's names
            "FROM (SELECT unnest($1::VARCHAR[])::JSON AS line)",
            [lines],
        )


def _type_of(kind: str) -> str:
    """The Kusto name of a type of the engine."""
    return {"BIGINT": "long", "DOUBLE": "real", "BOOLEAN": "bool", "TIMESTAMP": "datetime"}.get(
        kind, "string"
    )
