"""How far apart things are in the model, and how far its clocks may jump."""

from __future__ import annotations

from hypothesis import strategies as st

LOOKBACK = 100
START_BACK = 1000
RESCAN = 600
LIMITS = st.integers(1, 3)
LATENESS = st.one_of(st.just(0), st.just(LOOKBACK), st.integers(0, 1500))
INDEX = st.integers(0, 50)
JUMPS = st.one_of(
    st.sampled_from([-700, -300, -LOOKBACK - 1, -LOOKBACK, LOOKBACK + 1, 300]),
    st.integers(-LOOKBACK // 4, LOOKBACK // 4),
    st.integers(-3000, 3000),
)
PASSING = st.one_of(st.integers(1, 30), st.integers(1, 200), st.integers(1, 1500))
