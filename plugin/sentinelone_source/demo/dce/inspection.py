"""What other processes look at and send: rows that have arrived, and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.demo.dce.faults import Fault
from sentinelone_source.demo.dce.identity import json
from sentinelone_source.demo.dce.ingestion import NO_CONTENT
from sentinelone_source.demo.transport import Answer

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.faults import Faults
    from sentinelone_source.demo.dce.received import Received


def show_rows(received: Received, table: str | None) -> Answer:
    """The rows of a table as a JSON array; of all tables as an object of such."""
    arrays = {name: b"[%b]" % b",".join(lines[:]) for name, lines in received.lines.items()}
    if table is None:
        members = [b"%b:%b" % (msgspec.json.encode(name), rows) for name, rows in arrays.items()]
        return Answer(200, b"{%b}" % b",".join(members))
    if table not in arrays:
        return json({"error": f"no table {table!r}; known: {', '.join(arrays)}"}, 404)
    return Answer(200, arrays[table])


def add_faults(faults: Faults, body: bytes) -> Answer:
    """One fault or a list of them, as JSON."""
    try:
        found = msgspec.json.decode(body, type=Fault | list[Fault])
    except (msgspec.MsgspecError, ValueError) as error:
        return json({"error": str(error)}, 400)
    faults.add(*(found if isinstance(found, list) else [found]))
    return NO_CONTENT
