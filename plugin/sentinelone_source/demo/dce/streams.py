"""The streams of the Data Collection Rule: which columns a row may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sentinelone_source.mapping.spec.model import Mapping as TableMapping


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream declaration and the table its rows go to; columns by name, with their types."""

    name: str
    table: str
    columns: Mapping[str, str]


def built_in_streams(folder: Path | None = None) -> list[Stream]:
    """The streams of the built-in mappings, a folder of the user's laid over them.

    Raises:
        ConfigError: a file of that folder is wrong.
    """
    from sentinelone_source.mapping.spec.files import load_mappings

    return streams_of(load_mappings(folder).values())


def streams_of(mappings: Iterable[TableMapping]) -> list[Stream]:
    """One stream a mapping. A `json` column is text in a string column."""
    return [
        Stream(
            mapping.stream,
            mapping.table,
            {c.name: "string" if c.type == "json" else c.type for c in mapping.columns},
        )
        for mapping in mappings
    ]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and value == int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TAKES: Final[dict[str, Callable[[Any], bool]]] = {
    "string": _is_text,
    "guid": _is_text,
    "datetime": _is_text,
    "int": _is_whole,
    "long": _is_whole,
    "real": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "dynamic": lambda _: True,
}
"""Whether a JSON value is of a column's type."""
