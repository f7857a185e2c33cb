"""Typed decoders for the parts of a record: only what the mapping names becomes an object.

msgspec checks every type while it decodes, and skips the rest of the document unread. A value of
another type than expected fails the decoding, and the interpreter takes that record over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.mapping.rows.fast_values import ABSENT
from sentinelone_source.mapping.rows.types import Reads

if TYPE_CHECKING:
    from sentinelone_source.mapping.compile.path_tree import Node

Decode = Callable[[Any], Any]


class Part(msgspec.Struct, frozen=True):
    """A struct that is read from its parent, or decoded from raw JSON that is also wanted.

    Attributes:
        absent: stands in where the part is missing or null: no field has a value.
    """

    node: Node
    decode: Decode
    absent: msgspec.Struct


class Decoders(msgspec.Struct, frozen=True):
    """The struct of a whole record, and the parts of one that are structs, from the top down."""

    record: type[msgspec.Struct]
    parts: list[Part]


def build_decoders(root: Node, strict: bool) -> Decoders:
    """Make a struct for every node that has children.

    Args:
        root: the record.
        strict: refuse a page with a value that is no text where plain text is wanted.
    """
    structs: dict[tuple[str, ...], type[msgspec.Struct]] = {(): msgspec.defstruct("record", [])}
    nodes = list(root.parents())
    for node in reversed(nodes):
        children = node.sorted()
        fields = [
            (
                child.field,
                _type(child, structs, strict),
                ABSENT if child.use is Reads.JSON else None,
            )
            for _, child in children
        ]
        renames = {child.field: name for name, child in children}
        structs[node.members] = msgspec.defstruct(node.variable, fields, rename=renames, gc=False)
    parts = [
        Part(node, msgspec.json.Decoder(struct | None).decode, struct())
        for node in sorted(nodes, key=lambda node: len(node.members))
        if node.members
        for struct in (structs[node.members],)
    ]
    return Decoders(structs[()], parts)


def _type(node: Node, structs: dict[tuple[str, ...], type[msgspec.Struct]], strict: bool) -> Any:
    if node.use is None:
        return structs[node.members] | None
    return str | None if strict and node.plain_text else node.use.takes
