"""Where a sweep begins, what it wants, and how far it says the feed is complete."""

from __future__ import annotations

from typing import Any

import pytest

from sentinelone_source.feed.progress import Plan, Progress
from sentinelone_source.feed.sweep import Sweep

NOW = 1_000_000
LOOKBACK = 2400
OVERLAP = 600
ALWAYS = -(1 << 63)


def plan(**over: Any) -> Plan:
    return Plan(**{"lookback": LOOKBACK, "overlap": OVERLAP, "present": 0, **over})


def after(signpost: int = NOW - 60, **over: Any) -> Progress:
    """The progress that a complete sweep left behind, a minute ago."""
    known = {"watermark": signpost, "origin": 0, "signpost": signpost, "swept_at": signpost}
    return Progress(**{**known, **over})


@pytest.mark.parametrize(
    ("given", "start", "origin"),
    [
        (plan(start_back=86_400), NOW - 86_400, NOW - 86_400),
        (plan(start_at=123), 123, 123),
        (plan(), None, None),
        (plan(start_back=86_400, inventory=True), None, None),
        (plan(start_at=123, inventory=True), None, None),
        (plan(start_back=100, rescan=5000), NOW - 5000, NOW - 100),
        (plan(start_back=9000, rescan=5000), NOW - 9000, NOW - 9000),
        (plan(rescan=5000), None, None),
    ],
    ids=["duration", "timestamp", "all", "inventory", "inventory-at", "rescan", "short", "both"],
)
def test_first_sweep(given: Plan, start: int | None, origin: int | None) -> None:
    """A first sweep reads and hands over as far back as `start` and `rescan` ask for."""
    sweep = Sweep(given, Progress(), NOW)
    assert sweep.accept_clock(NOW)
    assert (sweep.first, sweep.start, sweep.progress.origin) == (True, start, origin)
    assert sweep.wanted_from == (ALWAYS if origin is None else origin)


def test_start_is_measured_by_the_consoles_clock() -> None:
    """With our clock far ahead, the first sweep begins before the console's time, not ours."""
    sweep = Sweep(plan(start_back=3600), Progress(), NOW + 7200)
    assert not sweep.accept_clock(NOW)
    assert sweep.start == NOW - 3600
    assert sweep.accept_clock(NOW + 5)
    assert sweep.signpost == NOW
    assert sweep.complete().origin == NOW - 3600


def test_small_skew_needs_no_second_walk() -> None:
    """A first sweep does not begin again for a difference of three seconds between the clocks."""
    sweep = Sweep(plan(start_back=0), Progress(), NOW + 3)
    assert sweep.accept_clock(NOW)
    following = Sweep(plan(start_back=0), sweep.complete(), NOW + 63)
    assert following.start == NOW


@pytest.mark.parametrize("ours", [NOW, NOW + 90 * OVERLAP, 0])
def test_no_clock(ours: int) -> None:
    """Without the console's clock a watermark is the last position seen, whatever ours says."""
    sweep = Sweep(plan(), Progress(), ours)
    assert sweep.accept_clock(None)
    assert sweep.add_page([NOW - 20, NOW - 10]).watermark == NOW - 10
    done = sweep.complete()
    assert (done.watermark, done.signpost, done.swept_at) == (NOW - 10, None, ours)
    assert Sweep(plan(), done, ours + 60).start == NOW - 10 - OVERLAP


def test_no_clock_and_nothing_seen() -> None:
    """Without the console's clock, a feed without a record stays where it began."""
    given = plan(start_back=10)
    done = Sweep(given, Progress(), NOW).complete()
    assert (done.watermark, done.origin) == (None, NOW - 10)
    assert Sweep(given, done, NOW + 500).start == NOW - 10


def test_a_sweep_ends_beyond_its_signpost() -> None:
    """The first page that lies wholly beyond the signpost is the last, if the order is kept."""
    sweep = Sweep(plan(), after(), NOW)
    sweep.accept_clock(NOW)
    for page, nearly, beyond in (
        ([NOW - 2, NOW], False, False),
        ([], False, False),
        ([NOW, NOW + 1], True, False),
        ([NOW + 1, NOW + 2], True, True),
    ):
        sweep.add_page(page)
        assert (sweep.nearly_beyond, sweep.beyond) == (nearly, beyond)
    unordered = Sweep(plan(), after(), NOW)
    unordered.accept_clock(NOW)
    unordered.add_page([NOW, NOW - 1])
    unordered.add_page([NOW + 1, NOW + 2])
    assert not unordered.beyond


@pytest.mark.parametrize("raised", [{"lookback": 9 * LOOKBACK}, {"rescan": 50_000}])
def test_what_was_forgotten_is_noted_once(raised: dict[str, int]) -> None:
    """Rows that a raised look-back or `rescan` reads again are noted, and known from then on."""
    first = Sweep(plan(), after(), NOW)
    first.accept_clock(NOW)
    done = first.complete()
    assert done.forgotten == NOW - 60 - LOOKBACK - 2 * OVERLAP
    given = plan(**raised, rescan_interval=0)
    second = Sweep(given, done, NOW + 60)
    second.accept_clock(NOW + 60)
    assert second.start is not None
    assert second.start < done.forgotten
    assert second.wanted_from == done.forgotten
    again = second.add_page([second.start])
    assert again.forgotten == done.forgotten
    third = Sweep(given, second.complete(), NOW + 120)
    assert third.wanted_from == third.start


def test_regular_sweep_begins_an_overlap_earlier() -> None:
    """A sweep begins one overlap before the signpost of the sweep before."""
    sweep = Sweep(plan(), after(), NOW)
    assert sweep.accept_clock(NOW)
    assert (sweep.first, sweep.rescan, sweep.start) == (False, False, NOW - 60 - OVERLAP)


def test_never_before_the_origin() -> None:
    """A sweep never begins before the feed's origin."""
    sweep = Sweep(plan(start_back=10), after(origin=NOW - 100), NOW)
    assert sweep.start == NOW - 100


def test_sweep_that_did_not_end() -> None:
    """A sweep that broke off begins again at its start, a first one at its watermark."""
    broken = after(watermark=NOW - 10)
    assert Sweep(plan(), broken, NOW).start == NOW - 60 - OVERLAP
    first = Progress(watermark=NOW - 5000, origin=NOW - 9000)
    assert Sweep(plan(start_back=10), first, NOW).start == NOW - 5000 - OVERLAP


def test_late_records_are_counted() -> None:
    """A row before the last watermark counts as late, save in a first sweep or a re-scan."""
    sweep = Sweep(plan(rescan=5000, rescan_interval=900), after(rescanned_at=NOW - 60), NOW)
    assert sweep.late(NOW - 61) == "0"
    assert not sweep.late(NOW - 60)
    assert not Sweep(plan(), Progress(), NOW).late(5)
    assert not Sweep(plan(rescan=5000, rescan_interval=900), after(), NOW).late(5)


@pytest.mark.parametrize(
    ("rescanned_at", "due"),
    [(None, True), (NOW - 899, False), (NOW - 900, True), (NOW + 1, True), (NOW, False)],
)
def test_rescan_is_due(rescanned_at: int | None, due: bool) -> None:
    """A re-scan is due after each `rescan_interval`, and if the last one is in the future."""
    given = plan(rescan=5000, rescan_interval=900)
    sweep = Sweep(given, after(rescanned_at=rescanned_at), NOW)
    assert sweep.rescan is due
    assert sweep.start == (NOW - 5000 if due else NOW - 60 - OVERLAP)
    assert sweep.complete().rescanned_at == (NOW if due else rescanned_at)


def test_rescan_by_the_consoles_clock() -> None:
    """With our clock far ahead, a re-scan begins `rescan` before the console's time."""
    sweep = Sweep(plan(rescan=5000, rescan_interval=900), after(swept_at=NOW + 8940), NOW + 9000)
    assert not sweep.accept_clock(NOW)
    assert sweep.start == NOW - 5000


def test_rescan_notes_then_wants() -> None:
    """The first sweep hands over rows from `start` on; a later re-scan all that it reads anew."""
    given = plan(start_back=100, rescan=5000, rescan_interval=900)
    first = Sweep(given, Progress(), NOW)
    assert first.accept_clock(NOW)
    assert first.wanted_from == NOW - 100
    second = Sweep(given, first.complete(), NOW + 900)
    assert second.rescan
    assert second.wanted_from == second.start == NOW + 900 - 5000


def test_watermark_follows_the_pages() -> None:
    """The watermark follows the pages up to the console's time, and never goes back."""
    sweep = Sweep(plan(), after(), NOW)
    sweep.accept_clock(NOW)
    assert sweep.add_page([NOW - 500, NOW - 400]).watermark == NOW - 60
    assert sweep.add_page([]).watermark == NOW - 60
    assert sweep.add_page([NOW - 400, NOW - 7]).watermark == NOW - 7
    assert sweep.add_page([NOW + 3]).watermark == NOW
    assert sweep.progress.signpost == NOW - 60
    done = sweep.complete()
    assert (done.watermark, done.signpost, done.swept_at) == (NOW, NOW, NOW)


@pytest.mark.parametrize("pages", [[[30, 10], [40]], [[30], [10], [40]]])
def test_unordered_pages_hold_the_watermark(pages: list[list[int]]) -> None:
    """Once pages come out of order, the watermark stays until the sweep ends."""
    sweep = Sweep(plan(), Progress(), NOW)
    sweep.accept_clock(NOW)
    for page in pages:
        reached = sweep.add_page(page).watermark
    assert not sweep.ordered
    assert reached is None or reached == 30
    assert sweep.complete().watermark == NOW


@pytest.mark.parametrize("back", [OVERLAP + 1, 5000])
def test_clock_went_back(back: int) -> None:
    """After the console's clock was set back, the sweep begins again, earlier by as much."""
    sweep = Sweep(plan(), after(), NOW)
    assert not sweep.accept_clock(NOW - back)
    assert sweep.start == NOW - back - 60 - OVERLAP
    assert sweep.accept_clock(NOW)
    done = sweep.complete()
    assert (done.watermark, done.signpost) == (NOW - 60, NOW - back)
    following = Sweep(plan(), done, NOW + 60)
    assert following.accept_clock(NOW - back + 60)
    assert following.start == NOW - back - OVERLAP


def test_clock_went_back_a_little() -> None:
    """A sweep does not begin again when the console's clock goes back by one overlap."""
    sweep = Sweep(plan(), after(), NOW)
    assert sweep.accept_clock(NOW - OVERLAP)
    assert sweep.start == NOW - 60 - OVERLAP


def test_our_clock_leapt_forward() -> None:
    """Our clock, set right, lets at most a day be read again, and none in the same process."""
    day = 86_400 * 1_000_000
    since_1970 = after(signpost=60 * day, swept_at=0, forgotten=60 * day - 5 * OVERLAP)
    sweep = Sweep(plan(), since_1970, 60 * day)
    assert not sweep.accept_clock(60 * day)
    assert sweep.start == 59 * day - OVERLAP
    assert sweep.wanted_from == 60 * day - 5 * OVERLAP
    measured = Sweep(plan(), since_1970, 60 * day, passed=60)
    assert measured.accept_clock(60 * day)


def test_keys_are_kept_for_as_long_as_they_are_read() -> None:
    """Keys are kept for as long as a re-scan may read their records, and no longer."""
    given = plan(rescan=5000, rescan_interval=900)
    sweep = Sweep(given, after(), NOW)
    sweep.accept_clock(NOW)
    sweep.add_page([NOW - 3])
    kept = NOW - 60 - 5900 - 2 * OVERLAP
    assert sweep.prune_before() == kept
    sweep.complete()
    assert sweep.prune_before() == kept
    assert Sweep(given, sweep.progress, NOW + 60).prune_before() == kept + 60
