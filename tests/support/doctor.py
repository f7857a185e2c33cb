"""Running the doctor, and what it finds."""

from __future__ import annotations

import json

import msgspec

from doubles.manager import LoopbackManager
from sentinelone_source.config.settings import load_settings
from sentinelone_source.doctor.azure_checks import run_azure_checks
from sentinelone_source.doctor.checks import Check
from sentinelone_source.doctor.run import run_checks
from sentinelone_source.mapping.spec.files import load_mappings
from support.cloud import SECRET, AzureTenancy

TOKEN = "t0k3n-of-the-console"
Found = dict[str, dict[str, str]]


def examined(cloud: AzureTenancy, *, send_test: bool = False, broken: bool = False) -> Found:
    """The doctor's checks by name; none shows a secret."""
    checks = [msgspec.to_builtins(c) for c in run_checks(cloud.config, send_test=send_test)]
    return _by_name(checks, broken)


def in_a_process(cloud: AzureTenancy, *, broken: bool = False, **environ: str) -> Found:
    """The same from `doctor --json`, whose exit status says whether a check failed."""
    running = cloud.call("doctor", "--json", status=int(broken), **environ)
    assert running.errors == ""
    return _by_name([json.loads(line) for line in running.lines], broken)


def _by_name(checks: list[dict[str, str]], broken: bool) -> Found:
    assert not any(secret in repr(checks) for secret in (TOKEN, SECRET, "eyJ"))
    assert all({"check", "status", "found"} <= check.keys() for check in checks)
    found = {check["check"]: check for check in checks}
    assert len(found) == len(checks)
    assert bool(those(found, "failed")) is broken, found
    return found


def those(found: Found, status: str) -> set[str]:
    """The checks that came out like this."""
    return {name for name, check in found.items() if check["status"] == status}


def but(found: Found, status: str = "ok") -> set[str]:
    """The checks that did not come out like this."""
    return found.keys() - those(found, status)


def deployed(cloud: AzureTenancy, manager: LoopbackManager) -> dict[str, Check]:
    """The checks of Azure."""
    settings = load_settings(cloud.config)
    mappings = list(load_mappings(*settings.mappings).values())
    found = run_azure_checks(settings, mappings, send_test=False, manager=manager.url)
    return {check.check: check for check in found}
