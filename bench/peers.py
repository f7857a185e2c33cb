"""Whole processes on the same pages: our mapper, jq with the same mapping, Fluent Bit's intake."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench import jq
from bench.pages import RECORDS, TABLES, mappings, template
from bench.report import Goal, Row, compare
from bench.rounds import BenchError, child, marginal, rounds

ROUNDS = 3
MORE = 30
"""Pages of the longer run."""

_PARSERS = "[PARSER]\n    Name   json\n    Format json\n"


def run() -> list[Row]:
    """Measure what is installed."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        for name in TABLES:
            _write(here, name)
        found = {"jq": shutil.which("jq"), "Fluent Bit": _fluent_bit()}
        commands = {"ours": _ours(here)}
        if program := found["jq"]:
            commands["jq"] = _jq(here, program)
        if program := found["Fluent Bit"]:
            commands["Fluent Bit"] = _intake(here, program)
        contenders = {}
        for name in TABLES:
            for who, command in commands.items():
                _check(here, who, name, command)
                contenders[name, who] = _contender(name, command)
        measured = rounds(contenders, ROUNDS)
    rows = [Row("peers", f"{who}: not installed") for who, path in found.items() if not path]
    return _rows(measured, commands) + rows


Command = Callable[[str, int], Sequence[str | Path]]
"""From a table and a number of pages."""


def _contender(name: str, command: Command) -> Callable[[], float]:
    return lambda: marginal(lambda pages: command(name, pages), MORE)


def _rows(measured: dict[tuple[str, str], list[float]], commands: dict[str, Command]) -> list[Row]:
    goals = {"jq": None, "Fluent Bit": Goal(1.0)}
    rows: list[Row] = []
    for who in [who for who in goals if who in commands]:
        sums: list[list[float]] = []
        for side in ("ours", who):
            columns = zip(*(measured[name, side] for name in TABLES), strict=True)
            sums.append([sum(column) for column in columns])
        cheaper = who == "jq"
        rows += [
            compare(
                "peers",
                f"{name}, {RECORDS} records",
                measured[name, "ours"],
                (who, measured[name, who]),
                goals[who],
                cheaper=cheaper,
            )
            for name in TABLES
        ]
        goal = Goal(20, least=True) if cheaper else None
        what = f"five tables, {RECORDS} records each"
        rows.append(compare("peers", what, sums[0], (who, sums[1]), goal, cheaper=cheaper))
    return rows


def _write(here: Path, name: str) -> None:
    """The files that all of them read: pages, and the rows that we make of them."""
    for pages in (1, MORE):
        body = b"".join(template(name).page(n) + b"\n" for n in range(pages))
        _pages(here, name, pages).write_bytes(body)
        child(_ours(here)(name, pages), _lines(here, name, pages))


def _pages(here: Path, name: str, pages: int) -> Path:
    return here / f"{name}.{pages}.json"


def _lines(here: Path, name: str, pages: int) -> Path:
    return here / f"{name}.{pages}.ndjson"


def _ours(here: Path) -> Command:
    return lambda name, pages: (
        sys.executable,
        "-m",
        "bench.worker",
        name,
        _pages(here, name, pages),
    )


def _jq(here: Path, program: str) -> Command:
    return lambda name, pages: (
        program,
        "-c",
        jq.program(mappings()[name]),
        _pages(here, name, pages),
    )


def _fluent_bit() -> str | None:
    return os.environ.get("FLUENT_BIT") or shutil.which("fluent-bit")


def _intake(here: Path, program: str) -> Command:
    """`cat` by exec, its lines parsed as JSON and thrown away."""
    parsers = here / "parsers.conf"
    parsers.write_text(_PARSERS)
    options = ("parser=json", "oneshot=true", "exit_after_oneshot=true", "buf_size=1M")
    settings = [word for option in options for word in ("-p", option)]

    def command(name: str, pages: int) -> Sequence[str | Path]:
        source = f"command=cat {_lines(here, name, pages)}"
        start = (program, "-q", "-R", parsers, "-f", "1")
        return (*start, "-i", "exec", "-p", source, *settings, "-o", "null", "-m", "*")

    return command


def _check(here: Path, who: str, name: str, command: Command) -> None:
    """See to it that a peer does the same work on one page.

    Raises:
        BenchError: it does not.
    """
    words = list(command(name, 1))
    output = here / "check.ndjson"
    if who == "Fluent Bit":
        words[words.index("null")] = "stdout"
        words += ["-p", "format=json_lines"]
    child(words, output)
    ours, theirs = _read(_lines(here, name, 1)), _read(output)
    if who == "jq":
        secret = {column.name for column in mappings()[name].columns if column.redact}
        ours, theirs = ([_plain(row, secret) for row in rows] for rows in (ours, theirs))
    same = len(ours) == len(theirs) if who == "Fluent Bit" else ours == theirs
    if not same:
        raise BenchError(f"{who} makes other rows of {name} than we do")


def _read(path: Path) -> list[dict[str, Any]]:
    lines = (line for line in path.read_bytes().splitlines() if line.startswith(b"{"))
    return [json.loads(line, parse_int=float) for line in lines]


def _plain(row: dict[str, Any], secret: set[str]) -> dict[str, Any]:
    """A row without secrets, JSON in text taken as JSON; jq's numbers are floats."""
    return {name: _parsed(value) for name, value in row.items() if name not in secret}


def _parsed(value: Any) -> Any:
    is_json = isinstance(value, str) and value[:1] in ("[", "{")
    return json.loads(value, parse_int=float) if is_json else value
