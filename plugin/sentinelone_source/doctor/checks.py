"""What a check finds."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from sentinelone_source.console.token import SOON
from sentinelone_source.times import SECOND, to_iso

Status = Literal["ok", "warning", "failed", "skipped"]


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the doctor's report; `advice` says what to do, if anything.

    `failed` is broken now; `warning` will be, or may be intended.
    """

    check: str
    status: Status
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Check:
    return Check(check, "ok", found)


def failed(check: str, found: object, advice: str = "") -> Check:
    return Check(check, "failed", str(found), advice)


def warning(check: str, found: object, advice: str = "") -> Check:
    return Check(check, "warning", str(found), advice)


def skipped(check: str, why: object, advice: str = "") -> Check:
    return Check(check, "skipped", str(why), advice)


def expiry(check: str, at: float | None, what: str, advice: str) -> Check:
    """A check of an expiry: `at` is in unix seconds, None if it is unknown."""
    if at is None:
        return ok(check, f"{what}; its expiry is unknown")
    days = (at - time.time()) / 86_400
    day = to_iso(round(at * SECOND))[:10]
    if days < 0:
        return failed(check, f"{what}; expired on {day}", advice)
    found = f"{what}; expires on {day}, in {days:.0f} days"
    return warning(check, found, advice) if days * 86_400 < SOON else ok(check, found)
