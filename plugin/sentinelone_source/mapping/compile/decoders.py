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
        struct: what it is decoded as, if it has children.
    """

    members: tuple[str, ...] = ()
    children: dict[str, Node] = {}
    uses: set[Reads] = set()
    number: int = 0
    apart: bool = False
    struct: Any = None

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

    def parts(self) -> Iterator[Node]:
        """All nodes below it that have children, from the top."""
        for child in self.children.values():
            if child.children:
                yield child
                yield from child.parts()


def is_inline(column: Column) -> bool:
    """Whether a column's value is read straight from typed fields, without jsonpath-ng."""
    kind = column.kind
    if not all(path.plain for path in column.paths) or (kind.reads is Reads.JSON and not kind.fast):
        return False
    return kind.reads is Reads.TEXT or not (
        column.redact or column.aliases or len(column.paths) > 1
    )


def build_path_tree(mapping: Mapping, strict: bool) -> Node:
    """Gather the paths of columns, ordering and drops, and make the structs that hold them.

    A column that jsonpath-ng has to help with wants the part it works on as raw JSON. A strict
    struct refuses a value that is no text where plain text is wanted.
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
    _make_structs(root, strict)
    return root


def _add(root: Node, path: Path, use: Reads) -> None:
    node = root
    for depth, name in enumerate(path.members, 1):
        node = node.children.setdefault(name, Node(path.members[:depth]))
    node.uses.add(use)


def _number(node: Node, numbers: count[int]) -> None:
    node.children = dict(sorted(node.children.items()))  # as the API sends them
    for child in node.children.values():
        child.number = next(numbers)
        child.apart = node.apart or bool(node.uses)
        _number(child, numbers)


def _make_structs(node: Node, strict: bool) -> None:
    children = node.children.values()
    for child in children:
        if child.children:
            _make_structs(child, strict)
    fields = [
        (child.field, _type(child, strict), ABSENT if child.use is Reads.JSON else None)
        for child in children
    ]
    renames = {child.field: name for name, child in node.children.items()}
    node.struct = msgspec.defstruct(node.variable, fields, rename=renames, gc=False)


def _type(node: Node, strict: bool) -> Any:
    if node.use is None:
        return node.struct | None
    return str | None if strict and node.plain_text else node.use.takes
