"""What came in: never a token, nor a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sentinelone_source.demo.answers import Answer
from sentinelone_source.demo.dce.ingestion import route

if TYPE_CHECKING:
    from sentinelone_source.demo.dce.calls import Call
    from sentinelone_source.demo.dce.door import Reply
    from sentinelone_source.demo.dce.ingestion import Outcome


class Request(NamedTuple):
    """A request to a stream; never its token.

    Attributes:
        time: seconds since 1970.
        wire: bytes of the body as sent.
        plain: bytes once decompressed; 0 when it was refused before.
        rows: how many were kept.
        status: 0 when the connection ended without an answer.
        absolute: whether the request line named scheme and host.
    """

    time: float
    dcr_id: str
    stream: str
    wire: int
    plain: int
    rows: int
    status: int
    api_version: str
    user_agent: str
    encoding: str
    absolute: bool


class TokenRequest(NamedTuple):
    """A request for a token; neither the token nor a credential.

    Attributes:
        time: seconds since 1970.
        resource: what it was to be for: the scope, or the resource of a managed identity.
        credential: `secret`, `assertion` or nothing.
        status: 0 when the connection ended without an answer.
    """

    time: float
    path: str
    client_id: str
    resource: str
    credential: str
    status: int
    user_agent: str


def ingestion_request(at: float, call: Call, reply: Reply, outcomes: list[Outcome]) -> Request:
    """How a request to a stream went; `outcomes` is empty when it was not served."""
    dcr_id, stream = route(call) or ("", "")
    return Request(
        time=at,
        dcr_id=dcr_id,
        stream=stream,
        wire=call.wire,
        plain=outcomes[0].plain if outcomes else 0,
        rows=outcomes[0].rows if outcomes else 0,
        status=_status(reply),
        api_version=call.query.get("api-version", ""),
        user_agent=call.headers.get("user-agent", ""),
        encoding=call.headers.get("content-encoding", ""),
        absolute=call.is_absolute,
    )


def token_request(at: float, call: Call, reply: Reply) -> TokenRequest:
    """How a request for a token went."""
    given = call.form if call.method == "POST" else call.query
    return TokenRequest(
        time=at,
        path=call.path,
        client_id=given.get("client_id", ""),
        resource=given.get("scope") or given.get("resource", ""),
        credential=next(
            (name for name in ("secret", "assertion") if f"client_{name}" in given), ""
        ),
        status=_status(reply),
        user_agent=call.headers.get("user-agent", ""),
    )


def _status(reply: Reply) -> int:
    return reply.status if isinstance(reply, Answer) else 0
