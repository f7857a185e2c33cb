"""What the loopback Azure does wrong, to which requests.

faults = [refuse("token", 503, times=2), hang("Custom-SentinelOneAgents_CL", 30)]
"""

from __future__ import annotations

from sentinelone_source.demo.dce.faults import hang, lose_answer, refuse, reset, throttle
from sentinelone_source.demo.faults import Fault

__all__ = ["Fault", "hang", "lose_answer", "refuse", "reset", "throttle"]
