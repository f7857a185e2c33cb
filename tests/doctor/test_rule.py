"""The checks of rule and tables against the mappings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from doubles.manager import LOG, RULE, LoopbackManager, table_path
from support.cloud import AzureTenancy
from support.doctor import deployed
from support.tenancy import TABLES

THREATS = TABLES["threats"]


def test_no_drift(cloud: AzureTenancy, manager: LoopbackManager) -> None:
    """What the template deploys is OK, and is read with a token for the Resource Manager."""
    found = deployed(cloud, manager)
    assert [name for name, check in found.items() if check.status != "ok"] == []
    assert {f"table {table}" for table in TABLES.values()} <= found.keys()
    assert {f"declaration Custom-{table}" for table in TABLES.values()} <= found.keys()
    assert "error log" in found
    asked_for = [request.resource for request in cloud.azure.token_requests]
    assert asked_for == [
        "https://monitor.azure.com/.default",
        "https://management.azure.com/.default",
    ]


def test_columns_of_every_table(cloud: AzureTenancy, manager: LoopbackManager) -> None:
    """A column of `[mappings.columns]` that is not deployed is missing from every stream."""
    before = '[mappings.columns]\nTenant = { console = "name" }'
    cloud.configure(f'dcr_resource_id = "{RULE}"', before=before)
    found = deployed(cloud, manager)
    missing = {name for name, check in found.items() if "1 missing: Tenant" in check.found}
    assert missing >= {f"declaration Custom-{table}" for table in TABLES.values()}
    assert missing >= {f"table {table}" for table in TABLES.values()}


def drop_column(manager: LoopbackManager) -> None:
    columns = manager.rule["streamDeclarations"][f"Custom-{THREATS}"]["columns"]
    columns[:] = [column for column in columns if column["name"] != "ThreatName"]


def retype_column(manager: LoopbackManager) -> None:
    for column in manager.columns(THREATS):
        if column["name"] == "ThreatName":
            column["type"] = "int"


def drop_table(manager: LoopbackManager) -> None:
    del manager.documents[table_path(THREATS)]


def drop_stream(manager: LoopbackManager) -> None:
    del manager.rule["streamDeclarations"][f"Custom-{THREATS}"]


def flow(manager: LoopbackManager) -> dict[str, Any]:
    """The data flow of threats."""
    flows: list[dict[str, Any]] = manager.rule["dataFlows"]
    return next(one for one in flows if one["streams"] == [f"Custom-{THREATS}"])


def drop_flow(manager: LoopbackManager) -> None:
    manager.rule["dataFlows"].remove(flow(manager))


def more_columns(manager: LoopbackManager) -> None:
    manager.columns(THREATS).append({"name": "Own", "type": "string"})


def standard_columns(manager: LoopbackManager) -> None:
    columns = manager.columns(THREATS)
    schema = manager.documents[table_path(THREATS)][1]["properties"]["schema"]
    schema["standardColumns"] = [{"name": "TenantId", "type": "guid"}, columns.pop(0)]
    assert schema["standardColumns"][1]["name"] == "TimeGenerated"


def other_plan(manager: LoopbackManager) -> None:
    manager.documents[table_path(THREATS)][1]["properties"]["plan"] = "Basic"


def transform(manager: LoopbackManager) -> None:
    flow(manager)["transformKql"] = "source | where false"


def elsewhere(manager: LoopbackManager) -> None:
    flow(manager)["outputStream"] = "Custom-Other_CL"


def other_rule(manager: LoopbackManager) -> None:
    manager.rule["immutableId"] = "dcr-other"


def other_endpoint(manager: LoopbackManager) -> None:
    manager.rule["endpoints"] = {"logsIngestion": "https://other.ingest.monitor.azure.com"}


def no_log(manager: LoopbackManager) -> None:
    manager.documents[LOG] = (200, {"value": []})


def no_table_reader(manager: LoopbackManager) -> None:
    manager.documents[table_path(THREATS)] = (403, {})


@pytest.mark.parametrize(
    ("change", "check", "status", "said"),
    [
        (drop_column, f"declaration Custom-{THREATS}", "failed", "1 missing: ThreatName"),
        (retype_column, f"table {THREATS}", "failed", "ThreatName (int, not string)"),
        (drop_table, f"table {THREATS}", "failed", "no such table"),
        (drop_stream, f"declaration Custom-{THREATS}", "failed", "no such stream"),
        (drop_flow, f"declaration Custom-{THREATS}", "failed", "no data flow"),
        (more_columns, f"table {THREATS}", "ok", "1 not filled by any row: Own"),
        (standard_columns, f"table {THREATS}", "ok", "columns, none missing"),
        (other_plan, f"table {THREATS}", "warning", "Basic"),
        (transform, f"declaration Custom-{THREATS}", "warning", "transforms"),
        (elsewhere, f"declaration Custom-{THREATS}", "warning", "Custom-Other_CL"),
        (other_rule, "rule", "failed", "dcr-other"),
        (other_endpoint, "rule", "warning", "https://other"),
        (no_log, "error log", "warning", "losses are not logged"),
        (no_table_reader, f"table {THREATS}", "skipped", "may not read"),
    ],
)
def test_drift(
    cloud: AzureTenancy,
    *,
    manager: LoopbackManager,
    change: Callable[[LoopbackManager], None],
    check: str,
    status: str,
    said: str,
) -> None:
    """A difference between mapping and deployment shows in the check of its stream or table."""
    change(manager)
    found = deployed(cloud, manager)
    assert (found[check].status, said in found[check].found) == (status, True), found[check]
    others = {name for name, one in found.items() if one.status not in ("ok", "skipped")}
    assert others <= {check, f"table {THREATS}"}


@pytest.mark.parametrize(
    ("answer", "status"), [(403, "skipped"), (404, "failed"), (500, "skipped"), (200, "skipped")]
)
def test_rule_that_cannot_be_read(
    cloud: AzureTenancy, manager: LoopbackManager, answer: int, status: str
) -> None:
    """A rule that the identity may not read is skipped; one that is missing fails."""
    manager.documents[RULE] = (answer, {"properties": 7})
    assert deployed(cloud, manager)["rule"].status == status
