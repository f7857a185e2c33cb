"""The windows of a backfill, in a file that survives a crash."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from sentinelone_source.errors import StateError


class PlannedWindow(msgspec.Struct):
    """A part of one feed's past: positions from `start` to before `end`, in microseconds."""

    console: str
    feed: str
    start: int
    end: int

    @property
    def feed_name(self) -> str:
        """Its feed, as `console/mapping`."""
        return f"{self.console}/{self.feed}"


class Arguments(msgspec.Struct, frozen=True):
    """The arguments of a backfill, as they were typed."""

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
        arguments: the arguments that it was begun with.
        feeds: the selected feeds, as `console/mapping`, also those without a window.
        windows: all windows. A window's place in the list is part of its name in the state. So a
            window that is divided keeps its place, and the new part is appended.
    """

    arguments: Arguments
    feeds: list[str]
    windows: list[PlannedWindow]


class PlanFile:
    """Keeps the plan of a backfill in its directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "plan.json"

    def read(self) -> BackfillPlan | None:
        """The plan; None if no backfill was begun in this directory.

        Raises:
            StateError: the file cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=BackfillPlan)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise StateError(
                f"{self._path}: is damaged ({error}); use --restart to forget it"
            ) from None

    def write(self, plan: BackfillPlan) -> None:
        """Replace the plan in the file; the new one is on disk when this returns.

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
