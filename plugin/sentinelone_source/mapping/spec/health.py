"""The table of health rows: no mapping makes them; it is deployed and routed like others."""

from __future__ import annotations

from sentinelone_source.mapping.rows.types import TYPES
from sentinelone_source.mapping.spec.model import Column, TableSpec

_COLUMNS = {
    "TimeGenerated": "datetime",
    "Console": "string",
    "Feed": "string",
    "Table": "string",
    "Version": "string",
    "Host": "string",
    "Status": "string",
    "BehindSeconds": "real",
    "Rows": "long",
    "Bytes": "long",
    "LateRows": "long",
    "SuppressedRows": "long",
    "DeadLetters": "long",
    "LastSuccess": "datetime",
    "LastError": "string",
    "TokenExpires": "datetime",
}
HEALTH = TableSpec(
    name="health",
    table="SentinelOneSource_CL",
    stream="Custom-SentinelOneSource_CL",
    columns=tuple(Column(name, TYPES[kind], ()) for name, kind in _COLUMNS.items()),
)
