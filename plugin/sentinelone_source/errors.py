"""What can go wrong, grouped by what the caller must do.

`Fatal` stops the program: a person has to act. `Retriable` is tried again later. A feed that is
refused or not understood is left, and a `Skippable` record is set aside; all others go on.

No message ever holds a secret: an error names where a token came from, not the token.
"""

from __future__ import annotations

import errno

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_LOCKED = 4

AZURE_EXTRA = "install this program with its extra: pip install '.[azure]' in a clone of it"
"""The way out where a package of Azure's is missing."""


class SourceError(Exception):
    """Base of everything this package raises on purpose.

    Attributes:
        http_status: of the answer that it stands for, if it stands for one.
    """

    exit_status = EXIT_FAILED
    http_status: int | None = None


class Fatal(SourceError):
    """Nothing will get better by itself."""


class ConfigError(Fatal):
    """A file, a key or an argument is wrong; the message names it and says what would be right."""

    exit_status = EXIT_USAGE

    def __init__(self, message: str) -> None:
        shown = (
            char if char.isprintable() else char.encode("unicode_escape").decode()
            for char in message
        )
        super().__init__("".join(shown))


class StateError(Fatal):
    """The state is damaged, newer than this program, or cannot be written."""


class StateLocked(Fatal):
    """Another process works on the same state."""

    exit_status = EXIT_LOCKED


class Refused(Fatal):
    """The console answered 401, or refused every feed.

    `stamp` is of the file of the token that it refused, if the token has one.
    """

    exit_status = EXIT_REFUSED

    def __init__(self, message: str, stamp: object = None) -> None:
        super().__init__(message)
        self.stamp = stamp


class ReaderGone(Fatal):
    """The reading end of stdout has been closed, or the shipper stayed away."""


class Retriable(SourceError):
    """The same thing may work later, after the seconds that the other side asked us to wait."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(Retriable):
    """No answer, an answer that broke off, or one that is not the API's."""


class Overloaded(Unavailable):
    """HTTP 5xx, or no answer in time: it may be too much that was asked for at once."""


class Throttled(Retriable):
    """HTTP 429."""


class CursorLost(Retriable):
    """The console does not know the cursor (4000010), or gave the same one twice."""


class Declined(Retriable):
    """The shipper's listener answered 4xx to a batch."""


class FeedRefused(SourceError):
    """The console refuses this feed alone.

    HTTP 403 with code 4030010: the token's role lacks the feed's permission. 501, or a 404 that is
    not the API's: this console does not have the endpoint. 401 while other endpoints accept the
    token.
    """


class BadRequest(SourceError):
    """HTTP 400 or 404: the console does not understand what this feed asks for."""


class Skippable(SourceError):
    """One record cannot become a row."""


def lacks_descriptors(error: BaseException | None) -> bool:
    """Whether an error, or what caused it, is that no file descriptor is left."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return True
        error = error.__cause__ or error.__context__
    return False
