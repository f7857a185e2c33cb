"""Azure on loopback."""

from __future__ import annotations

from sentinelone_source.demo.dce.server import Azure

__all__ = ["Azure"]
