"""Checks of the ingestion endpoint and of each stream of the rule."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import requests

from sentinelone_source.azure.ingestion_errors import split_advice
from sentinelone_source.config import is_loopback
from sentinelone_source.doctor.checks import failed, ok, skipped, warning
from sentinelone_source.errors import SourceError, Throttled
from sentinelone_source.times import SECOND, to_iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.azure.ingestion import Ingestion
    from sentinelone_source.azure.session import Session
    from sentinelone_source.config.azure import AzureSettings
    from sentinelone_source.doctor.checks import Check
    from sentinelone_source.mapping.spec.model import TableSpec

MARK = "sentinelone-source doctor"


def endpoint(azure: AzureSettings, web: Session) -> Check:
    """Whether the ingestion endpoint can be reached, and belongs to the cloud."""
    name = "ingestion endpoint"
    try:
        with web.get(azure.endpoint, allow_redirects=False, stream=True):
            pass
    except (requests.RequestException, OSError) as error:
        found = f"{azure.endpoint}: {web.reason(error)}"
        return failed(name, found, "check azure.endpoint, the proxy, and the firewall")
    host = urlsplit(azure.endpoint).hostname or ""
    if not (host.endswith(azure.cloud.ingestion) or is_loopback(host)):
        found = f"{azure.endpoint} answers, but does not end in {azure.cloud.ingestion}"
        return warning(name, found, "check azure.endpoint and azure.cloud")
    return ok(name, f"{azure.endpoint} answers")


def streams(ingestion: Ingestion, mappings: Iterable[TableSpec]) -> Iterator[Check]:
    """Whether each stream accepts rows: a request without rows shows it."""
    last_advice = ""
    for mapping in mappings:
        name = f"stream {mapping.stream}"
        try:
            ingestion.send(mapping.stream, [])
        except Throttled as error:
            yield warning(name, error, "the rule receives more than Azure allows; try again later")
        except SourceError as error:
            found, advice = split_advice(error)
            if advice and advice == last_advice:
                yield failed(name, f"{found.partition(',')[0]}, as above")
                continue
            last_advice = advice
            yield failed(name, found, advice)
        else:
            yield ok(name, "accepts rows")


def send_test(ingestion: Ingestion, mappings: Iterable[TableSpec], *, healthy: bool) -> Check:
    """Deliver one marked row, to the first table that has a text column for the mark.

    Args:
        ingestion: where it goes.
        mappings: the tables.
        healthy: whether every check before was OK.
    """
    name = "test row"
    if not healthy:
        return skipped(name, "not sent: an earlier check failed")
    chosen = next((pair for pair in map(_marked, mappings) if pair[1]), None)
    if chosen is None:
        return skipped(name, "no table has a text column for the mark")
    mapping, column = chosen
    mark = f"{MARK} {uuid.uuid4()}"
    row = {"TimeGenerated": to_iso(round(time.time() * SECOND)), column: mark}
    try:
        ingestion.send(mapping.stream, [msgspec.json.encode(row)])
    except SourceError as error:
        return failed(name, *split_advice(error))
    query = f'{mapping.table} | where {column} == "{mark}"'
    return ok(name, f"Azure accepted it. Within 15 minutes this query finds it: {query}")


def _marked(mapping: TableSpec) -> tuple[TableSpec, str]:
    """A text column that a mark does no harm in; empty if there is none."""
    texts = [column.name for column in mapping.columns if column.type == "string"]
    likely = [name for name in texts if name.endswith("Description")]
    return mapping, next(iter([*likely, *texts]), "")
