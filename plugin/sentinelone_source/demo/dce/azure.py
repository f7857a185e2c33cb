"""Azure on loopback: tokens, the Data Collection Endpoint and its workspace, plain and over TLS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import msgspec

from sentinelone_source.demo.dce.errors import DemoFault, Faults, RequestRefused, json
from sentinelone_source.demo.dce.identity import (
    APP_SERVICE,
    DISCOVERY,
    LOGIN,
    DemoBehaviour,
    TokenIssuer,
    issue_token,
)
from sentinelone_source.demo.dce.ingestion import Received, Stream, ingest, route
from sentinelone_source.demo.dce.workspace import answer_query, workspace_of
from sentinelone_source.demo.http_server import NO_CONTENT, Answer, Call, HttpServer
from sentinelone_source.errors import AZURE_EXTRA, ConfigError

LOOPBACK: Final = ("127.0.0.1", 0)
TLS_MISSING: Final = f"TLS needs the package cryptography; {AZURE_EXTRA}"


def has_tls() -> bool:
    """Whether certificates can be made here."""
    return find_spec("cryptography") is not None


def places(call: Call) -> tuple[str, ...]:
    """What a call is for, as faults name it, the service last; nothing for any other call."""
    if addressed := route(call):
        return addressed[1], "ingestion"
    if workspace_of(call) is not None:
        return ("query",)
    if call.path.endswith(LOGIN if call.method == "POST" else APP_SERVICE):
        return ("token",)
    return ("discovery",) if call.path.endswith(DISCOVERY) else ()


class DemoAzure:
    """Serves tokens, takes rows and answers queries, from threads of its own; a context manager.

    `faults` and `behaviour` may be changed while it runs; `received` holds what arrived. All of it
    and the ports outlast a stop. `ca_file` gets the authority's certificate; without it there is no
    TLS. `rows_file` gets every row as NDJSON, with `_table`.
    """

    def __init__(  # noqa: PLR0913 - all but three have to be named
        self,
        streams: Iterable[Stream],
        behaviour: DemoBehaviour,
        ca_file: Path | None,
        *,
        listen: tuple[str, int] = LOOPBACK,
        listen_tls: tuple[str, int] = LOOPBACK,
        rows_file: BinaryIO | None = None,
    ) -> None:
        """Opens nothing yet. Raises ConfigError without cryptography, and OSError of `ca_file`."""
        self.behaviour, self.issuer = behaviour, TokenIssuer(behaviour)
        self.faults, self.received = Faults(), Received(streams, rows_file)
        self.statuses: dict[str, Counter[str]] = {"token": Counter(), "ingestion": Counter()}
        self.plain = HttpServer(listen, self.respond, name="loopback-azure")
        self.ca_file, self.tls = ca_file, None
        if ca_file is not None:
            if not has_tls():
                raise ConfigError(TLS_MISSING)
            from sentinelone_source.demo.dce.certificates import server_context

            context = server_context(listen_tls[0], ca_file)
            self.tls = HttpServer(listen_tls, self.respond, context, name="loopback-azure")

    @property
    def endpoint(self) -> str:
        """Of the Data Collection Endpoint, and of Entra ID, which msal wants over TLS."""
        return f"https://localhost:{self.tls.port}" if self.tls else self.plain.url

    @property
    def token_url(self) -> str:
        """Of the token endpoint, plain."""
        return f"{self.plain.url}/{self.behaviour.tenant_id}{LOGIN}"

    @property
    def identity_endpoint(self) -> str:
        """Of managed identity as in App Service, plain."""
        return f"{self.plain.url}{APP_SERVICE}"

    def start(self) -> None:
        """Returns when requests can come. Raises OSError when a port is taken."""
        try:
            for server in self._servers():
                server.start()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all connections; returns when the ports are closed."""
        for server in self._servers():
            server.stop()

    def _servers(self) -> list[HttpServer]:
        return [self.plain, self.tls] if self.tls else [self.plain]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def respond(self, call: Call) -> Answer:
        """What is answered to a call, which is counted."""
        wanted = places(call)
        if not wanted:
            return self._manage(call)
        answer = self.answer(call, wanted)
        if wanted[-1] in self.statuses:
            self.statuses[wanted[-1]][str(answer.status)] += 1
        return answer

    def answer(self, call: Call, wanted: tuple[str, ...]) -> Answer:
        """What a service answers, or a fault of one of these places."""
        fault = self.faults.take(*wanted)
        return fault.answer() if fault else self.serve(call, wanted[-1])

    def serve(self, call: Call, service: str) -> Answer:
        """What a service answers."""
        try:
            if service == "ingestion":
                return ingest(self.issuer, self.received, call)
            if service == "query":
                return answer_query(self.issuer, self.received, call)
            return issue_token(self.issuer, call)
        except RequestRefused as refused:
            return refused.answer

    def summary(self) -> dict[str, Any]:
        """Counts for JSON: rows by table, requests by status, losses."""
        rows, losses = self.received.counts(), self.received.losses
        return {"rows": rows, "requests": self.statuses, "losses": losses}

    def _manage(self, call: Call) -> Answer:
        """What other processes look at and send."""
        match call.method, call.path:
            case "GET", "/summary":
                return json(self.summary())
            case "POST", "/faults":
                try:
                    found = msgspec.json.decode(call.body, type=DemoFault | list[DemoFault])
                except msgspec.MsgspecError as error:
                    return json({"error": str(error)}, 400)
                self.faults.add(*(found if isinstance(found, list) else [found]))
                return NO_CONTENT
            case "DELETE", "/faults":
                self.faults.clear()
                return NO_CONTENT
        return json({"error": f"nothing at {call.path}"}, 404)
