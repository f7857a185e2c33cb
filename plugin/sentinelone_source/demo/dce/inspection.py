"""What other processes may look at: rows, requests, a summary; and faults from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from sentinelone_source.demo.dce.faults import Fault, Faults
from sentinelone_source.demo.dce.identity import json
from sentinelone_source.demo.dce.ingestion import NO_CONTENT
from sentinelone_source.demo.transport import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sentinelone_source.demo.dce.received import Received
    from sentinelone_source.demo.transport import Call


class Inspected(Protocol):
    """What can be looked at."""

    received: Received
    faults: Faults
    journal: dict[str, list[dict[str, Any]]]

    def summary(self) -> Mapping[str, Any]: ...
    def revoke(self) -> None: ...


def handle(azure: Inspected, call: Call) -> Answer | None:
    """The answer to a call of the inspection; None when it is not for it."""
    asked: dict[tuple[str, str], Callable[[], Answer]] = {
        ("GET", "/rows"): lambda: _rows(azure.received, call.query.get("table")),
        ("GET", "/requests"): lambda: json(azure.journal),
        ("GET", "/summary"): lambda: json(azure.summary()),
        ("POST", "/faults"): lambda: _add(azure.faults, call.body),
        ("DELETE", "/faults"): lambda: _done(azure.faults.clear),
        ("POST", "/revoke"): lambda: _done(azure.revoke),
    }
    found = asked.get((call.method, call.path))
    return found() if found else None


def _done(action: Callable[[], None]) -> Answer:
    action()
    return NO_CONTENT


def _rows(received: Received, table: str | None) -> Answer:
    arrays = {name: b"[%b]" % b",".join(lines[:]) for name, lines in received.lines.items()}
    if table is None:
        members = [b"%b:%b" % (msgspec.json.encode(name), rows) for name, rows in arrays.items()]
        return Answer(200, b"{%b}" % b",".join(members))
    if table not in arrays:
        return json({"error": f"no table {table!r}; known: {', '.join(arrays)}"}, 404)
    return Answer(200, arrays[table])


def _add(faults: Faults, body: bytes) -> Answer:
    try:
        found = msgspec.json.decode(body, type=Fault | list[Fault])
    except (msgspec.MsgspecError, ValueError) as error:
        return json({"error": str(error)}, 400)
    faults.add(*(found if isinstance(found, list) else [found]))
    return NO_CONTENT
