"""The real program and a shipper's listener: nothing is missing, whoever is killed when."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest

from doubles.in_http import InHttp, hang, lost_answer, status
from sentinelone_source.config.settings import load_settings
from sentinelone_source.handover.batches import MAX_BATCH
from sentinelone_source.service import build_service
from sentinelone_source.timings import Timings
from support.living import living
from support.scraping import Scraper, listening
from support.tenancy import TABLES
from support.waiting import until

if TYPE_CHECKING:
    from support.tenancy import Tenancy

PAGE = 8


def arrived(shipper: InHttp) -> Counter[bytes]:
    """The lines that arrived, and how often."""
    return Counter(msgspec.json.encode(row) + b"\n" for row in shipper.stored())


def shown(tenancy: Tenancy) -> set[bytes]:
    """The lines that ought to have arrived, written as `arrived` writes them."""
    return {msgspec.json.encode(msgspec.json.decode(line)) + b"\n" for line in tenancy.shown()}


def test_all_tables(tenancy: Tenancy, shipper: InHttp) -> None:
    """Each row arrives once under the tag of its table, in batches within the limit."""
    tenancy.populate(300)
    running = tenancy.once("--to", shipper.url)
    assert not running.out
    assert arrived(shipper) == Counter(shown(tenancy))
    for tag, rows in shipper.rows.items():
        assert {row["_table"] for row in rows} == {TABLES[tag.split(".")[1]]}  # type: ignore[index]
    assert max(post.size for post in shipper.posts) <= MAX_BATCH
    assert tenancy.once("--to", shipper.url).lines == []
    assert arrived(shipper) == Counter(shown(tenancy))


@pytest.mark.parametrize(("kills", "seed"), [(3, 1), pytest.param(25, 2, marks=pytest.mark.slow)])
def test_source_is_killed(tenancy: Tenancy, shipper: InHttp, kills: int, seed: int) -> None:
    """A killed source loses no row, and repeats at most one page of each feed for each kill."""
    tenancy.populate(20)
    tenancy.configure(page_size=PAGE, settle="1h")
    rng = random.Random(seed)
    with living(tenancy.world):
        for _ in range(kills):
            with tenancy.start("--to", shipper.url) as running:
                if rng.random() < 0.7:
                    running.wait_for("started")
                threading.Event().wait(rng.uniform(0, 0.6))
                running.process.kill()
                running.wait()
            assert "Traceback" not in running.errors
    tenancy.once("--to", shipper.url)
    came = arrived(shipper)
    assert shown(tenancy) <= set(came)
    assert sum(came.values()) - len(came) <= kills * PAGE * len(TABLES)


def test_shipper_comes_and_goes(tenancy: Tenancy, shipper: InHttp) -> None:
    """Restarts of the shipper lose no row and do not end the source."""
    tenancy.populate(20)
    tenancy.configure(page_size=PAGE)
    rng = random.Random(3)
    with tenancy.start("--to", shipper.url) as running, living(tenancy.world):
        for _ in range(6):
            shipper.stop()
            threading.Event().wait(rng.uniform(0, 0.5))
            shipper.start()
            threading.Event().wait(rng.uniform(0, 0.5))
        assert running.process.poll() is None
    tenancy.once("--to", shipper.url)
    assert shown(tenancy) <= set(arrived(shipper))


def test_stopped_while_the_shipper_hangs(tenancy: Tenancy, shipper: InHttp) -> None:
    """While the shipper hangs the source can be stopped; the next run hands over the rest."""
    tenancy.populate(10)
    shipper.script = [hang("sentinelone.threats", times=None)]
    with tenancy.start("--to", shipper.url) as running:
        running.wait_for("swept", count=4)
        assert running.stop() == 0, running.errors
    assert "Traceback" not in running.errors
    shipper.script = []
    tenancy.once("--to", shipper.url)
    assert arrived(shipper) == Counter(shown(tenancy))


def test_lost_answers(tenancy: Tenancy, shipper: InHttp) -> None:
    """A page whose answer was lost is sent once more."""
    tenancy.populate(10)
    shipper.script = [lost_answer(f"sentinelone.{name}") for name in TABLES]
    tenancy.once("--to", shipper.url)
    assert arrived(shipper) == Counter(dict.fromkeys(shown(tenancy), 2))


def test_a_row_that_the_shipper_never_takes(tenancy: Tenancy, shipper: InHttp) -> None:
    """A row that is refused while others of its table pass is a dead letter, once."""
    tenancy.populate(3)
    record = tenancy.world.new_threat()
    shipper.refuses = record["id"].encode()
    running = tenancy.once("--to", shipper.url)
    [dead] = map(
        msgspec.json.decode, (tenancy.state / "dead-letters.ndjson").read_bytes().splitlines()
    )
    assert dead["table"] == dead["row"]["_table"] == TABLES["threats"]
    assert record["id"] in dead["row"].values()
    assert "HTTP 400" in dead["reason"]
    [swept] = [line for line in running.events("swept") if line["feed"] == "threats"]
    assert (swept["rows"], swept["dead"]) == (3, 1)
    assert tenancy.once("--to", shipper.url).events("stopped")[0]["rows"] == 0


def test_a_table_that_is_refused_for_a_while(tenancy: Tenancy, shipper: InHttp) -> None:
    """A table that gets 400, beside others that pass, waits and says so; each row comes once."""
    tenancy.populate(6)
    listening(tenancy)
    shipper.script = [status("sentinelone.threats", 400, times=None)]
    with tenancy.start("--to", shipper.url) as running:
        running.wait_for("table_refused", feed="threats", table=TABLES["threats"])
        running.wait_for("swept", count=4)
        metrics = Scraper(running).scrape().of("table_refused", "feed")
        assert metrics == {name: float(name == "threats") for name in TABLES}
        shipper.script = []
        running.wait_for("table_accepted", feed="threats")
        until(lambda: set(arrived(shipper)) == shown(tenancy), "all rows")
        assert Scraper(running).scrape().total("table_refused") == 0
        assert running.stop() == 0
    assert arrived(shipper) == Counter(shown(tenancy))
    assert not (tenancy.state / "dead-letters.ndjson").exists()


@pytest.mark.parametrize("poisoned", [True, False], ids=["poisonous", "for a while"])
def test_the_last_row_of_its_table_is_refused(
    tenancy: Tenancy, shipper: InHttp, *, poisoned: bool
) -> None:
    """Later rows of the table pass it, and show whether the row is at fault; none is lost.

    It is the last of its page, alone there, and nothing of its table is handed over with it.
    """
    tenancy.configure(page_size=1)
    record = tenancy.world.new_threat()
    shipper.refuses = record["id"].encode()

    async def work() -> None:
        timings = Timings(
            shipper_first_retry=0.001, shipper_longest_retry=0.01, shipper_postpone=0.02
        )
        settings = load_settings(tenancy.config, {"SENTINELONE_SOURCE_TO": shipper.url})
        with build_service(settings, ["threats"], once=False, timings=timings) as service:
            stop = asyncio.Event()
            running = asyncio.ensure_future(service.run_until(stop))
            [feed] = service.feeds
            while feed.counts.postponed < 2:
                await asyncio.sleep(0.01)
            shipper.refuses = shipper.refuses if poisoned else b""
            tenancy.world.new_threat()
            while feed.counts.rows < (1 if poisoned else 2) or feed.counts.dead < poisoned:
                await asyncio.sleep(0.01)
            stop.set()
            await running

    asyncio.run(work())
    letters = tenancy.state / "dead-letters.ndjson"
    assert letters.exists() == poisoned
    wanted = {line for line in shown(tenancy) if b"Threats" in line}
    refused = {line for line in wanted if poisoned and record["id"].encode() in line}
    assert arrived(shipper) == Counter(wanted - refused)


def test_back_pressure_is_visible(tenancy: Tenancy, shipper: InHttp) -> None:
    """A hand-over that waits is logged, and so is its end."""
    tenancy.populate(3)
    shipper.script = [status("sentinelone.groups", 503, times=None)]
    with tenancy.start("--to", shipper.url) as running:
        running.wait_for("handover_waits", feed="groups")
        shipper.script = []
        running.wait_for("handover_goes_on", feed="groups")
    until(lambda: set(arrived(shipper)) == shown(tenancy), "all rows")
