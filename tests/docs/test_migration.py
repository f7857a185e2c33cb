"""docs/how-to/migrate-from-the-connector.md: the switch leaves no gap and repeats no row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from docs.test_typed import AZURE_READY, CONSOLE_READY, FREE_PORTS, type_in

pytestmark = pytest.mark.timeout(900)
ACTIVITY = b'"_table":"SentinelOneActivities_CL"'
INVENTORY = (b'"_table":"SentinelOneAgents_CL"', b'"_table":"SentinelOneGroups_CL"')
SETTINGS = (
    r"""printf '[state]\npath = "%s"\n[feeds]\nstart = "%s"\n[azure]\nendpoint = "%s"\n"""
    r"""dcr_immutable_id = "%s"\nworkspace_id = "%s"\n' """
)
STEPS = rf"""
unset REQUESTS_CA_BUNDLE
sentinelone-source demo console 2> console.env &
sentinelone-source demo dce --ca-file ca.pem --rows arrived.ndjson 2> dce.env &
sleep 3; . ./dce.env; export SSL_CERT_FILE=$PWD/ca.pem $(head -1 console.env)
configure() {{ {SETTINGS} $1 $2 $DCE_URL $DCR_ID $WORKSPACE_ID > config.toml; }}
configure connector 24h
sentinelone-source run --once > connector.ndjson
awk 'NR % 5' connector.ndjson > kept.ndjson      # the connector loses records
sentinelone-source replay kept.ndjson
SWITCH=$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)
configure state $SWITCH
sentinelone-source run --once > rows.ndjson
sentinelone-source replay rows.ndjson
sentinelone-source verify --since 24h --until $SWITCH --workspace --rows missing.ndjson
sentinelone-source replay missing.ndjson
sentinelone-source verify --since 24h --until 15m --workspace; echo status $?
kill %1 %2
"""


def test_the_switch(tmp_path: Path) -> None:
    """What the connector lost is found and sent; no activity, threat or alert comes twice."""
    pytest.importorskip("duckdb_kql", reason="no engine for KQL on this machine")
    shown = type_in(tmp_path, STEPS, {"sleep 3": f"{AZURE_READY}; {CONSOLE_READY}", **FREE_PORTS})
    assert "status 0" in shown
    rows = {
        name: (tmp_path / f"{name}.ndjson").read_bytes().splitlines()
        for name in ("connector", "kept", "arrived")
    }
    lost = [row for row in set(rows["connector"]) - set(rows["kept"]) if ACTIVITY in row]
    arrived = Counter(row for row in rows["arrived"] if not any(name in row for name in INVENTORY))
    assert lost
    assert set(lost) <= arrived.keys()
    assert max(arrived.values()) == 1
