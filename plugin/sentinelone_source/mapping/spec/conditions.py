"""`[[drop]]`: which records never become rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sentinelone_source.mapping.numbers import Number
from sentinelone_source.mapping.paths import Path, PathFailed
from sentinelone_source.mapping.rows.convert import to_string

if TYPE_CHECKING:
    import re

Test = Callable[[list[Any]], bool]
"""Takes every match of the condition's path."""


@dataclass(frozen=True)
class Condition:
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


@dataclass(frozen=True)
class Drop:
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
