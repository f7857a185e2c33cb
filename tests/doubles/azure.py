"""The loopback Azure with a script of faults, and its rows as Python values."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from doubles.azure_faults import AzureFault
from sentinelone_source.demo.dce.azure import LOOPBACK, DemoAzure
from sentinelone_source.demo.dce.errors import RequestRefused, refused, token_refused
from sentinelone_source.demo.dce.identity import APP_SERVICE, DemoBehaviour
from sentinelone_source.demo.dce.ingestion import Losses, Stream, built_in_streams, route, unpacked
from sentinelone_source.demo.dce.workspace import workspace_of
from sentinelone_source.demo.http_server import Answer, Call
from sentinelone_source.jwt import read_claims

Row = dict[str, Any]
_VIRTUAL_MACHINE: Final = "/metadata/identity/oauth2/token"
_ASSERTED: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class IngestionRequest(NamedTuple):
    """A request to a stream.

    Attributes:
        wire: bytes of the body as sent.
        plain: bytes once decompressed; 0 when it was refused before.
        rows: how many were kept.
        status: 0 when the connection ended without an answer.
        absolute: whether the request line named scheme and host.
    """

    stream: str
    wire: int
    plain: int
    rows: int
    status: int
    encoding: str
    absolute: bool


class TokenRequest(NamedTuple):
    """A request for a token.

    Attributes:
        resource: what it was to be for: the scope, or the resource of a managed identity.
        credential: `secret`, `assertion` or nothing.
        status: 0 when the connection ended without an answer.
    """

    resource: str
    credential: str
    status: int


@dataclass
class AzureBehaviour(DemoBehaviour):
    """What may be changed while it runs, beside what the demo knows.

    Attributes:
        assertions: federated tokens that are accepted as they are; when empty, any that is shaped
            like a JWT and has not expired.
        token_life: seconds; with 0 every token is expired when it arrives.
        has_role: whether the application may send to the rule; else 403.
        may_query: whether the application may read the workspace; else 403.
        most_rows: of a query's answer; what is more is left out, and the answer says so.
    """

    assertions: frozenset[str] = field(default=frozenset(), repr=False)
    token_life: float = 3600.0
    has_role: bool = True
    may_query: bool = True
    most_rows: int = 500_000


class Azure(DemoAzure):
    """Knows the fields of `AzureBehaviour` as keywords; `behaviour` and `faults` may change.

    `requests` has those to streams, `token_requests` those for tokens, in order, and never a token
    or a credential. `plain` and `tls` can be stopped and started alone.
    """

    behaviour: AzureBehaviour

    def __init__(
        self,
        streams: Iterable[Stream] | None = None,
        faults: Iterable[AzureFault] = (),
        *,
        listen: tuple[str, int] = LOOPBACK,
        listen_tls: tuple[str, int] | None = LOOPBACK,
        ca_file: Path | None = None,
        **switches: Any,
    ) -> None:
        if listen_tls is not None and ca_file is None:
            folder = tempfile.mkdtemp(prefix="sentinelone-source-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            ca_file = Path(folder, "ca.pem")
        super().__init__(
            built_in_streams() if streams is None else streams,
            AzureBehaviour(**switches),
            None if listen_tls is None else ca_file,
            listen=listen,
            listen_tls=listen_tls or LOOPBACK,
        )
        self.faults.add(*faults)
        self.requests: list[IngestionRequest] = []
        self.token_requests: list[TokenRequest] = []

    def respond(self, call: Call) -> Answer:
        """What is answered to a call, also to one of a virtual machine's managed identity."""
        if call.path == _VIRTUAL_MACHINE and call.headers.get("metadata") == "true":
            known = {"x-identity-header": self.behaviour.identity_header}
            target = call.target.replace(_VIRTUAL_MACHINE, APP_SERVICE)
            call = replace(call, target=target, headers={**call.headers, **known})
        return super().respond(call)

    def answer(self, call: Call, wanted: tuple[str, ...]) -> Answer:
        """The answer, or what a fault makes of it; the request is remembered."""
        served: list[Answer] = []

        def serve() -> Answer:
            served.append(self.serve(call, wanted[-1]))
            return served[0]

        fault = self.faults.take(*wanted)
        if isinstance(fault, AzureFault):
            answer = fault.spoil(call, serve)
        else:
            answer = fault.answer() if fault else serve()
        if wanted[-1] == "ingestion":
            plain, rows = _content(call) if served and served[0].status == 204 else (0, 0)
            self._remember(call, plain, rows, answer.status)
        elif wanted[-1] == "token":
            self._remember_token(call, answer.status)
        return answer

    def serve(self, call: Call, service: str) -> Answer:
        """What a service answers, as `behaviour` has it."""
        known, self.issuer.life = self.behaviour, self.behaviour.token_life
        if service == "ingestion" and not known.has_role:
            text = "The authentication token provided does not have access to ingest data"
            return refused(403, "OperationFailed", text).answer
        if workspace_of(call) == known.workspace_id and not known.may_query:
            text = "The provided credentials have insufficient access"
            return refused(403, "InsufficientAccessError", text).answer
        try:
            call = self._with_secret(call) if service == "token" else call
        except RequestRefused as refusal:
            return refusal.answer
        answer = super().serve(call, service)
        is_rows = service == "query" and answer.status == 200
        return _cut(answer, known.most_rows) if is_rows else answer

    def _with_secret(self, call: Call) -> Call:
        """A request with a good assertion, with the secret in its place. Raises RequestRefused."""
        form, known = call.form, self.behaviour
        if form.get("client_assertion_type") != _ASSERTED:
            return call
        assertion = form.get("client_assertion", "")
        claims = read_claims(assertion, dict[str, Any]) or {}
        expires = claims.get("exp")
        is_good = isinstance(expires, int | float) and expires > time()
        if claims.get("iss") == known.client_id:  # signed with a certificate's key
            is_good = is_good and claims.get("aud") == f"{call.base}{call.path}"
        elif known.assertions:
            is_good = is_good and assertion in known.assertions
        if not is_good:
            raise token_refused(401, "invalid_client", 700213, "The assertion is not accepted.")
        form = form | {"client_secret": known.client_secret}
        return replace(call, body=urlencode(form).encode())

    def _remember(self, call: Call, plain: int, rows: int, status: int) -> None:
        _, stream = route(call) or ("", "")
        encoding = call.headers.get("content-encoding", "")
        absolute = not call.target.startswith("/")
        self.requests.append(
            IngestionRequest(stream, len(call.body), plain, rows, status, encoding, absolute)
        )

    def _remember_token(self, call: Call, status: int) -> None:
        given = call.form if call.method == "POST" else call.query
        known = [name for name in ("secret", "assertion") if f"client_{name}" in given]
        resource = given.get("scope") or given.get("resource", "")
        self.token_requests.append(TokenRequest(resource, "".join(known[:1]), status))

    def revoke(self) -> None:
        """No token issued so far is accepted any more."""
        self.issuer._issued.clear()

    @property
    def rows(self) -> dict[str, list[Row]]:
        """What arrived, by table; a table that got nothing is there and empty."""
        received = self.received.lines.items()
        return {table: [msgspec.json.decode(line) for line in lines] for table, lines in received}

    @property
    def losses(self) -> Losses:
        """What Azure would have lost in silence."""
        return self.received.losses

    @property
    def authority(self) -> str:
        """Of Entra ID, without the tenant."""
        return self.endpoint


def _content(call: Call) -> tuple[int, int]:
    """Bytes of a body once decompressed, and its rows."""
    body = unpacked(call)
    document = msgspec.json.decode(body)
    rows = document if isinstance(document, list) else []
    return len(body), sum(isinstance(row, dict) for row in rows)


def _cut(answer: Answer, most: int) -> Answer:
    """The answer to a query with at most so many rows, which says what is missing."""
    body = msgspec.json.decode(answer.body)
    [table] = body["tables"]
    if len(table["rows"]) <= most:
        return answer
    table["rows"] = table["rows"][:most]
    text = f"Query result set has exceeded the internal record count limit {most}"
    body["error"] = {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "innererror": {
            "code": "-2133196797",
            "message": f"{text} (E_QUERY_RESULT_SET_TOO_LARGE).",
        },
    }
    return replace(answer, body=msgspec.json.encode(body))
