"""Sweeps in this process, with short waits, and the console's side of them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sentinelone_source import assembly, service
from sentinelone_source.assembly import assemble
from sentinelone_source.config import load_settings
from sentinelone_source.console import console
from sentinelone_source.telemetry.logs import configure_logs
from support.processes import logs_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.tenancy import Tenancy


@dataclass(frozen=True)
class Swept:
    """What one sweep came to."""

    status: int
    lines: list[bytes]
    logs: list[dict[str, Any]]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.logs if line["event"] == name]


@pytest.fixture
def sweep(
    tenancy: Tenancy, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Swept]:
    """One sweep of some tables, with waits of a fiftieth of a second."""
    monkeypatch.setattr(console, "FIRST_WAIT", 0.02)
    monkeypatch.setattr(console, "LONGEST_WAIT", 0.05)
    monkeypatch.setattr(assembly, "ONCE_PATIENCE", 20.0)
    monkeypatch.setattr(service, "RESTARTS", 2)

    def run(*tables: str, patience: float | None = None) -> Swept:
        if patience is not None:
            monkeypatch.setattr(assembly, "ONCE_PATIENCE", patience)
        configure_logs()
        with assemble(load_settings(tenancy.config, os.environ), tables, once=True) as one:
            status = asyncio.run(one.run())
        captured = capfd.readouterr()
        return Swept(status, captured.out.encode().splitlines(), logs_of(captured.err))

    return run
