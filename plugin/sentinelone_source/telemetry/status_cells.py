"""What stands in the cells of the status page, as HTML with every text escaped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from html import escape

from sentinelone_source.console.console import Console
from sentinelone_source.console.token import SOON
from sentinelone_source.telemetry.feed_status import FeedStatus, Situation
from sentinelone_source.telemetry.source import MINUTES

SYMBOLS = {
    Situation.OK: "✓",
    Situation.CATCHING_UP: "↻",
    Situation.BEHIND: "!",
    Situation.RETRYING: "!",
    Situation.WAITING: "‖",
    Situation.REFUSED: "✕",
}
_LONGEST_ERROR = 500


class Html(str):
    """Markup; it is not escaped again."""

    __slots__ = ()


def text(*parts: str) -> Html:
    """Texts and markup one after another."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def element(name: str, *content: str, **attributes: str) -> Html:
    """An element; `class_` and `http_equiv` are written without and with what Python forbids."""
    known = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    written = "".join(f' {key}="{escape(value)}"' for key, value in known.items())
    return Html(f"<{name}{written}>{text(*content)}</{name}>")


def grid(head: Sequence[str], rows: Iterable[Sequence[Html]]) -> Html:
    """A table; each cell knows its title, which stands beside it on a narrow screen."""
    titles = element("tr", *(element("th", title, scope="col") for title in head))
    body = (
        element("tr", *map(lambda title, cell: element("td", cell, data_title=title), head, cells))
        for cells in rows
    )
    return element("table", element("thead", titles), element("tbody", *body))


def symbol_mark(symbol: str) -> Html:
    kind = {"✓": "fine", "↻": "working"}.get(symbol, "trouble")
    return element("span", symbol, class_=f"symbol {kind}")


def state_cell(state: Situation, words: str = "") -> Html:
    return text(symbol_mark(SYMBOLS[state]), words or state.value)


def error_cell(feed: FeedStatus) -> Html:
    """The last error, how old it is, and when the next try is."""
    trouble, now = feed.trouble, time.time()
    if not trouble.error:
        return text("none")
    when = f"{in_words(now - trouble.at)} ago"
    if trouble.until <= now:
        when += ", resolved"
    elif trouble.next_try:
        when += f"; next try {trouble.next_try}"
    return text(trouble.error[:_LONGEST_ERROR], " ", element("small", when))


def chart(minutes: list[int]) -> Html:
    """Rows a minute as bars, and their sum."""
    total, most = sum(minutes), max(minutes)
    bars = "".join(
        f"M{2 * place + 1} 24v-{max(1, round(22 * rows / most))}"
        for place, rows in enumerate(minutes)
        if rows
    )
    drawn = Html(
        f'<svg viewBox="0 0 {2 * MINUTES} 24" width="{2 * MINUTES}" height="24" aria-hidden="true">'
        f'<path d="M0 23.5h{2 * MINUTES}{bars}"/></svg> '
    )
    return text(drawn, f"{total:,}")


def token_summary(consoles: Sequence[Console]) -> Html:
    known = [console for console in consoles if console.expiry.at is not None]
    if not known:
        return text("the expiry date is not known")
    first = min(known, key=lambda console: console.expiry.at or 0.0)
    return text(f"{first.name}: " if len(consoles) > 1 else "", token_cell(first))


def token_cell(console: Console) -> Html:
    at, now = console.expiry.at, time.time()
    if at is None:
        return text("")
    if at <= now:
        return element("span", symbol_mark("✕"), "the token has expired", class_="token")
    words = f"the token expires in {in_words(at - now)}"
    mark = symbol_mark("!") if at - now < SOON else Html()
    return element("span", mark, words, class_="token")


def in_words(seconds: float) -> str:
    """A duration in its largest unit: `45 s`, `12 min`, `5 h`, `3 days`."""
    for unit, words in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {words}"
    return f"{seconds:.0f} s"


def size_in_words(number: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
