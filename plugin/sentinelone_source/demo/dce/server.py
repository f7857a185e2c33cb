"""Azure on loopback: the token endpoint and the Data Collection Endpoint, plain and over TLS."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, Unpack

from sentinelone_source.demo.dce import certificates, inspection
from sentinelone_source.demo.dce.answers import json
from sentinelone_source.demo.dce.behaviour import Behaviour, Switches
from sentinelone_source.demo.dce.door import Door, spoiled
from sentinelone_source.demo.dce.faults import DISCOVERY, TOKEN, Faults
from sentinelone_source.demo.dce.identity import (
    APP_SERVICE,
    Identity,
    is_discovery,
    is_for_tokens,
)
from sentinelone_source.demo.dce.ingestion import Ingestion, route
from sentinelone_source.demo.dce.journal import (
    Request,
    TokenRequest,
    ingestion_request,
    token_request,
)
from sentinelone_source.demo.dce.received import Received
from sentinelone_source.demo.dce.streams import built_in_streams
from sentinelone_source.demo.dce.tokens import Mint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from sentinelone_source.demo.answers import Answer
    from sentinelone_source.demo.dce.calls import Call
    from sentinelone_source.demo.dce.door import Line, Reply
    from sentinelone_source.demo.dce.received import Losses, Rows
    from sentinelone_source.demo.dce.streams import Stream
    from sentinelone_source.demo.faults import Fault

LOOPBACK: Final = ("127.0.0.1", 0)


class Azure:
    """Serves tokens and takes rows, from threads of its own; a context manager.

    `faults` is the script and `behaviour` the switches, both while it runs. `rows` holds what
    arrived by table, `losses` what Azure would have lost in silence, `requests` and
    `token_requests` what came in. Stopped and started again it keeps its ports and all of these;
    `plain` and `tls` can be closed and opened alone.
    """

    def __init__(  # noqa: PLR0913 - all but two have to be named
        self,
        streams: Iterable[Stream] | None = None,
        faults: Iterable[Fault] = (),
        *,
        listen: tuple[str, int] = LOOPBACK,
        listen_tls: tuple[str, int] | None = LOOPBACK,
        ca_file: Path | None = None,
        rows_file: BinaryIO | None = None,
        **switches: Unpack[Switches],
    ) -> None:
        """Makes certificates; opens nothing yet.

        Args:
            streams: of the rule; those of the built-in mappings unless given.
            faults: see `sentinelone_source.demo.dce.faults`.
            listen: address of the plain port; port 0 takes a free one.
            listen_tls: address of the TLS port; None for none.
            ca_file: where the authority's certificate is written; a temporary file unless given.
            rows_file: takes every row as NDJSON, too, with `_table`.
            switches: the fields of `Behaviour`.

        Raises:
            ConfigError: TLS is wanted and the package cryptography is not there.
            OSError: `ca_file` cannot be written.
        """
        self.behaviour = Behaviour(**switches)
        self.faults = Faults(faults)
        self.requests: list[Request] = []
        self.token_requests: list[TokenRequest] = []
        declared = list(built_in_streams() if streams is None else streams)
        self.received = Received([stream.table for stream in declared], rows_file)
        self._mint = Mint(self.behaviour)
        self._identity = Identity(self.behaviour, self._mint)
        self._ingestion = Ingestion(self.behaviour, declared, self._mint, self.received)
        self.plain = Door(listen, self._serve)
        self.tls: Door | None = None
        self.ca_file: Path | None = None
        if listen_tls is not None:
            authority, context = certificates.make(_hosts(listen_tls[0]))
            self.ca_file = ca_file or Path(self._temporary_folder(), "ca.pem")
            self.ca_file.write_bytes(authority)
            self.tls = Door(listen_tls, self._serve, context)

    @property
    def rows(self) -> dict[str, Rows]:
        """What arrived, by table; a table that got nothing is there and empty."""
        return self.received.rows

    @property
    def losses(self) -> Losses:
        """What Azure would have lost in silence."""
        return self.received.losses

    @property
    def endpoint(self) -> str:
        """Of the Data Collection Endpoint: over TLS if there is such a port."""
        return (self.tls or self.plain).url

    @property
    def authority(self) -> str:
        """Of Entra ID for msal, which wants TLS: without the tenant."""
        return (self.tls or self.plain).url

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
        self._mint.revoke()

    def start(self) -> None:
        """Returns when requests can come. Raises OSError when a port is taken."""
        try:
            for door in self._doors:
                door.open()
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """Ends all connections; returns when the ports are closed."""
        for door in self._doors:
            door.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def summary(self) -> dict[str, Any]:
        """Counts for JSON: rows by table, requests by status, losses."""
        statuses: dict[str, dict[str, int]] = {"token": {}, "ingestion": {}}
        for name, requests in (("token", self.token_requests), ("ingestion", self.requests)):
            for request in requests[:]:
                code = str(request.status)
                statuses[name][code] = statuses[name].get(code, 0) + 1
        return {
            "rows": self.received.counts(),
            "requests": statuses,
            "losses": self.losses.plain(),
        }

    @property
    def _doors(self) -> list[Door]:
        return [door for door in (self.plain, self.tls) if door is not None]

    def _temporary_folder(self) -> str:
        folder = tempfile.mkdtemp(prefix="sentinelone-source-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _serve(self, call: Call, line: Line) -> Reply:
        if route(call) and call.method == "POST":
            return self._ingest(call, line)
        shown = inspection.handle(self, call)
        return shown if shown is not None else self._issue(call, line)

    def _ingest(self, call: Call, line: Line) -> Reply:
        at, outcomes = time(), []

        def serve() -> Answer:
            outcomes.append(self._ingestion.handle(call))
            return outcomes[0].answer

        _, stream = route(call) or ("", "")
        reply = spoiled(self.faults.of_stream(stream), line, serve)
        self.requests.append(ingestion_request(at, call, reply, outcomes))
        return reply

    def _issue(self, call: Call, line: Line) -> Reply:
        if not is_for_tokens(call):
            return json({"error": f"nothing at {call.path}"}, 404)
        at, where = time(), DISCOVERY if is_discovery(call) else TOKEN
        reply = spoiled(self.faults.of(where), line, lambda: self._identity.handle(call))
        if where == TOKEN:
            self.token_requests.append(token_request(at, call, reply))
        return reply


def _hosts(host: str) -> list[str]:
    known = ["localhost", "127.0.0.1", "::1"]
    return known if host in ("", "0.0.0.0", "::", *known) else [*known, host]  # noqa: S104
