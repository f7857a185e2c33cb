"""The stand-in for Vector: its configuration, and events on their way."""

from __future__ import annotations

import json
import re
from pathlib import Path
from threading import Event as Flag
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import tomli
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]
_TOO_LONG: Final = 2**63
"""Vector has no integers beyond: they become floats."""
_SECRET: Final = re.compile(r"SECRET\[([\w-]+)\.([\w./-]+)\]")
_EQUALS: Final = re.compile(r'\.(\w+) == "([^"]*)"')
_BEGINS: Final = re.compile(r'starts_with!\(\.(\w+), "([^"]*)"\)')


class BatchNotifier:
    """What came in one request: delivered when every event of it is, rejected if one was."""

    def __init__(self, events: int) -> None:
        self.delivered = True
        self._left = events
        self._over = Flag()
        self._lock = Lock()
        if not events:
            self._over.set()

    def ended(self, *, delivered: bool) -> None:
        """One event has come to its end."""
        with self._lock:
            self._left -= 1
            self.delivered = self.delivered and delivered
            if not self._left:
                self._over.set()

    def wait(self) -> bool:
        """Whether all was delivered, when it has come to its end."""
        self._over.wait()
        return self.delivered


Item = tuple[Row, BatchNotifier | None]


def load(path: Path, *, with_secrets: bool = True) -> dict[str, Any]:
    """A configuration; its secrets are put in as text before it is parsed, as Vector does.

    Raises:
        ValueError: a secret has no backend, or its file is empty.
        OSError: a file cannot be read.
    """
    text = path.read_text()
    read: Callable[[str], Any] = tomli.loads if path.suffix == ".toml" else yaml.safe_load
    backends = read(text).get("secret", {})

    def secret(found: re.Match[str]) -> str:
        backend, key = found.groups()
        if backend not in backends:
            raise ValueError(f'Backend "{backend}" is required for secret retrieval')
        value = Path(backends[backend]["path"], key).read_text()
        value = value.rstrip() if backends[backend].get("remove_trailing_whitespace") else value
        if not value:
            raise ValueError(f"secret in file '{key}' was empty")
        return value

    document: dict[str, Any] = read(_SECRET.sub(secret, text) if with_secrets else text)
    return document


class HttpRefusal(Exception):
    """A status and a message."""


def decoded(line: bytes) -> list[Row]:
    """The events of a line. Raises HttpRefusal."""
    try:
        value = json.loads(line, parse_int=_number)
    except ValueError as error:
        raise HttpRefusal(400, f"Failed decoding body: {error}") from None
    rows = value if isinstance(value, list) else [value]
    if not all(isinstance(row, dict) for row in rows):
        raise HttpRefusal(400, "Failed decoding body: not an object")
    return rows


def _number(text: str) -> int | float:
    number = int(text)
    return number if -_TOO_LONG <= number < _TOO_LONG else float(text)


class Router:
    """The one route transform of our configurations; its conditions look at whole fields."""

    def __init__(self, name: str, transform: dict[str, Any], sinks: dict[str, Any]) -> None:
        self._routes = [
            ([_compared(part) for part in condition.split(" && ")], sinks[f"{name}.{route}"])
            for route, condition in transform["route"].items()
        ]
        self._rest = sinks[f"{name}._unmatched"]
        self._sinks = list(sinks.values())

    @property
    def is_idle(self) -> bool:
        """Whether every event has come to its end."""
        return all(sink.is_idle for sink in self._sinks)

    def __call__(self, item: Item) -> None:
        """Hand an event to the sinks of its route."""
        row = item[0]
        for condition, sink in self._routes:
            if all(holds(row) for holds in condition):
                sink(item)  # a row matches one route at most, and one sink reads it
                return
        self._rest(item)


def _compared(part: str) -> Callable[[Row], bool]:
    if found := _EQUALS.fullmatch(part):
        field, text = found.groups()
        return lambda row: row.get(field) == text
    if found := _BEGINS.fullmatch(part):
        field, text = found.groups()
        return lambda row: str(row.get(field)).startswith(text)
    raise ValueError(f"{part!r}: the stand-in only knows how to compare a field with a text")
