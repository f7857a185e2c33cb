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
from typing import TYPE_CHECKING, Any

from sentinelone_source.mapping.compile import syntax
from sentinelone_source.mapping.compile.decoders import Node, is_inline
from sentinelone_source.mapping.compile.runtime import (
    FROM_JSON,
    RUNTIME,
    column_function,
    drop_function,
    first_match_function,
)
from sentinelone_source.mapping.rows.types import Reads, check_datetimes

if TYPE_CHECKING:
    from sentinelone_source.mapping.compile.decoders import Decoders
    from sentinelone_source.mapping.paths import Path
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
_DROP = "rows.append(None), keys.append(''), positions.append(0); continue"
_APPEND = """\
keys.append(f'{id}@{version}' if version else id)
positions.append(position)
rows.append(row)
"""


class RowCode:
    """The row function of one mapping, before it is compiled; for `strict` see `build_decoders`."""

    def __init__(
        self, mapping: Mapping, root: Node, decoders: Decoders, row: type | None, strict: bool
    ) -> None:
        self._steps: list[syntax.Step] = []
        self._objects: dict[str, Any] = {} if row is None else {"Row": row}
        self._root = root
        self._strict = strict
        self._parts(decoders)
        self._drops(mapping)
        self._ordering(mapping)
        self._columns(mapping)

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

    def _add(self, template: str, **names: str) -> None:
        self._steps += [syntax.Step(one, "") for one in syntax.statements(template, **names)]

    def _assign(self, name: str, value: ast.expr, note: str = "") -> None:
        self._steps.append(syntax.Step(syntax.assignment(name, value), note))

    def _object(self, thing: Any) -> ast.expr:
        return syntax.name(self._named(thing))

    def _named(self, thing: Any) -> str:
        name = f"f{len(self._objects)}"
        self._objects[name] = thing
        return name

    def _parts(self, decoders: Decoders) -> None:
        """Bring every nested struct into a local variable, from the top down."""
        if self._root.uses:
            self._add("raw = next(raws)")
        self._add("if record is None: raise NeedsInterpreter")
        for part in decoders.parts:
            value = self._field(part.node.members)
            if part.node.use is not None:
                value = syntax.call(self._object(part.decode), value)
            absent = self._object(part.absent)
            self._assign(
                part.node.variable, syntax.joined(ast.Or(), value, absent), _text(part.node)
            )

    def _drops(self, mapping: Mapping) -> None:
        """Leave at once where every condition of a `[[drop]]` holds."""
        for drop in mapping.drops:
            tests = [
                syntax.call(
                    self._object(drop_function(condition)), self._field(condition.path.members)
                )
                for condition in drop
            ]
            step = syntax.branch(syntax.joined(ast.And(), *tests), _DROP)
            note = ", ".join(condition.path.text for condition in drop)
            self._steps.append(syntax.Step(step, note))

    def _ordering(self, mapping: Mapping) -> None:
        """Who the record is, which version of it, and where it stands."""
        ordering = mapping.ordering
        for name, path in (("id", ordering.id), ("version", ordering.version)):
            self._ordering_value(name, path)
            if path:
                self._as_text(name, [path])
        self._ordering_value("position", ordering.position)
        self._add(_PLACE)

    def _ordering_value(self, name: str, path: Path | None) -> None:
        if path is None:
            value: ast.expr = syntax.constant(None)
        elif path.plain:
            value = self._value(path, Reads.TEXT)
        else:
            value = syntax.call(self._object(first_match_function(path)), self._field(path.members))
        self._assign(name, value, path.text if path else "")

    def _columns(self, mapping: Mapping) -> None:
        """Compute every column, and put the row together, its key and its position beside it."""
        names = {column.name: f"c{number}" for number, column in enumerate(mapping.columns)}
        together = self._together(mapping, names)
        for column in mapping.columns:
            if column.name not in together:
                self._column(column, names[column.name])
        self._checks(mapping, names)
        row = (
            syntax.call(syntax.name("Row"), *map(syntax.name, names.values()))
            if names
            else syntax.constant(None)
        )
        self._assign("row", row)
        self._add(_APPEND)

    def _checks(self, mapping: Mapping, names: dict[str, str]) -> None:
        for check in dict.fromkeys(column.kind.check for column in mapping.columns):
            columns = [one for one in mapping.columns if one.kind.check is check and is_inline(one)]
            values = {column.paths: syntax.name(names[column.name]) for column in columns}
            if check is check_datetimes:
                values.pop((mapping.ordering.position,), None)  # already read as the position
            if check and values:
                call = syntax.call(self._object(check), *values.values())
                self._steps.append(syntax.Step(syntax.expression(call), _of(*columns)))

    def _together(self, mapping: Mapping, names: dict[str, str]) -> set[str]:
        """Compute columns of one type by one call, where there are several and the type can."""
        done: set[str] = set()
        for kind in dict.fromkeys(one.kind for one in mapping.columns if one.kind.fast_all):
            columns = [one for one in mapping.columns if one.kind is kind and is_inline(one)]
            if len(columns) < 2:
                continue
            values = [self._field(column.paths[0].members) for column in columns]
            call = syntax.call(self._object(kind.fast_all), *values)
            targets = [names[column.name] for column in columns]
            self._steps.append(syntax.Step(syntax.assignment(targets, call), _of(*columns)))
            done.update(column.name for column in columns)
        return done

    def _column(self, column: Column, name: str) -> None:
        kind = column.kind
        if column.console:
            value = syntax.attribute(syntax.name("console"), column.console)
            self._assign(name, value, _of(column))
            return
        if not is_inline(column):
            values = [self._field(path.members) for path in column.paths]
            self._assign(
                name, syntax.call(self._object(column_function(column)), *values), _of(column)
            )
            return
        fields = [self._value(path, kind.reads) for path in column.paths]
        value = syntax.call(syntax.name("first"), *fields) if len(fields) > 1 else fields[0]
        if kind.reads is Reads.JSON:
            value = syntax.call(self._object(kind.fast), value)
        self._assign(name, value, _of(column))
        if kind.reads is Reads.TEXT and not kind.check:
            self._as_text(name, column.paths)
        if kind.fast and kind.reads is not Reads.JSON:
            self._add("if C is not None: C = FAST(C)", C=name, FAST=self._named(kind.fast))
        if column.redact:
            self._add("if C is not None: C = fingerprint(C)", C=name)

    def _as_text(self, name: str, paths: Sequence[Path]) -> None:
        """A number or boolean as text, unless the decoder has seen to it that there is none."""
        if not all(
            self._strict and path.plain and self._root.at(path.members).plain_text for path in paths
        ):
            self._steps.append(syntax.Step(syntax.text_of(name, "scalar"), ""))

    def _field(self, members: tuple[str, ...]) -> ast.expr:
        if not members:
            return syntax.name("raw")
        parent = syntax.name(self._root.at(members[:-1]).variable)
        return syntax.attribute(parent, self._root.at(members).field)

    def _value(self, path: Path, reads: Reads) -> ast.expr:
        """The typed value of a member, decoded from raw JSON where others want it raw."""
        value = self._field(path.members)
        if reads is Reads.JSON or self._root.at(path.members).use is reads:
            return value
        return syntax.call(syntax.name(FROM_JSON[reads]), value)


def _of(*columns: Column) -> str:
    return "; ".join(f"{column.name}: {', '.join(column.sources)}" for column in columns)


def _text(node: Node) -> str:
    return ".".join(("$", *node.members))
