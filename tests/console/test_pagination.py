"""From page to page: what is asked for, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.console.pagination import Paginator
from sentinelone_source.console.responses import Response
from sentinelone_source.errors import CursorLost, Unavailable
from sentinelone_source.mapping.request import PageRequest
from sentinelone_source.timings import Timings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sentinelone_source.console.client import PageQuery


class Asked:
    """Answers with the cursor of the query; says what was asked, and what was given up."""

    name = "acme"
    patience: float | None = None
    timings = Timings(console_first_retry=0.0)

    def __init__(self) -> None:
        self.cursors: list[str | None] = []
        self.given_up: list[str | None] = []
        self.release = asyncio.Event()
        self.release.set()
        self.fails: set[str] = set()

    async def fetch(self, endpoint: str, query: PageQuery) -> Response:
        cursor = query.params.get("cursor")
        self.cursors.append(cursor)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.given_up.append(cursor)
            raise
        if cursor in self.fails:
            raise Unavailable("gone")
        return Response(endpoint, (cursor or "first").encode(), "", None)


def read(work: Callable[[Asked, Paginator], Awaitable[None]]) -> Asked:
    """Work on the pages of a query."""

    async def main() -> Asked:
        asked = Asked()
        console: Any = asked
        async with Paginator(console, "agents", PageRequest(9)) as pages:
            await work(asked, pages)
        return asked

    return asyncio.run(main())


@pytest.mark.parametrize("ahead", [True, False])
def test_each_page_is_asked_for_once(ahead: bool) -> None:
    """A page that is expected, followed and read is asked for once; cursors are sent unquoted."""

    async def work(asked: Asked, pages: Paginator) -> None:
        cursors = iter(["a%3D", "b", None])
        found = []
        async for response in pages:
            found.append(response.content)
            cursor = next(cursors)
            if ahead:
                pages.expect(cursor)
            pages.follow(cursor, ahead=ahead)
        assert found == [b"first", b"a=", b"b"]

    assert read(work).cursors == [None, "a=", "b"]


@pytest.mark.parametrize("cursor", ["other", None])
def test_a_request_that_is_not_needed_is_given_up(cursor: str | None) -> None:
    """Another cursor than the expected one, or none, ends the request made ahead."""

    async def work(asked: Asked, pages: Paginator) -> None:
        await anext(pages)
        asked.release.clear()
        pages.expect("one")
        await asyncio.sleep(0)
        pages.follow(cursor, ahead=True)
        await asyncio.sleep(0)
        assert asked.given_up == ["one"]
        assert asked.cursors[2:] == ([cursor] if cursor else [])

    read(work)


def test_what_is_given_up_fails_unheard(capfd: pytest.CaptureFixture[str]) -> None:
    """A request made ahead that fails and is not needed logs nothing."""

    async def work(asked: Asked, pages: Paginator) -> None:
        asked.fails = {"one"}
        await anext(pages)
        pages.follow("one", ahead=True)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    read(work)
    assert capfd.readouterr().err == ""


def test_a_cursor_that_comes_twice_ends_the_pages_after_its_page() -> None:
    """The page that brings a repeated cursor is read; the next step is an error."""

    async def work(asked: Asked, pages: Paginator) -> None:
        for _ in range(2):
            await anext(pages)
            pages.follow("one", ahead=False)
        with pytest.raises(CursorLost, match="same cursor came twice"):
            await anext(pages)

    assert read(work).cursors == [None, "one"]


def test_a_page_that_cannot_be_read_is_asked_for_again() -> None:
    """`retry` brings the same page again; `restart` the first one of another query."""

    async def work(asked: Asked, pages: Paginator) -> None:
        await anext(pages)
        pages.follow("one", ahead=True)
        await anext(pages)
        pages.expect("two")
        await pages.retry(Unavailable("no page"))
        await anext(pages)
        pages.restart(PageRequest(5, {"limit": "8"}))
        await anext(pages)
        with pytest.raises(StopAsyncIteration):
            await anext(pages)

    assert [one for one in read(work).cursors if one != "two"] == [None, "one", "one", None]
