"""A GraphQL query as far as the demo needs it: the fields it selects, and the variables it uses."""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final

_TOKEN: Final = re.compile(r"[A-Za-z_]\w*|[{}():$!\[\],=]")

Fields = dict[str, Any]
"""Names of fields; of one with fields of its own these, else None."""


class InvalidQuery(Exception):
    """The query is refused as a whole; the message is the answer's."""


def selected(query: str) -> tuple[Fields, dict[str, str]]:
    """The fields that a query selects, and the variables of its arguments.

    Raises:
        InvalidQuery: it cannot be read.
    """
    tokens = deque(_TOKEN.findall(query.partition("{")[2]))
    arguments: dict[str, str] = {}
    try:
        return _selection(tokens, arguments), arguments
    except IndexError:
        raise InvalidQuery("Invalid syntax: the query breaks off") from None


def _selection(tokens: deque[str], arguments: dict[str, str]) -> Fields:
    fields: Fields = {}
    while (name := tokens.popleft()) != "}":
        fields[name] = None
        if tokens[0] == "(":
            inside = list(iter(tokens.popleft, ")"))
            places = [place for place, part in enumerate(inside) if part == "$"]
            arguments.update({inside[place - 2]: inside[place + 1] for place in places})
        if tokens[0] == "{":
            tokens.popleft()
            fields[name] = _selection(tokens, arguments)
    return fields


def check(fields: Fields, schema: Fields, kind: str = "Query") -> None:
    """Raise InvalidQuery if a field is selected that the schema does not have."""
    for name, below in fields.items():
        if name not in schema:
            said = f"Field '{name}' in type '{kind}' is undefined"
            raise InvalidQuery(f"Validation error (FieldUndefined@[{name}]) : {said}")
        check(below or {}, schema[name] or {}, name.capitalize())


def picked(value: Any, fields: Fields | None) -> Any:
    """The selected fields of a value."""
    if isinstance(value, list):
        return [picked(item, fields) for item in value]
    if value is None or fields is None:
        return value
    return {name: picked(value.get(name), below) for name, below in fields.items()}
