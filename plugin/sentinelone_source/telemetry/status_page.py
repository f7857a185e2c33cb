"""The page for the person on call: first one sentence, then what it is made of."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sentinelone_source import __version__
from sentinelone_source.aligned import counted
from sentinelone_source.http.server import Reply
from sentinelone_source.telemetry.feed_status import FeedStatus, Situation, read_feeds
from sentinelone_source.telemetry.source import Source
from sentinelone_source.telemetry.status_cells import (
    SYMBOLS,
    Html,
    chart,
    element,
    error_cell,
    grid,
    in_words,
    size_in_words,
    state_cell,
    symbol_mark,
    text,
    token_cell,
    token_summary,
)
from sentinelone_source.times import SECOND, from_micros

FEW = 20
"""Consoles of which each feed has a line of its own."""
MOST = 50
"""Feeds that need attention, named one by one where there are more consoles."""
REFRESH = 10
_STYLE = Path(__file__).with_name("status.css").read_text("utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)


class StatusPage:
    """Makes the page anew for each request."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def overview(self, _: str) -> Reply:
        """Every feed of a few consoles; of many, feeds that need attention and a line a console."""
        feeds = self._feeds()
        if len(self._source.consoles) <= FEW:
            return self._reply(feeds, self._consoles(feeds))
        troubled = [feed for feed in feeds if feed.state.needs_attention]
        parts = [element("h2", "Feeds that need attention")] if troubled else []
        parts += [self._table(troubled[:MOST], with_console=True)] if troubled else []
        hidden = len(troubled) - MOST
        parts += [element("p", f"and {hidden} more")] if hidden > 0 else []
        every = element("a", f"Show all {len(feeds)} feeds", href="all")
        return self._reply(feeds, text(*parts, element("p", every), self._summaries(feeds)))

    def all_feeds(self, _: str) -> Reply:
        """Every feed, however many there are."""
        feeds = self._feeds()
        return self._reply(feeds, self._consoles(feeds))

    def _feeds(self) -> list[FeedStatus]:
        """The worst first."""
        found = list(read_feeds(self._source))
        return sorted(found, key=lambda one: (-one.state.severity, -one.behind))

    def _reply(self, feeds: list[FeedStatus], content: Html) -> Reply:
        symbol, sentence = self._verdict(feeds)
        now = from_micros(round(time.time()) * SECOND)
        made = f"sentinelone-source {__version__}, {now:%Y-%m-%d %H:%M:%S} UTC. "
        head = element(
            "head",
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html(f'<meta http-equiv="refresh" content="{REFRESH}">'),
            element("title", f"{symbol} {sentence}"),
            element("style", Html(_STYLE)),
        )
        body = element(
            "body",
            element("h1", symbol_mark(symbol), sentence),
            self._facts(feeds),
            content,
            element("footer", made, f"This page refreshes itself every {REFRESH} seconds."),
        )
        page = text(Html("<!doctype html>\n"), element("html", head, body, lang="en"))
        return Reply(200, page.encode("utf-8", "replace"), "text/html; charset=utf-8", _HEADERS)

    def _verdict(self, feeds: list[FeedStatus]) -> tuple[str, str]:
        """A symbol and the sentence that says how everything is."""
        heartbeat = self._source.heartbeat
        if (age := heartbeat.age) > heartbeat.stuck_after:
            return "✕", f"The source is stuck: it has done nothing for {in_words(age)}."
        states = Counter(feed.state for feed in feeds)
        troubled = sum(count for state, count in states.items() if state.needs_attention)
        symbol, number = SYMBOLS[feeds[0].state], counted(len(feeds), "feed")
        if troubled:
            parts = ", ".join(f"{n} {s.value}" for s, n in states.items() if s.needs_attention)
            verb = "needs" if troubled == 1 else "need"
            return symbol, f"{troubled} of {number} {verb} attention: {parts}."
        if behind := states[Situation.CATCHING_UP]:
            return symbol, f"{number}, {behind} of them catching up."
        return symbol, f"{number}, all up to date."

    def _facts(self, feeds: list[FeedStatus]) -> Html:
        facts = {
            "Rows of the last hour": self._chart(feeds),
            "Hand-over": text(self._handover()),
            "Dead letters": text(self._dead_letters()),
            "API tokens": token_summary(self._source.consoles),
        }
        if unchanged := sum(feed.feed.counts.unchanged for feed in feeds):
            saved = size_in_words(sum(feed.feed.counts.unchanged_bytes for feed in feeds))
            facts["Saved by heartbeats"] = text(f"{unchanged:,} rows, {saved} since the start")
        return element(
            "dl",
            *(element("div", element("dt", k), element("dd", v)) for k, v in facts.items()),
        )

    def _handover(self) -> str:
        refused = self._source.refused()
        waiting = {name: at for name, at in self._source.waiting().items() if at >= 1.0}
        parts = [f"every row of {name} is refused" for name in sorted(refused)]
        parts += [f"{name} has been waiting for {in_words(at)}" for name, at in waiting.items()]
        return "; ".join(parts) or "nothing is waiting"

    def _dead_letters(self) -> str:
        number = sum(feed.counts.dead for feed in self._source.feeds)
        files = self._source.dead_letters.sizes
        kept = f"{counted(len(files), 'file')} of {size_in_words(sum(files.values()))}"
        since = f"{number} since the start" if number else "none since the start"
        return f"{since}; {kept}" if files else "none"

    def _consoles(self, feeds: list[FeedStatus]) -> Html:
        """Each console with its feeds, as the worst of them has it."""
        parts = []
        for name, its in _by_console(feeds).items():
            parts += [element("h2", name, " ", token_cell(its[0].feed.console)), self._table(its)]
        return text(*parts)

    def _table(self, feeds: list[FeedStatus], *, with_console: bool = False) -> Html:
        head = ["Feed", "State", "Behind", "Rows of the last hour", "Last error"]
        rows = (
            (
                element("b", f"{feed.feed.console.name}/" if with_console else "", feed.feed.name),
                state_cell(feed.state),
                text(in_words(feed.behind)),
                self._chart([feed]),
                error_cell(feed),
            )
            for feed in feeds
        )
        return grid(head, rows)

    def _summaries(self, feeds: list[FeedStatus]) -> Html:
        """A line a console."""
        head = ["Console", "State", "Behind", "Rows of the last hour", "API token"]
        rows = []
        for name, its in sorted(_by_console(feeds).items()):
            states = Counter(one.state for one in its)
            words = ", ".join(f"{n} {s.value}" for s, n in states.items())
            cells = (
                element("b", name),
                state_cell(its[0].state, words),
                text(in_words(max(one.behind for one in its))),
                self._chart(its),
                token_cell(its[0].feed.console),
            )
            rows.append(cells)
        return grid(head, rows)

    def _chart(self, feeds: Iterable[FeedStatus]) -> Html:
        """The rows of all these feeds together."""
        history = [self._source.history.of(feed.number) for feed in feeds]
        return chart([sum(minute) for minute in zip(*history, strict=True)])


def _by_console(feeds: Iterable[FeedStatus]) -> dict[str, list[FeedStatus]]:
    found: dict[str, list[FeedStatus]] = {}
    for feed in feeds:
        found.setdefault(feed.feed.console.name, []).append(feed)
    return found
