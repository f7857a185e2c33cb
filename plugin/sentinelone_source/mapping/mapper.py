"""One table's mapper: a page of the API in, lines out."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from sentinelone_source.errors import Skippable
from sentinelone_source.mapping.compile import CompiledMapping
from sentinelone_source.mapping.compile.runtime import NEEDS_INTERPRETER
from sentinelone_source.mapping.heartbeat import Changed, Drafts, Volatile
from sentinelone_source.mapping.interpreter import Interpreted, Interpreter
from sentinelone_source.mapping.numbers import UNREADABLE, compact, mend_surrogates
from sentinelone_source.mapping.page import Dead, Known, Page
from sentinelone_source.mapping.page_reader import NotAPage, Opened, PageReader
from sentinelone_source.mapping.rows.lines import Piece, encode, row_type

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from sentinelone_source.mapping.spec.model import ConsoleId, Mapping

_STRIDE = 32
"""Records built at once: enough to spread what a stride costs, few enough for the cache."""
_SLICE = 32_768
"""Bytes of a page whose rows are encoded at once: below that, no column can be too long."""


class _Made(NamedTuple):
    """What became of some records: row, key and position of each; a gap has no row, and no key."""

    rows: list[Any]
    keys: list[str]
    positions: list[int]

    @property
    def gaps(self) -> int:
        return self.keys.count("")

    def only(self, places: Sequence[int]) -> _Made:
        return _Made(
            [self.rows[n] for n in places],
            [self.keys[n] for n in places],
            [self.positions[n] for n in places],
        )


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
        self._interpreter = Interpreter(mapping, self._row)
        self._split = PageReader(mapping.request, msgspec.Raw)
        self.peek_cursor = self._split.peek_cursor
        self._volatile = Volatile(mapping)

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

    def lines(
        self, page: Page, known: Known | None = None, changed: Changed | None = None
    ) -> Iterator[Piece]:
        """Make the page's rows, in pieces of whole lines; the page keeps account.

        It goes through the page in strides, so that rows are encoded while they are warm.

        Args:
            page: as it was opened.
            known: tells duplicates; None makes a row of every record, however often it is there.
            changed: of the other rows those that become lines; None makes a line of each.
        """
        total = len(page.records)
        tell = known
        if page.compiled.keys_only:
            self._leave_out(page, known)
            tell = known and _nothing
        seen: set[str] = set()
        at_once = _SLICE * total // len(page.body)
        for start in range(0, len(page.records), _STRIDE):
            made = self._rows(page, start, start + _STRIDE)
            places = _fresh(page, made, tell, seen)
            page.suppressed += len(made.rows) - made.gaps - len(places)
            if len(places) < len(made.rows):
                made = made.only(places)
            first = len(page.keys)
            page.keys += made.keys
            page.positions += made.positions
            too_long: list[int] = []
            taken: Sequence[int] = range(len(made.rows))
            if changed is None:
                yield from encode(made.rows, at_once, page.cut, too_long)
            else:
                drafts = Drafts(self._volatile, made.rows, at_once)
                taken = changed(drafts.contents(made.keys, made.positions))
                left = set(range(len(made.rows))).difference(taken)
                page.without_line += [first + place for place in left]
                yield from drafts.lines(taken, page.cut, too_long)
            page.without_line += [first + taken[n] for n in too_long]
            for n in too_long:
                self._add_dead(page, start + places[taken[n]], "the row is too long for a line")

    def _leave_out(self, page: Page, known: Known | None) -> None:
        """Leave the records of a page that are known, and decode the others."""
        made = self._rows(page, 0, len(page.records))
        places = _fresh(page, made, known, set())
        page.suppressed = len(made.rows) - made.gaps - len(places)
        raws = self.raws(page) if places else []
        page.raws = raws = [raws[place] for place in places]
        page.compiled = self._strict
        page.records = [self._strict.decode(raw) for raw in raws] if self._texts_only else [None]
        if None in page.records:
            page.compiled = self._tolerant
            page.records = [self._tolerant.decode(raw) for raw in raws]

    def _rows(self, page: Page, start: int, stop: int) -> _Made:
        """Build the rows of some records; what the generated code refuses is interpreted."""
        stop = min(stop, len(page.records))
        dead_before = len(page.dead)
        made = _Made([], [], [])
        records = iter(page.records[start:stop])
        raws = iter(page.raws[start:stop] if page.raws else ())
        while start + len(made.rows) < stop:
            try:
                page.compiled.build(records, raws, page.console, *made)
            except NEEDS_INTERPRETER:
                id_, version, position, row = self._interpret(page, start + len(made.rows))
                made.keys.append(f"{id_}@{version}" if version else id_)
                made.positions.append(position)
                made.rows.append(row)
        page.dropped += made.gaps - (len(page.dead) - dead_before)
        return made

    def _interpret(self, page: Page, place: int) -> Interpreted:
        try:
            misfits = Counter[str]() if page.compiled.keys_only else page.misfits
            return self._interpreter.interpret(self.raws(page)[place], page.console, misfits)
        except Skippable as reason:
            self._add_dead(page, place, str(reason))
            return Interpreted("", None, 0, None)

    def _add_dead(self, page: Page, place: int, reason: str) -> None:
        raw = self.raws(page)[place]
        page.dead.append(Dead(reason, bytes(raw), self._interpreter.identity(raw)))

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


def _nothing(_keys: list[str], _positions: list[int]) -> Container[str]:
    """Of records that are not known, none is."""
    return ()


def _fresh(page: Page, made: _Made, known: Known | None, seen: set[str]) -> Sequence[int]:
    """The places of rows that are to be handed over; `seen` has the keys of the page so far."""
    if known is None:
        return [place for place, key in enumerate(made.keys) if key]
    found, before = known(made.keys, made.positions), len(seen)
    seen.update(made.keys)
    if not found and not made.gaps and len(seen) == before + len(made.keys):
        return range(len(made.rows))
    taken = {"", *page.keys}
    places = []
    for place, key in enumerate(made.keys):
        if key not in taken and key not in found:
            taken.add(key)
            places.append(place)
    return places
