"""Sweeps in this process, with short waits, and the console's side of them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from sentinelone_source.config.settings import load_settings
from sentinelone_source.service import build_service
from sentinelone_source.telemetry.logs import configure_logs
from sentinelone_source.timings import Timings
from support.processes import logs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.tenancy import Tenancy


SHORT = Timings(
    once_patience=20.0, console_first_retry=0.02, console_longest_retry=0.05, cursor_lost=0.0
)


@dataclass(frozen=True)
class Swept:
    """What one sweep came to."""

    status: int
    lines: list[bytes]
    logs: list[dict[str, Any]]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.logs if line["event"] == name]


@pytest.fixture
def sweep(tenancy: Tenancy, capfd: pytest.CaptureFixture[str]) -> Callable[..., Swept]:
    """One sweep of some tables, with short waits, and others where they are given."""

    def run(*tables: str, **waits: float) -> Swept:
        timings = replace(SHORT, **waits)
        configure_logs()
        settings = load_settings(tenancy.config, os.environ)
        with build_service(settings, tables, once=True, timings=timings) as one:
            status = asyncio.run(one.run())
        captured = capfd.readouterr()
        return Swept(status, captured.out.encode().splitlines(), logs_of(captured.err))

    return run
