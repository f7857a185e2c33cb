"""Logs: on stderr, one JSON object a line; prettier on a terminal.

Every line has `timestamp`, `level` and `event`; one about a feed has `console` and `feed`.
"""

from __future__ import annotations

import contextlib
import sys
from typing import Any, TextIO, cast

import msgspec
import structlog


def configure_logs(*, quiet: bool = False) -> None:
    """Set logging up for this process; quiet leaves out what is not at least a warning."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer()
        if terminal
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(
                fmt="%H:%M:%S" if terminal else "iso", utc=not terminal
            ),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("warning" if quiet else "info"),
        logger_factory=structlog.WriteLoggerFactory(
            cast("TextIO", _Stderr("\r\x1b[K" if terminal else ""))
        ),
        cache_logger_on_first_use=False,
    )


class _Stderr:
    """stderr, if anybody reads it: a log that cannot be written does not stop the rows.

    `before` each line, a terminal is told to remove a progress bar.
    """

    def __init__(self, before: str) -> None:
        self._before = before

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(self._before + text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


def _json(event: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
