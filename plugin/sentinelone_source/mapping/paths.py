"""JSONPath, as `jsonpath_ng.ext` reads it.

Common paths (members, and one `[*]` between members) are recognised here, so that they can be
compiled and jsonpath-ng need not even be imported. Everything else is jsonpath-ng's, evaluated on
the smallest part of the record that encloses it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sentinelone_source.errors import ConfigError
from sentinelone_source.mapping.numbers import children

# msgspec takes no other names for the members of what it decodes.
_DECODABLE = re.compile(r'[^"\\\x00-\x1f]+')
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_COMMON = re.compile(rf"\$(?P<members>(?:\.{_NAME})+)(?P<star>\[\*\])?(?P<each>(?:\.{_NAME})*)")
# Words that jsonpath-ng's lexer may not read as the name of a member.
_WORDS = frozenset({"where", "wherenot", "true", "false", "null", "parent", "and", "or", "not"})

_EXAMPLE = "a member path looks like '$.threatInfo.sha1'"
_MAX_STEPS = 64
"""Of a path. No record is nested so deep, and readers of JSON have their limits."""

# These functions of jsonpath-ng turn one value into one value.
_ONE = frozenset({"Len", "SortedThis", "Split", "Str", "Sub"})


class PathFailed(Exception):
    """jsonpath-ng raised on this document, for instance when adding text to a number."""


class Path:
    """One path: member names, then at most one of `each` and `rest`.

    Attributes:
        text: as written in the mapping.
        members: names that lead from the record to the part the remainder is evaluated on.
        each: names below every item of that part (`[*]`), or None.
        rest: a jsonpath-ng expression for that part, or None.
        many: the path can match more than once, so `json` and `dynamic` columns take a list.
    """

    def __init__(
        self, text: str, members: tuple[str, ...], each: tuple[str, ...] | None, rest: Any = None
    ) -> None:
        self.text = text
        self.members = members
        self.each = each
        self.rest = rest
        self.many = each is not None or (rest is not None and _many(rest))

    @classmethod
    @cache
    def read(cls, text: str) -> Path:
        """As it is written in a file; raises ValueError for what jsonpath-ng does not accept."""
        if text.count(".") > _MAX_STEPS:
            raise ValueError(f"{text[:40]!r}... has more than {_MAX_STEPS} steps; {_EXAMPLE}")
        common = _COMMON.fullmatch(text)
        if common and (common["star"] or not common["each"]):
            members = tuple(common["members"][1:].split("."))
            each = tuple(common["each"].split(".")[1:]) if common["star"] else None
            if not _WORDS.intersection(members, each or ()):
                return cls(text, members, each)
        return cls(text, *_split(_parse_uncommon(text)))

    @property
    def plain(self) -> bool:
        """Members only."""
        return self.each is None and self.rest is None

    def find(self, record: Any) -> list[Any]:
        """All matches in a decoded record, in jsonpath-ng's order; PathFailed where it raised."""
        found, part = _descend(record, self.members)
        return self.find_below(part) if found else []

    def find_below(self, part: Any) -> list[Any]:
        """All matches, given the part that `members` leads to."""
        if self.each is not None:
            hits = (_descend(item, self.each) for item in children(part))
            return [value for found, value in hits if found]
        if self.rest is not None:
            try:
                return [match.value for match in self.rest.find(part)]
            except Exception as error:
                raise PathFailed(str(error)) from error
        return [part]


def _descend(value: Any, names: Sequence[str]) -> tuple[bool, Any]:
    for name in names:
        if not isinstance(value, dict) or name not in value:
            return False, None
        value = value[name]
    return True, value


def read_path(text: str, where: str) -> Path:
    """`Path.read` that raises ConfigError, which names a place in a file."""
    try:
        return Path.read(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def _parse_uncommon(text: str) -> Any:
    from jsonpath_ng.ext.parser import parse

    try:
        return parse(text)
    except Exception as error:  # jsonpath-ng's lexer, parser and PLY raise their own kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{text!r} is not a JSONPath: {reason}; {_EXAMPLE}") from error


def _split(expression: Any) -> tuple[tuple[str, ...], None, Any]:
    """Take leading member names off an expression, where that changes nothing it finds."""
    from jsonpath_ng.jsonpath import Child, Descendants, Fields, Root, This

    spine: list[tuple[type, Any]] = []
    node = expression
    while isinstance(node, Child | Descendants):
        spine.insert(0, (type(node), node.right))
        node = node.left
    if not isinstance(node, Root) or any(_looks_up(step) for _, step in spine):
        return (), None, expression
    members: list[str] = []
    while spine and spine[0][0] is Child and type(spine[0][1]) is Fields:
        names = spine[0][1].fields
        if len(names) != 1 or names[0] == "*" or not _DECODABLE.fullmatch(names[0]):
            break
        members.append(names[0])
        spine.pop(0)
    if not spine:
        return tuple(members), None, None
    rest: Any = This()
    for kind, step in spine:
        rest = kind(rest, step)
    return tuple(members), None, rest


def _looks_up(node: Any) -> bool:
    """Whether a step refers to something above the place where it is evaluated."""
    from jsonpath_ng.jsonpath import JSONPath, Parent, Root

    if isinstance(node, Root | Parent) or "parent" in type(node).__name__.lower():
        return True
    if isinstance(node, list | tuple):
        return any(_looks_up(item) for item in node)
    if isinstance(node, JSONPath) or hasattr(node, "__dict__"):
        return any(_looks_up(item) for item in vars(node).values())
    return False


def _many(node: Any) -> bool:
    """Whether an expression can match more than once in one document."""
    from jsonpath_ng.jsonpath import Child, Fields, Index, Parent, Root, This

    if isinstance(node, Child):
        return _many(node.left) or _many(node.right)
    if isinstance(node, Fields):
        return len(node.fields) != 1 or node.fields[0] == "*"
    if isinstance(node, Index):
        return len(node.indices) != 1
    return not isinstance(node, Root | This | Parent) and type(node).__name__ not in _ONE
