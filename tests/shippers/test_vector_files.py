"""Vector's configurations: complete, consistent, and the same in YAML and TOML."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml
from jsonschema import Draft202012Validator

from sentinelone_source.mapping.spec.files import load_tables
from sentinelone_source.timings import DEFAULTS
from shippers.vector import WAYS, azure_sinks, load, problems, routes, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from shippers.vector import Document

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


def misspell(document: Document) -> None:
    document["sinks"]["sentinel_threats"]["batch"]["max_byte"] = 1


def compress(document: Document) -> None:
    document["sinks"]["sentinel_threats"]["compression"] = "gzip"


def no_kind(document: Document) -> None:
    del document["sinks"]["sentinel_threats"]["auth"]["azure_credential_kind"]


def small_disk(document: Document) -> None:
    document["sinks"]["sentinel_threats"]["buffer"] = {"type": "disk", "max_size": 1000}


@pytest.mark.parametrize("spoil", [misspell, compress, no_kind, small_disk])
def test_schemas_see_mistakes(spoil: Callable[[Document], None]) -> None:
    """The schema finds each mistake that is put into a file."""
    document = copy.deepcopy(load("http"))
    spoil(document)
    assert list(SCHEMA.iter_errors(document))


def no_sink(document: Document) -> None:
    del document["sinks"]["sentinel_alerts"]


def other_stream(document: Document) -> None:
    document["sinks"]["sentinel_alerts"]["stream_name"] = "Custom-SentinelOneThreats_CL"


def other_input(document: Document) -> None:
    document["sinks"]["sentinel_alerts"]["inputs"] = ["tables.alert"]


def other_table(document: Document) -> None:
    document["transforms"]["tables"]["route"]["alerts"] = '._table == "SentinelOneAlert_CL"'


def unread(document: Document) -> None:
    del document["sinks"]["unrouted"]


def keeps_table(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["encoding"]["except_fields"].remove("_table")


def strips_a_column(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["encoding"]["except_fields"].append("Name")


def overwrites_times(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["timestamp_field"] = "TimeGenerated"


def large_batches(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["batch"]["max_bytes"] = 10_000_000


def default_retries(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["retry_strategy"]["status_codes"] = [408, 429, 500]


def poison(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["retry_strategy"]["status_codes"].append(413)


def drops_when_full(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["buffer"]["when_full"] = "drop_newest"


def short_lines(document: Document) -> None:
    document["sources"]["sentinelone"]["framing"]["newline_delimited"] = {"max_length": 1000}


def same_port(document: Document) -> None:
    document["sinks"]["metrics"]["address"] = document["api"]["address"]


def open_to_all(document: Document) -> None:
    document["api"]["address"] = "0.0.0.0:8686"


def unknown_backend(document: Document) -> None:
    document["secret"] = {"other": document["secret"]["azure"]}


def plain_secret(document: Document) -> None:
    document["sinks"]["sentinel_groups"]["auth"]["azure_client_secret"] = "s3cr3t"


MISTAKES = [
    no_sink,
    other_stream,
    other_input,
    other_table,
    unread,
    keeps_table,
    strips_a_column,
    overwrites_times,
    large_batches,
    default_retries,
    poison,
    drops_when_full,
    short_lines,
    same_port,
    open_to_all,
    unknown_backend,
    plain_secret,
]


@pytest.mark.parametrize("spoil", MISTAKES)
@pytest.mark.parametrize("way", WAYS)
def test_mistakes_are_seen(way: str, spoil: Callable[[Document], None]) -> None:
    """Our checks find each mistake that is put into a file."""
    document = copy.deepcopy(load(way, "toml"))  # where sinks share nothing
    spoil(document)
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
