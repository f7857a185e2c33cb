"""Asking the doctor, and what is found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sentinelone_source.config import load_settings
from sentinelone_source.doctor.azure_checks import run_azure_checks
from sentinelone_source.mapping.files import load_mappings
from support.manager import Manager

if TYPE_CHECKING:
    from sentinelone_source.doctor.checks import Check
    from support.cloud import Cloud

TOKEN = "t0k3n-of-the-console"
Found = dict[str, dict[str, str]]


def asked(cloud: Cloud, *arguments: str, status: int = 0, **environ: str) -> Found:
    """The checks of `doctor --json` by name; whatever they say, no secret is in it."""
    running = cloud.call("doctor", "--json", *arguments, status=status, **environ)
    assert running.errors == ""
    assert TOKEN not in running.out.decode()
    checks = [json.loads(line) for line in running.lines]
    assert all({"check", "status", "found"} <= check.keys() for check in checks)
    assert len({check["check"] for check in checks}) == len(checks)
    return {check["check"]: check for check in checks}


def but(found: Found, status: str = "ok") -> set[str]:
    """The checks that did not come out like this."""
    return {name for name, check in found.items() if check["status"] != status}


def deployed(cloud: Cloud, manager: Manager) -> dict[str, Check]:
    """The checks of Azure's side."""
    settings = load_settings(cloud.config)
    mappings = list(load_mappings().values())
    found = run_azure_checks(settings, mappings, send_test=False, manager=manager.url)
    return {check.check: check for check in found}
