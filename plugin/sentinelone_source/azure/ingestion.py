"""The Data Collection Endpoint, with Azure's own client; a request is one array of rows."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING, Any

from sentinelone_source.azure.ingestion_errors import TokenRefused, failure
from sentinelone_source.azure.session import body_of, client_options, client_reason
from sentinelone_source.errors import ConfigError, SourceError, Unavailable
from sentinelone_source.timings import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentinelone_source.azure.credential import Credential
    from sentinelone_source.config.azure import AzureSettings


class Ingestion:
    """Sends arrays of rows to one Data Collection Rule.

    The client gets each body as bytes, so rows arrive unchanged and one call is one request. The
    client's retries are off: the caller retries.

    Args:
        azure: endpoint and rule.
        credential: the identity.
    """

    def __init__(self, azure: AzureSettings, credential: Credential) -> None:
        from azure.monitor.ingestion import LogsIngestionClient

        azure.need("endpoint", "dcr_immutable_id")
        self._azure = azure
        self._credential = credential
        self._client = LogsIngestionClient(
            azure.endpoint,
            credential,
            credential_scopes=[azure.cloud.scope],
            retry_total=0,
            **client_options(azure.endpoint, DEFAULTS.ingestion_answer),
        )

    def send(self, stream: str, rows: Sequence[bytes]) -> int:
        """Send rows to a stream, and return the bytes on the wire.

        Without rows it probes token, endpoint, rule and role. A refused token is replaced once.

        Args:
            stream: its name, as `Custom-SentinelOneThreats_CL`.
            rows: JSON objects.

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
        from azure.core import exceptions

        plain: dict[str, Any] = (
            {} if self._azure.endpoint.startswith("https") else {"enforce_https": False}
        )
        try:
            self._client.upload(
                self._azure.dcr_immutable_id,
                stream,
                io.BytesIO(body),
                content_type="application/json",
                **plain,
            )
        except SourceError:
            raise  # the credential's own
        except exceptions.HttpResponseError as error:
            response: Any = error.response
            if response is None:
                raise Unavailable(f"{self._azure.endpoint}: the answer broke off") from None
            raise failure(response.status_code, response.headers, body_of(response)) from None
        except exceptions.AzureError as error:
            why = client_reason(error, DEFAULTS.ingestion_answer)
            raise Unavailable(f"{self._azure.endpoint}: {why}") from None
