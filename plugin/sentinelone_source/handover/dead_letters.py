"""Records that cannot become rows, and rows that the shipper refuses: one store for both."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec
import structlog

from sentinelone_source.errors import StateError

FILE = "dead-letters.ndjson"
CHECKPOINT = ".replay-state"
"""Suffix of the file beside a file of dead letters that says how far `replay` delivered it."""
_ROTATE_AT = 64 << 20
_ROTATED = re.compile(r"dead-letters-(\d+)\.ndjson")

_log = structlog.get_logger()


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a file of dead letters.

    It has a `record` as the API sent it, less its secrets, a `row` as the shipper was given it, or
    a `line` of a file that was replayed, neither a row nor a dead letter.
    """

    time: datetime | None = None
    console: str = ""
    table: str = ""
    reason: str = ""
    record: msgspec.Raw = msgspec.Raw()
    row: msgspec.Raw = msgspec.Raw()
    line: str = ""

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """Read a line; None for one that is not a dead letter.

        Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError if it is not JSON.
        """
        try:
            letter = msgspec.json.decode(line, type=cls)
        except msgspec.ValidationError:
            return None
        is_whole = (letter.table and bytes(letter.record or letter.row)) or letter.line
        return letter if is_whole else None


def record_json(raw: bytes) -> msgspec.Raw:
    """A record as a member of a dead letter; as text if it is not JSON."""
    try:
        msgspec.json.decode(raw)
        return msgspec.Raw(msgspec.json.format(raw, indent=-1))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return msgspec.Raw(msgspec.json.encode(raw.decode("utf-8", "replace")))


class DeadLetters:
    """The dead letters of a state directory, which `replay` reads.

    When the file has `rotate_at` bytes, a new one is begun; old ones are kept.
    """

    def __init__(self, folder: Path, rotate_at: int = _ROTATE_AT) -> None:
        self.path = folder / FILE
        self._rotate_at = rotate_at
        self._lock = threading.Lock()

    @property
    def sizes(self) -> dict[Path, int]:
        """All files that there are, the rotated ones first, and how many bytes they have."""
        sizes = {}
        for path in [*(path for _, path in sorted(self._rotated())), self.path]:
            with contextlib.suppress(FileNotFoundError):
                sizes[path] = path.stat().st_size
        return sizes

    def write(self, letters: Iterable[DeadLetter]) -> None:
        """Write letters, on disk when this returns. Raises StateError."""
        with self._lock, self._alone():
            try:
                if self.path.exists() and self.path.stat().st_size >= self._rotate_at:
                    self._rotate()
            except OSError as error:
                raise StateError(f"{self.path}: cannot be rotated: {error.strerror}") from None
            append(self.path, letters)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Other processes wait: `backfill` writes beside `run`."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _rotate(self) -> None:
        number = max((number for number, _ in self._rotated()), default=0) + 1
        name = self.path.with_name(f"dead-letters-{number:04}.ndjson")
        checkpoint = self.path.with_name(FILE + CHECKPOINT)
        if checkpoint.exists():
            checkpoint.rename(name.with_name(name.name + CHECKPOINT))
        self.path.rename(name)
        _log.warning("dead_letters_rotated", file=str(name), files=number)

    def _rotated(self) -> list[tuple[int, Path]]:
        found = [(_ROTATED.fullmatch(path.name), path) for path in self.path.parent.iterdir()]
        return [(int(match[1]), path) for match, path in found if match]


def append(path: Path, letters: Iterable[DeadLetter]) -> None:
    """Write letters to the end of a file, on disk when this returns. Raises StateError."""
    now = datetime.now(UTC)
    try:
        with path.open("ab") as file:
            if _is_torn(path):
                file.write(b"\n")
            for letter in letters:
                file.write(msgspec.json.encode(msgspec.structs.replace(letter, time=now)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from None


def _is_torn(path: Path) -> bool:
    """Whether a write that was cut off has left a part of a line."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"", b"\n")
