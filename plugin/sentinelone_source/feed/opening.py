"""Decodes an answer of the console to a page, or raises the error that it reports."""

from __future__ import annotations

from sentinelone_source.console.responses import answer_error
from sentinelone_source.errors import Unavailable
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.mapping.page_reader import AnswerHasErrors, NotAPage
from sentinelone_source.mapping.spec.model import ConsoleId


def open_page(mapper: Mapper, body: bytes, console: ConsoleId, *, keys_first: bool = False) -> Page:
    """Decode an answer with HTTP status 200.

    Args:
        mapper: of the feed.
        body: the decompressed body.
        console: the console's name and URL, for columns that hold them.
        keys_first: read only keys and positions first, because most records are known.

    Raises:
        Unavailable: the body is not a page of the API, or reports a temporary error.
        FeedRefused, BadRequest, CursorLost: the body reports this error.
    """
    endpoint = mapper.mapping.request.path
    try:
        return mapper.open(body, console, keys_first=keys_first)
    except AnswerHasErrors as error:
        raise answer_error(endpoint, error.messages) from None
    except NotAPage as error:
        raise Unavailable(f"{endpoint}: not a page of the API: {error}") from None
