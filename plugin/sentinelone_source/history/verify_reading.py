"""Reads the records of a span from a console again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container

from sentinelone_source.console.console import Console
from sentinelone_source.errors import Unavailable
from sentinelone_source.feed.opening import open_page
from sentinelone_source.feed.reading import Window
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Known
from sentinelone_source.mapping.request import PageRequest, page_requests
from sentinelone_source.mapping.spec.model import ConsoleId
from sentinelone_source.worker_threads import in_thread


class SpanReader:
    """Reads one mapping on one console, and makes rows of the records that the caller chooses.

    Attributes:
        dead: how many records of the last reading cannot become rows.
    """

    def __init__(self, console: Console, mapper: Mapper) -> None:
        self.dead = 0
        self._console, self._mapper = console, mapper
        self._console_id = ConsoleId(console.name, console.url)

    async def pages(self, window: Window, known: Known) -> AsyncIterator[bytes]:
        """The rows of each page, as lines.

        Args:
            window: the span.
            known: from the keys and positions of a page, the keys of which no row is made.

        Raises:
            CursorLost: the console lost its place; read again from the start.
            FeedRefused, BadRequest, Refused: the console refuses the request.
            Retriable: the console fails for good.
        """
        self.dead = 0
        for query in page_requests(self._mapper.mapping, window.start, window.until):
            one_pass = Window(window.start, window.until, window.progress)
            async for lines in self._pass(query, one_pass, known):
                yield lines

    async def _pass(self, query: PageRequest, window: Window, known: Known) -> AsyncIterator[bytes]:
        mapper = self._mapper
        async with self._console.pages(mapper.mapping.request.path, query) as pages:
            async for response in pages:
                try:
                    page = open_page(mapper, await in_thread(response.decoded), self._console_id)
                except Unavailable as error:
                    await pages.retry(error)
                    continue
                walked: list[int] = []
                lines = b"".join(piece.data for piece in mapper.lines(page, _noting(known, walked)))
                window.passed(walked)
                self.dead += len(page.dead)
                pages.follow(page.cursor, ahead=not window.nearly_beyond)
                yield lines
                if window.beyond:
                    return


def _noting(known: Known, walked: list[int]) -> Known:
    """A function like `known` that also appends the positions of all records to `walked`."""

    def noting(keys: list[str], positions: list[int]) -> Container[str]:
        walked.extend(at for key, at in zip(keys, positions, strict=True) if key)
        return known(keys, positions)

    return noting
