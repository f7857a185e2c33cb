"""The page around the records: where the list is, where the next cursor, and what went wrong."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from sentinelone_source.mapping.broken_page import split_broken
from sentinelone_source.mapping.numbers import UNREADABLE, nested
from sentinelone_source.mapping.paths import Path
from sentinelone_source.mapping.rows.convert import to_string
from sentinelone_source.mapping.spec.model import RequestSpec

_TAIL = 2048
"""Bytes of a page in which its cursor is looked for; the API's have some 200."""
_LONGEST = 500
"""Characters of a message."""


class NotAPage(Exception):
    """The body is not a page: not JSON, or without the list of records."""


class AnswerHasErrors(NotAPage):
    """The body says why it is not a page."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class Opened(NamedTuple):
    """What a page holds.

    Attributes:
        cursor: where the next page begins; None on the last one.
        errors: what went wrong with a page that has records all the same.
    """

    records: list[Any]
    cursor: str | None
    errors: list[str]


class PageReader:
    """Takes a page apart; `item` is the type that each record is decoded as."""

    def __init__(self, spec: RequestSpec, item: Any) -> None:
        self.spec = spec
        self._nothing = msgspec.Raw(b"null") if item is msgspec.Raw else None
        item = nested(item, spec.records.each or ())
        self._decode_item = msgspec.json.Decoder(item).decode
        tree: dict[str, Any] = {}
        _plant(tree, spec.records, list[item])
        _plant(tree, spec.cursor, str | None)
        _plant(tree, spec.more, bool | None)
        _plant(tree, spec.errors, msgspec.Raw)
        self._decode = msgspec.json.Decoder(_struct(tree)).decode
        *around, _ = (re.escape(name.encode()) for name in spec.cursor.members)
        end = rb'[{,]\s*"%b"\s*:\s*(\{[^{}]*\})(?:\s*\}){%d}\s*\Z'
        self._end = re.compile(end % (around[-1], len(around))).search if around else None

    def open(self, body: bytes) -> Opened:
        """The records and the next cursor.

        Raises:
            msgspec.ValidationError: a record is of another type than expected.
            msgspec.DecodeError, UnicodeDecodeError: the body is not JSON.
            RecursionError: the body is nested too deep.
            NotAPage: there is no list of records.
            AnswerHasErrors: there is none, or an empty one, and the body says why.
        """
        page = self._open(body)
        if page.errors and not page.records:
            raise AnswerHasErrors(page.errors)
        return page

    def _open(self, body: bytes) -> Opened:
        spec = self.spec
        page = self._decode(body)
        records = _reach(page, spec.records)
        errors = self._errors(page)
        if not isinstance(records, list):
            if errors:
                raise AnswerHasErrors(errors)
            raise NotAPage(f"no list at $.{'.'.join(spec.records.members)}")
        cursor = _reach(page, spec.cursor) or None
        if spec.more and not _reach(page, spec.more):
            cursor = None
        elif spec.more and records:
            cursor = cursor or ""
        if spec.records.each:
            records = list(map(self._inside, records))
        return Opened(records, cursor, errors)

    def _inside(self, item: Any) -> Any:
        for _ in self.spec.records.each or ():
            item = None if item is None else item.value
        return self._nothing if item is None else item

    def _errors(self, page: Any) -> list[str]:
        path = self.spec.errors
        found = _reach(page, path) if path else None
        if path is None or not found:
            return []
        matches = path.find_below(msgspec.json.decode(found))
        return [to_string(match)[:_LONGEST] for match in matches if match]

    def open_broken(self, body: bytes) -> Opened:
        """`open` for a body with a record that is not valid JSON, or too deep for any decoder.

        Raises:
            NotAPage: the body is not a page, or only a part of one.
        """
        found = split_broken(body, self.spec.records.members, self.spec.beside)
        if found is None:
            raise NotAPage(self._reason(body))
        try:
            page = self._open(body[: found.start] + b"[" + body[found.end :])
        except (*UNREADABLE, RecursionError) as error:
            raise NotAPage(str(error)) from None
        return page._replace(records=list(map(self.record_of, found.records)))

    def record_of(self, text: bytes) -> bytes:
        """The record in an item of the list; an item that cannot be read stands for it."""
        try:
            return bytes(self._inside(self._decode_item(text)))
        except (*UNREADABLE, RecursionError):
            return text

    def peek_cursor(self, body: bytes) -> str | None:
        """The next cursor of a page that ends with it, as the API's do; None where it does not.

        Nothing is decoded but that end. No text within the page looks like it: there, the quotes
        are escaped, and what follows a record is a bracket.
        """
        found = self._end(body[-_TAIL:]) if self._end else None
        more, cursor = self.spec.more, self.spec.cursor
        try:
            end = msgspec.json.decode(found[1]) if found else {}
        except UNREADABLE:
            return None
        if more and (more.members[:-1] != cursor.members[:-1] or not end.get(more.members[-1])):
            return None
        seen = end.get(cursor.members[-1])
        return seen if isinstance(seen, str) else None

    def _reason(self, body: bytes) -> str:
        try:
            self._decode(body)
        except RecursionError:
            return "nested too deep"
        except UNREADABLE as error:
            return str(error)
        return ""


def _plant(tree: dict[str, Any], path: Path | None, leaf: Any) -> None:
    if path is not None:
        *around, name = path.members
        for one in around:
            tree = tree.setdefault(one, {})
        tree[name] = leaf


def _struct(tree: dict[str, Any]) -> type[msgspec.Struct]:
    types = [_struct(one) | None if isinstance(one, dict) else one for one in tree.values()]
    fields = [(_field(name), kind, None) for name, kind in zip(tree, types, strict=True)]
    renames = {_field(name): name for name in tree}
    return msgspec.defstruct("page", fields, rename=renames, gc=False)


def _field(name: str) -> str:
    return f"m{name.encode().hex()}"


def _reach(page: Any, path: Path) -> Any:
    """What a decoded page has at a path's members, or None."""
    for name in path.members:
        page = page and getattr(page, _field(name))
    return page
