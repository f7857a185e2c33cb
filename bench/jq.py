"""A mapping as a jq program: the same columns of the same records."""

from __future__ import annotations

import json

from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.spec.model import Column, Mapping

_GUARDS = """\
def text: if . == null or type == "string" then . else tojson end;
def number: if type == "string" then (tonumber? // null) elif type == "number" then . else null end;
def boolean: if type == "boolean" then . elif . == "true" then true elif . == "false" then false \
else null end;
def moment: if type == "string" then . else null end;
def json: if . == null then null else tojson end;
"""
_TYPES = {
    "string": "text",
    "guid": "text",
    "int": "number",
    "long": "number",
    "real": "number",
    "boolean": "boolean",
    "datetime": "moment",
    "dynamic": ".",
    "json": "json",
}


def program(mapping: Mapping) -> str:
    """Rows of a page, as text for `jq -c`. Secrets stay: jq has no fingerprint."""
    columns = [f"{json.dumps(column.name)}: {_column(column)}" for column in mapping.columns]
    columns.insert(0, f'"_table": {json.dumps(mapping.table)}')
    records = _members(mapping.request.records)
    return f"{_GUARDS}{records}[] | {{{', '.join(columns)}}} | del(.[] | nulls)"


def _column(column: Column) -> str:
    texts = [_members(path) for path in column.paths]
    if len(texts) > 1:
        value = f'first({", ".join(texts)} | select(. != null and . != "")) // null'
    elif column.paths[0].many:
        each = "".join(f".{name}" for name in column.paths[0].each or ())
        value = f"[{texts[0]}[]?{each} | values] | if . == [] then null else . end"
    else:
        value = texts[0]
    return f"({value} | {_TYPES[column.type]})"


def _members(path: Path) -> str:
    return "".join(f".{name}" for name in path.members)
