"""A file in chunks: some whole lines at a time, so that memory is bounded whatever its length."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import structlog

from sentinelone_source.errors import SourceError
from sentinelone_source.replay.parsing import is_json

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1_000_000
"""Bytes of lines that are read before they are sent."""
LONGEST = 1 << 26
"""Bytes of a line: more than the console sends in a page."""

_log = structlog.get_logger()


class Chunk(NamedTuple):
    """Some lines, and the offset after the last of them."""

    lines: list[bytes]
    end: int


def read_chunks(file: BinaryIO, name: str, start: int) -> Iterator[Chunk]:
    """Read on from an offset; a line that is still being written is left for the next time.

    Args:
        file: at `start`.
        name: for messages.
        start: offset in bytes.

    Raises:
        SourceError: there is a line that no NDJSON has.
    """
    lines: list[bytes] = []
    end = begun = start
    while line := file.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise SourceError(f"{name}: byte {end}: a line of more than {LONGEST >> 20} MiB")
        if not line.endswith(b"\n") and not is_json(line):
            _log.warning("incomplete_line", file=name, offset=end)
            break
        if line.strip():
            lines.append(line)
        end += len(line)
        if end - begun >= CHUNK:
            yield Chunk(lines, end)
            lines, begun = [], end
    if end > begun:
        yield Chunk(lines, end)
