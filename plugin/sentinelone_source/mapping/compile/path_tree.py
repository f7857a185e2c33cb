"""All paths of a mapping as one tree of member names: what has to be decoded, and as what."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.mapping.paths import Path
    from sentinelone_source.mapping.spec.model import Column, Mapping


class Use(Enum):
    """As what a member's value is wanted."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    RAW = "raw"
    """JSON as it came: copied through, or decoded by those few who need it."""


_USES = {
    "string": Use.TEXT,
    "guid": Use.TEXT,
    "datetime": Use.TEXT,
    "int": Use.NUMBER,
    "long": Use.NUMBER,
    "real": Use.NUMBER,
    "boolean": Use.BOOLEAN,
    "json": Use.RAW,
    "dynamic": Use.RAW,
}


@dataclass
class Node:
    """One member: its children by name, and what its own value is used as."""

    name: str
    members: tuple[str, ...] = ()
    children: dict[str, Node] = field(default_factory=dict)
    uses: set[Use] = field(default_factory=set)
    apart: bool = False
    """It is not decoded with the page, but from raw JSON of a node above it."""

    @property
    def use(self) -> Use | None:
        """The one form that serves every use; None for a node that only leads to its children."""
        if len(self.uses) == 1 and not self.children:
            return next(iter(self.uses))
        return Use.RAW if self.uses else None

    @property
    def plain_text(self) -> bool:
        """It is wanted as text alone, and decoded with the page."""
        return self.use is Use.TEXT and not self.apart

    def at(self, members: Iterable[str]) -> Node:
        """The node that member names lead to from here."""
        node = self
        for name in members:
            node = node.children[name]
        return node

    def parents(self) -> Iterator[Node]:
        """This node and all below it that have children, from the top."""
        if self.children:
            yield self
        for child in self.children.values():
            yield from child.parents()


def inline(column: Column) -> bool:
    """Whether a column's value is read straight from typed fields, without jsonpath-ng."""
    if not all(path.plain for path in column.paths):
        return False
    if column.redact or column.aliases:
        return use_of(column) is Use.TEXT
    return len(column.paths) == 1 or use_of(column) is Use.TEXT


def use_of(column: Column) -> Use:
    """As what a column wants its members."""
    return _USES[column.type]


def build_trie(mapping: Mapping, taken: Iterable[str] = ()) -> Node:
    """Gather the paths of columns, walk and drops.

    A column that jsonpath-ng has to help with wants the part it works on as raw JSON. Nodes with
    children become variables, and get none of the names that are taken.
    """
    root = Node("record")
    for column in mapping.columns:
        for path in column.paths:
            _add(root, path, use_of(column) if inline(column) else Use.RAW)
    walk = mapping.ordering
    for path in filter(None, (walk.id, walk.version, walk.position)):
        _add(root, path, Use.TEXT if path.plain else Use.RAW)
    for drop in mapping.drops:
        for condition in drop.conditions:
            _add(root, condition.path, Use.RAW)
    _name(root, {root.name, *taken})
    return root


def _add(root: Node, path: Path, use: Use) -> None:
    node = root
    for depth, name in enumerate(path.members, 1):
        node = node.children.setdefault(name, Node(name, path.members[:depth]))
    node.uses.add(use)


def _name(node: Node, taken: set[str]) -> None:
    """Give every node a name that Python takes, and one of its own to every node with children.

    A leaf is read as a field of its parent; a node with children becomes a variable.
    """
    siblings: set[str] = set()
    for child in sorted(node.children.values(), key=lambda child: child.members):
        used = taken | siblings if child.children else siblings
        name = re.sub(r"\W", "_", child.members[-1], flags=re.ASCII)[:40]
        if not name[:1].isalpha() or keyword.iskeyword(name):
            name = f"m_{name}"
        while name in used:
            name += "_"
        child.name = name
        child.apart = node.apart or bool(node.uses)
        siblings.add(name)
        if child.children:
            taken.add(name)
            _name(child, taken)
