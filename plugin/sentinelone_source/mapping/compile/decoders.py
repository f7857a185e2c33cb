"""What is decoded of a record: only what the mapping names becomes an object.

All paths of a mapping are one tree of member names, whose nodes become structs. msgspec checks
every type while it decodes, and skips the rest of the document unread. A value of another type than
expected fails the decoding, and the interpreter takes that record over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import msgspec

from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.rows.types import ABSENT, Reads
from sentinelone_source.mapping.spec.model import Column, Mapping


class Node(msgspec.Struct):
    """One member: its children by name, and as what its own value is wanted.

    Attributes:
        number: tells it from all others; generated code has no other name for it.
        apart: it is not decoded with the page, but from raw JSON of a node above it.
    """

    members: tuple[str, ...] = ()
    children: dict[str, Node] = {}
    uses: set[Reads] = set()
    number: int = 0
    apart: bool = False

    @property
    def field(self) -> str:
        """What the field of its parent's struct is called."""
        return f"m{self.number}"

    @property
    def variable(self) -> str:
        """What the variable is called that holds its struct."""
        return f"p{self.number}" if self.members else "record"

    @property
    def use(self) -> Reads | None:
        """The one form that serves every use; None for a node that only leads to its children."""
        if len(self.uses) == 1 and not self.children:
            return next(iter(self.uses))
        return Reads.JSON if self.uses else None

    @property
    def plain_text(self) -> bool:
        """It is wanted as text alone, and decoded with the page."""
        return self.use is Reads.TEXT and not self.apart

    def at(self, members: Iterable[str]) -> Node:
        """The node that member names lead to from here."""
        node = self
        for name in members:
            node = node.children[name]
        return node

    def sorted(self) -> list[tuple[str, Node]]:
        """Its children by name, in the order of their names."""
        return sorted(self.children.items())

    def parents(self) -> Iterator[Node]:
        """This node and all below it that have children, from the top."""
        if self.children:
            yield self
        for child in self.children.values():
            yield from child.parents()


def is_inline(column: Column) -> bool:
    """Whether a column's value is read straight from typed fields, without jsonpath-ng."""
    kind = column.kind
    if not all(path.plain for path in column.paths) or (kind.reads is Reads.JSON and not kind.fast):
        return False
    return kind.reads is Reads.TEXT or not (
        column.redact or column.aliases or len(column.paths) > 1
    )


def build_path_tree(mapping: Mapping) -> Node:
    """Gather the paths of columns, ordering and drops.

    A column that jsonpath-ng has to help with wants the part it works on as raw JSON.
    """
    root = Node()
    for column in mapping.columns:
        for path in column.paths:
            _add(root, path, column.kind.reads if is_inline(column) else Reads.JSON)
    for path in mapping.ordering.paths:
        _add(root, path, Reads.TEXT if path.plain else Reads.JSON)
    for drop in mapping.drops:
        for condition in drop:
            _add(root, condition.path, Reads.JSON)
    _number(root, count(1))
    return root


def _add(root: Node, path: Path, use: Reads) -> None:
    node = root
    for depth, name in enumerate(path.members, 1):
        node = node.children.setdefault(name, Node(path.members[:depth]))
    node.uses.add(use)


def _number(node: Node, numbers: count[int]) -> None:
    for _, child in node.sorted():
        child.number = next(numbers)
        child.apart = node.apart or bool(node.uses)
        _number(child, numbers)


Structs = dict[tuple[str, ...], type[msgspec.Struct]]
"""By member names, what a record and its parts are decoded as."""


def build_structs(root: Node, strict: bool) -> Structs:
    """Make a struct for every node that has children.

    A strict one refuses a value that is no text where plain text is wanted.
    """
    structs: Structs = {(): msgspec.defstruct("record", [])}
    for node in reversed(list(root.parents())):
        fields = [
            (
                child.field,
                _type(child, structs, strict),
                ABSENT if child.use is Reads.JSON else None,
            )
            for _, child in node.sorted()
        ]
        renames = {child.field: name for name, child in node.sorted()}
        structs[node.members] = msgspec.defstruct(node.variable, fields, rename=renames, gc=False)
    return structs


def _type(node: Node, structs: Structs, strict: bool) -> Any:
    if node.use is None:
        return structs[node.members] | None
    return str | None if strict and node.plain_text else node.use.takes
