"""What a mapping file may say, and what it means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.paths import read_path
from sentinelone_source.mapping.rows.types import TYPES, ColumnType
from sentinelone_source.mapping.spec.columns import build_columns
from sentinelone_source.mapping.spec.conditions import DropTable, build_drop
from sentinelone_source.mapping.spec.model import Document, Mapping, Ordering
from sentinelone_source.mapping.spec.request import RequestTable, build_request, check_query_name
from sentinelone_source.times import parse_duration
from sentinelone_source.toml import convert, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}_CL", re.ASCII)
_STREAM = re.compile(r"(Custom|Microsoft)-[A-Za-z0-9_-]{1,100}")


class _Ordering(msgspec.Struct):
    id: str
    position: str
    filter: str | None = None
    sort_by: str | None = None
    version: str | None = None
    until: str | None = None
    inventory: bool = False
    rescan: bool = False
    lookback: str = "24h"
    volatile: list[str] = []


class _Document(msgspec.Struct):
    table: str
    request: RequestTable
    walk: _Ordering
    columns: dict[str, Any]
    stream: str | None = None
    drop: list[DropTable] = []
    enabled: bool = True
    replace: bool = False


def build(
    name: str, document: Document, file: str, types: Dict[str, ColumnType] = TYPES
) -> Mapping:
    """Check a whole (merged) document and build the mapping.

    Args:
        name: what the mapping is called in commands, metrics and `[feeds.NAME]`.
        document: as TOML gives it.
        file: named in errors.
        types: of columns, by name.

    Raises:
        ConfigError: naming file, table, column or key, and what would be right.
    """
    where = f"{file}: {document.get('table', name)}"
    checked = convert(document, _Document, where)
    if not _TABLE_NAME.fullmatch(checked.table):
        raise ConfigError(f"{where}: table: a name of letters, digits and _ that ends in _CL")
    stream = checked.stream or f"Custom-{checked.table}"
    if not _STREAM.fullmatch(stream):
        raise ConfigError(f"{where}: stream: takes 'Custom-' and letters, digits, _ and -")
    columns = build_columns(checked.columns, types, where)
    if not any((one.name, one.type) == ("TimeGenerated", "datetime") for one in columns):
        raise ConfigError(f"{where}: column TimeGenerated: every table needs it, as a datetime")
    return Mapping(
        name=name,
        table=checked.table,
        stream=stream,
        request=build_request(checked.request, where),
        ordering=_ordering(checked, where),
        columns=columns,
        drops=tuple(
            build_drop(drop, f"{where}: drop {n}") for n, drop in enumerate(checked.drop, 1)
        ),
        enabled=checked.enabled,
    )


def _ordering(document: _Document, where: str) -> Ordering:
    walk = document.walk
    paths = {
        key: read_path(getattr(walk, key), f"{where}: walk.{key}")
        for key in ("id", "version", "position")
        if getattr(walk, key) is not None
    }
    for key, path in paths.items():
        if path.many:
            raise ConfigError(f"{where}: walk.{key}: {path.text!r} can match more than once")
    _check_query(walk, document.request.body is None, where)
    for name in walk.volatile:
        if name not in document.columns:
            known = unknown("column", name, document.columns)
            raise ConfigError(f"{where}: walk.volatile: {known}")
    try:
        lookback = parse_duration(walk.lookback)
    except ValueError as error:
        raise ConfigError(f"{where}: walk.lookback: {error}") from None
    return Ordering(
        id=paths["id"],
        version=paths.get("version"),
        position=paths["position"],
        filter=walk.filter,
        until=walk.until,
        sort_by=walk.sort_by,
        inventory=walk.inventory,
        rescan=walk.rescan,
        lookback=lookback,
        volatile=tuple(name for name in walk.volatile if document.columns[name] is not False),
    )


def _check_query(walk: _Ordering, is_list: bool, where: str) -> None:
    """Check the query of a list; a document has places instead."""
    for key in ("filter", "until", "sort_by"):
        name = getattr(walk, key)
        if name is not None and not is_list:
            raise ConfigError(f"{where}: walk.{key}: has no use beside request.body")
        if name is not None:
            check_query_name(name, f"{where}: walk.{key}")
        elif is_list and key != "until":
            raise ConfigError(f"{where}: walk: missing key `{key}`")
