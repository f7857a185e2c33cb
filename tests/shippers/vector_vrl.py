"""Vector's own `tests:`, run by the real VRL compiler; of transforms it knows routes."""

from __future__ import annotations

from typing import Any

from shippers.vector import Document, routes

Event = dict[str, Any]


def holds(condition: str, event: Event) -> bool:
    """Whether a condition is true of an event.

    Raises:
        ValueError: it does not compile, as Vector would say it.
    """
    from pyvrl import Transform

    value = Transform(condition).remap(dict(event))
    if not isinstance(value, bool):
        raise ValueError(f"{condition!r} is {value!r}, and no boolean")  # noqa: TRY004
    return value


def routed(document: Document, event: Event) -> list[str]:
    """The outputs of the routes that an event comes out of."""
    matched = [output for output, condition in routes(document).items() if holds(condition, event)]
    return matched or [f"{name}._unmatched" for name in document["transforms"]]


def run_test(document: Document, test: Document) -> list[str]:
    """What fails of one test, as sentences."""
    failed = []
    out: dict[str, list[Event]] = {}
    for given in test["inputs"]:
        assert given["type"] == "log"
        assert given["insert_at"] in document["transforms"], given
        for output in routed(document, given["log_fields"]):
            out.setdefault(output, []).append(given["log_fields"])
    for expected in test["outputs"]:
        events = out.get(expected["extract_from"], [])
        failed += [
            f"{expected['extract_from']}: {condition['source'].strip()}"
            for condition in expected["conditions"]
            if not any(_passes(condition["source"], event) for event in events)
        ]
    failed += [f"{output}: not empty" for output in test["no_outputs_from"] if output in out]
    return failed


def _passes(source: str, event: Event) -> bool:
    try:
        return holds(source, event)
    except ValueError as error:
        if "remap failure" in str(error):  # an assertion; anything else does not compile
            return False
        raise
