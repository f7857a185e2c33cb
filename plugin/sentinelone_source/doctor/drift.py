"""Mapping against stream declaration and table: which columns differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sentinelone_source.mapping.rows.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from sentinelone_source.mapping.spec.model import TableSpec

_SHOWN = 8


class Drift(NamedTuple):
    """How two lists of columns differ.

    Attributes:
        missing: columns of the mapping that the other side does not have: their values are lost.
        retyped: columns of another type, as `Name (string, not int)`.
        extra: columns not filled by any row.
    """

    missing: list[str]
    retyped: list[str]
    extra: list[str]

    @property
    def is_loss(self) -> bool:
        """Whether rows lose something."""
        return bool(self.missing or self.retyped)

    def __str__(self) -> str:
        parts = [
            (self.missing, "missing"),
            (self.retyped, "of another type"),
            (self.extra, "not filled by any row"),
        ]
        return "; ".join(f"{len(some)} {what}: {_listed(some)}" for some, what in parts if some)


def compare(mapping: TableSpec, there: Dict[str, str]) -> Drift:
    """A mapping against a stream declaration or a table: types of the columns by name."""
    wanted = {column.name: TYPES[column.type].in_stream for column in mapping.columns}
    retyped = [
        f"{name} ({there[name]}, not {kind})"
        for name, kind in wanted.items()
        if name in there and not _same(there[name], kind)
    ]
    return Drift(
        [name for name in wanted if name not in there],
        retyped,
        [name for name in there if name not in wanted],
    )


def _same(there: str, wanted: str) -> bool:
    """Whether two types hold the same values; a guid column takes text."""
    there = {"bool": "boolean", "guid": "string"}.get(there.lower(), there.lower())
    return there == wanted.lower()


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
