"""How far a file was delivered, kept beside it: a replay that was cut off goes on from there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from sentinelone_source.atomic_file import replace_file
from sentinelone_source.errors import SourceError
from sentinelone_source.handover.dead_letters import CHECKPOINT

_SAMPLE = 4096

_log = structlog.get_logger()


class Checkpoint(msgspec.Struct):
    """Where we are in a file.

    Attributes:
        target: the rule that was delivered to; another one gets the whole file.
        offset: bytes of the file that are dealt with to their end.
        done: lines after `offset` that are dealt with, by table, in their order.
        read: bytes of the file that were read.
        head, tail: fingerprints of the first and last of them, so that another file is known.
    """

    target: str
    offset: int = 0
    done: dict[str, int] = {}
    read: int = 0
    head: str = ""
    tail: str = ""


class CheckpointFile:
    """The place in one file, on disk after every request; only read without `keep`.

    Of standard input (no path) nothing is remembered. Raises SourceError if that cannot be read.
    """

    def __init__(
        self, path: Path | None, file: BinaryIO, target: str, *, restart: bool, keep: bool
    ) -> None:
        self._path = path
        self._file = file
        self._keep = keep
        self.position = Checkpoint(target)
        if path is not None and not restart:
            self._resume(_beside(path), target)
        self._save()  # fail before anything is sent if it cannot be written

    @property
    def remark(self) -> str:
        """What to say to someone whose replay ended early."""
        if self._path is None:
            return "What was read and not sent is lost; nothing is remembered of standard input"
        return "The same command continues from here"

    def lines_done(self, table: str, count: int) -> None:
        """So many more lines of a table are dealt with."""
        self.position.done[table] = self.position.done.get(table, 0) + count
        self._save()

    def chunk_done(self, end: int) -> None:
        """Everything up to an offset is dealt with."""
        self.position.offset, self.position.done = end, {}
        self._save()

    def _resume(self, path: Path, target: str) -> None:
        if not path.exists():
            return
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Checkpoint)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            raise SourceError(
                f"{path}: cannot be read; delete it, or begin again with --restart"
            ) from None
        head, tail = self._fingerprints(found.read or found.offset)
        if found.target != target:
            _log.warning("replay_begins_again", file=str(self._path), reason="another rule")
        elif found.head != head or found.tail not in ("", tail):
            _log.warning("replay_begins_again", file=str(self._path), reason="another file")
        else:
            found.read = found.read or found.offset
            self.position = found

    def _save(self) -> None:
        if self._path is None or not self._keep:
            return
        self.position.head, self.position.tail = self._fingerprints(self.position.read)
        path = _beside(_name_now(self._path, self._file))
        replace_file(path, msgspec.json.encode(self.position))

    def _fingerprints(self, end: int) -> tuple[str, str]:
        """Of the first and last bytes before an offset: the file may have grown since."""
        size = min(end, _SAMPLE)
        return _fingerprint(self._file, 0, size), _fingerprint(self._file, end - size, size)


def _fingerprint(file: BinaryIO, start: int, size: int) -> str:
    sample = os.pread(file.fileno(), size, start)
    return f"{len(sample)}:{hashlib.sha256(sample).hexdigest()}"


def _beside(path: Path) -> Path:
    return path.with_name(path.name + CHECKPOINT)


def _name_now(path: Path, file: BinaryIO) -> Path:
    """The name of an open file: dead letters may be rotated while they are replayed."""
    ours = os.fstat(file.fileno())
    for name in (path, *path.parent.glob(f"{path.stem}-*{path.suffix}")):
        if name.exists() and os.path.samestat(name.stat(), ours):
            return name
    return path
