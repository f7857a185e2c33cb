"""The shipped configurations of Fluent Bit against the mappings; no Fluent Bit is needed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.mapping.spec.model import TableSpec
from shippers.fluentbit import SHIPPED

FILES = ("http.yaml", "exec.yaml")
EVICTS = ("storage.total_limit_size", "mem_buf_limit", "emitter_mem_buf_limit")
REQUIRED = {
    "compress": True,
    "net.io_timeout": "60s",
    "retry_limit": "no_limits",
    "time_generated": True,
    "time_key": "TimeGenerated",
    "tls.verify": True,
    "workers": 1,
    "tenant_id": "${AZURE_TENANT_ID}",
    "client_id": "${AZURE_CLIENT_ID}",
    "client_secret": "${AZURE_CLIENT_SECRET}",
    "auth_url": "${AZURE_AUTH_URL:-}",
    "dce_url": "${DCE_URL}",
    "dcr_id": "${DCR_ID}",
    "tls.ca_file": "${DCE_CA_FILE:-}",
}


def parsed(name: str) -> dict[str, Any]:
    """A shipped file."""
    document: dict[str, Any] = yaml.safe_load((SHIPPED / name).read_text())
    return document


def to_azure(name: str) -> list[dict[str, Any]]:
    """Its outputs to Azure."""
    outputs = parsed(name)["pipeline"]["outputs"]
    return [output for output in outputs if output["name"] == "azure_logs_ingestion"]


def tables() -> dict[str, TableSpec]:
    """The tables of the built-in mappings, and that of health rows."""
    return {one.name: one for one in load_tables()}


@pytest.mark.parametrize("name", FILES)
def test_an_output_for_every_mapping(name: str) -> None:
    """Every mapping has an output to its table, with the tags that it is sent under."""
    over_http = name == "http.yaml"
    wanted = [
        (mapping, one.table, f"sentinelone.{mapping}.*" if over_http else "sentinelone")
        for mapping, one in sorted(tables().items())
    ]
    assert [(one["alias"], one["table_name"], one["match"]) for one in to_azure(name)] == wanted


def test_streams_are_the_tables() -> None:
    """Each mapping's stream is the one that Fluent Bit makes of the table's name."""
    assert all(one.stream == f"Custom-{one.table}" for one in tables().values())


@pytest.mark.parametrize("name", FILES)
def test_what_every_output_needs(name: str) -> None:
    """Every output has the required options, and takes the rows of its table only."""
    for output in to_azure(name):
        assert REQUIRED.items() <= output.items(), output["alias"]
        *routed, step = output["processors"]["logs"]
        assert step == {"name": "record_modifier", "remove_key": "_table"}
        keep = {"name": "grep", "regex": f"$_table ^{output['table_name']}$"}
        assert routed == ([keep] if name == "exec.yaml" else [])


@pytest.mark.parametrize("name", FILES)
def test_nothing_that_throws_rows_away(name: str) -> None:
    """No option evicts rows or acknowledges them early; inputs keep rows on disk."""
    text = re.sub(r"#.*", "", (SHIPPED / name).read_text())
    assert not [option for option in EVICTS if option in text.lower()]
    document = parsed(name)
    assert document["service"]["storage.checksum"] is False
    for source in document["pipeline"]["inputs"]:
        assert source["storage.type"] == "filesystem"
        assert "http_server.workers" not in source
        if source["name"] == "http":
            assert "threaded" not in source
            assert source["storage.pause_on_chunks_overlimit"] is True
            assert source["listen"] == "127.0.0.1"
        else:
            assert source["threaded"] is True
            assert "storage.pause_on_chunks_overlimit" not in source


def test_rows_without_an_output_are_kept() -> None:
    """The file for rows without an output takes every tag that is not a known table's."""
    [kept] = [one for one in parsed("http.yaml")["pipeline"]["outputs"] if one["name"] == "file"]
    takes = re.compile(kept["match_regex"])
    for name in tables():
        assert not takes.match(f"sentinelone.{name}.a1.2")
    for tag in ("http.0", "sentinelone.other.1", "sentinelone.threatsx.1", "threats", "x"):
        found = takes.match(tag)
        assert found is not None
        assert found.end() > 0  # Fluent Bit takes an empty match for none


def test_the_poller() -> None:
    """One poller reads all tables; the file for rows without an output takes no known table's."""
    [poller] = parsed("exec.yaml")["pipeline"]["inputs"]
    words = poller["command"].split()
    assert words[:4] == ["exec", "setpriv", "--pdeathsig", "KILL"]
    assert words[-3:] == ["run", "--to", "stdout"]
    assert poller["parser"] == parsed("exec.yaml")["parsers"][0]["name"]
    assert poller["buf_size"] == "1M"
    [kept] = [one for one in parsed("exec.yaml")["pipeline"]["outputs"] if one["name"] == "file"]
    [step] = kept["processors"]["logs"]
    known = re.compile(step["exclude"].removeprefix("$_table "))
    assert all(known.match(one.table) for one in tables().values())
    assert not known.match("Other_CL")


@pytest.mark.parametrize("name", FILES)
def test_variables_are_explained(name: str) -> None:
    """The head of each file names every variable that the file reads."""
    text = (SHIPPED / name).read_text()
    head = text[: text.index("\nservice:")]
    asked = set(re.findall(r"\$\{(\w+)", re.sub(r"#.*", "", text)))
    explained = set(re.findall(r"[A-Z][A-Z_]+[A-Z]", head))
    assert asked <= explained


@pytest.mark.parametrize("name", FILES)
def test_secret_from_a_file(name: str) -> None:
    """The variant with a secret in a file includes the same file, and sets only the secret."""
    wrapper = parsed(f"secret-file-{name}")
    assert wrapper["includes"] == [name]
    [variable] = wrapper["env"]
    assert variable["name"] == "AZURE_CLIENT_SECRET"
    assert variable["uri"].startswith("file:///")
    assert wrapper.keys() == {"includes", "env"}


DOCUMENTED = (SHIPPED.parent / "docs/how-to/fluent-bit.md").read_text()


@pytest.mark.parametrize("name", FILES)
def test_documented_variables(name: str) -> None:
    """The page has every variable with its default."""
    text = re.sub(r"#.*", "", (SHIPPED / name).read_text())
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|([^|]*)\|", DOCUMENTED, flags=re.MULTILINE)
    defaults: dict[str, str] = {}
    for variables, default in rows:
        named = re.findall(r"`(\w+)`", variables)
        given = re.findall(r"`([^`]+)`", default)
        defaults |= dict(zip(named, given + [""] * len(named), strict=False))
    for variable, default in re.findall(r"\$\{(\w+)(?::-([^}]*))?\}", text):
        assert defaults[variable] == default, variable


@pytest.mark.parametrize("name", FILES)
def test_documented_options(name: str) -> None:
    """The page says why each option is set."""
    document = parsed(name)
    plain = {"name", "alias", "match", "tag", "file", "format", "path", "processors", "port"}
    plain |= {"tenant_id", "client_id", "client_secret", "dce_url", "dcr_id", "auth_url"}
    plain |= {"table_name", "tls.verify", "tls.ca_file", "command", "storage.metrics"}
    plain |= {"http_server", "http_listen", "http_port", "storage.backlog.mem_limit"}
    used = set(document["service"])
    for part in ("inputs", "outputs"):
        used |= {option for one in document["pipeline"][part] for option in one}
    missing = {option for option in used - plain if f"`{option}" not in DOCUMENTED}
    assert missing == set()
