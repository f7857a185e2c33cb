"""A tenant in which things happen when a test says so."""

from __future__ import annotations

from sentinelone_source.demo.endpoints import NAMES, Name
from sentinelone_source.demo.world import World

__all__ = ["NAMES", "Name", "World"]
