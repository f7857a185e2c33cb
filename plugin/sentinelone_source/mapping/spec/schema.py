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
from sentinelone_source.mapping.spec.model import Document, Mapping, Ordering, RequestSpec
from sentinelone_source.times import parse_duration
from sentinelone_source.toml import convert, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}_CL", re.ASCII)
# What stands in a URL: a path below the API, names of query parameters, values of `sortBy`.
_URL_PATH = re.compile(r"/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_STREAM = re.compile(r"(Custom|Microsoft)-[A-Za-z0-9_-]{1,100}")


class _Request(msgspec.Struct):
    path: str
    records: str = "$.data"
    page_size: int = 1000
    params: dict[str, str | int | bool | list[str | int]] = {}


class _Ordering(msgspec.Struct):
    id: str
    position: str
    filter: str
    sort_by: str
    version: str | None = None
    until: str | None = None
    inventory: bool = False
    rescan: bool = False
    lookback: str = "24h"
    volatile: list[str] = []


class _Document(msgspec.Struct):
    table: str
    request: _Request
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
        request=_request(checked.request, where),
        ordering=_ordering(checked, where),
        columns=columns,
        drops=tuple(
            build_drop(drop, f"{where}: drop {n}") for n, drop in enumerate(checked.drop, 1)
        ),
        enabled=checked.enabled,
    )


def _request(request: _Request, where: str) -> RequestSpec:
    records = read_path(request.records, f"{where}: request.records")
    if not (records.plain and records.members):
        raise ConfigError(f"{where}: request.records: takes a path of member names, as '$.data'")
    if not _URL_PATH.fullmatch(request.path):
        raise ConfigError(
            f"{where}: request.path: {request.path!r}: takes letters, digits, / - _ and ."
        )
    if not 1 <= request.page_size <= 1000:
        raise ConfigError(f"{where}: request.page_size: {request.page_size} is not 1 to 1000")
    for name in request.params:
        _check_query_name(name, f"{where}: request.params")
    params = {key: _query_value(value) for key, value in request.params.items()}
    return RequestSpec(request.path.strip("/"), records, request.page_size, params)


def _check_query_name(name: str, place: str) -> None:
    if not _QUERY_NAME.fullmatch(name):
        raise ConfigError(f"{place}: {name!r}: takes letters, digits, _ . and -")


def _query_value(value: str | int | bool | list[str | int]) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


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
    for key in ("filter", "until", "sort_by"):
        if (name := getattr(walk, key)) is not None:
            _check_query_name(name, f"{where}: walk.{key}")
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
