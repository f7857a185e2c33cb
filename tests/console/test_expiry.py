"""When a token expires: what the token says itself, and what the console says."""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import time
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.responses import Response
from sentinelone_source.console.token import DETAILS, ApiToken, Expiry, claimed_expiry, told_expiry
from sentinelone_source.errors import FeedRefused, SourceError, Unavailable
from sentinelone_source.telemetry.logs import configure_logs
from sentinelone_source.times import parse_moment
from sentinelone_source.timings import Timings
from support.processes import logs_of

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0


def token(claims: object) -> str:
    """A JWT, as far as anybody here looks at it."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJFUzI1NiJ9.{body}.c2lnbmF0dXJl"


def answer(body: bytes) -> Response:
    return Response(DETAILS, body, "", None)


class ScriptedClient:
    """A console that answers the question, and remembers it."""

    def __init__(self, *answers: bytes | SourceError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    async def post(self, endpoint: str, document: Any) -> Response:
        self.asked.append((endpoint, document))
        said = self.answers.pop(0)
        if isinstance(said, SourceError):
            raise said
        return answer(said)


def details(days: float) -> bytes:
    """That a token expires in so many days."""
    when = time.strftime("%Y-%m-%dT%H:%M:%S.123456Z", time.gmtime(time.time() + days * DAY))
    return json.dumps({"data": {"createdAt": "2026-01-01T00:00:00Z", "expiresAt": when}}).encode()


def watched(path: Path, text: str, told: ScriptedClient, **waits: float) -> Expiry:
    path.write_text(text)
    console = ConsoleTable("acme", "https://a.example", token_file=str(path))
    return Expiry(console.name, ApiToken(console), told.post, Timings(**waits))


async def looked(one: Expiry, until: float = 0.1) -> None:
    """The watch, for a moment."""
    watch = asyncio.create_task(one.watch())
    await asyncio.sleep(until)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (token({"sub": "x", "exp": 1_900_000_000}), 1_900_000_000),
        (token({"exp": 1.5e9, "aud": ["\u00e4\u00f6" * 7]}), 1.5e9),
        (token({"sub": "x"}), None),
        (token({"exp": "soon"}), None),
        (token([]), None),
        ("0123456789" * 8, None),
        ("a.b.c", None),
        ("a.\u00e4.c", None),
        ("..", None),
    ],
)
def test_token_says_it_itself(text: str, at: float | None) -> None:
    """The `exp` of a JWT is its expiry; any other token has none."""
    assert claimed_expiry(text) == at


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"data":{"expiresAt":"2026-11-22T10:00:00.5Z"}}', "2026-11-22T10:00:00.5Z"),
        (b'{"data":{"expiresAt":null,"createdAt":"2026-01-01T00:00:00Z"}}', None),
        (b'{"data":{}}', None),
        (b'{"data":{"expiresAt":"never"}}', None),
        (b'{"data":[]}', None),
        (b"[" * 5000, None),
        (b"", None),
    ],
)
def test_console_says_it(body: bytes, at: str | None) -> None:
    """The console's answer says when a token expires; an odd one says nothing."""
    assert told_expiry(answer(body)) == (None if at is None else parse_moment(at) / 1e6)


def test_console_is_asked_only_if_need_be(tmp_path: Path) -> None:
    """The console is not asked about a token that says when it expires."""
    told = ScriptedClient()
    one = watched(tmp_path / "token", token({"exp": time.time() + 100 * DAY}), told)
    asyncio.run(looked(one))
    assert one.at is not None
    assert told.asked == []


@pytest.mark.parametrize(("days", "warned"), [(13.5, True), (-1.0, True), (14.5, False)])
def test_warning(
    tmp_path: Path, days: float, warned: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """A token is warned of from 14 days before its end, without being shown."""
    configure_logs()
    told = ScriptedClient(details(days))
    one = watched(tmp_path / "token", "opaque", told)
    asyncio.run(looked(one))
    logs = logs_of(capfd.readouterr().err)
    assert [line["event"] for line in logs] == ["token_expires"] * warned
    if warned:
        assert logs[0]["days"] == pytest.approx(days, abs=0.1)
        assert str(tmp_path) in logs[0]["token"]
        assert "opaque" not in str(logs)
    assert told.asked == [(DETAILS, {"data": {"apiToken": "opaque"}})]


def test_watch_outlasts_a_lack_of_descriptors(tmp_path: Path) -> None:
    """A token that cannot be read for lack of file descriptors is asked about later."""
    told = ScriptedClient(details(400))
    one = watched(tmp_path / "token", "opaque", told, expiry_look=0.01)

    async def scenario() -> None:
        watch = asyncio.create_task(one.watch())
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            for _ in range(5):  # no waits: the watch tries to read the token meanwhile
                await asyncio.sleep(0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert told.asked == []
        while not told.asked and not watch.done():
            await asyncio.sleep(0.01)
        watch.cancel()

    asyncio.run(scenario())
    assert len(told.asked) == 1


def test_another_token(tmp_path: Path) -> None:
    """A replaced token is asked for at once, and the old one's expiry forgotten."""
    told = ScriptedClient(details(3), FeedRefused("no"), details(400))
    path = tmp_path / "token"
    one = watched(path, "first", told, expiry_look=0.01)

    async def replaced() -> list[float | None]:
        found = []
        for text in ("first", "second", "the-third"):
            path.write_text(text)
            await looked(one)
            found.append(one.at)
        path.unlink()
        await looked(one)
        return [*found, one.at]

    first, second, third, gone = asyncio.run(replaced())
    assert first is not None
    assert second is None
    assert third is not None
    assert third > first
    assert gone is None
    assert len(told.asked) == 3


@pytest.mark.parametrize("again", [True, False])
def test_when_it_is_asked_again(tmp_path: Path, again: bool) -> None:
    """A console that gave no answer is asked again after a while."""
    waits = {"expiry_look": 0.01, "expiry_unanswered": 0.0 if again else 900.0}
    told = ScriptedClient(Unavailable("away"), details(100))
    one = watched(tmp_path / "token", "opaque", told, **waits)
    asyncio.run(looked(one))
    assert len(told.asked) == (2 if again else 1)
    assert (one.at is not None) is again
