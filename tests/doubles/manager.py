"""A Resource Manager on loopback: documents by path, for what is deployed."""

from __future__ import annotations

import json
from typing import Any

from sentinelone_source.demo.dce.azure import LOOPBACK
from sentinelone_source.demo.http_server import Answer, Call, HttpServer
from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.mapping.spec.model import TableSpec

GROUP = "/subscriptions/s/resourceGroups/g/providers"
RULE = f"{GROUP}/Microsoft.Insights/dataCollectionRules/dcr"
WORKSPACE = f"{GROUP}/Microsoft.OperationalInsights/workspaces/law"
LOG = f"{RULE}/providers/Microsoft.Insights/diagnosticSettings"


class LoopbackManager(HttpServer):
    """Answers GET from `documents`: by path, a status and what is said with it.

    Args:
        immutable_id: of the rule that is deployed, as the built-in mappings need it.
    """

    def __init__(self, immutable_id: str) -> None:
        super().__init__(LOOPBACK, self._answer)
        mappings = load_tables()
        self.documents: dict[str, tuple[int, Any]] = {
            RULE: (200, rule(immutable_id, mappings)),
            LOG: (200, {"value": [{"name": "errors"}]}),
        }
        for mapping in mappings:
            self.documents[table_path(mapping.table)] = (200, table(mapping))

    def _answer(self, call: Call) -> Answer:
        assert (call.method, "api-version" in call.query) == ("GET", True)
        assert call.headers["authorization"].startswith("Bearer ")
        status, document = self.documents.get(call.path, (404, {}))
        return Answer(status, json.dumps(document).encode())

    @property
    def rule(self) -> dict[str, Any]:
        """The rule's properties, to be changed."""
        properties: dict[str, Any] = self.documents[RULE][1]["properties"]
        return properties

    def columns(self, table: str) -> list[dict[str, str]]:
        """A table's columns, to be changed."""
        found: list[dict[str, str]] = self.documents[table_path(table)][1]["properties"]["schema"][
            "columns"
        ]
        return found


def table_path(table: str) -> str:
    """Where a table is found."""
    return f"{WORKSPACE}/tables/{table}"


def rule(immutable_id: str, mappings: list[TableSpec]) -> dict[str, Any]:
    """A rule as the template deploys it."""
    return {
        "kind": "Direct",
        "properties": {
            "immutableId": immutable_id,
            "endpoints": None,
            "streamDeclarations": {
                m.stream: {
                    "columns": [{"name": c.name, "type": c.kind.in_stream} for c in m.columns]
                }
                for m in mappings
            },
            "dataFlows": [
                {
                    "streams": [m.stream],
                    "destinations": ["law"],
                    "transformKql": "source",
                    "outputStream": f"Custom-{m.table}",
                }
                for m in mappings
            ],
            "destinations": {"logAnalytics": [{"name": "law", "workspaceResourceId": WORKSPACE}]},
        },
    }


def table(mapping: TableSpec) -> dict[str, Any]:
    """A table as the template deploys it."""
    columns = [{"name": one.name, "type": one.kind.in_table} for one in mapping.columns]
    return {"properties": {"plan": "Analytics", "schema": {"columns": columns}}}
