"""Python as a syntax tree, of which no part is ever text that somebody wrote elsewhere."""

from __future__ import annotations

import ast
import textwrap
from typing import Any, NamedTuple

_LOAD, _STORE = ast.Load(), ast.Store()
_AT: dict[str, Any] = {"lineno": 1, "col_offset": 0}
"""Where a node is in the text that there is not."""


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


def statements(template: str, **names: str) -> list[ast.stmt]:
    """A constant of the program as statements, with other names for some names in it."""
    module = ast.parse(template)
    for node in ast.walk(module) if names else ():
        if isinstance(node, ast.Name) and node.id in names:
            node.id = names[node.id]
    return module.body


def branch(test: ast.expr, template: str) -> ast.stmt:
    """Statements that are carried out where a test holds."""
    return ast.If(test, statements(template), [], **_AT)


def name(text: str) -> ast.expr:
    """A variable's value."""
    return ast.Name(text, _LOAD, **_AT)


def constant(value: Any) -> ast.expr:
    """A constant."""
    return ast.Constant(value, **_AT)


def attribute(of: ast.expr, text: str) -> ast.expr:
    """An attribute of an object."""
    return ast.Attribute(of, text, _LOAD, **_AT)


def call(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    """A function's result."""
    return ast.Call(function, list(arguments), [], **_AT)


def joined(operator: ast.boolop, *values: ast.expr) -> ast.expr:
    """Values joined by `and` or `or`."""
    return ast.BoolOp(operator, list(values), **_AT) if len(values) > 1 else values[0]


def assignment(target: str | list[str], value: ast.expr) -> ast.stmt:
    """A value for one variable, or values for several."""
    if isinstance(target, str):
        return ast.Assign([ast.Name(target, _STORE, **_AT)], value, **_AT)
    names: list[ast.expr] = [ast.Name(one, _STORE, **_AT) for one in target]
    return ast.Assign([ast.Tuple(names, _STORE, **_AT)], value, **_AT)


def expression(value: ast.expr) -> ast.stmt:
    """An expression by itself."""
    return ast.Expr(value, **_AT)


def text_of(variable: str, function: str) -> ast.stmt:
    """A function's result in the place of a variable's value that is neither text nor None."""
    value = name(variable)
    is_text = ast.Compare(attribute(value, "__class__"), [ast.IsNot()], [name("str")], **_AT)
    is_none = ast.Compare(value, [ast.IsNot()], [constant(None)], **_AT)
    changed = assignment(variable, call(name(function), value))
    return ast.If(joined(ast.And(), is_text, is_none), [changed], [], **_AT)
