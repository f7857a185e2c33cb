"""Typed decoders for the parts of a record: only what the mapping names becomes an object.

msgspec checks every type while it decodes, and skips the rest of the document unread. A value of
another type than expected fails the decoding, and the interpreter takes that record over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from sentinelone_source.mapping.compile.path_tree import Node, Use

Decode = Callable[[Any], Any]

ABSENT = msgspec.Raw(b"null")
"""What a raw field holds where the record has no such member. Read as JSON it is null; only
jsonpath-ng tells the two apart."""

_TEXT = str | None
_TYPES: dict[Use, Any] = {
    Use.TEXT: str | int | float | bool | None,
    Use.NUMBER: int | float | None,
    Use.BOOLEAN: bool | None,
    Use.RAW: msgspec.Raw,
}


@dataclass(frozen=True)
class Part:
    """A struct that is decoded by itself, because its JSON is also wanted as it came."""

    node: Node
    decode: Decode
    absent: msgspec.Struct
    """Stands in where the part is missing or null: no field has a value."""


@dataclass(frozen=True)
class Decoders:
    """What `glue` and `mapper` decode with.

    Attributes:
        record: the struct of a whole record.
        parts: by member names, the structs decoded from raw JSON or read from their parent.
    """

    record: type[msgspec.Struct]
    parts: dict[tuple[str, ...], Part]


def build_decoders(root: Node, strict: bool) -> Decoders:
    """Make a struct for every node that has children.

    Args:
        root: the record.
        strict: refuse a page with a value that is no text where plain text is wanted.
    """
    structs: dict[tuple[str, ...], type[msgspec.Struct]] = {}
    for node in reversed(list(root.parents())):
        fields = [
            (child.name, _type(child, structs, strict), ABSENT if child.use is Use.RAW else None)
            for child in sorted(node.children.values(), key=lambda child: child.members)
        ]
        renames = {child.name: name for name, child in node.children.items()}
        structs[node.members] = msgspec.defstruct(
            "_".join(node.members) or "record", fields, rename=renames, gc=False
        )
    parts = {
        members: Part(root.at(members), msgspec.json.Decoder(struct | None).decode, struct())
        for members, struct in structs.items()
        if members
    }
    record = structs.get((), msgspec.defstruct("record", []))
    return Decoders(record, parts)


def _type(node: Node, structs: dict[tuple[str, ...], type[msgspec.Struct]], strict: bool) -> Any:
    if node.use is None:
        return structs[node.members] | None
    if strict and node.plain_text:
        return _TEXT
    return _TYPES[node.use]


def item_decoder(names: tuple[str, ...]) -> Decode:
    """A decoder for a list of which one member of every item is wanted, as raw JSON.

    Each name on the way is a struct with the one field `value`, or None.
    """
    item: Any = msgspec.Raw
    for name in reversed(names):
        field = [("value", item, None)]
        item = msgspec.defstruct("item", field, rename={"value": name}, gc=False) | None
    return msgspec.json.Decoder(list[item] | None).decode
