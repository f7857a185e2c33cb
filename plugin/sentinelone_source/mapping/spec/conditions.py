"""`[[drop]]`: which records never become rows."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.numbers import Number
from sentinelone_source.mapping.paths import Path, PathFailed, read_path
from sentinelone_source.mapping.rows.convert import to_string

Test = Callable[[list[Any]], bool]
"""Takes every match of the condition's path."""


class Condition(msgspec.Struct, frozen=True):
    """One test on what a path finds."""

    path: Path
    test: Test

    def holds(self, record: Any) -> bool:
        """Whether the decoded record meets the condition."""
        return self.meets(self.path.find, record)

    def meets(self, find: Callable[[Any], list[Any]], part: Any) -> bool:
        """The same, given how to find the path's matches; where jsonpath-ng raises are none."""
        try:
            found = find(part)
        except PathFailed:
            found = []
        return self.test(found)


class Drop(msgspec.Struct, frozen=True):
    """A record is dropped when every condition of one `[[drop]]` holds."""

    conditions: tuple[Condition, ...]

    def holds(self, record: Any) -> bool:
        """Whether the decoded record is one to drop."""
        return all(condition.holds(record) for condition in self.conditions)


def exists(wanted: bool) -> Test:
    """Whether the path finds anything but null."""
    return lambda found: any(value is not None for value in found) is wanted


def one_of(values: list[Any]) -> Test:
    """Whether any match is one of the values; `true` is not 1, and `1` is not "1"."""
    wanted = {_exact(value) for value in values}
    return lambda found: any(_exact(value) in wanted for value in found)


def none_of(values: list[Any]) -> Test:
    """Whether no match is one of the values."""
    hit = one_of(values)
    return lambda found: not hit(found)


def matches(pattern: re.Pattern[str]) -> Test:
    """Whether the regular expression is found in any match, taken as text."""
    return lambda found: any(
        value is not None and pattern.search(to_string(value)) is not None for value in found
    )


def _exact(value: Any) -> tuple[str, Any]:
    if isinstance(value, Number):
        return "number", value.exact
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", Decimal(str(value))
    return "other", repr(value)


class DropTable(msgspec.Struct):
    """One `[[drop]]` as TOML gives it."""

    path: str
    equals: Any = msgspec.UNSET
    in_: Any = msgspec.field(default=msgspec.UNSET, name="in")
    not_in: Any = msgspec.UNSET
    matches: Any = msgspec.UNSET
    exists: Any = msgspec.UNSET
    all: list[DropTable] = []


_TESTS: dict[str, Callable[[Any], Test]] = {
    "equals": lambda value: one_of([value]),
    "in": one_of,
    "not_in": none_of,
    "matches": lambda value: matches(_regular_expression(value)),
    "exists": exists,
}
_TAKES = {"in": list, "not_in": list, "matches": str, "exists": bool}


def build_drop(drop: DropTable, where: str) -> Drop:
    """Check one `[[drop]]`, and build it.

    Raises:
        ConfigError: naming the key, and what would be right.
    """
    found: list[Condition] = []
    for part in (drop, *drop.all):
        given = {key: getattr(part, "in_" if key == "in" else key) for key in _TESTS}
        given = {key: value for key, value in given.items() if value is not msgspec.UNSET}
        if not given:
            raise ConfigError(f"{where}: needs one of {', '.join(_TESTS)} beside `path`")
        path = read_path(part.path, where)
        found.extend(Condition(path, _test(key, value, where)) for key, value in given.items())
    return Drop(tuple(found))


def _regular_expression(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about patterns that a later Python will read differently
        return re.compile(pattern)


def _test(key: str, value: Any, where: str) -> Test:
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
            f"{where}: matches: {value!r} is not a regular expression: {error}"
        ) from None
