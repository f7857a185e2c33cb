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
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from sentinelone_source.demo.timestamps import text

if TYPE_CHECKING:
    from collections.abc import Mapping

_FOLDER: Final = Path(__file__).with_name("golden")
_MARK: Final = re.compile(r"\{(=?)([\w.]+)(?:([-+ ])(\d+)(?:-(\d+))?(ms|[smhd])?)?\}")
_UNITS: Final = {"ms": 1_000, "s": 10**6, "m": 60 * 10**6, "h": 3_600 * 10**6, "d": 86_400 * 10**6}
_PLAIN: Final = frozenset((str, int, float, bool, type(None)))
_NOTHING: Final[dict[str, Any]] = {}


class Golden:
    """One file: what its records are made of, by kind."""

    def __init__(self, document: Mapping[str, Any], common: Mapping[str, Any]) -> None:
        self.facts = _parsed(document.get("facts", _NOTHING))
        self.parts = _parsed(document.get("parts", _NOTHING))
        self.vocabulary = {**common, **_parsed(document.get("vocabulary", _NOTHING))}
        weights: Mapping[str, int] = document["choose"]
        self.kinds, self.weights = list(weights), list(weights.values())
        self.records = {
            kind: _parsed(merged(document["record"], more))
            for kind, more in document["kinds"].items()
        }


@cache
def vocabulary() -> Mapping[str, Any]:
    """What all records have in common."""
    found: Mapping[str, Any] = _parsed(_read("vocabulary"))
    return found


@cache
def golden(name: str) -> Golden:
    """The golden records of an endpoint."""
    return Golden(_read(name), vocabulary())


def merged(one: Any, other: Any) -> Any:
    """One value with another laid over it, member by member."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return other
    return one | {name: merged(one.get(name), value) for name, value in other.items()}


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
        self._facts = file.facts if file else _NOTHING
        self._vocabulary = file.vocabulary if file else vocabulary()

    def filled(self, value: Any) -> Any:
        """The value without marks; what has none is the golden one, not a copy."""
        while type(value) is Mark:
            value = value.take(self)
        kind = type(value)
        if kind is Tree:
            return {n: c if type(c) in _PLAIN else self.filled(c) for n, c in value.items()}
        if kind is Row:
            return [self.filled(child) for child in value]
        if kind is Text:
            return "".join([p if type(p) is str else str(self.filled(p)) for p in value])
        return text(value) if kind is datetime else value

    def fact(self, name: str) -> Any:
        """Given, or chosen when it is first asked for; what a choice consists of has its marks."""
        value = self.known.get(name)
        if value is None:
            value = self._facts[name] if name in self._facts else self._vocabulary[name]
            if name in self._facts:
                while type(value) is Mark:
                    value = value.take(self)
                self.known[name] = value = self.filled(value) if type(value) is Text else value
        return value

    def choices(self, name: str) -> Any:
        """A list of the vocabulary, or of a fact."""
        return self._vocabulary.get(name) or self.fact(name)


class Mark(NamedTuple):
    """A mark, ready to be asked for its value, which may have marks itself."""

    take: Callable[[Scene], Any]


class Text(list[str | Mark]):
    """A text with marks in it."""


class Tree(dict[str, Any]):
    """An object with marks in it."""


class Row(list[Any]):
    """A list with marks in it."""


_MARKED: Final = frozenset((Mark, Text, Tree, Row))


def _read(name: str) -> Any:
    return _inherited(msgspec.json.decode((_FOLDER / f"{name}.json").read_bytes()))


def _inherited(value: Any) -> Any:
    """The document with every `like` replaced by what it names."""
    if not isinstance(value, dict):
        return value
    children = {name: _inherited(child) for name, child in value.items()}

    def whole(name: str) -> Any:
        child = children[name]
        if not isinstance(child, dict) or "like" not in child:
            return child
        base: Any = {}
        for other in [child["like"]] if isinstance(child["like"], str) else child["like"]:
            base = merged(base, whole(other))
        return merged(base, {key: item for key, item in child.items() if key != "like"})

    return {name: whole(name) for name in children}


def _parsed(value: Any) -> Any:
    """The document with its marks ready."""
    if isinstance(value, dict):
        tree = Tree({name: _parsed(child) for name, child in value.items()})
        return tree if any(type(child) in _MARKED for child in tree.values()) else dict(tree)
    if isinstance(value, list):
        row = Row(map(_parsed, value))
        return row if any(type(child) in _MARKED for child in row) else list(row)
    if not isinstance(value, str) or not _MARK.search(value):
        return value
    if whole := _MARK.fullmatch(value):
        return _mark(whole)
    parts, end = Text(), 0
    for mark in _MARK.finditer(value):
        parts += [value[end : mark.start()], _mark(mark)]
        end = mark.end()
    return Text([*parts, value[end:]])


def _mark(found: re.Match[str]) -> Mark:
    choice, path, sign, first, last, unit = found.groups()
    low = int(first or 0) * _UNITS.get(unit, 1)
    high = int(last) * _UNITS.get(unit, 1) if last else low
    name, *members = path.split(".")
    if choice:
        return Mark(_chosen(name, members, low, high))
    if name.isdecimal():
        return Mark(lambda scene: _number(scene.rng, int(name), low))
    if unit:
        return Mark(_time(name, sign, low, high))
    if name in _MAKERS:
        maker = _MAKERS[name]
        return Mark(lambda scene: maker(scene, low))
    return Mark(_fact(name, members))


def _fact(name: str, members: list[str]) -> Callable[[Scene], Any]:
    def take(scene: Scene) -> Any:
        value = scene.fact(name)
        for member in members:
            value = value[member]
        return value

    return take


def _time(name: str, sign: str, low: int, high: int) -> Callable[[Scene], datetime]:
    def take(scene: Scene) -> datetime:
        away = timedelta(microseconds=_number(scene.rng, low, high))
        at: datetime = scene.fact(name)
        return at + away if sign == "+" else at - away

    return take


def _chosen(name: str, members: list[str], low: int, high: int) -> Callable[[Scene], Any]:
    def take(scene: Scene) -> Any:
        choices = scene.choices(name)
        for member in members:
            choices = choices[member]
        start = _number(scene.rng, 0, len(choices) - 1)
        if not high:
            return choices[start]
        return Row((choices * 2)[start : start + _number(scene.rng, low, high)])

    return take


def _number(rng: Random, low: int, high: int) -> int:
    return low + int(rng.random() * (high - low + 1))


def _hexes(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def _uuid(rng: Random) -> str:
    h = _hexes(rng, 32)
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


_MAKERS: Final[dict[str, Callable[[Scene, int], Any]]] = {
    "hex": lambda scene, digits: _hexes(scene.rng, digits),
    "HEX": lambda scene, digits: _hexes(scene.rng, digits).upper(),
    "uuid": lambda scene, _: _uuid(scene.rng),
    "big": lambda scene, _: (1 << 60) + scene.rng.getrandbits(59) | 1,
    "new": lambda scene, _: scene.new(scene.known["at"]),
}
