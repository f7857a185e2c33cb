"""Queries to a Log Analytics workspace."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from typing import TYPE_CHECKING, Any, NamedTuple

from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.session import (
    client_errors,
    client_options,
    shown,
)
from sentinelone_source.config.azure import AzureSettings
from sentinelone_source.errors import AZURE_EXTRA, ConfigError, SourceError, Unavailable
from sentinelone_source.timings import DEFAULTS

if TYPE_CHECKING:
    from azure.core.exceptions import ODataV4Format

READER = "Log Analytics Reader"
_RETRIES = 3
_UNEXPECTED = "the answer is not one of the query API"


class QueryAnswer(NamedTuple):
    """What a query finds; `partial` says why the workspace left something out."""

    rows: list[Any]
    partial: str


class Workspace:
    """One workspace, asked in KQL. Raises ConfigError if a key or the package is missing."""

    def __init__(self, azure: AzureSettings, credential: Credential) -> None:
        azure.need("workspace_id")
        try:
            from azure.monitor.query import LogsQueryClient
        except ImportError as error:
            raise ConfigError(f"{error.name} is not installed; {AZURE_EXTRA}") from None
        self._azure = azure
        self._client = LogsQueryClient(
            credential,
            endpoint=azure.query_url,
            audience=azure.cloud.query,
            retry_total=_RETRIES,
            **client_options(azure.query_url, DEFAULTS.query_answer),
        )

    def ask(self, query: str) -> QueryAnswer:
        """Run a query in KQL.

        Raises:
            ConfigError: there is no such workspace.
            Unavailable: it gives no answer, also when asked again.
            SourceError: it refuses the identity, or the query.
        """
        answer = self._answer(query)
        is_part = hasattr(answer, "partial_data")
        tables = answer.partial_data if is_part else answer.tables
        if not tables:
            raise Unavailable(f"{self._azure.query_url}: {_UNEXPECTED}")
        why = answer.partial_error.message or answer.partial_error.code if is_part else ""
        return QueryAnswer(tables[0].rows, " ".join(str(why).split()))

    def _answer(self, query: str) -> Any:
        azure = self._azure
        try:
            with client_errors(azure.query_url, DEFAULTS.query_answer, self._failure):
                return self._client.query_workspace(
                    azure.workspace_id,
                    query,
                    timespan=None,
                    enforce_https=azure.query_url.startswith("https"),
                )
        except (AttributeError, KeyError, TypeError, ValueError):  # an answer of another shape
            raise Unavailable(f"{azure.query_url}: {_UNEXPECTED}") from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _failure(self, status: int, _: Dict[str, str], error: ODataV4Format | None) -> SourceError:
        place = f"{self._azure.query_url}: workspace {self._azure.workspace_id}"
        said = f"{place}: HTTP {status}{shown(_innermost(error))}"
        if status in (401, 403):
            return SourceError(
                f"{said}: grant this identity the role {READER!r} on the workspace, which takes "
                "some minutes, and check azure.cloud"
            )
        if status == 404:
            return ConfigError(f"{said}: check azure.workspace_id and azure.cloud")
        if status in (408, 429) or status >= 500:
            return Unavailable(said)
        return SourceError(said)


def _innermost(error: ODataV4Format | None) -> str:
    """The innermost message of an error: the others only say that there is one."""
    words, inner = (error.message, error.innererror) if error else (None, None)
    while isinstance(inner, dict):
        words, inner = inner.get("message") or words, inner.get("innererror")
    return str(words or "")
