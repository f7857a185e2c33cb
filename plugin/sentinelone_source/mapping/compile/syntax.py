"""Python as a syntax tree, of which no part is ever text that somebody wrote elsewhere.

A template is a constant of the program. Some of its names stand for parts: a name for another name
or an expression, `*VALUES` for a list of them.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple


class Step(NamedTuple):
    """A statement, and what it is about."""

    statement: ast.stmt
    note: str

    def __str__(self) -> str:
        """As a part of a function that goes through a loop."""
        indent = " " * 8
        text = textwrap.indent(ast.unparse(self.statement), indent)
        if len(text) > 100 and "\n" not in text:
            text = textwrap.fill(text, 100, subsequent_indent=indent + "    ", drop_whitespace=True)
        first, line_end, rest = text.partition("\n")
        note = f"  # {ascii(self.note)[1:-1]}" if self.note else ""
        return f"{first}{note}{line_end}{rest}\n"


def steps(template: str, note: str = "", **parts: Any) -> Iterator[Step]:
    """A template's statements, the first of them with a note."""
    for statement in _parsed(template):
        yield Step(_filled(statement, parts), note)
        note = ""


def expression(template: str, **parts: Any) -> ast.expr:
    """A template's expression."""
    [statement] = _parsed(template)
    filled: ast.expr = _filled(statement, parts).value
    return filled


@cache
def _parsed(template: str) -> list[ast.stmt]:
    return ast.parse(template).body


def _filled(node: Any, parts: dict[str, Any]) -> Any:
    """A copy of a node with parts in the places of names."""
    if isinstance(node, ast.Name):
        return _part(node, parts.get(node.id, node))
    copy = type(node)()
    for field, value in vars(node).items():
        filled = value
        if isinstance(value, list):
            filled = [one for item in value for one in _items(item, parts)]
        elif isinstance(value, ast.expr):
            filled = _filled(value, parts)
        elif field == "attr":
            filled = parts.get(value, value)
        setattr(copy, field, filled)
    return copy


def _items(node: Any, parts: dict[str, Any]) -> list[Any]:
    if isinstance(node, ast.Starred) and isinstance(name := node.value, ast.Name):
        return [_part(name, part) for part in parts[name.id]]
    return [_filled(node, parts)]


def _part(name: ast.Name, part: str | ast.expr) -> ast.expr:
    if not isinstance(part, str):
        return part
    return ast.Name(part, name.ctx, lineno=name.lineno, col_offset=name.col_offset)
