"""The page about Vector and the files it speaks of say the same."""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from sentinelone_source.config.settings import load_settings
from sentinelone_source.demo.dce.identity import DemoBehaviour
from sentinelone_source.mapping.spec.files import load_tables
from shippers.test_vector_files import SCHEMA
from shippers.vector import FOLDER, ROOT, azure_sinks, load, only_source, problems, text
from shippers.vector_vrl import holds
from support.pages import blocks

PAGE = (ROOT / "docs/how-to/vector.md").read_text()


def merged(block: str) -> dict[str, Any]:
    """`http.yaml` with a block of the page put into it, as a reader would."""
    document = copy.deepcopy(load("http"))
    anchored = block.replace("<<: *dcr\n", "<<: {}\n")
    _put(document, yaml.safe_load(anchored))
    for sink in document["sinks"].values():
        if "type" not in sink:
            sink |= {**document["sinks"]["sentinel_activities"], **sink}
    return document


def _put(into: dict[str, Any], what: dict[str, Any]) -> None:
    for key, value in what.items():
        if isinstance(value, dict) and key in into:
            _put(into[key], value)
        else:
            into[key] = value


ADDED = [block for block in blocks(PAGE, "yaml") if re.match(r"sources|transforms", block)]


@pytest.mark.parametrize("block", ADDED)
def test_what_is_added(block: str) -> None:
    """Vector accepts each block of the page."""
    assert [e.message for e in SCHEMA.iter_errors(merged(block))] == []


def test_a_table_of_your_own() -> None:
    """The page's example of a further table delivers its rows."""
    [block] = [block for block in ADDED if "transforms" in block]
    mappings = load_tables()
    new = msgspec.structs.replace(
        mappings[0],
        name="risks",
        table="SentinelOneRisks_CL",
        stream="Custom-SentinelOneRisks_CL",
    )
    assert problems(merged(block), [*mappings, new]) == []


def test_a_listener_that_wants_a_token() -> None:
    """The page's condition lets in a request with the token, and no other."""
    pytest.importorskip("pyvrl", reason="no wheel of pyVRL for this Python")
    [block] = [block for block in ADDED if "custom" in block]
    condition = only_source(merged(block))["auth"]["source"]
    condition = condition.replace("SECRET[azure.listener_token]", "0f")
    assert holds(condition, {"headers": {"authorization": "Bearer 0f"}})
    assert not holds(condition, {"headers": {"authorization": "Bearer 0e"}})
    assert not holds(condition, {"headers": {}})


def test_what_is_to_be_changed() -> None:
    """The lines of the page are in the file."""
    [block] = [block for block in blocks(PAGE, "yaml") if "endpoint:" in block]
    lines = [line.split(" #")[0].rstrip() for line in text("http.yaml").splitlines()]
    assert all(line in lines for line in block.splitlines())


def test_configuration(tmp_path: Path) -> None:
    """Each config.toml of the page can be copied."""
    whole, with_password, for_exec = blocks(PAGE, "toml")
    path = tmp_path / "config.toml"
    path.write_text(for_exec)
    assert load_settings(path, {}).handover.to == "stdout"
    path.write_text(whole)
    settings = load_settings(path, {})
    address = only_source(load("http"))["address"]
    assert settings.handover.to == f"http://{address}/"
    path.write_text(whole.partition("[handover]")[0] + with_password)
    assert load_settings(path, {}).handover.username == "sentinelone"


def test_settings_and_their_reasons() -> None:
    """Every setting that the page explains is in a file."""
    files = text("http.yaml") + text("exec.yaml")
    table = PAGE.partition("## What is in the files, and why")[2].partition("\n\n`Retry-After`")[0]
    rows = re.findall(r"^\| (.*?) \|", table, flags=re.MULTILINE)[2:]
    names = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    assert len(names) > 8
    for name in names:
        key, _, value = name.partition(": ")
        for part in key.split("."):
            assert part in files or part == "max_length", name
        assert value in files, name


def test_metrics_are_of_components_that_exist() -> None:
    """The alerts are on components that exist."""
    components = {
        name
        for way in ("http", "exec")
        for kind in ("sources", "sinks")
        for name in load(way)[kind]
    }
    patterns = re.findall(r'component_id=~?"([^"]+)"', PAGE)
    assert patterns
    assert all(any(re.fullmatch(p, name) for name in components) for p in patterns)
    for way in ("http", "exec"):
        assert all(name.startswith("sentinel_") for name in azure_sinks(load(way)))


def test_a_first_try(tmp_path: Path) -> None:
    """The commands of the page make the file that is meant."""
    [block] = [block for block in blocks(PAGE, "console") if "$ sed " in block]
    typed = block.partition("$ sed ")[2].partition("\n$ ")[0]
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run(["sh", "-c", f"data={data}; sed {typed}"], cwd=_room(tmp_path), check=True)
    document = yaml.safe_load((data / "try.yaml").read_text())
    wanted = copy.deepcopy(load("http"))
    wanted["data_dir"] = f"{tmp_path}/data"
    wanted["sinks"]["unrouted"]["path"] = f"{tmp_path}/data/unrouted.ndjson"
    for sink in azure_sinks(wanted).values():
        sink["endpoint"] = "http://127.0.0.1:8690"
        sink["dcr_immutable_id"] = DemoBehaviour().dcr_id
        sink["auth"] = {"azure_credential_kind": "managed_identity"}
    assert document == wanted


def _room(folder: Path) -> Path:
    (folder / "vector").symlink_to(FOLDER)
    return folder
