"""The Data Collection Endpoint, with Azure's own client, and its errors with advice."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping as Dict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.session import client_errors, client_options, shown
from sentinelone_source.config.azure import AzureSettings
from sentinelone_source.errors import ConfigError, SourceError, Throttled, Unavailable
from sentinelone_source.http.retry import retry_after
from sentinelone_source.timings import DEFAULTS

if TYPE_CHECKING:
    from azure.core.exceptions import ODataV4Format

ROLE = "Monitoring Metrics Publisher"
_ADVICE = {
    403: f"grant this identity the role {ROLE!r} on the data collection rule, which takes up to 30 "
    "minutes, and check that endpoint and rule belong together",
    404: "check azure.dcr_immutable_id, azure.endpoint, and that the rule has this stream",
}


class TokenRefused(SourceError):
    """HTTP 401: the token is not accepted; a new one may be."""


class TooLong(SourceError):
    """HTTP 413: more than one request may carry."""


class Misunderstood(SourceError):
    """HTTP 400: something in these rows does not fit the stream declaration."""


_KINDS: Dict[int, type[SourceError]] = {
    400: Misunderstood,
    401: TokenRefused,
    403: SourceError,
    404: ConfigError,
    413: TooLong,
}


class Ingestion:
    """Sends arrays of rows to one Data Collection Rule.

    The client gets each body as bytes, so rows arrive unchanged and one call is one request. The
    client's retries are off: the caller retries.

    Raises:
        ConfigError: a key of `[azure]` is missing.
    """

    def __init__(self, azure: AzureSettings, credential: Credential) -> None:
        from azure.monitor.ingestion import LogsIngestionClient

        azure.need("endpoint", "dcr_immutable_id")
        self._azure = azure
        self._credential = credential
        is_plain = not azure.endpoint.startswith("https")
        self._plain: dict[str, Any] = {"enforce_https": False} if is_plain else {}
        self._client = LogsIngestionClient(
            azure.endpoint,
            credential,
            credential_scopes=[azure.cloud.scope],
            retry_total=0,
            **client_options(azure.endpoint, DEFAULTS.ingestion_answer),
        )

    def send(self, stream: str, rows: Sequence[bytes]) -> int:
        """Send JSON objects to a stream, and return the bytes on the wire.

        Without rows it probes token, endpoint, rule and role. A refused token is replaced once.

        Raises:
            ConfigError: the configuration is wrong; a retry does not help.
            TooLong, Misunderstood: fewer rows, or one row, may be accepted.
            Retriable: later.
            SourceError: any other refusal.
        """
        body = gzip.compress(b"[" + b",".join(rows) + b"]", 6, mtime=0)
        try:
            self._send(stream, body)
        except TokenRefused:
            self._credential.token(self._azure.cloud.scope, fresh=True)
            try:
                self._send(stream, body)
            except TokenRefused as error:
                raise ConfigError(
                    f"{self._azure.endpoint}: {error}: tokens for {self._azure.cloud.resource} are "
                    "not accepted there; check azure.cloud, azure.tenant_id and azure.endpoint"
                ) from None
        return len(body)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _send(self, stream: str, body: bytes) -> None:
        with client_errors(self._azure.endpoint, DEFAULTS.ingestion_answer, _failure):
            self._client.upload(
                self._azure.dcr_immutable_id,
                stream,
                io.BytesIO(body),
                content_type="application/json",
                **self._plain,
            )


def _failure(status: int, headers: Dict[str, str], error: ODataV4Format | None) -> SourceError:
    """The error that an answer other than 204 stands for."""
    words = (error.code, error.message) if error else ()
    said = f"HTTP {status}" + shown(": ".join(str(word) for word in words if word))
    if status in _KINDS:
        advice = f": {_ADVICE[status]}" if status in _ADVICE else ""
        return _KINDS[status](said + advice)
    if status == 429:
        return Throttled(said, retry_after(headers))
    if status == 408 or status >= 500:
        return Unavailable(said, retry_after(headers))
    return SourceError(said)


def split_advice(error: SourceError) -> tuple[str, str]:
    """What happened, and what to do about it, of an error of the Logs Ingestion API."""
    said = str(error)
    for advice in _ADVICE.values():
        if said.endswith(f": {advice}"):
            return said.removesuffix(f": {advice}"), advice
    return said, ""
