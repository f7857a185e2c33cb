"""What a mapping file may say, and what it means."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.paths import Path, PathError, parse_path
from sentinelone_source.mapping.rows.convert import TYPES
from sentinelone_source.mapping.spec import conditions
from sentinelone_source.mapping.spec.conditions import Condition, Drop
from sentinelone_source.mapping.spec.model import Column, Document, Mapping, Ordering, Request
from sentinelone_source.toml import convert, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,44}", re.ASCII)
_TABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}_CL", re.ASCII)
# Names that a Log Analytics table keeps for itself; Azure compares them case by case, and `Id` is
# free (learn.microsoft.com, "Add or delete tables and columns in Azure Monitor Logs").
_AZURE = (
    "id Title Type UniqueId TenantId BilledSize IsBillable InvalidTimeGenerated "
    "_ItemId _ResourceId _ResourceGroup _SubscriptionId _TimeReceived"
)
RESERVED = frozenset({*_AZURE.split(), "_table"})
# What stands in a URL: a path below the API, names of query parameters, values of `sortBy`.
_URL_PATH = re.compile(r"/?[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*/?")
_QUERY_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_STREAM = re.compile(r"(Custom|Microsoft)-[A-Za-z0-9_-]{1,100}")
_REDACTABLE = frozenset({"string", "guid", "json"})


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
    inventory: bool = False
    rescan: bool = False


class _Drop(msgspec.Struct):
    path: str
    equals: Any = msgspec.UNSET
    in_: Any = msgspec.field(default=msgspec.UNSET, name="in")
    not_in: Any = msgspec.UNSET
    matches: Any = msgspec.UNSET
    exists: Any = msgspec.UNSET
    all: list[_Drop] = []


class _Document(msgspec.Struct):
    table: str
    request: _Request
    walk: _Ordering
    columns: dict[str, Any]
    stream: str | None = None
    drop: list[_Drop] = []
    replace: bool = False


class _Column(msgspec.Struct):
    path: str | list[str]
    type: str = "string"
    redact: bool = False
    aliases: dict[str, str] = {}


def build(name: str, document: Document, file: str) -> Mapping:
    """Check a whole (merged) document and build the mapping.

    Args:
        name: what the mapping is called in commands, metrics and `[feeds.NAME]`.
        document: as TOML gives it.
        file: named in errors.

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
    return Mapping(
        name=name,
        table=checked.table,
        stream=stream,
        request=_request(checked.request, where),
        ordering=_ordering(checked.walk, where),
        columns=_columns(checked.columns, where),
        drops=tuple(_drop(drop, f"{where}: drop {n}") for n, drop in enumerate(checked.drop, 1)),
    )


def _path(text: str, where: str) -> Path:
    try:
        return parse_path(text)
    except PathError as error:
        raise ConfigError(
            f"{where}: {error}; a member path looks like '$.threatInfo.sha1'"
        ) from None


def _request(request: _Request, where: str) -> Request:
    records = _path(request.records, f"{where}: request.records")
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
    return Request(request.path.strip("/"), records, request.page_size, params)


def _check_query_name(name: str, place: str) -> None:
    if not _QUERY_NAME.fullmatch(name):
        raise ConfigError(f"{place}: {name!r}: takes letters, digits, _ . and -")


def _query_value(value: str | int | bool | list[str | int]) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ordering(walk: _Ordering, where: str) -> Ordering:
    paths = {
        key: _path(getattr(walk, key), f"{where}: walk.{key}")
        for key in ("id", "version", "position")
        if getattr(walk, key) is not None
    }
    for key, path in paths.items():
        if path.many:
            raise ConfigError(f"{where}: walk.{key}: {path.text!r} can match more than once")
    for key in ("filter", "sort_by"):
        _check_query_name(getattr(walk, key), f"{where}: walk.{key}")
    return Ordering(
        id=paths["id"],
        version=paths.get("version"),
        position=paths["position"],
        filter=walk.filter,
        sort_by=walk.sort_by,
        inventory=walk.inventory,
        rescan=walk.rescan,
    )


def _columns(columns: dict[str, Any], where: str) -> tuple[Column, ...]:
    built: dict[str, Column] = {}
    for name, spec in columns.items():
        place = f"{where}: column {name}"
        if spec is False:
            continue
        if not _COLUMN_NAME.fullmatch(name):
            raise ConfigError(f"{place}: a name has 2 to 45 letters, digits and _, a letter first")
        if name in RESERVED:
            raise ConfigError(f"{place}: the name is reserved by Azure Monitor; choose another")
        if name.lower() in built:
            raise ConfigError(f"{place}: duplicate of column {built[name.lower()].name}")
        built[name.lower()] = _column(name, spec, place)
    generated = built.get("timegenerated")
    if generated is None or (generated.name, generated.type) != ("TimeGenerated", "datetime"):
        raise ConfigError(f"{where}: column TimeGenerated: every table needs it, as a datetime")
    return tuple(built.values())


def _column(name: str, spec: Any, place: str) -> Column:
    checked = convert(normal_column(spec, place), _Column, place)
    if checked.type not in TYPES:
        raise ConfigError(f"{place}: {unknown('type', checked.type, TYPES)}")
    if checked.redact and checked.type not in _REDACTABLE:
        raise ConfigError(f"{place}: redact: only {', '.join(sorted(_REDACTABLE))} can be redacted")
    if checked.aliases and checked.type != "json":
        raise ConfigError(f"{place}: aliases: only json columns can have them")
    texts = [checked.path] if isinstance(checked.path, str) else checked.path
    if not texts:
        raise ConfigError(f"{place}: path: the list of paths is empty")
    paths = tuple(_path(text, place) for text in texts)
    return Column(name, checked.type, paths, checked.redact, tuple(checked.aliases.items()))


def normal_column(spec: Any, place: str) -> dict[str, Any]:
    """A column's long form: `"$.id"` and `["$.a", "$.b"]` are shorthand for string columns.

    Raises:
        ConfigError: the value is none of the three forms, nor `false`.
    """
    if isinstance(spec, dict):
        return spec
    if isinstance(spec, str | list):
        return {"path": spec}
    raise ConfigError(f"{place}: takes a path, a list of paths, a table with `path`, or false")


_TESTS: dict[str, Callable[[Any], conditions.Test]] = {
    "equals": lambda value: conditions.one_of([value]),
    "in": conditions.one_of,
    "not_in": conditions.none_of,
    "matches": lambda value: conditions.matches(_regular_expression(value)),
    "exists": conditions.exists,
}
_TAKES = {"in": list, "not_in": list, "matches": str, "exists": bool}


def _drop(drop: _Drop, where: str) -> Drop:
    found: list[Condition] = []
    for part in (drop, *drop.all):
        given = {key: getattr(part, "in_" if key == "in" else key) for key in _TESTS}
        given = {key: value for key, value in given.items() if value is not msgspec.UNSET}
        if not given:
            raise ConfigError(f"{where}: needs one of {', '.join(_TESTS)} beside `path`")
        path = _path(part.path, where)
        found.extend(Condition(path, _test(key, value, where)) for key, value in given.items())
    return Drop(tuple(found))


def _regular_expression(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a later Python will read in another way
        return re.compile(pattern)


def _test(key: str, value: Any, where: str) -> conditions.Test:
    takes = _TAKES.get(key)
    if takes and not isinstance(value, takes):
        raise ConfigError(f"{where}: {key}: takes a {takes.__name__}, not {value!r}")
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str | int | float):
            raise ConfigError(f"{where}: {key}: takes text, a number or a boolean, not {item!r}")
    try:
        return _TESTS[key](value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{where}: matches: {value!r} is no regular expression: {error}"
        ) from None
