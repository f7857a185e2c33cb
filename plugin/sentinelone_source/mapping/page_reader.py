"""The page around the records: where the list is, and where the next cursor."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from sentinelone_source.mapping.broken_page import split_broken
from sentinelone_source.mapping.numbers import UNREADABLE

CURSOR = ("pagination", "nextCursor")

_LAST = re.compile(rb'[{,]\s*"%b"\s*:\s*(\{[^{}]*\})\s*\}\s*\Z' % CURSOR[0].encode())
_TAIL = 2048
"""Bytes of a page in which its cursor is looked for; the API's have some 200."""


class NotAPage(Exception):
    """The body is not a page: not JSON, or without the list of records."""


class PageReader:
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
            NotAPage: there is no list of records.
        """
        page = self._decode(body)
        records = _reach(page, self._records)
        if not isinstance(records, list):
            raise NotAPage(f"no list at $.{'.'.join(self._records)}")
        cursor = _reach(page, self._cursor)
        return records, cursor or None

    def open_broken(self, body: bytes) -> tuple[list[bytes], str | None]:
        """`open` for a body with a record that is not valid JSON, or too deep for any decoder.

        Raises:
            NotAPage: the body is not a page, or only a part of one.
        """
        found = split_broken(body, self._records, self._cursor[0])
        if found is None:
            raise NotAPage(self._reason(body))
        try:
            _, cursor = self.open(body[: found.start] + b"[" + body[found.end :])
        except (*UNREADABLE, RecursionError) as error:
            raise NotAPage(str(error)) from None
        return found.records, cursor

    def _reason(self, body: bytes) -> str:
        try:
            self._decode(body)
        except RecursionError:
            return "nested too deep"
        except UNREADABLE as error:
            return str(error)
        return ""


def peek_cursor(body: bytes) -> str | None:
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
