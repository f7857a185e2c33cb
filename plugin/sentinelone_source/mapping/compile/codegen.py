"""Writes the function that makes rows of typed records, as Python one can read.

`sentinelone-source map TABLE --show-code` prints it. For each record it appends a row, what makes
the row unique, and its position; a record that a `[[drop]]` takes out gets no row and no key.
Whatever it raises concerns the record at hand: what it appended before stands.
"""

from __future__ import annotations

import keyword
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sentinelone_source.mapping.compile.path_tree import Node, Use, inline, use_of
from sentinelone_source.mapping.compile.runtime import (
    TAKEN,
    TOOLS,
    WALK,
    first_in_raw,
    holds,
    uncommon,
)

if TYPE_CHECKING:
    from sentinelone_source.mapping.compile.decoders import Decoders
    from sentinelone_source.mapping.paths import Path
    from sentinelone_source.mapping.spec.model import Column, Mapping

Build = Callable[[Iterator[Any], Iterator[Any], list[Any], list[str], list[int]], None]
"""From typed records, and their raw JSON where a path needs all of it, to three lists."""

_FROM_RAW = {Use.TEXT: "as_text", Use.NUMBER: "as_number", Use.BOOLEAN: "as_boolean"}


@dataclass
class Glue:
    """The text of `build(...)`, and what the names in it stand for."""

    lines: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=lambda: dict(TOOLS))

    @property
    def code(self) -> str:
        """The function as Python text."""
        return "\n".join(self.lines) + "\n"

    def compile(self) -> Build:
        """The function itself."""
        namespace = dict(self.names)
        exec(compile(self.code, "<mapping>", "exec"), namespace)  # noqa: S102 - our own text
        build: Build = namespace["build"]
        return build


def write_glue(mapping: Mapping, root: Node, decoders: Decoders, row: type, strict: bool) -> Glue:
    """Write the row function of one mapping; for `strict` see `build_decoders`."""
    glue = Glue()
    glue.names["Row"] = row
    glue.lines += [
        "def build(records, raws, rows, keys, positions):",
        "    for record in records:",
    ]
    writer = _Writer(glue, root, decoders, strict)
    writer.parts()
    writer.drops(mapping)
    writer.walk(mapping)
    writer.dynamics(mapping)
    variables = [writer.column(column) for column in mapping.columns]
    writer.row(variables)
    return glue


class _Writer:
    def __init__(self, glue: Glue, root: Node, decoders: Decoders, strict: bool) -> None:
        self._glue = glue
        self._root = root
        self._decoders = decoders
        self._strict = strict
        self._checked: set[str] = set()
        self._done: dict[str, str] = {}
        self._taken = {*TAKEN, *(node.name for node in root.parents())}

    def _add(self, line: str) -> None:
        self._glue.lines.append(" " * 8 + line)

    def _global(self, name: str, thing: Any) -> str:
        self._glue.names[name] = thing
        return name

    def parts(self) -> None:
        """Bring every nested struct into a local variable, from the top down."""
        if self._root.uses:
            self._add("raw = next(raws)")
        self._add("if record is None: raise NeedsInterpreter")
        for members, part in sorted(self._decoders.parts.items(), key=lambda item: len(item[0])):
            name, value = part.node.name, self._field(members)
            absent = self._global(f"no_{name}", part.absent)
            if part.node.use is None:
                self._add(f"{name} = {value} or {absent}")
            else:
                decode = self._global(f"as_{name}", part.decode)
                self._add(f"{name} = {decode}({value}) or {absent}")

    def drops(self, mapping: Mapping) -> None:
        """Leave at once where every condition of a `[[drop]]` holds."""
        for number, drop in enumerate(mapping.drops, 1):
            tests = [
                f"{self._global(f'drop_{number}_{place}', holds(condition))}"
                f"({self._raw(condition.path)})"
                for place, condition in enumerate(drop.conditions, 1)
            ]
            self._add(f"if {' and '.join(tests)}:")
            self._add('    rows.append(None), keys.append(""), positions.append(0)')
            self._add("    continue")

    def walk(self, mapping: Mapping) -> None:
        """What the walk needs: who the record is, which version of it, and where it stands."""
        for name in WALK:
            path = getattr(mapping.ordering, name)
            if path is None:
                self._add(f"{name} = None")
            elif path.plain:
                self._add(f"{name} = {self._value(path.members, Use.TEXT)}")
            else:
                find = self._global(f"find_{name}", first_in_raw(path))
                self._add(f"{name} = {find}({self._raw(path)})")
        self._add("if not id: raise NeedsInterpreter")
        self._as_text("id", mapping.ordering.id)
        if mapping.ordering.version:
            self._as_text("version", mapping.ordering.version)
        self._add('if position[10] != "T": raise NeedsInterpreter')
        self._add("position = (iso(position) - EPOCH) // MICROSECOND")
        if mapping.ordering.position.plain:
            self._checked.add(self._value(mapping.ordering.position.members, Use.TEXT))

    def dynamics(self, mapping: Mapping) -> None:
        """Compute all dynamic columns by one call, where there are several."""
        columns = [one for one in mapping.columns if one.type == "dynamic" and inline(one)]
        if len(columns) > 1:
            self._done = {column.name: self._variable(column.name) for column in columns}
            self._add(f"{', '.join(self._done.values())} = dynamics(")
            self._wrap(self._raw(column.paths[0]) for column in columns)

    def _wrap(self, arguments: Iterable[str]) -> None:
        text = textwrap.wrap(", ".join(arguments), 80)
        self._glue.lines += [" " * 12 + line for line in text]
        self._add(")")

    def _variable(self, name: str) -> str:
        while name in self._taken or keyword.iskeyword(name):
            name += "_"
        self._taken.add(name)
        return name

    def column(self, column: Column) -> str:
        """Compute one column's value; gives the variable it is in."""
        if column.name in self._done:
            return self._done[column.name]
        name = self._variable(column.name)
        self._add(f"{name} = {self._expression(column)}")
        if use_of(column) is not Use.TEXT or not inline(column):
            return name
        if column.type == "datetime":
            source = self._glue.lines[-1].partition(" = ")[2]
            if source not in self._checked:
                test = f'iso({name}) and {name}[10] == "T"'
                self._add(f"if {name} is not None and not ({test}): raise NeedsInterpreter")
                self._checked.add(source)
        else:
            self._as_text(name, *column.paths)
        if column.redact:
            self._add(f"if {name} is not None: {name} = fingerprint({name})")
        return name

    def row(self, variables: list[str]) -> None:
        """Put the row together, its key and its position beside it."""
        self._add("row = Row(")
        self._wrap(variables)
        self._add('keys.append(f"{id}@{version}" if version else id)')
        self._add("positions.append(position)")
        self._add("rows.append(row)")

    def _expression(self, column: Column) -> str:
        if not inline(column):
            function = self._global(f"column_{column.name}", uncommon(column))
            return f"{function}({', '.join(self._raw(path) for path in column.paths)})"
        fields = [self._value(path.members, use_of(column)) for path in column.paths]
        if len(fields) > 1:
            return f"first({', '.join(fields)})"
        wrap = {"json": "json_text", "dynamic": "dynamic", "int": "to_int", "long": "to_long"}
        function = wrap.get(column.type, "")
        if column.type in ("int", "long"):
            return f"{fields[0]} if {fields[0]} is None else {function}({fields[0]})"
        return f"{function}({fields[0]})" if function else fields[0]

    def _as_text(self, name: str, *paths: Path) -> None:
        if all(map(self._is_text, paths)):
            return
        self._add(f"if {name}.__class__ is not str and {name} is not None: {name} = scalar({name})")

    def _is_text(self, path: Path) -> bool:
        """Whether the decoder has seen to it that the value is text, if there is one."""
        return self._strict and path.plain and self._root.at(path.members).plain_text

    def _field(self, members: tuple[str, ...]) -> str:
        if not members:
            return "raw"
        parent = self._root.at(members[:-1]).name if len(members) > 1 else "record"
        return f"{parent}.{self._root.at(members).name}"

    def _value(self, members: tuple[str, ...], use: Use) -> str:
        """The typed value of a member, decoded from raw JSON where others want it raw."""
        value = self._field(members)
        if self._root.at(members).use is use or use is Use.RAW:
            return value
        return f"{_FROM_RAW[use]}({value})"

    def _raw(self, path: Path) -> str:
        return self._field(path.members)
