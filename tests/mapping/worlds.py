"""Hypothesis strategies: random mappings, and records that their paths often hit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from sentinelone_source.mapping.rows.types import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = [
    "alpha", "beta", "gamma", "items", "id", "class", "rows", "keys", "str", "record", "first",
    "iso", "position", "where", "parent", "None", "a-b", "a_b", "a b", "grün", "self", "1st",
]  # fmt: skip
COLUMNS = [
    "Alpha", "Beta", "class", "str", "rows", "iso", "Row", "None", "json_text", "first", "X1",
]  # fmt: skip
COLUMN_TYPES = sorted(TYPES)
MOMENTS = [
    "2026-03-14T12:00:00Z", "2026-03-14T12:00:00.5Z", "2026-03-14T12:00:00.589793Z",
    "2026-03-14T12:00:00.589793123Z", "2026-03-14T12:00:00", "2026-03-14 12:00:00Z", "2026-03-14",
    "2026-03-14T12:00:00+02:00", "2026-03-14T12:00:00.123-0530", "2026-03-14t12:00:00z",
    "1970-01-01T00:00:00Z", "2026-03-14T12:00Z",
]  # fmt: skip
JUNK = ["", "None", "N/A", "2026-13-14T12:00:00Z", "2026-03-14T12:00:00X", "1741953600", "T" * 11]
NUMBERS = ["7", "-7", "7.5", "1e3", "007", " 7", "1_000", "NaN", "1e400", "99999999999999999999"]
WORDS = ["true", "False", "TRUE", "yes"]

texts = st.one_of(
    st.sampled_from([*MOMENTS, *JUNK, *NUMBERS, *WORDS]),
    st.text(max_size=8),
    st.sampled_from(
        ["C:\\users", "\\u00e9", "é", "😀", "\ud800", "a\udc00b", "\x00", '"', "/", "\n"]
    ),
)
numbers = st.one_of(
    st.integers(-9, 9),
    st.sampled_from([2**31, -(2**31), 2**53 + 1, 2**63, -(2**63), 2**64 + 1, 10**30]),
    st.sampled_from([0.1, 7.0, -1.5, 1e-07, 1e22, 1.7976931348623157e308]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
nested = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), texts), inner, max_size=3),
    ),
    max_leaves=6,
)
FITTING = {
    "datetime": st.sampled_from(MOMENTS),
    "boolean": st.booleans(),
    "int": st.integers(-9, 9),
    "long": st.integers(-(2**40), 2**40),
    "real": numbers,
    "json": st.one_of(texts, st.dictionaries(st.sampled_from(NAMES[:4]), scalars, max_size=4)),
}

Step = tuple[str, Any]


def member(name: str) -> str:
    plain = name.isidentifier() and name.isascii() and name not in ("where", "parent", "None")
    return f".{name}" if plain else f"['{name}']"


def render(steps: list[Step]) -> str:
    """Steps as JSONPath."""
    forms: dict[str, Callable[[Any], str]] = {
        "member": member,
        "each": lambda _: "[*]",
        "any": lambda _: ".*",
        "index": lambda n: f"[{n}]",
        "slice": lambda ends: f"[{ends[0]}:{ends[1]}]",
        "below": lambda name: f"..{name}",
        "union": lambda names: "[" + ",".join(f"'{name}'" for name in names) + "]",
        "filter": lambda test: f"[?(@.{test[0]} {test[1]} {test[2]})]",
        "has": lambda name: f"[?(@.{name})]",
    }
    return "$" + "".join(forms[kind](value) for kind, value in steps)


def many(steps: list[Step]) -> bool:
    """Whether the path can match more than once."""
    return any(kind not in ("member", "index") for kind, _ in steps)


names = st.sampled_from(NAMES)
plain_names = st.sampled_from(["alpha", "beta", "gamma", "items"])
uncommon = st.one_of(
    st.tuples(st.just("each"), st.none()),
    st.tuples(st.just("each"), st.none()),
    st.tuples(st.just("any"), st.none()),
    st.tuples(st.just("index"), st.integers(-1, 2)),
    st.tuples(st.just("slice"), st.sampled_from([("", ""), (1, ""), ("", 2), (-1, "")])),
    st.tuples(st.just("below"), plain_names),
    st.tuples(st.just("union"), st.lists(plain_names, min_size=2, max_size=2, unique=True)),
    st.tuples(
        st.just("filter"),
        st.tuples(
            plain_names,
            st.sampled_from(["==", "!=", "<", ">="]),
            st.sampled_from(["'7'", "7", "0.1", "true"]),
        ),
    ),
    st.tuples(st.just("has"), plain_names),
)


lengths = st.sampled_from([1, 1, 1, 2, 2, 2, 3, 3, 0])


@st.composite
def paths(draw: st.DrawFn) -> list[Step]:
    """Mostly members; often one uncommon step among them, seldom two."""
    steps: list[Step] = [("member", draw(names)) for _ in range(draw(lengths))]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        steps.insert(draw(st.integers(0, len(steps))), draw(uncommon))
    return steps


@st.composite
def columns(draw: st.DrawFn) -> dict[str, Any]:
    """One column as the oracle takes it, and the steps of its paths."""
    if draw(st.integers(0, 9)) == 0:
        console = draw(st.sampled_from(["name", "url"]))
        return {"type": "string", "console": console, "path": [], "steps": []}
    kind = draw(st.sampled_from(COLUMN_TYPES))
    steps = draw(st.lists(paths(), min_size=1, max_size=draw(st.sampled_from([1, 1, 3]))))
    redact = kind in ("string", "guid", "json") and draw(st.integers(0, 5)) == 0
    path = [(render(one), many(one)) for one in steps]
    aliases = draw(st.dictionaries(plain_names, plain_names, max_size=2)) if kind == "json" else {}
    return {"type": kind, "path": path, "redact": redact, "aliases": aliases, "steps": steps}


WALKS: list[list[list[Step]]] = [
    [[("member", "id")], [("member", "at")], [("member", "ver")]],
    [[("member", "info"), ("member", "id")], [("member", "info"), ("member", "at")]],
    [[("member", "position"), ("member", "id")], [("member", "position"), ("member", "row")]],
    [[("member", "ids"), ("index", 0)], [("member", "at")], [("member", "at")]],
]


@st.composite
def mappings(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[list[Step], str]]]:
    """A mapping for the oracle, and every path in it with the type of what it should find."""
    walk = dict(zip(("id", "position", "version"), draw(st.sampled_from(WALKS)), strict=False))
    wanted = draw(st.lists(columns(), min_size=1, max_size=6))
    chosen = draw(st.permutations(COLUMNS))
    targets = [(walk["id"], "id"), (walk["position"], "at")]
    targets += [(steps, column["type"]) for column in wanted for steps in column.pop("steps")]
    document: dict[str, Any] = {
        "table": "Random_CL",
        "walk": {key: render(steps) for key, steps in walk.items()},
        "columns": dict(zip(chosen, wanted, strict=False)),
    }
    generated = {"type": "datetime", "path": [(document["walk"]["position"], False)]}
    document["columns"] = {"TimeGenerated": generated, **document["columns"]}
    return document, targets


def leaf(draw: st.DrawFn, kind: str) -> Any:
    if kind in ("id", "at") and not seldom(draw, 15):
        return draw(st.sampled_from(["1", "2", 3] if kind == "id" else MOMENTS[:4]))
    if seldom(draw, 4):
        return draw(nested)
    return draw(FITTING.get(kind, texts))


def grow(draw: st.DrawFn, targets: list[tuple[list[Step], str]], *, top: bool = False) -> Any:
    """A document in which the targets' paths mostly lead somewhere; some parts are not as meant."""
    if seldom(draw, 60 if top else 12):
        return draw(nested)
    ends = [kind for steps, kind in targets if not steps]
    if ends and not top:
        return leaf(draw, ends[0])
    lists = [(steps[1:], kind) for steps, kind in targets if steps and steps[0][0] in LISTS]
    if lists and not top and (len(lists) == len(targets) or draw(st.booleans())):
        return [grow(draw, lists) for _ in range(draw(st.sampled_from([1, 2, 3, 0])))]
    members: dict[str, list[tuple[list[Step], str]]] = {}
    targets = [(steps, kind) for steps, kind in targets if steps]
    for (step, *rest), kind in targets:
        for name in member_names(draw, step):
            members.setdefault(name, []).append((rest, kind))
    members = {name: below for name, below in members.items() if not seldom(draw, 15)}
    document = {name: grow(draw, below) for name, below in members.items()}
    return document | draw(st.dictionaries(plain_names, scalars, max_size=1)) | document


def seldom(draw: st.DrawFn, odds: int) -> bool:
    return draw(st.integers(1, odds)) == odds


LISTS = ("each", "index", "slice", "filter", "has", "any")


def member_names(draw: st.DrawFn, step: Step) -> list[str]:
    kind, value = step
    if kind in ("member", "below"):
        return [value]
    return list(value) if kind == "union" else [draw(plain_names)]


@st.composite
def pages(draw: st.DrawFn, targets: list[tuple[list[Step], str]]) -> bytes:
    """A page as JSON, its records grown for the targets."""
    records = [grow(draw, targets, top=True) for _ in range(draw(st.integers(1, 4)))]
    page = {"data": records, "pagination": {"nextCursor": None}}
    compact = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    escaped = draw(st.booleans()) or has_surrogates(page)
    return json.dumps(page, separators=compact, ensure_ascii=escaped).encode()


def has_surrogates(page: Any) -> bool:
    try:
        json.dumps(page, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
