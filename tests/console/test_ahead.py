"""A page asked for before it is needed."""

from __future__ import annotations

import asyncio

import pytest

from sentinelone_source.console.ahead import Ahead, Query
from sentinelone_source.console.responses import Response
from sentinelone_source.errors import Unavailable

ONE, OTHER = {"cursor": "one"}, {"cursor": "other"}


class Asked:
    """Answers with the query; counts what was asked, and what was given up."""

    def __init__(self) -> None:
        self.queries: list[Query] = []
        self.given_up = 0
        self.ahead = Ahead(self.fetch)

    async def fetch(self, query: Query) -> Response:
        self.queries.append(query)
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if query is OTHER:
            raise Unavailable("gone")
        return Response("agents", query["cursor"].encode(), "", None)


def test_the_same_page_is_asked_for_once() -> None:
    """Every page is fetched twice: when its cursor is glimpsed, and when it is read."""

    async def work() -> None:
        asked = Asked()
        for _ in range(3):
            asked.ahead.ask(dict(ONE))
        task = asked.ahead.take()
        assert task is not None
        assert (await task).content == b"one"
        assert asked.queries == [ONE]
        assert asked.ahead.take() is None

    asyncio.run(work())


@pytest.mark.parametrize("other", [OTHER, None])
def test_another_page_takes_its_place(other: Query | None) -> None:
    """The answer to an outdated cursor is taken for the next page."""

    async def work() -> None:
        asked = Asked()
        asked.ahead.ask(ONE)
        await asyncio.sleep(0)
        asked.ahead.ask(other)
        await asyncio.sleep(0)
        assert asked.given_up == 1
        assert (asked.ahead.take() is None) == (other is None)

    asyncio.run(work())


def test_what_is_dropped_fails_unheard(capfd: pytest.CaptureFixture[str]) -> None:
    """Every sweep that ends early writes a traceback beside the log."""

    async def work() -> None:
        asked = Asked()
        asked.ahead.ask(OTHER)
        await asyncio.sleep(0.03)
        asked.ahead.drop()

    asyncio.run(work())
    assert capfd.readouterr().err == ""
