"""Vector's configurations as Vector reads them, and what must hold in each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import tomli
import yaml

from sentinelone_source.mapping.spec.model import TableSpec
from shippers.arrivals import AZURE_LIMIT

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "vector"
WAYS = ("http", "exec")
Way = Literal["http", "exec", "two-workspaces"]
Document = dict[str, Any]

ESCAPES = 2
"""How much longer than in Vector's memory a row is as JSON, if all its text must be escaped."""
METADATA = {
    "http_server": {"source_type", "timestamp", "path"},
    "exec": {"source_type", "timestamp", "host", "stream", "pid", "command"},
}
"""What a source adds to every event, where the event has no such field."""
_SECRET = re.compile(r"SECRET\[([\w-]+)\.([\w./-]+)\]")
_TABLE = re.compile(r'\._table == "(\w+)"')


def text(name: str) -> str:
    """One of the files."""
    return (FOLDER / name).read_text()


def load(way: str, form: str = "yaml") -> Document:
    """A configuration, its anchors merged."""
    read = yaml.safe_load if form == "yaml" else tomli.loads
    document: Document = read(text(f"{way}.{form}"))
    return document


def azure_sinks(document: Document) -> dict[str, Document]:
    """The sinks that write to Azure, by name."""
    sinks = document["sinks"].items()
    return {name: sink for name, sink in sinks if sink["type"] == "azure_logs_ingestion"}


def only_source(document: Document) -> Document:
    """Where rows come in."""
    [source] = [s for s in document["sources"].values() if s["type"] in METADATA]
    return dict(source)


def routes(document: Document) -> dict[str, str]:
    """Conditions, by what follows them: `tables.threats`."""
    return {
        f"{name}.{route}": condition
        for name, transform in document["transforms"].items()
        if transform["type"] == "route"
        for route, condition in transform["route"].items()
    }


def problems(document: Document, mappings: Iterable[TableSpec], source: str = "") -> list[str]:
    """Everything that is wrong, in sentences.

    Args:
        document: a configuration.
        mappings: whose rows it has to deliver.
        source: the text of its file, comments included.
    """
    mappings = list(mappings)
    return [
        *_wiring(document),
        *_tables(document, mappings),
        *_columns(document, mappings),
        *_sizes(document),
        *_listeners(document),
        *_secrets(document, source),
    ]


def _wiring(document: Document) -> Iterator[str]:
    outputs = set(document["sources"])
    for name, transform in document["transforms"].items():
        branches = [*transform["route"], "_unmatched"] if transform["type"] == "route" else [""]
        outputs |= {f"{name}.{branch}".rstrip(".") for branch in branches}
    taken = set()
    for kind in ("transforms", "sinks"):
        for name, component in document[kind].items():
            taken |= set(component["inputs"])
            for missing in set(component["inputs"]) - outputs:
                yield f"{kind}.{name}: no {missing} to read from"
    for lost in outputs - taken:
        yield f"{lost}: nobody reads it"


def _tables(document: Document, mappings: list[TableSpec]) -> Iterator[str]:
    written: dict[str, list[str]] = {}
    for name, sink in azure_sinks(document).items():
        for route in sink["inputs"]:
            for table in _TABLE.findall(routes(document).get(route, "")):
                written.setdefault(table, []).append(sink["stream_name"])
                if name != f"sentinel_{route.rpartition('.')[2]}":
                    yield f"{name}: reads the route {route}"
    for mapping in mappings:
        streams = written.pop(mapping.table, [])
        if streams != [mapping.stream]:
            yield f"{mapping.table}: goes to {streams or 'no sink'} instead of {mapping.stream}"
    for table in written:
        yield f"{table}: no mapping makes its rows"


def _columns(document: Document, mappings: list[TableSpec]) -> Iterator[str]:
    columns = {column.name for mapping in mappings for column in mapping.columns}
    added = METADATA[only_source(document)["type"]] | {"_table"}
    if only_source(document).get("path_key") == "":
        added -= {"path"}
    for name, sink in azure_sinks(document).items():
        stripped = set(sink["encoding"]["except_fields"])
        field = sink["timestamp_field"]  # overwritten by the sink, whatever a row has there
        for left in (added | {field}) - stripped - {"timestamp"}:
            yield f"{name}: {left} reaches the table"
        for gone in columns & (stripped | added | {field}):
            yield f"{name}: the column {gone} does not reach the table"


def _sizes(document: Document) -> Iterator[str]:
    for name, sink in azure_sinks(document).items():
        if sink["batch"]["max_bytes"] * ESCAPES > AZURE_LIMIT:
            yield f"{name}: a request may be longer than Azure takes"
        tried = set(sink["retry_strategy"]["status_codes"])
        if tried & {400, 413} or not tried >= {401, 403, 404, 408, 429, 500, 502, 503, 504}:
            yield f"{name}: the wrong failures are tried again"
        if sink["buffer"]["when_full"] != "block":
            yield f"{name}: a full buffer drops rows"
    framing = only_source(document)["framing"]
    if framing != {"method": "newline_delimited"}:
        yield f"the source's framing is {framing}"


def _listeners(document: Document) -> Iterator[str]:
    components = [*document["sources"].values(), *document["sinks"].values(), document["api"]]
    addresses = [part["address"] for part in components if "address" in part]
    if len(set(addresses)) != len(addresses):
        yield "two of it listen at one address"
    for address in addresses:
        if not address.startswith("127.0.0.1:"):
            yield f"{address} can be reached from elsewhere"


def _secrets(document: Document, source: str) -> Iterator[str]:
    used = set(_SECRET.findall(yaml.safe_dump(document)))
    for backend, key in used:
        if backend not in document["secret"]:
            yield f"SECRET[{backend}.{key}]: no such backend"
    for backend, key in set(_SECRET.findall(source)) - used:
        yield f"{backend}.{key}: Vector looks for secrets in comments too"
    if "$" in source:
        yield "an environment variable, which Vector does not put in by itself"
    for name, sink in azure_sinks(document).items():
        if "azure_client_secret" in (auth := sink["auth"]):
            secret = auth["azure_client_secret"]
            if not _SECRET.fullmatch(secret):
                yield f"{name}: a secret in the file"
