"""What a console does wrong, to which requests: a script as data.

    faults = [status("threats", 503, times=2), throttle("agents", retry_after=1),
              reset("activities", sent=100)]

Each endpoint has its own queue, in the order of the list; "*" is a queue for whatever no other
queue takes. Endpoints are `activities`, `agents`, `alerts`, `groups`, `threats`, others by their
path below `/web/api/v2.1/`. A fault lets `after` requests pass, hits `times` (None: for ever), then
makes way for the next. With `on="cursor"` only requests with a cursor count, with `on="first"`
only those without one: these have queues of their own, before the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import format_datetime
from gzip import compress
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack
from urllib.parse import quote, urlencode
from zlib import compress as deflate
from zlib import compressobj

from doubles.connections import Ended, Raw
from sentinelone_source.demo.console import UNAUTHENTICATED, failure
from sentinelone_source.demo.dce.errors import DemoFault
from sentinelone_source.demo.endpoints import BASE, BY_PATH
from sentinelone_source.demo.http_server import Answer

if TYPE_CHECKING:
    from datetime import timedelta

    from doubles.console import ScriptedConsole
    from sentinelone_source.demo.http_server import Call

Requests = Literal["any", "cursor", "first"]
Effect = Callable[["Call", "ScriptedConsole"], Answer]


_INVALID_CURSOR: Final = failure(4000010, "Validation Error", "Invalid cursor value received")


class ConsoleFault(DemoFault, kw_only=True):
    """An effect, the requests that it hits, and seconds of silence before the answer."""

    effect: Effect
    status: int = 0
    delay: float = 0.0


def fault(
    endpoint: str, effect: Effect, delay: float = 0.0, on: Requests = "any", **when: Any
) -> ConsoleFault:
    """An effect on requests to an endpoint."""
    where = endpoint if on == "any" else f"{endpoint} {on}"
    return ConsoleFault(where=where, effect=effect, delay=delay, **when)


def places(endpoint: str, *, has_cursor: bool) -> list[str]:
    """The queues that may have a fault for a request."""
    on = "cursor" if has_cursor else "first"
    return [f"{endpoint} {on}", endpoint, f"* {on}", "*"]


def throttled(retry_after: float | str | None) -> Answer:
    """429 of the API, with or without how long to wait."""
    detail = "The requests are being throttled. Too many requests."
    headers = () if retry_after is None else (("Retry-After", f"{retry_after}"),)
    return replace(failure(4290010, "Too Many Requests", detail), headers=headers)


def _page(status: int, title: str) -> Answer:
    """HTML of whatever stands in front of the API."""
    text = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, text.encode(), "text/html; charset=utf-8")


class When(TypedDict, total=False):
    """Which requests a fault hits."""

    times: int | None
    after: int
    on: Requests


def say(endpoint: str, answer: Answer, **when: Unpack[When]) -> ConsoleFault:
    """This answer instead of the API's."""
    return fault(endpoint, lambda _call, _console: answer, **when)


def status(
    endpoint: str, code: int, body: str = "", content_type: str | None = None, **when: Unpack[When]
) -> ConsoleFault:
    """Any status, bare unless a body is given."""
    return say(endpoint, Answer(code, body.encode(), content_type), **when)


def unauthorized(endpoint: str, *, plain: bool = False, **when: Unpack[When]) -> ConsoleFault:
    """401, as JSON or as the plain text that some consoles send."""
    text = Answer(401, b"An error occurred.", "text/plain; charset=utf-8")
    return say(endpoint, text if plain else UNAUTHENTICATED, **when)


def forbidden(endpoint: str, *, html: bool = False, **when: Unpack[When]) -> ConsoleFault:
    """403 of the API (4030010), or of something in front of it."""
    title = "Insufficient permissions"
    refusal = failure(4030010, title, "This scope does not have the feature enabled")
    return say(endpoint, _page(403, "403 Forbidden") if html else refusal, **when)


def throttle(
    endpoint: str, retry_after: float | str | None = None, **when: Unpack[When]
) -> ConsoleFault:
    """429 of the API; `retry_after` may be seconds or a date, or be missing."""
    return say(endpoint, throttled(retry_after), **when)


def throttle_html(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """429 of the nginx in front of the API: HTML, no Retry-After."""
    return say(endpoint, _page(429, "429 Too Many Requests"), **when)


def server_error(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """500 of the API."""
    detail = "Server could not process the request."
    return say(endpoint, failure(5000010, "Internal server error", detail), **when)


def bad_gateway(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """502 without a body."""
    return status(endpoint, 502, **when)


def fails_above(endpoint: str, limit: int, code: int = 504, **when: Unpack[When]) -> ConsoleFault:
    """This status for every page of more than `limit` records, for ever unless `times` is given."""
    when.setdefault("times", None)

    def effect(call: Call, console: ScriptedConsole) -> Answer:
        asked = int(call.parameters.get("limit", ["10"])[-1])
        return Answer(code, b"", None) if asked > limit else console.serve(call)

    return fault(endpoint, effect, **when)


def login_page(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """200 with HTML."""
    return say(endpoint, _page(200, "Management console: log in"), **when)


def redirect(endpoint: str, location: str = "/login", **when: Unpack[When]) -> ConsoleFault:
    """302, to the log-in page unless told otherwise."""
    return say(endpoint, Answer(302, b"", None, (("Location", location),)), **when)


def invalid_cursor(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """400 with code 4000010 for the next request that carries a cursor."""
    when.setdefault("on", "cursor")
    return say(endpoint, _INVALID_CURSOR, **when)


def repeat_cursor(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """The next page that was asked for with a cursor names that cursor again."""
    when.setdefault("on", "cursor")

    def effect(call: Call, console: ScriptedConsole) -> Answer:
        return with_cursor(console.serve(call), quote(call.parameters["cursor"][-1], safe=""))

    return fault(endpoint, effect, **when)


def ignores_filter(endpoint: str, *names: str, **when: Unpack[When]) -> ConsoleFault:
    """Filters by time have no effect, or those named only; for ever unless `times` is given."""
    when.setdefault("times", None)

    def effect(call: Call, console: ScriptedConsole) -> Answer:
        dropped = [
            name for name in call.parameters if "__" in name and (not names or name in names)
        ]
        return console.serve(asked(call, **dict.fromkeys(dropped)))

    return fault(endpoint, effect, **when)


_UPDATES: Final = {
    "agents": "seen",
    "alerts": "judged",
    "groups": "regrouped",
    "threats": "mitigated",
}


def changes(endpoint: str, number: int = 100, **when: Unpack[When]) -> ConsoleFault:
    """So many records, those that changed longest ago, change before each answer.

    For ever unless `times` is given.
    """
    when.setdefault("times", None)

    def effect(call: Call, console: ScriptedConsole) -> Answer:
        world = console.world
        name = BY_PATH[call.path.removeprefix(BASE)].name
        for identifier in world.ids(name)[:number]:
            if name == "activities":  # they never change
                world.create(name)
            else:
                world.update(name, _UPDATES[name], identifier)
        return console.serve(call)

    return fault(endpoint, effect, **when)


def date(endpoint: str, off: timedelta | None, **when: Unpack[When]) -> ConsoleFault:
    """A `Date` that is off by so much; without a `Date` if that is None."""

    def effect(call: Call, console: ScriptedConsole) -> Answer:
        answer, told = console.serve(call), ""
        if off is not None:
            told = format_datetime(console.world.now() + off, usegmt=True)
        return replace(answer, headers=(*answer.headers, ("Date", told)))

    return fault(endpoint, effect, **when)


def reset(endpoint: str, sent: int | None = None, **when: Unpack[When]) -> ConsoleFault:
    """The connection is reset before the answer, or after so many bytes of its body."""
    return _ended(endpoint, "reset", sent, **when)


def close(endpoint: str, sent: int = 0, **when: Unpack[When]) -> ConsoleFault:
    """The connection ends within the body, which was announced as longer."""
    return _ended(endpoint, "close", sent, **when)


def _ended(
    endpoint: str, ending: Literal["close", "reset"], sent: int | None, **when: Unpack[When]
) -> ConsoleFault:
    def effect(call: Call, console: ScriptedConsole) -> Answer:
        if sent is None:
            return Ended(0, ending=ending)
        answer = console.serve(call).packed(call.headers.get("accept-encoding", ""))
        length = ("Content-Length", str(len(answer.body)))
        body = answer.body[: min(sent, len(answer.body) - 1)]
        headers = (*answer.headers, length)
        return Ended(answer.status, body, answer.content_type, headers, ending)

    return fault(endpoint, effect, **when)


def broken_json(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """A complete HTTP answer with the first half of its JSON."""

    def effect(call: Call, console: ScriptedConsole) -> Answer:
        answer = console.serve(call)
        return replace(answer, body=_half(answer.body))

    return fault(endpoint, effect, **when)


def broken_gzip(endpoint: str, **when: Unpack[When]) -> ConsoleFault:
    """A complete HTTP answer with the first half of its gzip stream."""
    return _sent_as(endpoint, "gzip", lambda body: _half(compress(body)), **when)


def hang(endpoint: str, seconds: float, **when: Unpack[When]) -> ConsoleFault:
    """Silence for a while, or until the console is stopped; then the API's answer."""
    return fault(endpoint, lambda call, console: console.serve(call), delay=seconds, **when)


def _raw_deflate(body: bytes) -> bytes:
    packer = compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


_ENCODINGS: Final[dict[str, tuple[str, Callable[[bytes], bytes]]]] = {
    "plain": ("", lambda body: body),
    "gzip": ("gzip", compress),
    "gzip of several members": ("gzip", lambda b: compress(b[:99]) + compress(b[99:])),
    "deflate": ("deflate", deflate),
    "raw deflate": ("deflate", _raw_deflate),
    "gzip that is not said": ("", compress),
    "gzip that is none": ("gzip", lambda body: body),
    "identity": ("identity", lambda body: body),
    "unknown": ("br", lambda body: body),
    "byte order mark": ("", lambda body: b"\xef\xbb\xbf" + body),
}
ENCODINGS: Final = tuple(_ENCODINGS)
"""What `encoded` knows."""


def encoded(endpoint: str, how: str, **when: Unpack[When]) -> ConsoleFault:
    """The API's answer in one of `ENCODINGS`, whatever the client accepts."""
    return _sent_as(endpoint, *_ENCODINGS[how], **when)


def _sent_as(
    endpoint: str, encoding: str, pack: Callable[[bytes], bytes], **when: Unpack[When]
) -> ConsoleFault:
    def effect(call: Call, console: ScriptedConsole) -> Answer:
        answer = console.serve(call)
        said = (("Content-Encoding", encoding),) if encoding else ()
        headers = (*answer.headers, *said)
        return Raw(answer.status, pack(answer.body), answer.content_type, headers)

    return fault(endpoint, effect, **when)


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def asked(call: Call, **changed: str | None) -> Call:
    """The call with other parameters; None leaves one out."""
    kept = {name: values for name, values in call.parameters.items() if name not in changed}
    new = {name: [value] for name, value in changed.items() if value is not None}
    path = call.target.partition("?")[0]
    return replace(call, target=f"{path}?{urlencode(kept | new, doseq=True)}")


def with_cursor(answer: Answer, cursor: str | None) -> Answer:
    """The same page with another cursor."""
    head, _, tail = answer.body.rpartition(b'"nextCursor":')
    said = b"null" if cursor is None else b'"%b"' % cursor.encode()
    body = b'%b"nextCursor":%b%b' % (head, said, tail[tail.rindex(b',"total') :])
    return replace(answer, body=body)
