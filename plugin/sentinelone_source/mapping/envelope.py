"""The page around the records: where the list is, and where the next cursor."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sentinelone_source.mapping.exact import UNREADABLE

CURSOR = ("pagination", "nextCursor")

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}:,]')
_LAST = re.compile(rb'[{,]\s*"%b"\s*:\s*(\{[^{}]*\})\s*\}\s*\Z' % CURSOR[0].encode())
_TAIL = 2048
"""Bytes of a page in which its cursor is looked for; the API's have some 200."""


class Malformed(Exception):
    """The body is not a page: not JSON, or without the list of records."""


class Envelope:
    """Splits a page into records and cursor.

    Args:
        records: member names that lead to the list of records.
        cursor: member names that lead to the next cursor.
        item: the type that each record is decoded as.
    """

    def __init__(self, records: tuple[str, ...], cursor: tuple[str, ...], item: Any) -> None:
        self._records = records
        self._cursor = cursor
        tree: dict[str, Any] = {}
        _plant(tree, records, list[item])
        _plant(tree, cursor, str | None)
        self._decode = msgspec.json.Decoder(_struct(tree)).decode

    def open(self, body: bytes) -> tuple[list[Any], str | None]:
        """The records and the next cursor, None on the last page.

        Raises:
            msgspec.ValidationError: a record is of another type than expected.
            msgspec.DecodeError, UnicodeDecodeError: the body is not JSON.
            RecursionError: the body is nested too deep.
            Malformed: there is no list of records.
        """
        page = self._decode(body)
        records = _reach(page, self._records)
        if not isinstance(records, list):
            raise Malformed(f"no list at $.{'.'.join(self._records)}")
        cursor = _reach(page, self._cursor)
        return records, cursor or None

    def open_deep(self, body: bytes) -> tuple[list[bytes], str | None]:
        """`open` for a body with a record nested so deep that no decoder goes through it.

        Raises:
            Malformed: the body is not a page.
        """
        found = _split(body, self._records)
        if found is None:
            raise Malformed("nested too deep")
        records, start, end = found
        try:
            _, cursor = self.open(body[:start] + b"[]" + body[end:])
        except (*UNREADABLE, RecursionError) as error:
            raise Malformed(str(error)) from None
        return records, cursor


def glimpse(body: bytes) -> str | None:
    """The next cursor of a page that ends with it, as the API's do; None where it does not.

    Nothing is decoded but that end. No text within the page looks like it: there, the quotes are
    escaped, and what follows a record is more than two braces.
    """
    found = _LAST.search(body[-_TAIL:])
    try:
        cursor = msgspec.json.decode(found[1])[CURSOR[1]] if found else None
    except (*UNREADABLE, KeyError):
        return None
    return cursor if isinstance(cursor, str) else None


def _split(body: bytes, names: tuple[str, ...]) -> tuple[list[bytes], int, int] | None:
    """The records, and where their list begins and ends, found by counting brackets."""
    wanted = [None, *(name.encode() for name in names)]
    stack: list[bytes | None] = []
    records: list[bytes] = []
    last, key, depth, start, item = b"", None, -1, 0, 0
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark == b":":
            key = last
        elif mark in b"[{":
            stack.append(key)
            key = None
            if mark == b"[" and depth < 0 and stack == wanted:
                depth, start, item = len(stack), token.start(), token.end()
        elif mark in b",]}":
            if len(stack) == depth:
                records.append(body[item : token.start()].strip())
                item = token.end()
                if mark != b",":
                    return [record for record in records if record], start, item
            if mark != b"," and stack:
                stack.pop()
        else:
            last = mark[1:-1]
    return None


def _plant(tree: dict[str, Any], members: tuple[str, ...], leaf: Any) -> None:
    for name in members[:-1]:
        tree = tree.setdefault(name, {})
    tree[members[-1]] = leaf


def _struct(tree: dict[str, Any]) -> type[msgspec.Struct]:
    fields = [
        (f"m{number}", _struct(value) | None if isinstance(value, dict) else value, None)
        for number, value in enumerate(tree.values())
    ]
    renames = {f"m{number}": name for number, name in enumerate(tree)}
    return msgspec.defstruct("page", fields, rename=renames, gc=False)


def _reach(page: Any, members: tuple[str, ...]) -> Any:
    for name in members:
        if page is None:
            return None
        field = next(f for f in msgspec.structs.fields(page) if f.encode_name == name)
        page = getattr(page, field.name)
    return page
