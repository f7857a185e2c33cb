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
TESTS: dict[str, type] = {
    "equals": object,
    "in": list,
    "not_in": list,
    "matches": str,
    "exists": bool,
}
"""What a condition may be called, and what it takes."""


class Condition(msgspec.Struct, frozen=True):
    """One test on what a path finds."""

    path: Path
    test: Test

    def holds(self, part: Any, find: Callable[[Any], list[Any]]) -> bool:
        """Whether what `find` finds in a part of a record meets the condition."""
        try:
            found = find(part)
        except PathFailed:
            found = []
        return self.test(found)


Drop = tuple[Condition, ...]
"""A record is dropped when every condition of one `[[drop]]` holds."""


class DropTable(msgspec.Struct):
    """One `[[drop]]` as TOML gives it."""

    path: str
    equals: Any = msgspec.UNSET
    in_: Any = msgspec.field(default=msgspec.UNSET, name="in")
    not_in: Any = msgspec.UNSET
    matches: Any = msgspec.UNSET
    exists: Any = msgspec.UNSET
    all: list[DropTable] = []


def build_drop(drop: DropTable, where: str) -> Drop:
    """Check one `[[drop]]` and build it, or raise ConfigError naming the key."""
    conditions: list[Condition] = []
    for part in (drop, *drop.all):
        given = {key: getattr(part, "in_" if key == "in" else key) for key in TESTS}
        given = {key: value for key, value in given.items() if value is not msgspec.UNSET}
        if not given:
            raise ConfigError(f"{where}: needs one of {', '.join(TESTS)} beside `path`")
        path = read_path(part.path, where)
        for key, value in given.items():
            _check_value(key, value, where)
            conditions.append(Condition(path, _test(key, value, where)))
    return tuple(conditions)


def _check_value(key: str, value: Any, where: str) -> None:
    if not isinstance(value, TESTS[key]):
        raise ConfigError(f"{where}: {key}: takes a {TESTS[key].__name__}, not {value!r}")
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, str | int | float):
            raise ConfigError(f"{where}: {key}: takes text, a number or a boolean, not {item!r}")


def _test(key: str, wanted: Any, where: str) -> Test:
    if key == "exists":
        return lambda found: any(value is not None for value in found) is wanted
    if key == "matches":
        search = _regular_expression(wanted, where).search
        return lambda found: any(
            value is not None and search(to_string(value)) is not None for value in found
        )
    values = {_exact(value) for value in ([wanted] if key == "equals" else wanted)}
    return lambda found: any(_exact(value) in values for value in found) is (key != "not_in")


def _regular_expression(pattern: str, where: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what a later Python will read differently
            return re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{where}: matches: {pattern!r} is not a regular expression: {error}"
        ) from None


def _exact(value: Any) -> tuple[str, Any]:
    """Equal for equal values: `true` is not 1, and `1` is not "1"."""
    if isinstance(value, Number):
        return "number", value.exact
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number", Decimal(str(value))
    return "other", repr(value)
