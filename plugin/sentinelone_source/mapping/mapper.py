"""One table's mapper: a page of the API in, lines out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace

from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.compile import CompiledMapping
from sentinelone_source.mapping.compile.runtime import NEEDS_INTERPRETER
from sentinelone_source.mapping.heartbeat import Digests
from sentinelone_source.mapping.interpreter import DROPPED, Interpreted, identity, interpret
from sentinelone_source.mapping.numbers import UNREADABLE, compact, mend_surrogates
from sentinelone_source.mapping.page import Dead, Page, Stride
from sentinelone_source.mapping.page_reader import NotAPage, Opened, PageReader
from sentinelone_source.mapping.rows.lines import Piece, row_type
from sentinelone_source.mapping.spec.model import ConsoleId, Mapping

_STRIDE = 32
"""Records built at once: enough to spread what a stride costs, few enough for the cache."""


class Mapper:
    """Carries out a mapping on pages, as fast as typed decoders allow.

    Attributes:
        mapping: what is carried out.
        peek_cursor: finds the next cursor without decoding the page.
    """

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self._row = row_type(mapping)
        self._strict = CompiledMapping(mapping, self._row, strict=True)
        self._texts_only = not self._strict.wants_raw
        self._split = PageReader(mapping.request, msgspec.Raw)
        self.peek_cursor = self._split.peek_cursor
        self._digests = Digests(mapping)

    @property
    def code(self) -> str:
        """The generated row function, as text."""
        return str(self._strict.code)

    @cached_property
    def _tolerant(self) -> CompiledMapping:
        return CompiledMapping(self.mapping, self._row, strict=False)

    @cached_property
    def _keys(self) -> CompiledMapping:
        """Reads what makes a row unique, and nothing else of a record."""
        return CompiledMapping(replace(self.mapping, columns=()), None, strict=False)

    def open(self, body: bytes, console: ConsoleId, *, keys_first: bool = False) -> Page:
        """Decode a page as far as the mapping needs it.

        Args:
            body: the page as JSON.
            console: that it comes from.
            keys_first: many of the records are known: read their keys, and then only what is new.

        Raises:
            NotAPage: the body is not JSON, or holds no list of records.
            AnswerHasErrors: it says why.
        """
        body = compact(body)
        for compiled in self._ways(keys_first):
            try:
                opened = compiled.open(body)
            except (*UNREADABLE, RecursionError):
                continue  # a value is not text, or a record has another shape
            self._texts_only &= compiled.strict or compiled.keys_only  # or each is decoded twice
            return Page(body, *opened, compiled, console)
        raws, cursor, errors = self._open_raw(body)
        compiled = self._keys if keys_first else self._tolerant
        records = [compiled.decode(raw) for raw in raws]
        return Page(body, records, cursor, errors, compiled, console, raws)

    def _ways(self, keys_first: bool) -> Iterator[CompiledMapping]:
        if keys_first and not self._keys.wants_raw:
            yield self._keys
        if self._texts_only:
            yield self._strict
        if not self._strict.wants_raw:
            yield self._tolerant

    def lines(self, page: Page) -> Iterator[Piece]:
        """A line of each record that becomes a row, however often it is there."""
        for stride in self.strides(page):
            yield from stride.lines()

    def strides(self, page: Page) -> Iterator[Stride]:
        """Build the page's rows, a stride at a time; the page keeps account.

        A page that was opened with `keys_first` has no rows until `decode_rest`. The lines of a
        stride are made before the next one, while its rows are warm.
        """
        for start in range(0, len(page.records), _STRIDE):
            stride = self._build(page, start, start + _STRIDE)
            yield stride
            for place in stride.too_long:
                self._add_dead(page, place, "the row is too long for a line")

    def keys(self, page: Page) -> Stride:
        """Keys and positions of all records of a page that was opened with `keys_first`."""
        return self._build(page, 0, len(page.records))

    def decode_rest(self, page: Page, places: Sequence[int]) -> None:
        """Decode some records of a page that was opened with `keys_first`; forget the others."""
        raws = self.raws(page) if places else []
        page.raws = raws = [raws[place] for place in places]
        page.taken.clear()
        page.compiled = self._strict
        page.records = [self._strict.decode(raw) for raw in raws] if self._texts_only else [None]
        if None in page.records:
            page.compiled = self._tolerant
            page.records = [self._tolerant.decode(raw) for raw in raws]

    def _build(self, page: Page, start: int, stop: int) -> Stride:
        """Build the rows of some records; what the generated code refuses is interpreted."""
        stop = min(stop, len(page.records))
        dead_before = len(page.dead)
        stride = Stride(page, self._digests, range(start, stop))
        rows, keys, positions = stride.rows, stride.keys, stride.positions
        records = iter(page.records[start:stop])
        raws = iter(page.raws[start:stop] if page.raws else ())
        while start + len(rows) < stop:
            try:
                page.compiled.build(records, raws, page.console, rows, keys, positions)
            except NEEDS_INTERPRETER:
                key, position, values = self._interpret(page, start + len(rows))
                keys.append(key)
                positions.append(position)
                rows.append(values and self._row(*values))
        if gaps := keys.count(""):
            stride.keep([n for n, key in enumerate(keys) if key])
            page.dropped += gaps - (len(page.dead) - dead_before)
        return stride

    def _interpret(self, page: Page, place: int) -> Interpreted:
        try:
            misfits = Counter[str]() if page.compiled.keys_only else page.misfits
            return interpret(self.mapping, self.raws(page)[place], page.console, misfits)
        except Skippable as reason:
            self._add_dead(page, place, str(reason))
            return DROPPED

    def _add_dead(self, page: Page, place: int, reason: str) -> None:
        raw = self.raws(page)[place]
        page.dead.append(Dead(reason, bytes(raw), identity(self.mapping, raw)))

    def raws(self, page: Page) -> list[Any]:
        """The records of an opened page as JSON."""
        if page.raws is None:
            page.raws = self._open_raw(page.body).records
        return page.raws

    def _open_raw(self, body: bytes) -> Opened:
        try:
            return self._split.open(body)
        except msgspec.ValidationError as error:
            raise NotAPage(str(error)) from None
        except (*UNREADABLE, RecursionError):
            mended = mend_surrogates(body)
            if mended != body:
                return self._open_raw(mended)
            opened = self._split.open_broken(body)
            return opened._replace(records=[compact(raw) for raw in opened.records])
