"""Queries to a workspace: real KQL on what has arrived, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doubles.azure_faults import refuse
from sentinelone_source.azure.credential import Credential
from sentinelone_source.azure.ingestion import Ingestion
from sentinelone_source.azure.workspace import Workspace
from sentinelone_source.demo.dce.azure import LOOPBACK
from sentinelone_source.demo.http_server import Answer, HttpServer
from sentinelone_source.errors import ConfigError, SourceError, Unavailable
from support.cloud import AzureTenancy

GROUPS = "SentinelOneGroups_CL"


@pytest.fixture
def ask(cloud: AzureTenancy) -> Callable[[str], Any]:
    """Sends a query, after three groups have arrived."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    cloud.configure(workspace_id=cloud.azure.behaviour.workspace_id)
    azure = cloud.settings()
    credential = Credential(azure)
    rows = [
        b'{"Id":"%d","Rank":%d,"UpdatedAt":"2026-11-0%dT00:00:00Z"}' % (n, n, n) for n in (1, 2, 3)
    ]
    Ingestion(azure, credential).send(f"Custom-{GROUPS}", rows)
    return Workspace(azure, credential).ask


def test_kql_is_run_on_what_arrived(ask: Callable[[str], Any]) -> None:
    """A query finds the rows that arrived, by the types of their columns."""
    found = ask(
        f"{GROUPS} | where UpdatedAt > datetime(2026-11-01) and Rank < 3 | project Id, Rank"
    )
    assert [list(row) for row in found.rows] == [["2", 2.0]]
    assert found.partial == ""


def test_a_part_is_called_a_part(cloud: AzureTenancy, ask: Callable[[str], Any]) -> None:
    """An answer that lacks rows is marked as partial, with the reason."""
    cloud.azure.behaviour.most_rows = 2
    found = ask(GROUPS)
    assert len(found.rows) == 2
    assert "E_QUERY_RESULT_SET_TOO_LARGE" in found.partial


def test_errors_say_what_to_do(cloud: AzureTenancy, ask: Callable[[str], Any]) -> None:
    """Each refusal is an error with its status and, where known, what to correct."""
    with pytest.raises(SourceError, match=r"HTTP 400, .*Nothing_CL"):
        ask("Nothing_CL | count")
    cloud.azure.behaviour.may_query = False
    with pytest.raises(SourceError, match=r"HTTP 403, .*'Log Analytics Reader'"):
        ask(GROUPS)
    cloud.azure.behaviour.workspace_id = "another"
    with pytest.raises(ConfigError, match=r"HTTP 404.*azure\.workspace_id"):
        ask(GROUPS)
    cloud.azure.faults.add(refuse("query", 503, 0, times=None))
    with pytest.raises(Unavailable, match="HTTP 503"):
        ask(GROUPS)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"tables":[{}]}'])
def test_a_foreign_answer(cloud: AzureTenancy, body: bytes) -> None:
    """An answer that is not the query API's is an error, and not an empty table."""
    server = HttpServer(LOOPBACK, lambda _: Answer(200, body))
    server.start()
    cloud.configure(workspace_id=cloud.azure.behaviour.workspace_id, endpoint=server.url)
    azure = cloud.settings()
    with pytest.raises(SourceError, match=r"http://127\.0\.0\.1"):
        Workspace(azure, Credential(azure)).ask("print 1")
    server.stop()


def test_the_workspace_is_named_by_its_customer_id(cloud: AzureTenancy) -> None:
    """A workspace_id that is missing or is no GUID is an error."""
    with pytest.raises(ConfigError, match="missing workspace_id"):
        Workspace(cloud.settings(), Credential(cloud.settings()))
    cloud.configure(workspace_id="/subscriptions/s/workspaces/law")
    with pytest.raises(ConfigError, match=r"azure\.workspace_id: .* a GUID"):
        cloud.settings()
