"""What consoles and the proxies before them do wrong, and what a sweep makes of it."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from doubles import faults
from sentinelone_source.demo.console import failure
from sentinelone_source.demo.http_server import Answer
from sentinelone_source.times import SECOND, parse_moment
from support.tenancy import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.conftest import Swept
    from support.tenancy import Tenancy

WELL = [200, 200, 200, 200]
UNAVAILABLE = Answer(503, b"", None, (("Retry-After", "1"),))
NO_LIST = Answer(200, b'{"data":{"id":1}}')
NOT_FOUND = failure(4040010, "Not Found", None)
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


class Case(NamedTuple):
    """A fault, the statuses that the console gave, the least wait after the first, and a reason."""

    fault: faults.ConsoleFault
    statuses: list[int]
    wait: float = 0.0
    says: str = ""


OVERCOME = {
    "500": Case(faults.server_error("groups", times=2), [500, 500, *WELL], 0, "HTTP 500"),
    "502": Case(faults.bad_gateway("groups"), [502, *WELL], 0, "HTTP 502"),
    "502 later": Case(faults.bad_gateway("groups", on="cursor"), [200, 502, *WELL[1:]]),
    "503 with a time": Case(faults.say("groups", UNAVAILABLE), [503, *WELL], 1.0, "HTTP 503"),
    "403 of a proxy": Case(faults.forbidden("groups", html=True), [403, *WELL], 0, "HTTP 403"),
    "429": Case(faults.throttle("groups", times=2), [429, 429, *WELL], 0, "HTTP 429"),
    "429 with a time": Case(faults.throttle("groups", retry_after=1), [429, *WELL], 1.0),
    "429 with a date": Case(faults.throttle("groups", retry_after=DATE), [429, *WELL]),
    "429 with a word": Case(faults.throttle("groups", retry_after="soon"), [429, *WELL]),
    "429 with a digit": Case(faults.throttle("groups", retry_after="\u00b2"), [429, *WELL]),
    "429 of nginx": Case(faults.throttle_html("groups"), [429, *WELL], 0, "HTTP 429"),
    "429 later": Case(faults.throttle("groups", retry_after=0, on="cursor"), [200, 429, *WELL[1:]]),
    "reset": Case(faults.reset("groups", times=2), [0, 0, *WELL], 0, "no connection"),
    "reset in the body": Case(faults.reset("groups", 100), [200, *WELL], 0, "broke off"),
    "closed": Case(faults.close("groups"), [200, *WELL], 0, "broke off"),
    "closed in the body": Case(
        faults.close("groups", 100, on="cursor"), [*WELL, 200], 0, "broke off"
    ),
    "half the JSON": Case(faults.broken_json("groups"), [200, *WELL], 0, "not a page of the API"),
    "half the gzip": Case(faults.broken_gzip("groups"), [200, *WELL], 0, "ends early"),
    "no list": Case(faults.say("groups", NO_LIST), [200, *WELL], 0, "not a page of the API"),
    "empty": Case(faults.status("groups", 200), [200, *WELL], 0, "not a page of the API"),
    "log-in page": Case(faults.login_page("groups"), [200, *WELL], 0, "text/html and not JSON"),
    "moved": Case(faults.redirect("groups"), [302, *WELL], 0, "correct the console's url"),
    "slow": Case(faults.hang("groups", 0.3), WELL),
    "cursor refused": Case(faults.invalid_cursor("groups"), [200, 400, 200, 200, 200]),
    "cursor refused later": Case(
        faults.invalid_cursor("groups", after=1), [200, 200, 400, 200, 200]
    ),
    "cursor repeated": Case(faults.repeat_cursor("groups"), WELL, says="same cursor"),
}


@pytest.mark.parametrize("case", OVERCOME.values(), ids=OVERCOME.keys())
def test_overcome(tenancy: Tenancy, sweep: Callable[..., Swept], case: Case) -> None:
    """A passing failure is logged; every record arrives once, in one sweep."""
    tenancy.populate(30)
    tenancy.configure(page_size=10)
    tenancy.console.faults.add(case.fault)
    swept = sweep("groups")
    assert swept.status == 0
    assert len(swept.lines) == 30
    assert set(swept.lines) == tenancy.shown(["groups"])
    requests = tenancy.console.requests
    assert [request.status for request in requests] == case.statuses
    failed = next((n for n, status in enumerate(case.statuses) if status != 200), 0)
    assert requests[failed + 1].time - requests[failed].time >= case.wait
    told = [line["error"] for line in [*swept.events("retry"), *swept.events("restart")]]
    assert case.says in "".join(told)
    assert bool(told) == (case.statuses != WELL or bool(case.says))


OUTCOMES = {
    "401": (faults.unauthorized("groups", times=None), 3, "refused", "code 4010010"),
    "401 as text": (faults.unauthorized("groups", plain=True, times=None), 3, "refused", "401"),
    "403": (faults.forbidden("groups", times=None), 3, "feed_refused", "code 4030010"),
    "404": (faults.say("groups", NOT_FOUND), 1, "feed_not_understood", "code 4040010"),
    "400": (
        faults.say("groups", failure(4000010, "Validation Error", "updatedAt__gte: Unknown field")),
        1,
        "feed_not_understood",
        "Unknown field",
    ),
    "404 of a proxy": (faults.status("groups", 404, times=None), 1, "sweep_failed", "HTTP 404"),
    "501": (
        faults.say("groups", failure(5010010, "Not supported", None), times=None),
        3,
        "feed_refused",
        "HTTP 501",
    ),
    "cursors are never good": (
        faults.invalid_cursor("groups", times=None),
        1,
        "sweep_failed",
        "cursor",
    ),
}


@pytest.mark.parametrize("case", OUTCOMES.values(), ids=OUTCOMES.keys())
def test_outcomes(
    tenancy: Tenancy, sweep: Callable[..., Swept], case: tuple[faults.ConsoleFault, int, str, str]
) -> None:
    """A lasting failure ends the sweep with its reason; the next sweep brings the rest."""
    fault, status, event, says = case
    tenancy.populate(80, over=timedelta(minutes=5))
    tenancy.configure(page_size=10)
    tenancy.console.faults.add(fault)
    swept = sweep("groups")
    assert swept.status == status
    (told,) = swept.events(event)
    assert told["level"] == "error"
    assert says in told["error"]
    assert "groups" in told["error"]
    tenancy.console.faults.clear()
    rest = sweep("groups")
    assert sorted(swept.lines + rest.lines) == sorted(tenancy.shown(["groups"]))


def test_silence(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A console that takes a request and does not answer is asked again."""
    tenancy.populate(3)
    tenancy.console.faults.add(faults.hang("groups", 300))
    swept = sweep("groups", console_answer=0.5)
    assert set(swept.lines) == tenancy.shown(["groups"])
    assert "no answer within" in swept.events("retry")[0]["error"]


def name_of(line: bytes) -> tuple[str, ...]:
    row = json.loads(line)
    return row["_table"], row["Id"], row["UpdatedAt"]


@pytest.mark.parametrize("pages", ["short_pages", "empty_last_page", "ascii_json"])
@pytest.mark.parametrize("switch", [True, False])
def test_pages(tenancy: Tenancy, sweep: Callable[..., Swept], pages: str, switch: bool) -> None:
    """A short or an empty page is not the last one."""
    tenancy.populate(30)
    tenancy.configure(page_size=5)
    setattr(tenancy.console.behaviour, pages, switch)
    swept = sweep("groups", "threats")
    assert swept.status == 0
    wanted = tenancy.shown(["groups", "threats"])
    assert sorted(map(name_of, swept.lines)) == sorted(map(name_of, wanted))


def test_restart_begins_at_the_watermark(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A sweep that lost its cursor begins again ten seconds before its watermark."""
    tenancy.populate(40)
    tenancy.configure(page_size=10)
    tenancy.console.faults.add(faults.invalid_cursor("groups", after=2))
    swept = sweep("groups")
    assert sorted(swept.lines) == sorted(tenancy.shown(["groups"]))
    first, second = (
        request.query.get("updatedAt__gte")
        for request in tenancy.console.requests
        if "cursor" not in request.query
    )
    assert first is None
    assert second is not None
    positions = sorted(parse_moment(one["updatedAt"]) for one in tenancy.world.all("groups"))
    assert parse_moment(second[0]) == positions[29] - 10 * SECOND


def test_other_feeds_go_on(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A feed that fails does not stop the others."""
    tenancy.populate(5)
    tenancy.console.faults.add(faults.bad_gateway("threats", times=None))
    swept = sweep(once_patience=5.0)
    assert swept.status == 1
    assert {line["feed"] for line in swept.events("swept")} == {
        "activities",
        "agents",
        "alerts",
        "groups",
    }


def test_each_retry_is_told_once(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """Each retry is one warning in the log."""
    tenancy.console.faults.add(faults.bad_gateway("groups", times=2))
    swept = sweep("groups")
    warnings = [line["event"] for line in swept.logs if line["level"] == "warning"]
    assert warnings == ["retry", "retry"]


def test_one_endpoint_refuses_the_token(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A 401 of one endpoint, while others accept the token, stops that feed only."""
    tenancy.populate(5)
    tenancy.console.faults.add(faults.unauthorized("groups", times=None))
    swept = sweep()
    assert swept.status == 0
    assert set(swept.lines) == tenancy.shown([name for name in NAMES if name != "groups"])
    (refused,) = swept.events("refused")
    (told,) = swept.events("feed_refused")
    assert (refused["endpoint"], told["feed"]) == ("groups", "groups")
    assert "other endpoints accept it" in told["error"]
    assert "permission" not in told
    asked = [request.endpoint for request in tenancy.console.requests]
    assert asked.count("groups") == 1


SMALLER = {
    "504": (faults.fails_above("groups", 12, 504), [40, 40, 20, 10, 20, 20, 10, 10]),
    "500": (faults.fails_above("groups", 12, 500), [40, 40, 20, 10, 20, 20, 10, 10]),
    "an outage": (faults.bad_gateway("groups", times=3), [40, 40, 20, 10, 20, 40, 40, 40]),
}


@pytest.mark.parametrize("case", SMALLER.values(), ids=SMALLER.keys())
def test_smaller_pages(
    tenancy: Tenancy, sweep: Callable[..., Swept], case: tuple[faults.ConsoleFault, list[int]]
) -> None:
    """A console that fails at large pages is asked for smaller ones, which grow as they can."""
    fault, asked = case
    tenancy.populate(120)
    tenancy.configure(page_size=40)
    tenancy.console.faults.add(fault)
    swept = sweep("groups")
    assert swept.status == 0
    assert sorted(swept.lines) == sorted(tenancy.shown(["groups"]))
    limits = [int(request.query["limit"][0]) for request in tenancy.console.requests]
    assert limits[:8] == asked
    assert set(limits[8:]) <= {asked[-1]}
    told = [line["limit"] for line in swept.events("smaller_pages")]
    assert told == ([20, 10, 10] if asked[-1] == 10 else [20, 10])


@pytest.mark.parametrize("how", faults.ENCODINGS)
def test_bodies(tenancy: Tenancy, sweep: Callable[..., Swept], how: str) -> None:
    """Bodies are read however they come, also with an untrue `Content-Encoding`."""
    tenancy.populate(12)
    tenancy.configure(page_size=10)
    tenancy.console.faults.add(faults.encoded("groups", how, times=None))
    swept = sweep("groups")
    assert set(swept.lines) == tenancy.shown(["groups"])
    assert not swept.events("retry")


@pytest.mark.parametrize("asked", [0, DATE], ids=["0", "a date that has passed"])
def test_retry_after_does_not_shorten_the_wait(
    tenancy: Tenancy, sweep: Callable[..., Swept], asked: float | str
) -> None:
    """Waits grow, whatever `Retry-After` says."""
    tenancy.populate(3)
    tenancy.console.faults.add(faults.throttle("groups", retry_after=asked, times=5))
    swept = sweep("groups", console_first_retry=0.05, console_longest_retry=0.4)
    assert set(swept.lines) == tenancy.shown(["groups"])
    times = [request.time for request in tenancy.console.requests]
    for tries, (one, other) in enumerate(itertools.pairwise(times[:6])):
        assert other - one >= min(0.05 * 2**tries, 0.4)


@pytest.mark.parametrize("feeds", [["groups"], ["groups", "threats"]])
def test_patience_is_shorter_than_retry_after(
    tenancy: Tenancy, sweep: Callable[..., Swept], feeds: list[str]
) -> None:
    """`run --once` ends when its patience does, whatever `Retry-After` says."""
    tenancy.populate(3)
    tenancy.console.faults.add(faults.throttle("groups", retry_after=10**9, times=None))
    swept = sweep(*feeds, once_patience=3.0)
    assert swept.status == 1
    assert "HTTP 429" in swept.events("sweep_failed")[0]["error"]
    assert set(swept.lines) == (tenancy.shown(["threats"]) if "threats" in feeds else set())
