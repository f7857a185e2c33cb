"""The records of a page that is not valid JSON, or nested too deep for a reader.

The list is read value by value. A value that cannot be read is one broken record; the next record
begins where the rest of the page makes sense again. Numbers such as `NaN` and control characters in
a text break no record apart: they are read over, and the record is refused later, by itself.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_scan = json.JSONDecoder(strict=False, parse_int=float).scan_once  # type: ignore[attr-defined]
_space = re.compile(r"[ \t\r\n]*").match
_open = re.compile(r"\s*\{").match
_key = re.compile(r'\s*,?\s*"((?:[^"\\]|\\.)*)"\s*:\s*', re.DOTALL).match
_MARK = re.compile(r",\s*(?=\{)|\]")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|["\[\]{}]', re.DOTALL)
_OPENS = {"]": "[", "}": "{"}


class Split(NamedTuple):
    """The texts of a page's records, and where the brackets of their list are."""

    records: list[bytes]
    start: int
    end: int


class _Run(NamedTuple):
    """Values one after the other: where each begins and ends, and what stopped the run.

    `stop` is the closing bracket, or the first value that cannot be read; then `error` is where
    reading failed. The end of the text as `error` means that the text may be cut off.
    """

    values: list[tuple[int, int]]
    stop: int
    error: int | None


def split_broken(body: bytes, members: tuple[str, ...], last: str) -> Split | None:
    """Find the records of a page that is not valid JSON.

    `members` lead to the list, and a page has a member `last` beside it. None where the list has
    no beginning or no end: the page is cut off, or is none.
    """
    page = _Page(body.decode("latin-1"), len(members), f'"{last}"')
    start = page.list_start(members)
    found = page.records(start) if start is not None else None
    if start is None or found is None:
        return None
    spans, end = found
    texts = (body[first:stop].strip() for first, stop in spans)
    return Split([text for text in texts if text], start - 1, end)


class _Page:
    """A page as text of one character a byte, so that places are the same."""

    def __init__(self, text: str, depth: int, last: str) -> None:
        self._text = text
        self._depth = depth
        self._last = last
        self._patience = 2 * len(text)
        """Characters that `_balanced` may still look at: no page costs more than its length."""

    def list_start(self, members: tuple[str, ...]) -> int | None:
        """The place behind the bracket that opens the list."""
        at: int | None = 0
        for name in members:
            at = None if at is None else self._member(at, name)
        return None if at is None or self._text[at : at + 1] != "[" else at + 1

    def _member(self, at: int, name: str) -> int | None:
        opened = _open(self._text, at)
        key = opened and _key(self._text, opened.end())
        while key and key[1] != name:
            key = _key(self._text, self._value_end(key.end())[0])
        return key.end() if key else None

    def records(self, at: int) -> tuple[list[tuple[int, int]], int] | None:
        """Where each record begins and ends, and the place of the bracket that closes the list."""
        found: list[tuple[int, int]] = []
        while True:
            run = self._run(at)
            found += run.values
            begin, error = run.stop, run.error
            if error is None:
                if self._is_end(run.stop):
                    return found, run.stop
                begin, error = found.pop()[0], run.stop  # a bracket too many closed it
            end = self._end_of_broken(begin, error)
            if end is None:
                return None
            found.append((begin, end))
            end = _skip(self._text, end)
            if self._text[end] == "]":
                return found, end
            at = end + 1

    def _end_of_broken(self, begin: int, error: int) -> int | None:
        """Where a broken record ends: the comma or bracket behind it."""
        whole = self._balanced(begin)
        cut_off = error == len(self._text)
        passed = begin
        for mark in _MARK.finditer(self._text, begin):
            place = mark.start()
            if whole is not None and place >= whole:
                return whole
            if place < passed:
                continue
            if mark[0] == "]":
                if self._is_end(place, cut_off):
                    return place
                continue
            run = self._run(mark.end())
            if run.error is None:
                follows = self._is_end(run.stop, cut_off)  # else a list in the broken record
            else:  # a later record is broken
                follows = not cut_off and (run.stop > error if place < error else whole is None)
            if follows:
                return place
            passed = run.stop
        return None

    def _run(self, at: int) -> _Run:
        values: list[tuple[int, int]] = []
        while True:
            at = _skip(self._text, at)
            end, error = self._value_end(at)
            if error is not None:
                return _Run(values, at, error)
            after = _skip(self._text, end)
            mark = self._text[after : after + 1]
            if mark not in (",", "]"):
                return _Run(values, at, after)
            values.append((at, end))
            if mark == "]":
                return _Run(values, after, None)
            at = after + 1

    def _value_end(self, at: int) -> tuple[int, int | None]:
        """Where a value ends; or, beside its beginning, where reading failed."""
        try:
            return _scan(self._text, at)[1], None
        except StopIteration as nothing:
            return at, nothing.value
        except RecursionError:
            return at, len(self._text)
        except json.JSONDecodeError as error:
            unterminated = error.msg.startswith("Unterminated")
            return at, len(self._text) if unterminated else error.pos

    def _is_end(self, place: int, cut_off: bool = False) -> bool:
        """Whether the list of records is closed at a place, and the page ends behind it.

        Of a text that may be cut off, the end of a list within a record could be taken for it:
        then the page's last member has to be there.
        """
        if self._text[place : place + 1] != "]":
            return False
        at, depth = _skip(self._text, place + 1), self._depth
        while depth and at < len(self._text):
            key = _key(self._text, at) if self._text[at] == "," else None
            if key:
                at, error = self._value_end(key.end())
            else:
                at, error = at + 1, None if self._text[at] == "}" else at
                depth -= 1
            if error is not None:
                return False
            at = _skip(self._text, at)
        is_end = not depth and at == len(self._text)
        return is_end and not (cut_off and self._last not in self._text[place:])

    def _balanced(self, begin: int) -> int | None:
        """Where a record ends by its brackets, if a comma or the end of the list follows."""
        stack: list[str] = []
        end, whole = begin, False
        for token in _BRACKET.finditer(self._text, begin, begin + max(0, self._patience)):
            mark, end = token[0], token.end()
            if mark in "[{":
                stack.append(mark)
            elif mark in '"]}':
                whole = bool(stack) and stack.pop() == _OPENS.get(mark)
                if not (whole and stack):
                    break
        self._patience -= end - begin
        after = _skip(self._text, end)
        follows = self._text[after : after + 1] == "," or self._is_end(after)
        return end if whole and not stack and follows else None


def _skip(text: str, at: int) -> int:
    found = _space(text, at)
    return found.end() if found else at
