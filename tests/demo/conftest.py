"""A frozen tenant, a console that serves it, and a client that asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from doubles.console import ScriptedConsole
from doubles.world import World

NOON = datetime(2026, 3, 14, 12, 0, 0, 589_793, UTC)
TOKEN = "demo-token"


class DemoClient:
    """Asks a console over one kept-alive connection."""

    def __init__(self, console: ScriptedConsole) -> None:
        self.console = console
        self.base = f"{console.url}/web/api/v2.1/"
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"ApiToken {TOKEN}"

    def get(self, path: str, **parameters: Any) -> requests.Response:
        url = self.base + path
        return self.session.get(url, params=parameters, timeout=60, allow_redirects=False)

    def page(self, path: str, **parameters: Any) -> tuple[list[dict[str, Any]], str | None]:
        """The records and the cursor, ready to be sent back."""
        answer = self.get(path, **parameters)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        cursor = body["pagination"]["nextCursor"]
        return body["data"], unquote(cursor) if cursor else None

    def pages(self, path: str, **parameters: Any) -> Iterator[list[dict[str, Any]]]:
        """All pages of a walk."""
        cursor: str | None = ""
        while cursor is not None:
            records, cursor = self.page(path, **parameters | ({"cursor": cursor} if cursor else {}))
            yield records

    def walk(self, path: str, **parameters: Any) -> list[dict[str, Any]]:
        """All records of a walk."""
        return [record for page in self.pages(path, **parameters) for record in page]


@pytest.fixture
def world() -> World:
    """Empty, its clock standing still."""
    return World(seed=5, now=lambda: NOON)


@pytest.fixture
def serve(world: World) -> Iterator[Callable[..., DemoClient]]:
    """Starts a console of the world with these options; gives a client of it."""
    with ExitStack() as stack:

        def start(*arguments: Any, **options: Any) -> DemoClient:
            client = DemoClient(
                stack.enter_context(ScriptedConsole(world, {TOKEN}, *arguments, **options))
            )
            stack.enter_context(client.session)
            return client

        yield start


@pytest.fixture
def client(serve: Callable[..., DemoClient]) -> DemoClient:
    """A client of a console without options."""
    return serve()
