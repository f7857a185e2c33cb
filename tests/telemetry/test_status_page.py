"""The status page, of the real program and in a real browser."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import faults
from doubles.in_http import InHttp, status
from sentinelone_source.console.token import DETAILS
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.handover.stdout import StdoutSink
from sentinelone_source.telemetry.source import MINUTES, RowHistory, Source
from sentinelone_source.telemetry.status_cells import element
from sentinelone_source.telemetry.status_page import MOST, StatusPage
from support.chromium import Chromium
from support.scraping import Scraper, listening
from support.tenancy import TOKEN, Tenancy
from support.waiting import until

HOSTILE = "<script>alert(1)</script>&\"'"
LIGHT, DARK = bytes.fromhex("ffffff"), bytes.fromhex("0d1117")


class Read(HTMLParser):
    """A page's tags, attributes and texts; cells by the title that they bear."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.values: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.rows: list[dict[str, str]] = []
        self._open: list[str] = []
        self._cell = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.values += [value or "" for _, value in attrs]
        self._open.append(tag)
        if tag == "tr":
            self.rows.append({})
        self._cell = dict(attrs).get("data-title") or self._cell

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "td" in self._open:
            self.rows[-1][self._cell] = self.rows[-1].get(self._cell, "") + data
        for tag in self._open[-1:]:
            self.texts.setdefault(tag, []).append(data)

    def of(self, feed: str) -> dict[str, str]:
        """The cells of a feed."""
        return next(row for row in self.rows if row.get("Feed") == feed)


@pytest.fixture
def page(tenancy: Tenancy) -> Iterator[Scraper]:
    """A program some of whose feeds are in trouble; its console has a hostile name."""
    tenancy.populate(5)
    tenancy.world.insert("groups", b'{"id":null,"name":"nobody"}')
    tenancy.console.behaviour.token_expires = datetime.now(UTC) + timedelta(days=9)
    tenancy.console.faults.add(
        faults.forbidden("agents", times=None),
        faults.status("threats", 502, "<b>" + HOSTILE, "text/html", times=None),
    )
    listening(tenancy, interval="1h")
    named = tenancy.config.read_text().replace('"acme"', f"'''{HOSTILE}'''")
    tenancy.config.write_text(named)
    with tenancy.start() as running:
        running.wait_for("swept", count=3)
        running.wait_for("feed_refused")
        running.wait_for("retry")
        running.wait_for("token_expires")
        yield Scraper(running)
        assert running.stop() == 0


def test_trouble_in_words(page: Scraper) -> None:
    """The page begins with a sentence; troubled feeds come first, with error and next try."""
    answer = page.get("/")
    seen = Read(answer.text)
    assert "".join(seen.texts["h1"]) == "2 of 5 feeds need attention: 1 refused, 1 retrying."
    assert [row["Feed"] for row in seen.rows if row][:2] == ["agents", "threats"]
    agents, threats, groups = map(seen.of, ("agents", "threats", "groups"))
    assert (agents["State"], threats["State"], groups["State"]) == (
        "✕refused",
        "!retrying",
        "✓up to date",
    )
    assert "4030010" in agents["Last error"]
    assert "next try within an hour" in agents["Last error"]
    assert "HTTP 502" in threats["Last error"]
    assert (groups["Behind"], groups["Last error"]) == ("0 s", "none")
    assert groups["Rows of the last hour"].strip() == "5"
    facts = " ".join(seen.texts["dd"])
    assert "1 since the start; 1 file of" in facts
    assert "nothing is waiting" in facts
    assert seen.texts["span"].count("the token expires in 8 days") == 2
    assert TOKEN not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")


def test_in_a_browser(page: Scraper, tmp_path: Path) -> None:
    """A browser draws the page at two widths in light and dark; no name becomes an element."""
    browser = Chromium(tmp_path)
    url = f"http://{page.address}/"
    seen = Read(browser.dom(url))
    assert HOSTILE in map(str.strip, seen.texts["h2"])
    assert "script" not in seen.tags
    assert not [value for value in seen.values if value.startswith(("http:", "https:", "//"))]
    for width in (400, 1100):
        for dark, ground in ((False, LIGHT), (True, DARK)):
            lines = browser.look(url, width, dark=dark)
            assert len(lines[0]) == width
            assert {pixel for line in lines for pixel in line[-8:]} == {ground}, "cut off"
            assert len({pixel for line in lines for pixel in line}) > 20, "nothing is drawn"


def test_trouble_that_is_over(tenancy: Tenancy) -> None:
    """An error is still shown when the feed has recovered, as one that is over."""
    tenancy.populate(2)
    tenancy.console.faults.add(faults.bad_gateway("threats"))
    listening(tenancy, interval="1h")
    with tenancy.start("--table", "threats") as running:
        running.wait_for("swept")
        seen = Read(Scraper(running).get("/").text)
    assert seen.of("threats")["State"] == "✓up to date"
    assert "HTTP 502" in seen.of("threats")["Last error"]
    assert "resolved" in seen.of("threats")["Last error"]
    assert "".join(seen.texts["h1"]) == "1 feed, all up to date."


def test_shipper_is_away(tenancy: Tenancy) -> None:
    """A shipper that takes nothing is named as what waits, with its error."""
    tenancy.populate(2)
    listening(tenancy)
    with tenancy.start("--to", "http://127.0.0.1:9/", "--table", "groups") as running:
        scraper = Scraper(running)
        running.wait_for("handover_retry")
        until(lambda: "groups has been waiting for" in scraper.get("/").text, "it waits")
        assert "nothing listens there" in Read(scraper.get("/").text).of("groups")["Last error"]


def test_refused_rows(tenancy: Tenancy) -> None:
    """A feed whose rows are all refused waits for the shipper, from the first refusal on."""
    tenancy.populate(2)
    listening(tenancy)
    with (
        InHttp([status("sentinelone.groups", 400, times=None)]) as shipper,
        tenancy.start("--to", shipper.url, "--table", "groups") as running,
    ):
        running.wait_for("table_refused")
        page = Scraper(running).get("/").text
    assert Read(page).of("groups")["State"] == "‖waiting for the shipper"
    assert "every row of groups is refused" in page


def test_refused_token(tenancy: Tenancy) -> None:
    """A token that the console refuses is an error of all its feeds."""
    tenancy.console.faults.add(faults.unauthorized("*", times=None))
    tenancy.console.faults.add(faults.status(DETAILS, 404, times=None))
    listening(tenancy)
    with tenancy.start() as running:
        running.wait_for("refused")
        seen = Read(Scraper(running).get("/").text)
    assert {row["State"] for row in seen.rows if row} == {"✕refused"}
    assert all("token file changes" in row["Last error"] for row in seen.rows if row)


def many(consoles: int, behind: float, folder: Path) -> StatusPage:
    """A page of consoles with six feeds each, of which `feed 0` is behind."""
    feeds: list[Any] = []
    found = [
        SimpleNamespace(name=f"console {n}", expiry=SimpleNamespace(at=None))
        for n in range(consoles)
    ]
    for number in range(6 * consoles):
        feed = SimpleNamespace(
            name=f"feed {number % 6}",
            console=found[number // 6],
            counts=SimpleNamespace(rows=0, dead=0, unchanged=2, unchanged_bytes=500),
            behind=0.0 if number % 6 else behind,
            last_success=1.0,
        )
        feeds.append(feed)
    names: Any = found
    source = Source(DeadLetters(folder), feeds, names, StdoutSink())
    return StatusPage(source)


def test_many_consoles(tmp_path: Path) -> None:
    """Of 500 consoles the page names feeds in trouble, and has one line for each console."""
    page = many(500, 7200.0, tmp_path)
    reply = page.overview("")
    seen = Read(reply.body.decode())
    assert len([row for row in seen.rows if "Feed" in row]) == MOST
    assert seen.of("console 7/feed 0")["State"] == "!behind"
    lines = [row for row in seen.rows if "Console" in row]
    assert len(lines) == 500
    assert lines[0]["State"] == "!1 behind, 5 up to date"
    assert "6,000 rows, 2 MB since the start" in seen.texts["dd"]
    assert len(reply.body) < 400_000
    assert len([row for row in Read(page.all_feeds("").body.decode()).rows if row]) == 3000
    healthy = Read(many(21, 0.0, tmp_path).overview("").body.decode())
    assert "".join(healthy.texts["h1"]) == "126 feeds, all up to date."


def test_a_token_has_expired(tmp_path: Path) -> None:
    """A token that has expired, and feeds that catch up, are in the page's first lines."""
    page = many(21, 5.0, tmp_path)
    console: Any = page._source.consoles[0]
    console.expiry.at = time.time() - 1
    seen = Read(page.overview("").body.decode())
    assert "console 0: " in seen.texts["dd"]
    assert seen.texts["span"].count("the token has expired") == 2
    assert "".join(seen.texts["h1"]) == "126 feeds, 21 of them catching up."


def test_stuck_loop(tmp_path: Path) -> None:
    """A page of a process that does nothing any more says so first."""
    page = many(1, 0.0, tmp_path)
    page._source.heartbeat._at -= 41
    [sentence] = Read(page.overview("").body.decode()).texts["h1"]
    assert sentence == "The source is stuck: it has done nothing for 41 s."


@given(st.lists(st.integers(0, 9), min_size=1, max_size=3 * MINUTES))
def test_history(rows: list[int]) -> None:
    """The history has the rows of the last hour, minute by minute, for 240 bytes a feed."""
    feed: Any = SimpleNamespace(counts=SimpleNamespace(rows=7))
    history = RowHistory([feed])
    for number in rows[:-1]:
        feed.counts.rows += number
        history.look()
    feed.counts.rows += rows[-1]
    assert history.of(0) == ([0] * MINUTES + rows)[-MINUTES:]
    assert sum(total.itemsize * len(total) for total in history._totals) == 240


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_every_text_is_text(text: str) -> None:
    """Any text in a name is escaped: a parser reads it as it was."""
    seen = Read(element("p", text, title=text))
    assert (dict(seen.tags), seen.values, "".join(seen.texts["p"])) == ({"p": 1}, [text], text)
