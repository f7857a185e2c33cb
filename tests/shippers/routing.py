"""Ways to bring the rows of five tables from `exec` to five outputs, each a whole configuration.

All are the shipped exec.yaml but for what stands between the command and the outputs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from shippers.delivery import EXEC
from shippers.fluentbit import SHIPPED
from support.tenancy import NAMES, TABLES

BURST = Path(__file__).with_name("burst.py")
ONE = "sentinelone"
"""The tag of a stream with the rows of all tables; its rows are in a file of that name."""
MATCH = f"      match: {ONE}\n"
GREP = "          - name: grep\n            regex: $_table ^{table}$\n"
TAGGED = {MATCH: "      match: sentinelone.{name}\n", GREP: ""}
"""What is changed in the outputs where each table has a tag of its own."""


def one_poller(folder: Path) -> str:
    """As shipped: every output gets every row, and keeps those of its table."""
    return _head() + _exec(ONE, folder / ONE) + _outputs()


def one_exec_a_table(folder: Path) -> str:
    """Nothing has to be told apart."""
    inputs = (_exec(f"sentinelone.{name}", folder / name) for name in NAMES)
    return _head() + "".join(inputs) + _outputs(TAGGED)


def rewrite_tag(folder: Path, emitter: str = "") -> str:
    """A filter gives each row the tag of its table, and takes it in again."""
    rules = "".join(
        f"      rule: $_table ^{table}$ sentinelone.{name} false\n"
        for name, table in TABLES.items()
    )
    filters = f"  filters:\n    - name: rewrite_tag\n      match: {ONE}\n{rules}{emitter}"
    return _head() + _exec(ONE, folder / ONE) + filters + _outputs(TAGGED)


def rewrite_tag_on_disk(folder: Path) -> str:
    """The same; what the filter takes in again goes to files."""
    return rewrite_tag(folder, "      emitter_storage.type: filesystem\n")


def rewrite_tag_without_limit(folder: Path) -> str:
    """The same; as many rows may wait there as memory holds."""
    more = "      emitter_storage.type: filesystem\n      emitter_mem_buf_limit: 1G\n"
    return rewrite_tag(folder, more)


def routes(folder: Path) -> str:
    """The input's own routes, each with a condition on the row."""
    each = "".join(
        f"          - name: {name}\n            condition:\n              op: and\n"
        f'              rules:\n                - field: "$_table"\n                  op: eq\n'
        f'                  value: "{table}"\n'
        f"            to:\n              outputs:\n                - {name}\n"
        for name, table in TABLES.items()
    )
    routed = _exec(ONE, folder / ONE, f"      routes:\n        logs:\n{each}")
    return _head() + routed + _outputs({MATCH: "", GREP: ""})


def _shipped() -> str:
    """exec.yaml; it starts the command, and tries again, sooner."""
    text = (SHIPPED / "exec.yaml").read_text()
    for old, new in EXEC.items():
        text = text.replace(old, new)
    return text


def _head() -> str:
    text = _shipped()
    return text[: text.index("    - name: exec\n")]


def _exec(tag: str, rows: Path, more: str = "") -> str:
    """The first input, with the burst instead of the poller."""
    first = _shipped().split("    - name: exec\n")[1]
    options = first[first.index("      threaded:") : first.index("\n\n")]
    command = f"exec setpriv --pdeathsig KILL {sys.executable} {BURST} {rows}"
    return f"    - name: exec\n      tag: {tag}\n      command: {command}\n{options}\n{more}"


def _outputs(changes: dict[str, str] | None = None) -> str:
    """The outputs to Azure; in each of them, some texts are others."""
    text = _shipped()
    azure = text[text.index("  outputs:\n") : text.index("    - name: file")]
    head, *blocks = azure.split("    - name: azure_logs_ingestion\n")
    for name, table in TABLES.items():
        [place] = [n for n, block in enumerate(blocks) if f"alias: {name}\n" in block]
        for old, new in (changes or {}).items():
            old_here = old.format(table=table)
            assert old_here in blocks[place], (name, old_here)
            blocks[place] = blocks[place].replace(old_here, new.format(name=name))
    return "    - name: azure_logs_ingestion\n".join((head, *blocks))
