"""TOML files as checked objects: every mistake is one sentence that names the file and the key."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from sentinelone_source.errors import ConfigError

T = TypeVar("T")

_FAULT = re.compile(r"(.+?)(?: - at `\$(?:\[\.\.\.\])?\.?([^`]*)`)?", re.DOTALL)
"""A sentence of msgspec's, and the key that it is about."""
_LEVELS = 16
"""Of tables and lists in a file; no key takes more than four."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read one TOML file; ConfigError if it cannot be read or is not TOML."""
    import tomli

    try:
        document = tomli.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:  # integers without end, nesting without end
        raise ConfigError(f"{path}: is not valid TOML: {error}") from error
    _refuse_extremes(document, path)
    return document


def _refuse_extremes(document: dict[str, Any], path: Path) -> None:
    layer: list[Any] = [document]
    for _ in range(_LEVELS):
        if any(isinstance(value, int) and abs(value) >= 1 << 63 for value in layer):
            raise ConfigError(f"{path}: an integer is longer than 64 bits")
        if any(isinstance(value, str) and "\0" in value for value in layer):
            raise ConfigError(f"{path}: a text holds a NUL character")  # no path may hold one
        lists = [value for value in layer if isinstance(value, list)]
        lists += [list(value.values()) for value in layer if isinstance(value, dict)]
        layer = [child for children in lists for child in children]
    if layer:
        raise ConfigError(f"{path}: tables and lists are nested deeper than {_LEVELS} levels")


def convert(data: Any, into: type[T], where: str) -> T:
    """Check data against a msgspec Struct and build it.

    A class with a method `read` is written as text in a file; what `read` raises is a ValueError.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), a missing key, a wrong type.
            The message begins with `where`: the file, and what more helps to find the place.
    """
    _refuse_unknown_keys(data, into, where, "")
    try:
        return msgspec.convert(data, into, dec_hook=_read)
    except msgspec.ValidationError as error:
        message, key = _FAULT.fullmatch(str(error)).groups()  # type: ignore[union-attr]
        message = message.replace("Object missing required field", "missing key")
        place = f"{where}: {key}" if key else where
        raise ConfigError(f"{place}: {message[0].lower()}{message[1:]}") from None


def _read(kind: Any, value: Any) -> Any:
    try:
        return kind.read(msgspec.convert(value, str))
    except msgspec.ValidationError as error:  # is no text
        raise TypeError(str(error)) from None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """A clause saying that a name is unknown, and which one was probably meant."""
    import difflib

    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
    return f"unknown {kind} {name!r} ({hint})"


def _refuse_unknown_keys(data: Any, kind: Any, where: str, prefix: str) -> None:
    if get_origin(kind) in (list, tuple) and isinstance(data, list):
        for number, item in enumerate(data, 1):
            _refuse_unknown_keys(item, get_args(kind)[0], where, f"{prefix.rstrip('.')}[{number}].")
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(data, dict):
        fields = _fields(kind)
        for key, value in data.items():
            if key not in fields:
                raise ConfigError(f"{where}: {prefix}{key}: {unknown('key', key, fields)}")
            _refuse_unknown_keys(value, fields[key], where, f"{prefix}{key}.")


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
