"""Dates in headers."""

from __future__ import annotations

import email.utils
from datetime import UTC

from sentinelone_source.times import to_micros


def parse_http_date(text: str) -> int | None:
    """The moment of a `Date` header and its like; None if the text is no such date."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
