"""`[columns]`: which names and types a column can have."""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.paths import read_path
from sentinelone_source.mapping.spec.model import Column
from sentinelone_source.toml import convert, unknown

if TYPE_CHECKING:
    from sentinelone_source.mapping.rows.types import ColumnType

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,44}", re.ASCII)
# Names that a Log Analytics table keeps for itself; Azure compares them case by case, and `Id` is
# free (learn.microsoft.com, "Add or delete tables and columns in Azure Monitor Logs").
_AZURE = (
    "id Title Type UniqueId TenantId BilledSize IsBillable InvalidTimeGenerated "
    "_ItemId _ResourceId _ResourceGroup _SubscriptionId _TimeReceived"
)
RESERVED = frozenset({*_AZURE.split(), "_table"})


class _Column(msgspec.Struct):
    path: str | list[str] | None = None
    console: Literal["name", "url"] | None = None
    type: str = "string"
    redact: bool = False
    aliases: dict[str, str] = {}


def build_columns(
    columns: dict[str, Any], types: Dict[str, ColumnType], where: str
) -> tuple[Column, ...]:
    """Check the columns of a whole (merged) document, and build them.

    Raises:
        ConfigError: naming the column, and what would be right.
    """
    built: dict[str, Column] = {}
    for name, spec in columns.items():
        place = f"{where}: column {name}"
        if spec is False:
            continue
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{place}: a name has 2 to 45 letters, digits and _, a letter first")
        if name in RESERVED:
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
    """A column's long form: `"$.id"` and `["$.a", "$.b"]` are shorthand for string columns.

    Raises:
        ConfigError: the value is none of the three forms, nor `false`.
    """
    if isinstance(spec, dict):
        return spec
    if isinstance(spec, str | list):
        return {"path": spec}
    raise ConfigError(f"{place}: takes a path, a list of paths, a table with `path`, or false")
