"""The windows of a backfill, kept in a file over a crash."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from sentinelone_source.errors import StateError


class PlannedWindow(msgspec.Struct):
    """A part of one feed's past: positions from `start`, and before `end`."""

    console: str
    feed: str
    start: int
    end: int

    @property
    def feed_name(self) -> str:
        """The feed that it is of."""
        return f"{self.console}/{self.feed}"


class Arguments(msgspec.Struct, frozen=True):
    """What a backfill was asked for, as it was typed."""

    since: str
    until: str | None
    tables: list[str]

    def __str__(self) -> str:
        words = ["--since", self.since]
        words += ["--until", self.until] if self.until is not None else []
        return " ".join([*words, *(f"--table {table}" for table in self.tables)])


class BackfillPlan(msgspec.Struct):
    """A backfill that was begun.

    Attributes:
        arguments: that it was begun with.
        feeds: that it reads, or need not read, as `console/mapping`.
        windows: all of them. A window's place in the list names it in the state, so that one that
            is divided keeps its place, and the new part comes last.
    """

    arguments: Arguments
    feeds: list[str]
    windows: list[PlannedWindow]


class PlanFile:
    """Keeps the plan of a backfill in its directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plan.json"

    def read(self) -> BackfillPlan | None:
        """The plan; None when no backfill was begun here.

        Raises:
            StateError: it cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=BackfillPlan)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StateError(f"{self._path}: is damaged ({error}); --restart forgets it") from None

    def write(self, plan: BackfillPlan) -> None:
        """Put a plan in place of the one before, on disk when this returns.

        Raises:
            StateError: it cannot be written.
        """
        draft = self._path.with_suffix(".new")
        try:
            with draft.open("wb") as file:
                file.write(msgspec.json.encode(plan))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            raise StateError(f"{self._path}: cannot be written: {error.strerror}") from None

    def remove(self) -> None:
        """Forget the plan."""
        self._path.unlink(missing_ok=True)
