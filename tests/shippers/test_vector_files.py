"""Vector's configurations: complete, consistent, and the same in YAML and TOML."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.timings import DEFAULTS
from shippers.vector import WAYS, azure_sinks, load, problems, routes, text
from support.changes import change

FILES = [f"{way}.{form}" for way in WAYS for form in ("yaml", "toml")]
TESTS = [f"tests-{way}.yaml" for way in WAYS]


SCHEMA = Draft202012Validator(
    json.loads(Path(__file__).with_name("vector.schema.json").read_text())
)


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_wrong(name: str) -> None:
    """No check of ours finds a mistake in a shipped file."""
    way, form = name.split(".")
    assert problems(load(way, form), load_tables(), text(name)) == []


@pytest.mark.parametrize("way", WAYS)
def test_yaml_and_toml_say_the_same(way: str) -> None:
    """The YAML and the TOML file are the same configuration."""
    assert load(way, "toml") == load(way)


@pytest.mark.parametrize("name", FILES)
def test_schemas(name: str) -> None:
    """Each shipped file is valid by Vector's schema."""
    way, form = name.split(".")
    assert [e.message for e in SCHEMA.iter_errors(load(way, form))] == []


@pytest.mark.parametrize("name", TESTS)
def test_schemas_of_tests(name: str) -> None:
    """Each file of Vector's own tests is valid by Vector's schema."""
    document = yaml.safe_load(text(name))
    assert [e.message for e in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    "mistake",
    [
        "sinks/sentinel_threats/batch/max_byte = 1",
        "sinks/sentinel_threats/compression = gzip",
        "sinks/sentinel_threats/auth/azure_credential_kind -",
        "sinks/sentinel_threats/buffer = {type: disk, max_size: 1000}",
    ],
)
def test_schemas_see_mistakes(mistake: str) -> None:
    """The schema finds each mistake that is put into a file."""
    document = copy.deepcopy(load("http"))
    change(document, mistake)
    assert list(SCHEMA.iter_errors(document))


MISTAKES = """
sinks/sentinel_alerts -
sinks/sentinel_alerts/stream_name = Custom-SentinelOneThreats_CL
sinks/sentinel_alerts/inputs = [tables.alert]
transforms/tables/route/alerts = ._table == "SentinelOneAlert_CL"
sinks/unrouted -
sinks/sentinel_groups/encoding/except_fields = [_vector_ts, source_type, host, stream, pid, command]
sinks/sentinel_groups/encoding/except_fields + Name
sinks/sentinel_groups/timestamp_field = TimeGenerated
sinks/sentinel_groups/batch/max_bytes = 10_000_000
sinks/sentinel_groups/retry_strategy/status_codes = [408, 429, 500]
sinks/sentinel_groups/retry_strategy/status_codes + 413
sinks/sentinel_groups/buffer/when_full = drop_newest
sources/sentinelone/framing/newline_delimited = {max_length: 1000}
sinks/metrics/address = 127.0.0.1:8686
api/address = 0.0.0.0:8686
secret = {other: {type: directory, path: /etc/vector/secrets}}
sinks/sentinel_groups/auth/azure_client_secret = s3cr3t
""".strip().splitlines()


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("way", WAYS)
def test_mistakes_are_seen(way: str, mistake: str) -> None:
    """Our checks find each mistake that is put into a file."""
    document = copy.deepcopy(load(way, "toml"))  # where sinks share nothing
    change(document, mistake)
    assert problems(document, load_tables())


@pytest.mark.parametrize("comment", ["# SECRET[azure.other]", "# ${HOME}"])
def test_comments_that_vector_reads(comment: str) -> None:
    """A comment that Vector would read as a secret or a variable is found."""
    source = text("http.yaml") + comment
    assert len(problems(load("http"), load_tables(), source)) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_new_mapping_needs_a_sink(way: str) -> None:
    """A new mapping without a sink is found."""
    mappings = load_tables()
    new = msgspec.structs.replace(
        mappings[0], name="risks", table="Risks_CL", stream="Custom-Risks_CL"
    )
    assert problems(load(way), [*mappings, new]) == [
        "Risks_CL: goes to no sink instead of Custom-Risks_CL"
    ]


def test_http_acknowledges_what_azure_has() -> None:
    """Over HTTP a batch is acknowledged by its sink, and buffers are in memory only."""
    document = load("http")
    assert document["sources"]["sentinelone"]["strict_path"] is False
    assert all(
        sink["acknowledgements"] == {"enabled": True}
        for name, sink in document["sinks"].items()
        if name != "metrics"
    )
    assert {sink["buffer"]["type"] for sink in azure_sinks(document).values()} == {"memory"}


def test_http_answers_while_somebody_waits() -> None:
    """Vector's last try ends before the source gives up waiting for the answer."""
    for sink in azure_sinks(load("http")).values():
        request = sink["request"]
        pauses, pause, following = 0, 1, 1
        for _ in range(request["retry_attempts"]):
            pauses += min(pause, request["retry_max_duration_secs"])
            pause, following = following, pause + following
        longest = (request["retry_attempts"] + 1) * request["timeout_secs"] + pauses
        assert longest < DEFAULTS.shipper_answer


def test_exec_keeps_rows_on_disk_and_the_log_apart() -> None:
    """With exec, buffers are on disk and lines of the log go to stderr."""
    document = load("exec")
    assert {sink["buffer"]["type"] for sink in azure_sinks(document).values()} == {"disk"}
    assert document["sources"]["sentinelone"]["include_stderr"] is True
    tables = [c for output, c in routes(document).items() if output != "tables.log"]
    assert all(condition.startswith('.stream == "stdout" && ') for condition in tables)
    assert document["sinks"]["log"]["inputs"] == ["tables.log"]
    assert document["sinks"]["log"]["target"] == "stderr"
    assert all("retry_attempts" not in s["request"] for s in azure_sinks(document).values())
