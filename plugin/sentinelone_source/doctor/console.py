"""Checks of a console: its answer, clock and token, and the endpoint of each feed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.client import ConsoleClient
from sentinelone_source.console.responses import permission
from sentinelone_source.console.token import DETAILS, claimed_expiry, told_expiry
from sentinelone_source.doctor.checks import Check, expiry, failed, ok, skipped, warning
from sentinelone_source.errors import (
    BadRequest,
    ConfigError,
    FeedRefused,
    Refused,
    SourceError,
    Throttled,
)
from sentinelone_source.feed.reading import open_page
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.request import page_requests
from sentinelone_source.mapping.spec.model import ConsoleId, Mapping
from sentinelone_source.times import SECOND

MOST_APART = 120.0
"""Seconds that two clocks may differ before it is a warning."""
_RENEW = "create a new API token for the service user and replace the old one"
_ABOUT_THE_FEED = (FeedRefused, BadRequest, Throttled)
_CONNECTION = "check url, proxy and ca_file of this console"


def check_console(settings: ConsoleTable, mappings: Iterable[Mapping]) -> Iterator[Check]:
    """A console: whether it answers, its token, its clock, and the endpoint of each feed."""
    name = f"console {settings.name}"
    try:
        session = ConsoleClient(settings)
        session.token.value()
    except ConfigError as error:
        yield failed(name, error, "see token_file, token_env and ca_file of this console")
        return
    reached = False
    for mapping in mappings:
        clock, trouble = _asked(session, Mapper(mapping), ConsoleId(settings.name, settings.url))
        if trouble and not reached and not isinstance(trouble, _ABOUT_THE_FEED):
            yield failed(name, trouble, _RENEW if isinstance(trouble, Refused) else _CONNECTION)
            yield skipped(f"{name} feeds", "not checked: the console is not usable")
            return
        if not reached:
            reached = True
            yield check_clock(name, settings.url, clock, answered=trouble is None)
            yield _token(name, session)
        yield _feed(f"feed {settings.name}/{mapping.name}", mapping, trouble)


def _asked(
    session: ConsoleClient, mapper: Mapper, console: ConsoleId
) -> tuple[int | None, SourceError | None]:
    """The clock of the console's answer to what a sweep asks, and the error that it answered with.

    One record is enough to show an unknown parameter as well.
    """
    query = page_requests(mapper.mapping, round((time.time() - 60) * SECOND), None)[0].sized(1)
    try:
        answer = session.page(mapper.mapping.request.path, query)
    except SourceError as error:
        return None, error
    try:
        open_page(mapper, answer.decoded(), console)
    except SourceError as error:
        return answer.clock, session.hide_token(error)
    return answer.clock, None


def _feed(feed: str, mapping: Mapping, error: SourceError | None) -> Check:
    path = mapping.request.path
    if error is None:
        return ok(feed, f"{path} can be read")
    if isinstance(error, FeedRefused) and error.http_status == 403:
        return failed(feed, error, f"give the token's role the permission {permission(path)}")
    if isinstance(error, BadRequest | FeedRefused):
        return failed(feed, error, "correct [request] and [walk] of this table's mapping")
    if isinstance(error, Throttled):
        advice = "another client uses up the limit of this token; try again later"
        return warning(feed, error, advice)
    return failed(feed, error, _RENEW if isinstance(error, Refused) else _CONNECTION)


def check_clock(name: str, url: str, clock: int | None, *, answered: bool) -> Check:
    """Whether the console's clock agrees with this machine's; only a page has to have one."""
    if clock is None:
        found = f"{url} answers"
        return warning(name, f"{found}, without a Date header") if answered else ok(name, found)
    ahead = clock / SECOND - time.time()
    if abs(ahead) < MOST_APART:
        return ok(name, f"{url} answers; clocks agree")
    how = "ahead of" if ahead > 0 else "behind"
    found = f"{url} answers; its clock is {abs(ahead):.0f} s {how} this machine's"
    return warning(name, found, "set this machine's clock by NTP")


def _token(name: str, session: ConsoleClient) -> Check:
    at = claimed_expiry(token := session.token.value())
    if at is None:
        with contextlib.suppress(SourceError):  # some consoles do not have this endpoint
            at = told_expiry(session.post(DETAILS, {"data": {"apiToken": token}}))
    return expiry(f"{name} token", at, f"{session.token} is accepted", _RENEW)
