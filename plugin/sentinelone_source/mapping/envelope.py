"""The page around the records: where the list is, and where the next cursor."""

from __future__ import annotations

import re
from typing import Any

import msgspec

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class Malformed(Exception):  # noqa: N818 - the console's error, and retried there
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
            msgspec.DecodeError, RecursionError: the body is not JSON, or nested too deep.
            Malformed: there is no list of records.
        """
        page = self._decode(body)
        records = _reach(page, self._records)
        if not isinstance(records, list):
            raise Malformed(f"no list at $.{'.'.join(self._records)}")
        cursor = _reach(page, self._cursor)
        return records, cursor or None

    def open_deep(self, body: bytes) -> tuple[list[Any], str | None]:
        """`open` for a body with a record nested so deep that no decoder goes through it."""
        spans, start, end = _split(body, self._records)
        if not spans:
            raise Malformed("nested too deep")
        _, cursor = self.open(body[:start] + b"[]" + body[end:])
        return [body[left:right] for left, right in spans], cursor


def _split(body: bytes, records: tuple[str, ...]) -> tuple[list[tuple[int, int]], int, int]:
    """Where the records are, and their list, found by counting brackets."""
    spans: list[tuple[int, int]] = []
    key, depth, list_depth, list_start, record_start = b"", 0, -1, 0, 0
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if list_depth < 0 and mark == b"[" and depth == len(records) + 1:
                if key == records[-1].encode():
                    list_depth, list_start = depth, token.start()
            elif depth == list_depth + 1:
                record_start = token.start()
        elif mark in (b"]", b"}"):
            if depth == list_depth:
                return spans, list_start, token.end()
            if depth == list_depth + 1:
                spans.append((record_start, token.end()))
            depth -= 1
        else:
            key = mark[1:-1]
    return [], 0, 0


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
