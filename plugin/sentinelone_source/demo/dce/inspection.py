"""What other processes may look at: rows, requests, a summary; and faults from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.demo.answers import Answer
from sentinelone_source.demo.dce.answers import NO_CONTENT, json
from sentinelone_source.demo.dce.faults import Order
from sentinelone_source.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentinelone_source.demo.dce.calls import Call
    from sentinelone_source.demo.dce.received import Received
    from sentinelone_source.demo.dce.server import Azure


def handle(azure: Azure, call: Call) -> Answer | None:  # noqa: PLR0911 - a table of paths
    """The answer to a call of the inspection; None when it is not for it."""
    match call.method, call.path:
        case "GET", "/rows":
            return _rows(azure.received, call.query.get("table"))
        case "GET", "/requests":
            return _requests(azure)
        case "GET", "/summary":
            return json(azure.summary())
        case "POST", "/faults":
            return _order(azure, call.body)
        case "DELETE", "/faults":
            return _done(azure.faults.clear)
        case "POST", "/revoke":
            return _done(azure.revoke)
        case _:
            return None


def _done(action: Callable[[], None]) -> Answer:
    action()
    return NO_CONTENT


def _requests(azure: Azure) -> Answer:
    tokens = [request._asdict() for request in azure.token_requests[:]]
    rows = [request._asdict() for request in azure.requests[:]]
    return json({"token": tokens, "ingestion": rows})


def _rows(received: Received, table: str | None) -> Answer:
    if table is None:
        arrays = (
            b"%b:%b" % (msgspec.json.encode(name), _array(rows.lines))
            for name, rows in received.rows.items()
        )
        return Answer(200, b"{%b}" % b",".join(arrays))
    if table not in received.rows:
        return json({"error": f"no table {table!r}; known: {', '.join(received.rows)}"}, 404)
    return Answer(200, _array(received.rows[table].lines))


def _array(lines: list[bytes]) -> bytes:
    return b"[%b]" % b",".join(lines[:])


def _order(azure: Azure, body: bytes) -> Answer:
    try:
        orders = msgspec.json.decode(body, type=Order | list[Order])
        listed = orders if isinstance(orders, list) else [orders]
        azure.faults.add(*[order.fault() for order in listed])
    except (msgspec.MsgspecError, UnicodeDecodeError, ConfigError) as error:
        return json({"error": str(error)}, 400)
    return NO_CONTENT
