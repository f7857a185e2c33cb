"""Changes of a document, a line each, for tests of what finds mistakes.

`PATH = VALUE` sets, `PATH + VALUE` appends, `PATH -` removes, and `PATH ~ OLD => NEW` replaces
text. Values are YAML. An item of a list goes by its name, its key or its number; `~` in a key is a
slash.
"""

from __future__ import annotations

import re
from functools import reduce
from typing import Any

import yaml


def change(document: Any, line: str) -> None:
    """Change a document in its place."""
    matched = re.fullmatch(r"(\S+) ([=+~-]) ?(.*)", line)
    assert matched, line
    path, what, text = matched.groups()
    *above, last = path.split("/")
    place = reduce(lambda found, part: found[_key(found, part)], above, document)
    key = _key(place, last)
    if what == "+":
        place[key].append(yaml.safe_load(text))
    elif what == "=":
        place[key] = yaml.safe_load(text)
    elif what == "-":
        del place[key]
    else:
        old, new = text.split(" => ")
        assert old in place[key]
        place[key] = place[key].replace(old, new)


def _key(place: Any, part: str) -> Any:
    if not isinstance(place, list):
        return part.replace("~", "/")
    names = [one.get("name") if isinstance(one, dict) else None for one in place]
    return names.index(part) if part in names else int(part)
