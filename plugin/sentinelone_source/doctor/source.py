"""Checks of SentinelOne's side, and of the shipper that rows go to."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sentinelone_source.certificates import trusted
from sentinelone_source.console.expiry import DETAILS, claimed_expiry, told_expiry
from sentinelone_source.console.permissions import permission
from sentinelone_source.console.session import Session
from sentinelone_source.doctor.checks import expiry, failed, ok, skipped, warning
from sentinelone_source.errors import (
    BadRequest,
    ConfigError,
    FeedRefused,
    Refused,
    SourceError,
    Throttled,
)
from sentinelone_source.times import SECOND, to_iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.config import Console, Handover
    from sentinelone_source.doctor.checks import Check
    from sentinelone_source.mapping.model import Mapping

CLOCK = 120.0
"""Seconds that two clocks may differ before it is worth a word."""
_PATIENCE = 5.0
_RENEW = "make a new API token for the service user and put it in the token's place"
_ABOUT_THE_FEED = (FeedRefused, BadRequest, Throttled)
_ELSEWHERE = "check url, proxy and ca_file of this console"


def console(settings: Console, mappings: Iterable[Mapping]) -> Iterator[Check]:
    """A console: whether it answers, its token, its clock, and the endpoint of each feed.

    Args:
        settings: the console's.
        mappings: of the feeds that are enabled.
    """
    name = f"console {settings.name}"
    try:
        session = Session(settings)
        session.token.value()
    except ConfigError as error:
        yield failed(name, error, "see token_file, token_env and ca_file of this console")
        return
    reached = False
    for mapping in mappings:
        clock, trouble = _asked(session, mapping)
        if trouble and not reached and not isinstance(trouble, _ABOUT_THE_FEED):
            yield failed(name, trouble, _RENEW if isinstance(trouble, Refused) else _ELSEWHERE)
            yield skipped(f"{name} feeds", "not asked")
            return
        if not reached:
            reached = True
            yield _clock(name, settings.url, clock, said=trouble is None)
            yield _token(name, session)
        yield _feed(f"feed {settings.name}/{mapping.name}", mapping, trouble)


def _asked(session: Session, mapping: Mapping) -> tuple[int | None, SourceError | None]:
    """The console's clock, and what it objects to."""
    try:
        return session.get(mapping.request.path, _query(mapping)).clock, None
    except SourceError as error:
        return None, error


def _query(mapping: Mapping) -> dict[str, str]:
    """One record of what the feed asks for: an unknown parameter shows as well."""
    walk = mapping.walk
    return {
        **mapping.request.params,
        "limit": "1",
        "sortBy": walk.sort_by,
        "sortOrder": "asc",
        "skipCount": "true",
        walk.filter: to_iso(round((time.time() - 60) * SECOND)),
    }


def _feed(feed: str, mapping: Mapping, error: SourceError | None) -> Check:
    path = mapping.request.path
    if error is None:
        return ok(feed, f"{path} may be read")
    if isinstance(error, FeedRefused) and error.http_status == 403:
        return failed(feed, error, f"give the token's role the permission {permission(path)}")
    if isinstance(error, BadRequest | FeedRefused):
        return failed(feed, error, "correct [request] and [walk] of this table's mapping")
    if isinstance(error, Throttled):
        return warning(feed, error, "something else uses up this token's limit; ask again later")
    return failed(feed, error, _RENEW if isinstance(error, Refused) else _ELSEWHERE)


def _clock(name: str, url: str, clock: int | None, *, said: bool) -> Check:
    if clock is None:
        found = f"{url} answers"
        return warning(name, f"{found}, but does not say the time") if said else ok(name, found)
    ahead = clock / SECOND - time.time()
    if abs(ahead) < CLOCK:
        return ok(name, f"{url} answers; clocks agree")
    how = "ahead of" if ahead > 0 else "behind"
    found = f"{url} answers; its clock is {abs(ahead):.0f} s {how} ours"
    return warning(name, found, "set this machine's clock, by NTP")


def _token(name: str, session: Session) -> Check:
    at = claimed_expiry(token := session.token.value())
    if at is None:
        try:
            at = told_expiry(session.post(DETAILS, {"data": {"apiToken": token}}))
        except SourceError:
            at = None  # not every console knows the question
    return expiry(f"{name} token", at, f"{session.token} is accepted", _RENEW)


def shipper(handover: Handover) -> Check:
    """Whether somebody listens where rows are handed over."""
    name = "shipper"
    if handover.to == "stdout":
        return skipped(name, "rows go to stdout: whoever starts `run` reads them")
    parts = urlsplit(handover.to)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        verify = trusted(handover.ca_file, "handover.ca_file")
        with socket.create_connection((parts.hostname or "", port), _PATIENCE) as plain:
            if parts.scheme == "https":
                authorities = verify if isinstance(verify, str) else None
                with ssl.create_default_context(cafile=authorities).wrap_socket(
                    plain, server_hostname=parts.hostname
                ):
                    pass
    except ConfigError as error:
        return failed(name, error)
    except ssl.SSLError as error:
        found = f"{handover.to}: TLS: {error.reason or error.strerror}"
        return failed(name, found, "see handover.ca_file")
    except OSError as error:
        found = f"{handover.to}: {error.strerror or 'no answer'}"
        return failed(name, found, "start the shipper, or correct handover.to")
    return ok(name, f"{handover.to} listens; no row was sent to it")
