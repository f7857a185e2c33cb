"""What it costs to look keys up where records share a position, or come in no order."""

from __future__ import annotations

from contextlib import ExitStack

from bench.pages import ORDERS, RECORDS
from bench.poller import Bench, console
from bench.report import Goal, Row, compare
from bench.rounds import BenchError, rounds

ROUNDS = 5
PAGES = 40
TABLES = ("groups", "activities")
"""The fewest bytes a record, so that what keys cost shows most, and a table without versions."""


def run() -> list[Row]:
    """Measure the CPU of first sweeps by the order of their records."""
    with ExitStack() as stack:
        consoles = {order: stack.enter_context(console(PAGES, order=order)) for order in ORDERS}
        contenders = {
            (table, order): lambda table=table, bench=bench: _cpu(bench, table)
            for table in TABLES
            for order, bench in consoles.items()
        }
        found = rounds(contenders, ROUNDS)
    return [
        compare(
            "keys",
            f"{PAGES * RECORDS:,} {table} {order}, CPU",
            samples,
            ("in order", found[table, "in order"]),
            Goal(1.5),
        )
        for (table, order), samples in found.items()
        if order != "in order"
    ]


def _cpu(bench: Bench, table: str) -> float:
    polled = bench.run([table])
    if polled.rows != PAGES * RECORDS:
        raise BenchError(f"{polled.rows} rows of {PAGES * RECORDS}")
    return polled.used.cpu
