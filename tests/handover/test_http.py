"""Rows by HTTP: each line arrives, in its feed's order, whatever the listener does."""

from __future__ import annotations

import asyncio
import base64
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from doubles.in_http import InHttp, InHttpFault, hang, lost_answer, reset, status
from sentinelone_source.config.defaults import HandoverTable
from sentinelone_source.errors import ConfigError, ReaderGone
from sentinelone_source.handover.client import ShipperClient
from sentinelone_source.handover.http import HttpSink
from sentinelone_source.handover.sink import Receipt
from sentinelone_source.timings import Timings
from sentinelone_source.worker_threads import in_thread
from support.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any


TAKEN = Receipt([], [])
SECRET = "s3cr3t-0f-the-listener"


def lines(first: int, last: int) -> list[bytes]:
    """Numbered rows."""
    return [b'{"_table":"T_CL","n":%d}\n' % number for number in range(first, last)]


def sink_to(
    shipper: InHttp, patience: float | None = None, postpone: float = 60, **settings: str
) -> HttpSink:
    """The sink for a shipper's listener, with waits too short to matter."""
    timings = Timings(
        shipper_first_retry=0.001, shipper_longest_retry=0.01, shipper_postpone=postpone
    )
    client = ShipperClient(HandoverTable(to=shipper.url, **settings), patience)
    return HttpSink(client, patience=patience, timings=timings)


async def hand_over(
    sink: HttpSink, mapping: str, *batches: list[bytes], console: str = "acme"
) -> Receipt:
    """Take the batches of a page, and send them."""
    sending = await sink.write(console, mapping, batches)
    return await sending


def bounded(work: Coroutine[Any, Any, Any]) -> Any:
    """Run, but not for ever."""

    async def within() -> Any:
        return await asyncio.wait_for(work, 120)

    return asyncio.run(within())


def numbers(shipper: InHttp, mapping: str = "") -> list[int]:
    """What arrived, in its order."""
    return [row["n"] for row in shipper.stored(f"sentinelone.{mapping}")]


def test_what_a_batch_looks_like(shipper: InHttp) -> None:
    """Each batch is gzipped JSON, and its path is its tag."""
    sink = sink_to(shipper)
    assert bounded(hand_over(sink, "threats", lines(0, 5), lines(5, 7))) == TAKEN
    assert numbers(shipper, "threats.") == list(range(7))
    for post in shipper.posts:
        assert re.fullmatch(r"sentinelone\.threats\.\w+", post.tag)
        assert post.headers["content-type"] == "application/json"
        assert post.headers["content-encoding"] == "gzip"
    assert [post.rows for post in shipper.posts] == [5, 2]


@pytest.mark.parametrize(
    ("tag", "console", "begins"),
    [
        ("sentinelone.{mapping}", "acme", "sentinelone.my_threats_v2."),
        ("s1.{console}.{mapping}", "acme", "s1.acme.my_threats_v2."),
        ("s1.{console}", "Acme-EU.2", "s1.Acme_EU_2."),
    ],
)
def test_tags(shipper: InHttp, tag: str, console: str, begins: str) -> None:
    """A tag has the names of console and mapping, each as one word that shippers do not change."""
    sink = sink_to(shipper, tag=tag)
    bounded(hand_over(sink, "my threats.v2", lines(0, 1), console=console))
    assert re.fullmatch(re.escape(begins) + "[0-9a-f]{32}", shipper.posts[0].tag)


def test_every_attempt_has_a_tag_of_its_own(shipper: InHttp) -> None:
    """Each attempt to send a batch has a tag of its own."""
    shipper.script = [status("", 503, times=3), lost_answer("", times=2)]
    bounded(hand_over(sink_to(shipper), "threats", lines(0, 3)))
    tags = [post.tag for post in shipper.posts]
    assert len(tags) == len(set(tags)) == 6


@pytest.mark.parametrize(
    "fault",
    [
        *(status("", code, times=4) for code in (302, 400, 401, 403, 404, 413, 422, 429)),
        *(status("", code, times=4) for code in (500, 502, 503, 504)),
        reset("", times=4),
    ],
    ids=lambda fault: str(fault.status or "reset"),
)
def test_trouble_that_passes(shipper: InHttp, fault: InHttpFault) -> None:
    """After a fault that passes, every line has come once, and in order."""
    shipper.script = [InHttpFault(**vars(fault))]
    assert bounded(hand_over(sink_to(shipper), "threats", lines(0, 4), lines(4, 9))) == TAKEN
    assert numbers(shipper) == list(range(9))


def test_nobody_listens(shipper: InHttp) -> None:
    """Rows wait while nothing listens, and are sent when something does."""
    shipper.stop()

    async def work() -> None:
        sending = asyncio.ensure_future(hand_over(sink_to(shipper), "threats", lines(0, 4)))
        await asyncio.sleep(1)
        assert not sending.done()
        shipper.start()
        await sending

    bounded(work())
    assert numbers(shipper) == list(range(4))


def test_the_answer_is_lost(shipper: InHttp) -> None:
    """A batch whose answer was lost is sent again, and the rest of the page follows."""
    shipper.script = [lost_answer("")]
    bounded(hand_over(sink_to(shipper), "threats", lines(0, 3), lines(3, 5)))
    assert numbers(shipper) == [0, 1, 2, 0, 1, 2, 3, 4]


REFUSED = b'{"_table":"T_CL","n":"refused"}\n'


@pytest.mark.parametrize(
    ("bad", "postpone"),
    [([0], 60), ([3], 60), ([8], 60), ([2, 3], 60), ([0, 8], 60), ([*range(8)], 0)],
    ids=str,
)
def test_a_refused_line_is_at_fault_when_another_of_its_table_passes(
    shipper: InHttp, bad: list[int], postpone: float
) -> None:
    """Lines that are refused beside others that pass are dead letters; each other comes once."""
    shipper.refuses = b"refused"
    made = [
        REFUSED.replace(b"d", b"d%d" % n) if n in bad else line
        for n, line in enumerate(lines(0, 9))
    ]
    refused, postponed = bounded(hand_over(sink_to(shipper, postpone=postpone), "threats", made))
    assert sorted(line for line, *_ in refused) == [made[number] for number in bad]
    assert all("HTTP 400" in reason for _, reason, _ in refused)
    assert sorted(place for *_, place in refused) == bad
    assert postponed == []
    assert numbers(shipper) == [n for n in range(9) if n not in bad]


def test_the_only_line_of_a_page_is_judged_when_it_comes_again(shipper: InHttp) -> None:
    """A refused line alone on its page is postponed; once another page passes, it is dead."""
    shipper.refuses = b"refused"

    async def work() -> list[Receipt]:
        sink = sink_to(shipper, postpone=0)
        pages = [REFUSED], [REFUSED], lines(0, 1), [REFUSED]
        return [await hand_over(sink, "threats", page) for page in pages]

    first, second, other, third = bounded(work())
    assert first == second == Receipt([], [0])
    assert other == TAKEN
    assert [line for line, *_ in third.refused] == [REFUSED]


def test_one_table_is_refused_beside_others(shipper: InHttp) -> None:
    """A table that is refused with 400 for a while waits and says so; each row comes once."""
    shipper.script = [status("sentinelone.threats", 400, times=None)]

    async def work() -> None:
        sink = sink_to(shipper)
        waiting = asyncio.ensure_future(hand_over(sink, "threats", lines(0, 4)))
        with capture_logs() as logs:
            while len([post for post in shipper.posts if post.status == 400]) < 20:
                await hand_over(sink, "agents", lines(0, 1))
        assert sink.refused == {("sentinelone.threats", "threats")}
        [said] = [log for log in logs if log["event"] == "table_refused"]
        assert (said["feed"], said["table"]) == ("threats", "T_CL")
        shipper.script = []
        refused, postponed = await waiting
        again = [[lines(0, 4)[n] for n in postponed]] if postponed else []
        later = await hand_over(sink, "threats", *again)
        assert [*refused, *later.refused, *later.postponed, *sink.refused] == []

    bounded(work())
    assert sorted(numbers(shipper, "threats")) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("tag", "mapping", "is_witness"),
    [
        ("sentinelone.{mapping}", "threats", True),
        ("sentinelone.{console}.{mapping}", "threats", False),
        ("sentinelone", "threats", True),
        ("sentinelone", "agents", False),
    ],
)
def test_another_console_shows_that_the_table_is_taken(
    shipper: InHttp, tag: str, mapping: str, is_witness: bool
) -> None:
    """The only row of a page is a dead letter once another console's row of its table passes.

    Consoles with tags of their own go to places of their own: there the row waits. Rows of another
    table show nothing, and if they have the same tag.
    """
    shipper.refuses = b"refused"

    async def work() -> Receipt:
        sink = sink_to(shipper, tag=tag, postpone=60 if is_witness else 0.2)
        sending = asyncio.ensure_future(hand_over(sink, "threats", [REFUSED]))
        while not sink.refused:
            await asyncio.sleep(0)
        await hand_over(sink, mapping, lines(0, 1), console="globex")
        return await sending

    refused, postponed = bounded(work())
    assert [line for line, *_ in refused] == [REFUSED] * is_witness
    assert postponed == [0] * (not is_witness)
    assert numbers(shipper) == [0]


def test_full_disk(shipper: InHttp) -> None:
    """Batches that a full listener refuses are sent again until it takes them; none is lost."""
    shipper.room = 6

    async def work() -> None:
        sending = asyncio.ensure_future(
            hand_over(sink_to(shipper), "threats", lines(0, 4), lines(4, 8))
        )
        while len([post for post in shipper.posts if post.status == 400]) < 9:
            await asyncio.sleep(0.01)
        shipper.room = None
        assert await sending == TAKEN

    bounded(work())
    assert set(numbers(shipper)) == set(range(8))
    assert numbers(shipper)[:4] == [0, 1, 2, 3]


def test_other_feeds_go_on(shipper: InHttp) -> None:
    """A feed whose rows are not taken does not hold up another one."""
    shipper.script = [status("sentinelone.threats", 503, times=None)]

    async def work() -> None:
        sink = sink_to(shipper)
        waiting = asyncio.ensure_future(hand_over(sink, "threats", lines(0, 3)))
        await hand_over(sink, "agents", lines(0, 3))
        assert not waiting.done()
        assert list(sink.waiting) == ["threats"]
        assert sink.waited["agents"] > 0
        shipper.script = []
        await waiting
        assert not sink.waiting

    bounded(work())
    assert numbers(shipper, "threats") == numbers(shipper, "agents") == [0, 1, 2]


@pytest.mark.parametrize("says", ["nothing listens", "no answer"])
def test_patience_ends(shipper: InHttp, says: str) -> None:
    """A hand-over with patience ends with an error when nothing listens, or no answer comes."""
    if says == "nothing listens":
        shipper.stop()
    shipper.script = [hang("", times=None)]
    with pytest.raises(ReaderGone, match=says):
        bounded(hand_over(sink_to(shipper, patience=0.5), "threats", lines(0, 3)))


@pytest.mark.parametrize("kind", ["token", "basic"])
def test_a_secret_that_changes(shipper: InHttp, kind: str, tmp_path: Path) -> None:
    """After a 401 the token or password is read again from its file, and the rows are sent.

    An answer that quotes the old one does not bring it into the log.
    """
    file = tmp_path / "secret"
    file.write_text("not it\n")
    settings: dict[str, Any] = {"token_file": str(file)}
    if kind == "basic":
        settings = {"username": "acme", "password_file": str(file)}
        both = base64.b64encode(f"acme:{SECRET}".encode()).decode()
        shipper.authorization = f"Basic {both}"
    else:
        shipper.authorization = f"Bearer {SECRET}"

    async def work() -> None:
        sending = asyncio.ensure_future(
            hand_over(sink_to(shipper, **settings), "threats", lines(0, 3))
        )
        while not shipper.posts:
            await asyncio.sleep(0.01)
        until_logged = asyncio.get_running_loop().time() + LONG
        while not logs and asyncio.get_running_loop().time() < until_logged:
            await asyncio.sleep(0.01)
        file.write_text(f"{SECRET}\n")
        await sending

    with capture_logs() as logs:
        bounded(work())
    said = " ".join(log["error"] for log in logs if "error" in log)
    assert "***" in said
    assert "not it" not in said
    assert base64.b64encode(b"acme:not it").decode() not in said
    assert {post.status for post in shipper.posts} == {401, 201}
    assert numbers(shipper) == [0, 1, 2]


def test_a_secret_that_is_missing(shipper: InHttp, tmp_path: Path) -> None:
    """A token file that is missing is an error before any row is sent."""
    with pytest.raises(ConfigError, match=r"token file .*/none: cannot be read"):
        sink_to(shipper, token_file=str(tmp_path / "none"))


def test_idle_connections_are_closed() -> None:
    """A connection serves many batches, and is closed when none comes for a while."""
    closed = threading.Event()

    class CountingHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            connections[self.client_address] += 1
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def finish(self) -> None:
            super().finish()
            closed.set()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    connections: Counter[object] = Counter()
    with ThreadingHTTPServer(("127.0.0.1", 0), CountingHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        settings = HandoverTable(to=f"http://127.0.0.1:{server.server_port}/")
        client = ShipperClient(settings, None, Timings(shipper_idle=0.2))

        async def send() -> None:
            for _ in range(2):
                for _ in range(3):
                    await client.send("threats", b"{}\n")
                assert await in_thread(closed.wait, LONG)
                closed.clear()

        bounded(send())
        server.shutdown()
    assert sum(connections.values()) == 6
    assert len(connections) >= 2
