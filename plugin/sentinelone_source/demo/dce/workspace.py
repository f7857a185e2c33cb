"""The Log Analytics query API: KQL on the rows that have arrived, if duckdb-kql is installed."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any, Final

import msgspec

from sentinelone_source.demo.dce.errors import json, refused
from sentinelone_source.demo.dce.identity import RESOURCES, TokenIssuer
from sentinelone_source.demo.dce.ingestion import Received, Stream
from sentinelone_source.demo.http_server import Answer, Call

_PATH: Final = re.compile(r"/v1/workspaces/([^/]+)/query")
_AUDIENCES: Final = {resource for resource in RESOURCES if "loganalytics" in resource}
_ENGINE: Final = {"datetime": "TIMESTAMP", "real": "DOUBLE", "boolean": "BOOLEAN", "long": "BIGINT"}
_KUSTO: Final = {"BIGINT": "long", "DOUBLE": "real", "BOOLEAN": "bool", "TIMESTAMP": "datetime"}


class _Question(msgspec.Struct):
    query: str


def workspace_of(call: Call) -> str | None:
    """The workspace that a call asks; None when it asks none."""
    found = _PATH.fullmatch(call.path)
    return found[1] if found and call.method == "POST" else None


def answer_query(issuer: TokenIssuer, received: Received, call: Call) -> Answer:
    """What the service would answer. Raises RequestRefused."""
    reason = issuer.refusal(call.headers.get("authorization", ""), _AUDIENCES)
    if reason:
        raise refused(401, "InvalidTokenError", reason)
    if workspace_of(call) != issuer.behaviour.workspace_id:
        raise refused(404, "PathNotFoundError", "The requested path does not exist")
    try:
        return _run(received, msgspec.json.decode(call.body, type=_Question).query)
    except ImportError:
        text = "install duckdb-kql to query the demo's workspace"
        raise refused(501, "NoEngine", text) from None
    except Exception as error:  # noqa: BLE001 - the engine's errors have no common base
        inner = {"code": "SEM0100", "message": f"{error}"}
        text = "The request had some invalid properties"
        raise refused(400, "BadArgumentError", text, innererror=inner) from None


def _run(received: Received, query: str) -> Answer:
    kql: Any = import_module("duckdb_kql")
    with kql.connect(config={"threads": 1}) as connection:
        for stream in received.streams.values():
            if stream.table in query:
                _fill(connection, stream, received.lines[stream.table][:])
        schema = import_module("duckdb_kql.engine").schema(connection)
        sql = kql.to_sql(query, schema)
        found = connection.sql(sql, params=sql.parameters or None)
        columns = [
            {"name": name, "type": _KUSTO.get(str(kind), "string")}
            for name, kind in zip(found.columns, found.types, strict=True)
        ]
        table = {"name": "PrimaryResult", "columns": columns, "rows": found.fetchall()}
    return json({"tables": [table]})


def _fill(connection: Any, stream: Stream, lines: list[bytes]) -> None:
    columns = ", ".join(
        f'TRY_CAST(line->>\'$."{name}"\' AS {_ENGINE.get(kind, "VARCHAR")}) AS "{name}"'
        for name, kind in stream.columns.items()
    )
    connection.execute(
        f'CREATE TABLE "{stream.table}" AS SELECT {columns} '  # noqa: S608 - a mapping's names
        "FROM (SELECT unnest($1::VARCHAR[])::JSON AS line)",
        [[line.decode() for line in lines]],
    )
