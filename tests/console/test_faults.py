"""What consoles and the proxies before them do wrong, and what a sweep makes of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from doubles import faults
from sentinelone_source.console import session
from sentinelone_source.demo.answers import Answer, failure
from sentinelone_source.times import SECOND, parse_moment

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

    fault: faults.Fault
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
    """A passing trouble loses records, repeats them, ends the sweep, or is not told."""
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
        1,
        "sweep_failed",
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
    tenancy: Tenancy, sweep: Callable[..., Swept], case: tuple[faults.Fault, int, str, str]
) -> None:
    """A lasting trouble is taken for a passing one, or is told in no way that helps."""
    fault, status, event, says = case
    tenancy.populate(12, over=timedelta(minutes=5))
    tenancy.configure(page_size=10)
    tenancy.console.faults.add(fault)
    swept = sweep("groups", patience=0.5)
    assert swept.status == status
    (told,) = swept.events(event)
    assert told["level"] == "error"
    assert says in told["error"]
    assert "groups" in told["error"]
    tenancy.console.faults.clear()
    rest = sweep("groups", patience=20.0)
    assert sorted(swept.lines + rest.lines) == sorted(tenancy.shown(["groups"]))


def test_silence(
    tenancy: Tenancy, sweep: Callable[..., Swept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console that takes the request and says nothing stops a feed for ever."""
    monkeypatch.setattr(session, "_TIMEOUT", (5, 0.5))
    tenancy.populate(3)
    tenancy.console.faults.add(faults.hang("groups", 300))
    swept = sweep("groups")
    assert set(swept.lines) == tenancy.shown(["groups"])
    assert "no answer within" in swept.events("retry")[0]["error"]


def name_of(line: bytes) -> tuple[str, ...]:
    row = json.loads(line)
    return row["_table"], row["Id"], row["UpdatedAt"]


@pytest.mark.parametrize("pages", ["short_pages", "empty_last_page", "ascii_json"])
@pytest.mark.parametrize("switch", [True, False])
def test_pages(tenancy: Tenancy, sweep: Callable[..., Swept], pages: str, switch: bool) -> None:
    """A short or an empty page is taken for the last one."""
    tenancy.populate(30)
    tenancy.configure(page_size=5)
    setattr(tenancy.console.behaviour, pages, switch)
    swept = sweep("groups", "threats")
    assert swept.status == 0
    wanted = tenancy.shown(["groups", "threats"])
    assert sorted(map(name_of, swept.lines)) == sorted(map(name_of, wanted))


def test_restart_begins_at_the_watermark(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """A lost cursor begins a first sweep of a million agents anew."""
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
    assert parse_moment(second[0]) == positions[29] - 600 * SECOND


def test_other_feeds_go_on(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """One feed in trouble holds the others up."""
    tenancy.populate(5)
    tenancy.console.faults.add(faults.bad_gateway("threats", times=None))
    swept = sweep(patience=0.5)
    assert swept.status == 1
    assert {line["feed"] for line in swept.events("swept")} == {
        "activities",
        "agents",
        "alerts",
        "groups",
    }


def test_each_retry_is_told_once(tenancy: Tenancy, sweep: Callable[..., Swept]) -> None:
    """Whoever counts retries in the log counts each one twice."""
    tenancy.console.faults.add(faults.bad_gateway("groups", times=2))
    swept = sweep("groups")
    warnings = [line["event"] for line in swept.logs if line["level"] == "warning"]
    assert warnings == ["retry", "retry"]
