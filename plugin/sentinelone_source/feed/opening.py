"""An answer of the console as a page, or as the error that it is."""

from __future__ import annotations

from sentinelone_source.console.responses import answer_error
from sentinelone_source.errors import Unavailable
from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.page import Page
from sentinelone_source.mapping.page_reader import AnswerHasErrors, NotAPage
from sentinelone_source.mapping.spec.model import ConsoleId


def open_page(mapper: Mapper, body: bytes, console: ConsoleId, *, keys_first: bool = False) -> Page:
    """Decode an answer.

    Raises:
        Unavailable: it is not a page of the API.
        FeedRefused, BadRequest, CursorLost, Unavailable: it says that it is an error.
    """
    endpoint = mapper.mapping.request.path
    try:
        return mapper.open(body, console, keys_first=keys_first)
    except AnswerHasErrors as error:
        raise answer_error(endpoint, error.messages) from None
    except NotAPage as error:
        raise Unavailable(f"{endpoint}: not a page of the API: {error}") from None
