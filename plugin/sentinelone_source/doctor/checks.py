"""What a check finds."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from sentinelone_source.times import SECOND, to_iso

SOON = 14 * 86_400.0
"""Seconds before its end from which on a credential is a warning."""

Status = Literal["ok", "warning", "failed", "skipped"]


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the doctor's report.

    Attributes:
        check: what was looked at.
        status: `failed` is broken now; `warning` will be, or may be unwanted.
        found: what was seen.
        advice: what to do about it; empty where nothing is to be done.
    """

    check: str
    status: Status
    found: str
    advice: str = ""


def ok(check: str, found: str) -> Check:
    """As it should be."""
    return Check(check, "ok", found)


def failed(check: str, found: object, advice: str = "") -> Check:
    """Broken now."""
    return Check(check, "failed", str(found), advice)


def warning(check: str, found: object, advice: str = "") -> Check:
    """Not broken yet, or perhaps meant so."""
    return Check(check, "warning", str(found), advice)


def skipped(check: str, why: object, advice: str = "") -> Check:
    """Not looked at, and why."""
    return Check(check, "skipped", str(why), advice)


def expiry(check: str, at: float | None, what: str, advice: str) -> Check:
    """A check of when something ends.

    Args:
        check: its name.
        at: when it ends, unix seconds; None if nobody knows.
        what: the words before the date.
        advice: what to do when it ends soon.
    """
    if at is None:
        return ok(check, f"{what}; when it expires is not known")
    days = (at - time.time()) / 86_400
    day = to_iso(round(at * SECOND))[:10]
    if days < 0:
        return failed(check, f"{what}; expired on {day}", advice)
    found = f"{what}; expires on {day}, in {days:.0f} days"
    return warning(check, found, advice) if days * 86_400 < SOON else ok(check, found)
