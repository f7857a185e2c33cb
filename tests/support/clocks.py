"""How far apart things are in the model, and how far its clocks may jump."""

from __future__ import annotations

from hypothesis import strategies as st

OVERLAP = 40
LOOKBACK = 2000
START_BACK = 3000
RESCAN = 600
HEARTBEAT = 400
LIMITS = st.integers(1, 3)
LATENESS = st.one_of(
    st.just(0), st.just(OVERLAP), st.just(LOOKBACK), st.integers(0, 900), st.integers(0, 2500)
)
INDEX = st.integers(0, 50)
JUMPS = st.one_of(
    st.sampled_from([-700, -300, -OVERLAP - 1, -OVERLAP, OVERLAP + 1, 300]),
    st.integers(-OVERLAP // 4, OVERLAP // 4),
    st.integers(-3000, 3000),
)
PASSING = st.one_of(st.integers(1, 30), st.integers(1, 200), st.integers(1, 1500))
