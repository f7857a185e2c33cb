"""What a benchmark found, and the table it is printed as."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

HEADER = ("part", "what", "source", "compared with", "ratio", "goal", "")


@dataclass(frozen=True)
class Goal:
    """A limit on a value: at most, or at least."""

    limit: float
    unit: str = "x"
    least: bool = False

    def __str__(self) -> str:
        return f"{'>=' if self.least else '<='} {self.limit:g}{self.unit}"

    def verdict(self, value: float) -> str:
        """Whether the value is within the limit, as a word."""
        reached = value >= self.limit if self.least else value <= self.limit
        return "reached" if reached else "MISSED"


class Row(NamedTuple):
    """One line of the table."""

    part: str
    what: str
    ours: str = ""
    theirs: str = ""
    ratio: str = ""
    goal: str = ""
    verdict: str = ""


def measured(
    part: str, what: str, ours: str, value: float, goal: Goal | None, *, theirs: str = ""
) -> Row:
    """A line of one value, and whether it is within its goal; None is no goal."""
    verdict = goal.verdict(value) if goal else ""
    return Row(part, what, ours, theirs, "", str(goal or ""), verdict)


def millis(samples: Sequence[float]) -> str:
    """Seconds as milliseconds: the median, and the minimum in brackets."""
    return f"{_figure(1000 * median(samples))} ({_figure(1000 * min(samples))}) ms"


def compare(
    part: str,
    what: str,
    ours: Sequence[float],
    theirs: tuple[str, Sequence[float]],
    goal: Goal | None = None,
    *,
    cheaper: bool = False,
) -> Row:
    """A line of two series of equal rounds; the ratio is the median of the rounds' ratios.

    Args:
        part: of the benchmarks.
        what: was measured.
        ours: seconds, by round.
        theirs: name and seconds of what it is compared with.
        goal: for the ratio.
        cheaper: the ratio is theirs to ours, and not the other way.
    """
    name, others = theirs
    pairs = [(b, a) if cheaper else (a, b) for a, b in zip(ours, others, strict=True)]
    ratio = median(upper / lower for upper, lower in pairs)
    row = measured(part, what, millis(ours), ratio, goal, theirs=f"{name} {millis(others)}")
    return row._replace(ratio=f"{_figure(ratio)}x")


def _figure(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f}"


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = HEADER) -> str:
    """Rows below a header, each column as wide as it needs to be."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
