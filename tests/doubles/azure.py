"""The loopback Azure with a script of faults, and its rows as Python values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, overload

import msgspec

from sentinelone_source.demo.dce.azure import LOOPBACK, DemoAzure
from sentinelone_source.demo.dce.behaviour import Behaviour

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from doubles.azure_faults import Fault
    from sentinelone_source.demo.dce.received import Losses
    from sentinelone_source.demo.dce.schema_check import Stream

Row = dict[str, Any]


class Rows(Sequence[Row]):
    """The rows of one table, in order of arrival; decoded when they are looked at."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [msgspec.json.decode(line) for line in self.lines[index]]
        row: Row = msgspec.json.decode(self.lines[index])
        return row

    def __iter__(self) -> Iterator[Row]:
        return map(msgspec.json.decode, self.lines[:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Request(NamedTuple):
    """A request to a stream.

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
    """A request for a token.

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


class Azure(DemoAzure):
    """Knows the fields of `Behaviour` as keywords; `behaviour` and `faults` may change."""

    def __init__(
        self,
        streams: Iterable[Stream] | None = None,
        faults: Iterable[Fault] = (),
        *,
        listen: tuple[str, int] = LOOPBACK,
        listen_tls: tuple[str, int] | None = LOOPBACK,
        ca_file: Path | None = None,
        rows_file: BinaryIO | None = None,
        **switches: Any,
    ) -> None:
        super().__init__(
            streams,
            Behaviour(**switches),
            listen=listen,
            listen_tls=listen_tls,
            ca_file=ca_file,
            rows_file=rows_file,
        )
        self.faults.add(*faults)

    @property
    def rows(self) -> dict[str, Rows]:
        """What arrived, by table; a table that got nothing is there and empty."""
        return {table: Rows(lines) for table, lines in self.received.lines.items()}

    @property
    def requests(self) -> list[Request]:
        """To streams, in order."""
        return [Request(**one) for one in self.journal["ingestion"][:]]

    @property
    def token_requests(self) -> list[TokenRequest]:
        """For tokens, in order."""
        return [TokenRequest(**one) for one in self.journal["token"][:]]

    @property
    def losses(self) -> Losses:
        """What Azure would have lost in silence."""
        return self.received.losses

    @property
    def authority(self) -> str:
        """Of Entra ID, without the tenant."""
        return self.endpoint
