"""Writes the function that makes a row of a typed record, as Python one can read.

`sentinelone-source map TABLE --show-code` prints it. The function returns the record's id, version
and position for the walk, and the row; the row is None for a record that a `[[drop]]` takes out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from sentinelone_source.mapping import values
from sentinelone_source.mapping.columns import fingerprint, to_int, to_long
from sentinelone_source.mapping.conditions import Condition
from sentinelone_source.mapping.decoder import Decoders
from sentinelone_source.mapping.interpreter import find_in_raw, on_raw
from sentinelone_source.mapping.model import Column, Mapping
from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.trie import Node, Use, inline, use_of

BuildRow = Callable[..., tuple[str | None, str | None, int, msgspec.Struct | None]]
"""From a typed record, and its raw JSON where a path needs all of it."""

_TOOLS: dict[str, Any] = {
    "EPOCH": values.EPOCH,
    "MICROSECOND": values.MICROSECOND,
    "Unusual": values.Unusual,
    "as_boolean": msgspec.json.Decoder(bool | None).decode,
    "as_number": msgspec.json.Decoder(int | float | None).decode,
    "as_text": msgspec.json.Decoder(str | int | float | bool | None).decode,
    "dynamic": values.dynamic,
    "fingerprint": fingerprint,
    "first": values.first,
    "iso": datetime.fromisoformat,
    "json_text": values.json_text,
    "scalar": values.scalar,
    "to_int": to_int,
    "to_long": to_long,
}
_FROM_RAW = {Use.TEXT: "as_text", Use.NUMBER: "as_number", Use.BOOLEAN: "as_boolean"}
_WALK = ("id", "version", "position")


@dataclass
class Glue:
    """The text of `build(record, raw)`, and what the names in it stand for."""

    lines: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=lambda: dict(_TOOLS))

    @property
    def code(self) -> str:
        """The function as Python text."""
        return "\n".join(self.lines) + "\n"

    def compile(self) -> BuildRow:
        """The function itself."""
        namespace = dict(self.names)
        exec(compile(self.code, "<mapping>", "exec"), namespace)  # noqa: S102 - our own text
        build: BuildRow = namespace["build"]
        return build


def write_glue(mapping: Mapping, root: Node, decoders: Decoders, row: type) -> Glue:
    """Write the row function of one mapping."""
    glue = Glue()
    glue.names["Row"] = row
    glue.lines += [
        "def build(record, raw=None):",
        f'    """One record of {mapping.request.path} as a row of {mapping.table}."""',
    ]
    writer = _Writer(glue, root, decoders)
    writer.parts()
    writer.drops(mapping)
    writer.walk(mapping)
    variables = [writer.column(column) for column in mapping.columns]
    glue.lines.append("    return id, version, position, Row(")
    glue.lines += textwrap.wrap(
        ", ".join(variables), 92, initial_indent=" " * 8, subsequent_indent=" " * 8
    )
    glue.lines.append("    )")
    return glue


class _Writer:
    def __init__(self, glue: Glue, root: Node, decoders: Decoders) -> None:
        self._glue = glue
        self._root = root
        self._decoders = decoders
        self._checked: dict[str, str] = {}
        self._taken = {*glue.names, *_WALK, "record", "raw", "build"}
        self._taken |= {node.name for node in root.parents()}

    def _add(self, line: str) -> None:
        self._glue.lines.append("    " + line)

    def _global(self, name: str, thing: Any) -> str:
        self._glue.names[name] = thing
        return name

    def parts(self) -> None:
        """Bring every nested struct into a local variable, from the top down."""
        for members, part in sorted(self._decoders.parts.items(), key=lambda item: len(item[0])):
            name, value = part.node.name, self._field(members)
            absent = self._global(f"no_{name}", part.absent)
            if part.node.use is None:
                self._add(f"{name} = {value} or {absent}")
            else:
                decode = self._global(f"as_{name}", part.decode)
                self._add(f"{name} = {value} and {decode}({value}) or {absent}")

    def drops(self, mapping: Mapping) -> None:
        """Leave at once where every condition of a `[[drop]]` holds."""
        for number, drop in enumerate(mapping.drops, 1):
            tests = [
                f"{self._global(f'drop_{number}_{place}', _holds(condition))}"
                f"({self._raw(condition.path)})"
                for place, condition in enumerate(drop.conditions, 1)
            ]
            self._add(f"if {' and '.join(tests)}:")
            self._add("    return None, None, 0, None")

    def walk(self, mapping: Mapping) -> None:
        """What the walk needs: who the record is, which version of it, and where it stands."""
        for name in _WALK:
            path = getattr(mapping.walk, name)
            if path is None:
                self._add(f"{name} = None")
            elif path.plain:
                self._add(f"{name} = scalar({self._value(path.members, Use.TEXT)})")
            else:
                find = self._global(f"find_{name}", _first_in_raw(path))
                self._add(f"{name} = scalar({find}({self._raw(path)}))")
        self._check_datetime("position")
        self._add("position = (iso(position) - EPOCH) // MICROSECOND")
        if mapping.walk.position.plain:
            self._checked[self._value(mapping.walk.position.members, Use.TEXT)] = "position"

    def column(self, column: Column) -> str:
        """Compute one column's value; gives the variable it is in."""
        name = column.name
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._add(f"{name} = {self._expression(column)}")
        if use_of(column) is not Use.TEXT or not inline(column):
            return name
        if column.type == "datetime":
            source = self._glue.lines[-1].partition(" = ")[2]
            if source not in self._checked:
                self._check_datetime(name)
                self._checked[source] = name
        else:
            self._add(f"if {name}.__class__ is not str and {name} is not None: {name} = scalar({name})")
        if column.redact:
            self._add(f"if {name} is not None: {name} = fingerprint({name})")
        return name

    def _expression(self, column: Column) -> str:
        if not inline(column):
            function = self._global(f"column_{column.name}", _uncommon(column))
            return f"{function}({', '.join(self._raw(path) for path in column.paths)})"
        fields = [self._value(path.members, use_of(column)) for path in column.paths]
        if len(fields) > 1:
            return f"first({', '.join(fields)})"
        wrap = {"json": "json_text", "dynamic": "dynamic", "int": "to_int", "long": "to_long"}
        function = wrap.get(column.type, "")
        if column.type in ("int", "long"):
            return f"{fields[0]} if {fields[0]} is None else {function}({fields[0]})"
        return f"{function}({fields[0]})" if function else fields[0]

    def _check_datetime(self, name: str) -> None:
        usual = f'iso({name}) and {name}[10] == "T" and {name}[-2] not in ". "'
        self._add(f"if {name} is not None and not ({usual}): raise Unusual")

    def _field(self, members: tuple[str, ...]) -> str:
        parent = self._root.at(members[:-1]).name if len(members) > 1 else "record"
        return f"{parent}.{self._root.at(members).name}"

    def _value(self, members: tuple[str, ...], use: Use) -> str:
        """The typed value of a member, decoded from raw JSON where others want it raw."""
        value = self._field(members)
        if self._root.at(members).use is use or use is Use.RAW:
            return value
        return f"({value} and {_FROM_RAW[use]}({value}))"

    def _raw(self, path: Path) -> str:
        return self._field(path.members) if path.members else "raw"


def _holds(condition: Condition) -> Callable[[Any], bool]:
    return lambda raw: condition.test(find_in_raw(condition.path, raw))


def _first_in_raw(path: Path) -> Callable[[Any], Any]:
    return lambda raw: next(iter(find_in_raw(path, raw)), None)


def _uncommon(column: Column) -> Callable[..., Any]:
    each = column.paths[0].each
    if each is not None and len(column.paths) == 1 and column.type == "json" and not column.redact:
        return values.gather(each)
    return on_raw(column)
