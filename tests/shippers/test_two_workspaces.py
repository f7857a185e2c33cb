"""Two consoles and two workspaces: the rows of each console reach its own workspace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from doubles.azure import Azure
from doubles.console import ScriptedConsole
from doubles.world import World
from shippers.delivery import QUICK, Delivery
from shippers.fluentbit import SHIPPED
from shippers.test_vector_files import SCHEMA
from shippers.vector import azure_sinks, load
from shippers.vector_run import PROGRAMS, Vector, adapted, command
from shippers.vector_vrl import routed
from support.tenancy import NAMES, TABLES, TOKEN, Tenancy
from support.waiting import until

CONSOLES = ("acme", "globex")
NAME: Final = "two-workspaces"
MORE = """
[[consoles]]
name = "globex"
url = "{url}"
token_file = "token"
"""
TAG = 'tag = "sentinelone.{console}.{mapping}"\n'


@pytest.fixture
def globex(tenancy: Tenancy) -> Iterator[World]:
    """The second console's tenant; the source polls both, and writes the console into the tag."""
    tenancy.populate(12)
    world = World(seed=99)
    world.populate(over=timedelta(hours=1), **dict.fromkeys(NAMES, 7))
    with ScriptedConsole(world, {TOKEN}) as console:
        tenancy.configure(MORE.format(url=console.url), start="all")
        text = tenancy.config.read_text()
        tenancy.config.write_text(text.replace("[handover]\n", f"[handover]\n{TAG}"))
        yield world


def outputs(name: str) -> dict[str, dict[str, Any]]:
    """The outputs of a configuration of Fluent Bit, by alias."""
    document = yaml.safe_load((SHIPPED / name).read_text())
    return {output["alias"]: output for output in document["pipeline"]["outputs"]}


def test_fluent_bit_outputs() -> None:
    """Each console has the outputs of http.yaml, with tags and variables of its own."""
    wanted, found = outputs("http.yaml"), outputs(f"{NAME}.yaml")
    del wanted["unrouted"]
    takes = re.compile(found.pop("unrouted")["match_regex"])
    for console in CONSOLES:
        for alias, output in wanted.items():
            text = json.dumps(found.pop(f"{console}_{alias}"))
            assert set(re.findall(r"\$\{([A-Z]+?)_", text)) == {console.upper()}
            for old, new in {
                f"{console}_{alias}": alias,
                f".{console}.": ".",
                f"{console.upper()}_D": "D",
                f"{console.upper()}_CA_": "DCE_CA_",
                f"{console.upper()}_": "AZURE_",
            }.items():
                text = text.replace(old, new)
            assert json.loads(text) == output
            assert not takes.match(f"sentinelone.{console}.{alias}.a1")
    assert found == {}
    assert takes.match("sentinelone.initech.threats.a1")


@pytest.mark.shippers
@pytest.mark.timeout(1800)
def test_fluent_bit(fluent_bit: str, tenancy: Tenancy, globex: World) -> None:
    """The real Fluent Bit brings the rows of each console to its own workspace, and no other."""
    with Azure(keep_times=True) as other:
        delivery = Delivery(fluent_bit, tenancy, f"{NAME}.yaml", QUICK)
        for console, azure in zip(CONSOLES, (delivery.azure, other), strict=True):
            known = azure.behaviour
            variables = {
                "TENANT_ID": known.tenant_id,
                "CLIENT_ID": known.client_id,
                "CLIENT_SECRET": known.client_secret,
                "AUTH_URL": azure.token_url,
                "DCE_URL": azure.endpoint,
                "CA_FILE": str(azure.ca_file),
                "DCR_ID": known.dcr_id,
            }
            delivery.shipper.environ |= {
                f"{console.upper()}_{name}": value for name, value in variables.items()
            }
        with delivery:
            tenancy.once("--to", delivery.url)
            delivery.expect()
            until(lambda: sum(other.received.counts().values()) >= 7 * len(NAMES))
            check(tenancy, globex, delivery.azure, other)


def check(tenancy: Tenancy, globex: World, ours: Azure, other: Azure) -> None:
    """Each workspace has the rows of its console, once each."""
    for azure, world in ((ours, tenancy.world), (other, globex)):
        counts = {TABLES[name]: world.count(name) for name in NAMES}
        assert {table: n for table, n in azure.received.counts().items() if n} == counts
        agents = {row["Id"] for row in azure.rows[TABLES["agents"]]}
        assert agents == {record["id"] for record in world.all("agents")}
        assert not any(azure.losses.values())


@pytest.mark.parametrize("console", [*CONSOLES, "acme2"])
def test_vector_routes(console: str) -> None:
    """A row leaves by the route of its console and table; that of another console is kept."""
    pytest.importorskip("pyvrl", reason="no wheel of pyVRL for this Python")
    document = load(NAME)
    for name, condition in document["transforms"]["tables"]["route"].items():
        [table] = re.findall(r'_table == "(\w+)"', condition)
        row = {"_table": table, "_path": f"/sentinelone.{console}.x.a1"}
        wanted = f"{console}_{name.partition('_')[2]}" if console in CONSOLES else "_unmatched"
        assert routed(document, row) == [f"tables.{wanted}"]


def test_vector_sinks() -> None:
    """Each console has the sinks of http.yaml, with an endpoint and an identity of its own."""
    wanted, found = azure_sinks(load("http")), azure_sinks(load(NAME))
    for console in CONSOLES:
        identities = set()
        for name, sink in wanted.items():
            mine = found.pop(name.replace("sentinel_", f"sentinel_{console}_"))
            identities.add(str([mine.pop(key) for key in ("endpoint", "dcr_immutable_id", "auth")]))
            [route] = mine.pop("inputs")
            assert route == f"tables.{console}_{name.removeprefix('sentinel_')}"
            mine["encoding"] = {
                "except_fields": [
                    one for one in mine["encoding"]["except_fields"] if one != "_path"
                ]
            }
            assert mine.items() <= sink.items()
        assert len(identities) == 1
    assert found == {}
    assert not list(SCHEMA.iter_errors(load(NAME)))


@pytest.mark.parametrize("program", PROGRAMS)
def test_vector(
    program: str, tenancy: Tenancy, globex: World, azure: Azure, tmp_path: Path
) -> None:
    """Vector, or its stand-in, brings the rows of each console to its own workspace."""
    with Azure(listen_tls=None, keep_times=True) as other:
        other.issuer._issued = azure.issuer._issued  # one identity may send to both
        document = adapted(NAME, tmp_path, azure, tenancy.config)
        for name, sink in azure_sinks(document).items():
            if "globex" in name:
                sink["endpoint"] = other.plain.url
        with Vector(command(program), document, tmp_path, azure) as vector:
            tenancy.once("--to", vector.url)
            check(tenancy, globex, azure, other)
            assert vector.unrouted == []
