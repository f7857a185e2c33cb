"""What a mapping file may say, and what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from typing import Any, Literal

import msgspec

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.paths import read_path
from sentinelone_source.mapping.request import check_query_name, check_request
from sentinelone_source.mapping.rows.types import TYPES, ColumnType
from sentinelone_source.mapping.spec.conditions import DropTable, build_drop
from sentinelone_source.mapping.spec.model import Column, Document, Mapping, Ordering, RequestSpec
from sentinelone_source.toml import convert, unknown

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,44}", re.ASCII)
# Names that a Log Analytics table keeps for itself; Azure compares them case by case, and `Id` is
# free (learn.microsoft.com, "Add or delete tables and columns in Azure Monitor Logs").
_AZURE = (
    "id Title Type UniqueId TenantId BilledSize IsBillable InvalidTimeGenerated "
    "_ItemId _ResourceId _ResourceGroup _SubscriptionId _TimeReceived"
)
_RESERVED = frozenset({*_AZURE.split(), "_table"})


class _Column(msgspec.Struct):
    path: str | list[str] | None = None
    console: Literal["name", "url"] | None = None
    type: str = "string"
    redact: bool = False
    aliases: dict[str, str] = {}


def build_columns(
    columns: dict[str, Any], types: Dict[str, ColumnType], where: str
) -> tuple[Column, ...]:
    """Check the columns of a whole (merged) document, and build them."""
    built: dict[str, Column] = {}
    for name, spec in columns.items():
        place = f"{where}: column {name}"
        if spec is False:
            continue
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{place}: a name has 2 to 45 letters, digits and _, a letter first")
        if name in _RESERVED:
            raise ConfigError(f"{place}: the name is reserved by Azure Monitor; choose another")
        if name.lower() in built:
            raise ConfigError(f"{place}: duplicate of column {built[name.lower()].name}")
        built[name.lower()] = _column(name, spec, types, place)
    return tuple(built.values())


def _column(name: str, spec: Any, types: Dict[str, ColumnType], place: str) -> Column:
    checked = convert(normal_column(spec, place), _Column, place)
    if checked.console:
        if checked != _Column(console=checked.console):
            raise ConfigError(f"{place}: console: takes no other key beside it")
        return Column(name, types["string"], (), console=checked.console)
    if checked.path is None:
        raise ConfigError(f"{place}: missing key `path` or `console`")
    if checked.type not in types:
        raise ConfigError(f"{place}: {unknown('type', checked.type, types)}")
    kind = types[checked.type]
    if checked.redact and not kind.is_text:
        names = ", ".join(sorted(name for name, one in types.items() if one.is_text))
        raise ConfigError(f"{place}: redact: only {names} can be redacted")
    if checked.aliases and not (kind.is_text and kind.takes_all):
        raise ConfigError(f"{place}: aliases: only json columns can have them")
    texts = [checked.path] if isinstance(checked.path, str) else checked.path
    if not texts:
        raise ConfigError(f"{place}: path: the list of paths is empty")
    paths = tuple(read_path(text, place) for text in texts)
    return Column(name, kind, paths, checked.redact, tuple(checked.aliases.items()))


def normal_column(spec: Any, place: str) -> dict[str, Any]:
    """A column's long form: `"$.id"` and `["$.a", "$.b"]` are shorthand for string columns."""
    if isinstance(spec, dict):
        return spec
    if isinstance(spec, str | list):
        return {"path": spec}
    raise ConfigError(f"{place}: takes a path, a list of paths, a table with `path`, or false")


_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}_CL", re.ASCII)
_STREAM = re.compile(r"(Custom|Microsoft)-[A-Za-z0-9_-]{1,100}")


class _Document(msgspec.Struct):
    table: str
    request: RequestSpec
    walk: Ordering
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
        file=file,
        table=checked.table,
        stream=stream,
        request=check_request(checked.request, where),
        ordering=_check_ordering(checked, where),
        columns=columns,
        drops=tuple(
            build_drop(drop, f"{where}: drop {n}") for n, drop in enumerate(checked.drop, 1)
        ),
        enabled=checked.enabled,
    )


def _check_ordering(document: _Document, where: str) -> Ordering:
    walk = document.walk
    for key in ("id", "version", "position"):
        path = getattr(walk, key)
        if path and path.many:
            raise ConfigError(f"{where}: walk.{key}: {path.text!r} can match more than once")
    _check_query(walk, document.request.body is None, where)
    for name in walk.volatile:
        if name not in document.columns:
            known = unknown("column", name, document.columns)
            raise ConfigError(f"{where}: walk.volatile: {known}")
    volatile = tuple(name for name in walk.volatile if document.columns[name] is not False)
    return msgspec.structs.replace(walk, volatile=volatile)


def _check_query(walk: Ordering, is_list: bool, where: str) -> None:
    """Check the query of a list; a document has places instead."""
    for key in ("filter", "until", "sort_by"):
        name = getattr(walk, key)
        if name is not None and not is_list:
            raise ConfigError(f"{where}: walk.{key}: has no use beside request.body")
        if name is not None:
            check_query_name(name, f"{where}: walk.{key}")
        elif is_list and key != "until":
            raise ConfigError(f"{where}: walk: missing key `{key}`")
