"""How far a file was delivered, kept beside it: a replay that was cut off goes on from there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import structlog

from sentinelone_source.errors import SourceError

SUFFIX = ".replay-state"
_HEAD = 4096

_log = structlog.get_logger()


class Place(msgspec.Struct):
    """Where we are in a file.

    Attributes:
        target: the rule that was delivered to; another one gets the whole file.
        offset: bytes of the file that are dealt with to their end.
        done: lines after `offset` that are dealt with, by table, in their order.
        head: fingerprint of the file's beginning, so that another file of this name is known.
    """

    target: str
    offset: int = 0
    done: dict[str, int] = {}
    head: str = ""


class Progress:
    """The place in one file, on disk after every request.

    Args:
        file: what is replayed; None for standard input, of which nothing is remembered.
        target: the rule that it goes to.
        restart: forget what was delivered.
        keep: write places down; else they are only read.

    Raises:
        SourceError: what was remembered cannot be read.
    """

    def __init__(self, file: Path | None, target: str, *, restart: bool, keep: bool) -> None:
        self._file = file
        self._keep = keep
        self._path = file.with_name(file.name + SUFFIX) if file else None
        self.place = Place(target)
        if self._path is not None and self._path.exists() and not restart:
            self._go_on(self._path, target)
        self._save()  # that it cannot be kept is known before anything is sent

    @property
    def remark(self) -> str:
        """What to say to someone whose replay ended early."""
        if self._path is None:
            return "What was read and not sent is lost; nothing is remembered of standard input"
        return "The same command goes on from here"

    def line(self, table: str, count: int) -> None:
        """So many more lines of a table are dealt with."""
        self.place.done[table] = self.place.done.get(table, 0) + count
        self._save()

    def window(self, end: int) -> None:
        """Everything up to an offset is dealt with."""
        self.place.offset, self.place.done = end, {}
        self._save()

    def _go_on(self, path: Path, target: str) -> None:
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Place)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            raise SourceError(
                f"{path}: cannot be read; delete it, or begin again with --restart"
            ) from None
        if found.target != target:
            _log.warning("replay_begins_again", file=str(self._file), reason="another rule")
        elif found.head != self._fingerprint(found.offset):
            _log.warning("replay_begins_again", file=str(self._file), reason="another file")
        else:
            self.place = found

    def _save(self) -> None:
        if self._path is None or not self._keep:
            return
        self.place.head = self._fingerprint(self.place.offset)
        new = self._path.with_name(self._path.name + ".new")
        try:
            with new.open("wb") as file:
                file.write(msgspec.json.encode(self.place))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be written: {error.strerror}") from None

    def _fingerprint(self, offset: int) -> str:
        """Of the file's first bytes, no more than were read: it may have grown since."""
        assert self._file is not None
        with self._file.open("rb") as file:
            head = file.read(min(offset, _HEAD))
        return f"{len(head)}:{hashlib.sha256(head).hexdigest()}"
