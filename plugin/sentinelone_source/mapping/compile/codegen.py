"""Writes the function that makes rows of typed records, as a syntax tree.

For each record it appends a row, what makes the row unique, and its position; a record that a
`[[drop]]` takes out gets no row and no key. Whatever it raises concerns the record at hand: what it
appended before stands.

Nothing of a mapping gets into the tree. Members, parts and columns have numbers for names (`m7`,
`p7`, `c7`), and functions that know more of the mapping are objects that the code refers to (`f7`).
What a number stands for is a comment where `map TABLE --show-code` prints the function.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import msgspec

from sentinelone_source.mapping.compile.decoders import Node, is_inline
from sentinelone_source.mapping.compile.runtime import (
    RUNTIME,
    column_function,
    drop_function,
    first_match_function,
)
from sentinelone_source.mapping.compile.syntax import Step, expression, steps
from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.rows.types import Reads, check_datetimes
from sentinelone_source.mapping.spec.model import Column, Mapping

Build = Callable[[Iterator[Any], Iterator[Any], Any, list[Any], list[str], list[int]], None]
"""From typed records, their raw JSON where a path needs all of it, and a `ConsoleId`, to three
lists."""

_FRAME = (
    "def build(records, raws, console, rows, keys, positions):\n    for record in records: pass"
)
_PLACE = """\
if not id or position[10] != 'T': raise NeedsInterpreter
position = (iso(position) - EPOCH) // MICROSECOND
"""
_SCALAR = "if C.__class__ is not str and C is not None: C = scalar(C)"
_DROP = "if TEST: rows.append(None), keys.append(''), positions.append(0); continue"
_APPEND = """\
keys.append(f'{id}@{version}' if version else id)
positions.append(position)
rows.append(row)
"""


class RowCode:
    """The row function of one mapping, before it is compiled."""

    def __init__(self, mapping: Mapping, root: Node, row: type | None, strict: bool) -> None:
        self._mapping = mapping
        self._names = {column.name: f"c{number}" for number, column in enumerate(mapping.columns)}
        self._steps: list[Step] = []
        self._objects: dict[str, Any] = {} if row is None else {"Row": row}
        self._root = root
        self._strict = strict
        self._parts()
        self._drops()
        self._ordering()
        self._columns()

    def compile(self) -> Build:
        """The function itself."""
        module = ast.parse(_FRAME)
        module.body[0].body[0].body = [step.statement for step in self._steps]  # type: ignore[attr-defined]
        namespace = {**RUNTIME, **self._objects}
        exec(compile(module, "<mapping>", "exec"), namespace)  # noqa: S102 - our own names
        build: Build = namespace["build"]
        return build

    def __str__(self) -> str:
        return _FRAME.removesuffix(" pass") + "\n" + "".join(map(str, self._steps))

    def _add(self, template: str, note: str = "", **parts: Any) -> None:
        self._steps += steps(template, note, **parts)

    def _object(self, thing: Any) -> str:
        name = f"f{len(self._objects)}"
        self._objects[name] = thing
        return name

    def _call(self, function: Any, value: ast.expr) -> ast.expr:
        return expression("F(VALUE)", F=self._object(function), VALUE=value)

    def _parts(self) -> None:
        """Bring every nested struct into a local variable, from the top down."""
        if self._root.uses:
            self._add("raw = next(raws)")
        self._add("if record is None: raise NeedsInterpreter")
        for node in self._root.parts():
            value = self._field(node.members)
            if node.use is not None:
                value = self._call(msgspec.json.Decoder(node.struct | None).decode, value)
            parts = {"PART": node.variable, "VALUE": value, "ABSENT": self._object(node.struct())}
            self._add("PART = VALUE or ABSENT", ".".join(("$", *node.members)), **parts)

    def _drops(self) -> None:
        """Leave at once where every condition of a `[[drop]]` holds."""
        for drop in self._mapping.drops:
            tests = [self._call(drop_function(one), self._field(one.path.members)) for one in drop]
            test = reduce(lambda one, other: expression("A and B", A=one, B=other), tests)
            self._add(_DROP, ", ".join(one.path.text for one in drop), TEST=test)

    def _ordering(self) -> None:
        """Who the record is, which version of it, and where it stands."""
        ordering = self._mapping.ordering
        for name in ("id", "version", "position"):
            path: Path | None = getattr(ordering, name)
            if path is None:
                self._add("NAME = None", NAME=name)
                continue
            if path.plain:
                value = self._value(path, Reads.TEXT)
            else:
                value = self._call(first_match_function(path), self._field(path.members))
            self._add("NAME = VALUE", path.text, NAME=name, VALUE=value)
            if name != "position":
                self._as_text(name, [path])
        self._add(_PLACE)

    def _columns(self) -> None:
        """Compute every column, and put the row together, its key and its position beside it."""
        together = self._together()
        for column in self._mapping.columns:
            if column.name not in together:
                self._column(column, self._names[column.name])
        self._checks()
        self._add(
            "row = Row(*VALUES)" if self._names else "row = None", VALUES=[*self._names.values()]
        )
        self._add(_APPEND)

    def _together(self) -> set[str]:
        """Compute columns of one type by one call, where there are several and the type can."""
        done: set[str] = set()
        for kind in dict.fromkeys(one.kind for one in self._mapping.columns if one.kind.fast_all):
            columns = [one for one in self._mapping.columns if one.kind is kind and is_inline(one)]
            if len(columns) > 1:
                self._add(
                    "(*TARGETS,) = F(*VALUES)",
                    _of(*columns),
                    TARGETS=[self._names[column.name] for column in columns],
                    F=self._object(kind.fast_all),
                    VALUES=[self._field(column.paths[0].members) for column in columns],
                )
                done.update(column.name for column in columns)
        return done

    def _column(self, column: Column, name: str) -> None:
        if column.console:
            self._add("C = console.FIELD", _of(column), C=name, FIELD=column.console)
        elif is_inline(column):
            self._inline_column(column, name)
        else:
            function = self._object(column_function(column))
            values = [self._field(path.members) for path in column.paths]
            self._add("C = F(*VALUES)", _of(column), C=name, F=function, VALUES=values)

    def _inline_column(self, column: Column, name: str) -> None:
        kind = column.kind
        value, *more = [self._value(path, kind.reads) for path in column.paths]
        if more:
            value = expression("first(*VALUES)", VALUES=[value, *more])
        if kind.reads is Reads.JSON:
            value = self._call(kind.fast, value)
        self._add("C = VALUE", _of(column), C=name, VALUE=value)
        if kind.reads is Reads.TEXT and not kind.check:
            self._as_text(name, column.paths)
        if kind.fast and kind.reads is not Reads.JSON:
            self._add("if C is not None: C = F(C)", C=name, F=self._object(kind.fast))
        if column.redact:
            self._add("if C is not None: C = fingerprint(C)", C=name)

    def _checks(self) -> None:
        for check in dict.fromkeys(column.kind.check for column in self._mapping.columns):
            columns = [
                one for one in self._mapping.columns if one.kind.check is check and is_inline(one)
            ]
            values = {column.paths: self._names[column.name] for column in columns}
            if check is check_datetimes:
                values.pop((self._mapping.ordering.position,), None)  # read as the position
            if check and values:
                function = self._object(check)
                self._add("F(*VALUES)", _of(*columns), F=function, VALUES=[*values.values()])

    def _as_text(self, name: str, paths: Sequence[Path]) -> None:
        """A number or boolean as text, unless the decoder has seen to it that there is none."""
        if not all(
            self._strict and path.plain and self._root.at(path.members).plain_text for path in paths
        ):
            self._add(_SCALAR, C=name)

    def _field(self, members: tuple[str, ...]) -> ast.expr:
        if not members:
            return expression("raw")
        parent, node = self._root.at(members[:-1]), self._root.at(members)
        return expression("PART.MEMBER", PART=parent.variable, MEMBER=node.field)

    def _value(self, path: Path, reads: Reads) -> ast.expr:
        """The typed value of a member, decoded from raw JSON where others want it raw."""
        value = self._field(path.members)
        if reads is Reads.JSON or self._root.at(path.members).use is reads:
            return value
        return expression("F(VALUE)", F=reads.from_json, VALUE=value)


def _of(*columns: Column) -> str:
    return "; ".join(f"{column.name}: {', '.join(column.sources)}" for column in columns)
