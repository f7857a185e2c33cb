"""From page to page: the query of the first, then the console's cursor, until there is none."""

from __future__ import annotations

from urllib.parse import unquote

from sentinelone_source.errors import CursorLost


class Walk:
    """The queries of one walk.

    Cursors arrive percent-encoded and are sent as they were meant. Only a null cursor ends a walk:
    a short page, or an empty one, does not.

    Attributes:
        params: the query of the page at hand.
    """

    def __init__(self, endpoint: str, params: dict[str, str]) -> None:
        self.endpoint = endpoint
        self.begin(params)

    def begin(self, params: dict[str, str]) -> None:
        """Go to the first page of a query."""
        self.params = params
        self._first = params
        self._seen: set[int] = set()

    def follow(self, cursor: str | None) -> bool:
        """Go to the page that a cursor names; False when the walk is over.

        Raises:
            CursorLost: this cursor has been followed before.
        """
        if not cursor:
            return False
        params = self.after(cursor)
        if params is None:
            raise CursorLost(f"{self.endpoint}: the same cursor came twice")
        self._seen.add(hash(params["cursor"]))
        self.params = params
        return True

    def after(self, cursor: str | None) -> dict[str, str] | None:
        """The query that a cursor leads to; None at the end, or where it would lead in a circle."""
        cursor = unquote(cursor or "")
        if not cursor or hash(cursor) in self._seen:
            return None
        return self._first | {"cursor": cursor}
