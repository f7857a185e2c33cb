"""Golden records: JSON files with one full record per kind, and marks where records differ.

A mark in a string stands for a value; a string that is nothing but a mark takes the value's type.

    {host.name}          a fact about who and where, of the file's `facts`, or of the vocabulary
    {=rules}             one of a list; {=tactics 2-4} so many different ones, as a list
    {4-900}              a whole number
    {hex 40} {HEX 16}    random digits; {uuid} and {big}: an integer that a double cannot hold
    {new}                a new id
    {at-60-3000ms}       a time, so long (or in this range) before or after another

`facts` are chosen once a record, everything else at each place. What has a `like` is the thing of
that name with something laid over it. `kinds` are laid over `record`, `choose` has their weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

_FOLDER: Final = Path(__file__).with_name("golden")
_MARK: Final = re.compile(r"\{(=?)([\w.]+)(?:([-+ ])(\d+)(?:-(\d+))?(ms|[smhd])?)?\}")
_UNITS: Final = {"ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3_600 * 10**6, "d": 86_400 * 10**6}


def text(at: datetime) -> str:
    """A time as the API writes it: six, three or no fraction digits, whatever the value needs."""
    if at.microsecond == 0:
        width = "seconds"
    else:
        width = "microseconds" if at.microsecond % 1000 else "milliseconds"
    return at.isoformat(timespec=width).removesuffix("+00:00") + "Z"


class Golden:
    """One file: what its records are made of, by kind."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.facts: dict[str, Any] = document.get("facts", {})
        self.parts: dict[str, Any] = document.get("parts", {})
        self.vocabulary = {**vocabulary(), **document.get("vocabulary", {})}
        weights: Mapping[str, int] = document["choose"]
        self.kinds, self.weights = list(weights), list(weights.values())
        self.records = {
            kind: merged(document["record"], more) for kind, more in document["kinds"].items()
        }


@cache
def vocabulary() -> dict[str, Any]:
    """What all records have in common."""
    return _read("vocabulary")


@cache
def golden(name: str) -> Golden:
    """The golden records of an endpoint."""
    return Golden(_read(name))


def merged(one: Any, other: Any) -> Any:
    """One value with another laid over it, member by member."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return one | {name: merged(one.get(name), value) for name, value in other.items()}


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = _inherited(msgspec.json.decode((_FOLDER / f"{name}.json").read_bytes()))
    return found


def _inherited(value: Any) -> Any:
    """The document with every `like` replaced by what it names, which must stand before it."""
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for name, child in value.items():
        child = _inherited(child)  # noqa: PLW2901 - with what is below it
        if isinstance(child, dict):
            for base in reversed(child.pop("like", "").split()):
                child = merged(found[base], child)  # noqa: PLW2901 - over what it is like
        found[name] = child
    return found


class Scene:
    """What one record is about; puts values in the place of marks. Given facts go first."""

    def __init__(
        self,
        rng: Random,
        new: Callable[[datetime], str],
        facts: Mapping[str, Any],
        file: Golden | None = None,
    ) -> None:
        self.rng = rng
        self.new = new
        self.known = dict(facts)
        self._facts = file.facts if file else {}
        self._vocabulary = file.vocabulary if file else vocabulary()

    def filled(self, value: Any) -> Any:
        """The value without marks."""
        if isinstance(value, str):
            value = self._resolved(value)
        if isinstance(value, dict):
            return {name: self.filled(child) for name, child in value.items()}
        if isinstance(value, list):
            return [self.filled(child) for child in value]
        return text(value) if isinstance(value, datetime) else value

    def _resolved(self, value: Any) -> Any:
        """What a text stands for, which may have marks itself if it is no text."""
        while isinstance(value, str) and "{" in value:
            if not (whole := _MARK.fullmatch(value)):
                return _MARK.sub(lambda mark: str(self.filled(self._value(mark))), value)
            value = self._value(whole)
        return value

    def _value(self, mark: re.Match[str]) -> Any:
        choice, path, sign, first, last, unit = mark.groups()
        low = int(first or 0) * _UNITS.get(unit, 1)
        high = int(last) * _UNITS.get(unit, 1) if last else low
        name, *members = path.split(".")
        if choice:
            return self._choice(name, members, low, high)
        if name.isdecimal():
            return self._number(int(name), low)
        if unit:
            away = timedelta(microseconds=self._number(low, high))
            return self._fact(name) + (away if sign == "+" else -away)
        maker = _MAKERS.get(name)
        return maker(self, low) if maker else reduce(getitem, members, self._fact(name))

    def _fact(self, name: str) -> Any:
        """Given, or chosen when it is first asked for; what a choice consists of has its marks."""
        if self.known.get(name) is not None:
            return self.known[name]
        if name not in self._facts:
            return self._vocabulary[name]
        self.known[name] = self._resolved(self._facts[name])
        return self.known[name]

    def _choice(self, name: str, members: list[str], low: int, high: int) -> Any:
        choices = reduce(getitem, members, self._vocabulary.get(name) or self._fact(name))
        start = self._number(0, len(choices) - 1)
        if not high:
            return choices[start]
        return (choices * 2)[start : start + self._number(low, high)]

    def _number(self, low: int, high: int) -> int:
        return low + int(self.rng.random() * (high - low + 1))

    def hexes(self, digits: int) -> str:
        """Random digits."""
        return f"{self.rng.getrandbits(4 * digits):0{digits}x}"


def _uuid(scene: Scene, _: int) -> str:
    h = scene.hexes(32)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


_MAKERS: Final[dict[str, Callable[[Scene, int], Any]]] = {
    "hex": Scene.hexes,
    "HEX": lambda scene, digits: scene.hexes(digits).upper(),
    "uuid": _uuid,
    "big": lambda scene, _: (1 << 60) + scene.rng.getrandbits(59) | 1,
    "new": lambda scene, _: scene.new(scene.known["at"]),
}
