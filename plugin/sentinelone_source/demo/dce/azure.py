"""Azure on loopback: tokens, the Data Collection Endpoint and its workspace, plain and over TLS."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import Counter
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from sentinelone_source.demo.dce import certificates, inspection
from sentinelone_source.demo.dce.behaviour import Behaviour
from sentinelone_source.demo.dce.faults import DISCOVERY, INGESTION, QUERY, TOKEN, Faults
from sentinelone_source.demo.dce.identity import (
    APP_SERVICE,
    DemoIdentity,
    is_discovery,
    is_for_tokens,
    json,
)
from sentinelone_source.demo.dce.ingestion import NO_CONTENT, DemoIngestion, IngestionOutcome, route
from sentinelone_source.demo.dce.received import Received
from sentinelone_source.demo.dce.schema_check import Stream, built_in_streams
from sentinelone_source.demo.dce.token_issuer import TokenIssuer
from sentinelone_source.demo.dce.workspace import DemoWorkspace, workspace_of
from sentinelone_source.demo.http_server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sentinelone_source.demo.transport import Answer, Call

LOOPBACK: Final = ("127.0.0.1", 0)


class DemoAzure:
    """Serves tokens, takes rows and answers queries, from threads of its own; a context manager.

    `faults` and `behaviour` may be changed while it runs. `received` holds what arrived, `journal`
    the requests that came in, never a token or a credential. Stopped and started again it keeps
    its ports and all of these; `plain` and `tls` can be closed and opened alone.
    """

    def __init__(  # noqa: PLR0913 - all but two have to be named
        self,
        streams: Iterable[Stream] | None = None,
        behaviour: Behaviour | None = None,
        *,
        listen: tuple[str, int] = LOOPBACK,
        listen_tls: tuple[str, int] | None = LOOPBACK,
        ca_file: Path | None = None,
        rows_file: BinaryIO | None = None,
    ) -> None:
        """Makes certificates; opens nothing yet.

        Args:
            streams: of the rule; those of the built-in mappings unless given.
            behaviour: the usual one unless given.
            listen: address of the plain port; port 0 takes a free one.
            listen_tls: address of the TLS port; None for none.
            ca_file: where the authority's certificate is written; a temporary file unless given.
            rows_file: takes every row as NDJSON, too, with `_table`.

        Raises:
            ConfigError: TLS is wanted and the package cryptography is not there.
            OSError: `ca_file` cannot be written.
        """
        self.behaviour = behaviour or Behaviour()
        self.faults = Faults()
        self.journal: dict[str, list[dict[str, Any]]] = {TOKEN: [], INGESTION: []}
        declared = list(built_in_streams() if streams is None else streams)
        self.received = Received([stream.table for stream in declared], rows_file)
        self._issuer = TokenIssuer(self.behaviour)
        self._identity = DemoIdentity(self.behaviour, self._issuer)
        self._ingestion = DemoIngestion(self.behaviour, declared, self._issuer, self.received)
        self._workspace = DemoWorkspace(self.behaviour, declared, self._issuer, self.received)
        self.plain = HttpServer(listen, self._respond, name="loopback-azure")
        self.tls: HttpServer | None = None
        self.ca_file: Path | None = None
        if listen_tls is not None:
            authority, context = certificates.make(listen_tls[0])
            self.ca_file = ca_file or Path(self._temporary_folder(), "ca.pem")
            self.ca_file.write_bytes(authority)
            self.tls = HttpServer(listen_tls, self._respond, context, name="loopback-azure")

    @property
    def endpoint(self) -> str:
        """Of the Data Collection Endpoint, and of Entra ID, which msal wants over TLS."""
        return f"https://localhost:{self.tls.port}" if self.tls else self.plain.url

    @property
    def token_url(self) -> str:
        """Of the token endpoint, plain."""
        return f"{self.plain.url}/{self.behaviour.tenant_id}/oauth2/v2.0/token"

    @property
    def identity_endpoint(self) -> str:
        """Of managed identity as in App Service, plain."""
        return f"{self.plain.url}{APP_SERVICE}"

    def revoke(self) -> None:
        """No token issued so far is accepted any more."""
        self._issuer.revoke()

    def start(self) -> None:
        """Returns when requests can come. Raises OSError when a port is taken."""
        try:
            for server in self._servers:
                server.open()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all connections; returns when the ports are closed."""
        for server in self._servers:
            server.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def summary(self) -> dict[str, Any]:
        """Counts for JSON: rows by table, requests by status, losses."""
        statuses = {
            name: Counter(str(request["status"]) for request in requests[:])
            for name, requests in self.journal.items()
        }
        rows, losses = self.received.counts(), self.received.losses
        return {"rows": rows, "requests": statuses, "losses": losses}

    @property
    def _servers(self) -> list[HttpServer]:
        return [server for server in (self.plain, self.tls) if server is not None]

    def _temporary_folder(self) -> str:
        folder = tempfile.mkdtemp(prefix="sentinelone-source-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _respond(self, call: Call) -> Answer:
        if route(call) and call.method == "POST":
            return self._ingest(call)
        if workspace_of(call) is not None:
            return self._spoiled(call, lambda: self._workspace.handle(call), QUERY)
        return self._issue(call) if is_for_tokens(call) else self._inspect(call)

    def _inspect(self, call: Call) -> Answer:
        match call.method, call.path:
            case "GET", "/rows":
                return inspection.show_rows(self.received, call.query.get("table"))
            case "GET", "/requests":
                return json(self.journal)
            case "GET", "/summary":
                return json(self.summary())
            case "POST", "/faults":
                return inspection.add_faults(self.faults, call.body)
            case "DELETE", "/faults":
                self.faults.clear()
            case "POST", "/revoke":
                self.revoke()
            case _:
                return json({"error": f"nothing at {call.path}"}, 404)
        return NO_CONTENT

    def _spoiled(self, call: Call, serve: Callable[[], Answer], *places: str) -> Answer:
        fault = self.faults.take(*places)
        return fault.spoil(call, serve) if fault else serve()

    def _ingest(self, call: Call) -> Answer:
        at, served = time(), IngestionOutcome(json({}))

        def serve() -> Answer:
            nonlocal served
            served = self._ingestion.handle(call)
            return served.answer

        dcr_id, stream = route(call) or ("", "")
        answer = self._spoiled(call, serve, stream, INGESTION)
        self.journal[INGESTION].append(
            {
                "time": at,
                "dcr_id": dcr_id,
                "stream": stream,
                "wire": call.wire,
                "plain": served.plain,
                "rows": served.rows,
                "status": answer.status,
                "api_version": call.query.get("api-version", ""),
                "user_agent": call.headers.get("user-agent", ""),
                "encoding": call.headers.get("content-encoding", ""),
                "absolute": call.is_absolute,
            }
        )
        return answer

    def _issue(self, call: Call) -> Answer:
        at, where = time(), DISCOVERY if is_discovery(call) else TOKEN
        answer = self._spoiled(call, lambda: self._identity.handle(call), where)
        if where == TOKEN:
            given = call.form if call.method == "POST" else call.query
            known = [name for name in ("secret", "assertion") if f"client_{name}" in given]
            self.journal[TOKEN].append(
                {
                    "time": at,
                    "path": call.path,
                    "client_id": given.get("client_id", ""),
                    "resource": given.get("scope") or given.get("resource", ""),
                    "credential": known[0] if known else "",
                    "status": answer.status,
                    "user_agent": call.headers.get("user-agent", ""),
                }
            )
        return answer
