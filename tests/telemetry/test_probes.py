"""`/healthz` and `/readyz`, and the listener behind them."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import requests

from doubles import faults
from doubles.in_http import InHttp
from sentinelone_source.config.addresses import Address
from sentinelone_source.console.token import DETAILS
from sentinelone_source.errors import ConfigError
from sentinelone_source.http.server import MOST, Reply, Server
from sentinelone_source.telemetry.logs import configure_logs
from sentinelone_source.telemetry.serve import live, serve_pages
from sentinelone_source.telemetry.source import Heartbeat
from support.processes import logs_of
from support.scraping import Scraper, listening
from support.tenancy import NAMES, TOKEN, Tenancy
from support.waiting import until


@pytest.fixture
def served() -> Iterator[Server]:
    """A listener with two pages."""

    def broken(_: str) -> Reply:
        raise ZeroDivisionError

    pages = {"/fine": lambda accept: Reply(200, accept.encode(), "text/plain"), "/broken": broken}
    one = Server("telemetry", Address("127.0.0.1", 0), serve_pages(pages), "x")
    yield one
    one.close()


def ask(served: Server, method: str, path: str, **how: Any) -> requests.Response:
    return requests.request(method, f"http://{served.address}{path}", timeout=10, **how)


def test_ready_when_a_console_has_answered(tenancy: Tenancy) -> None:
    """A source is ready only once a console has accepted its token."""
    tenancy.console.stop()
    listening(tenancy)
    with tenancy.start() as running:
        scraper = Scraper(running)
        running.wait_for("retry")
        answer = scraper.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["consoles"] == {"acme": False}
        assert "authenticated" in answer.json()["reason"]
        assert scraper.get("/healthz").status_code == 200
        tenancy.console.faults.add(faults.unauthorized("*", times=None))
        tenancy.console.start()
        running.wait_for("refused")
        assert scraper.get("/readyz").status_code == 503
        assert scraper.get("/healthz").json() == {"status": "alive"}


def test_ready_when_somebody_takes_rows(tenancy: Tenancy) -> None:
    """A source is ready once something has listened where it hands over."""
    tenancy.populate(2)
    listening(tenancy)
    shipper = InHttp()
    shipper.start()
    shipper.stop()
    with tenancy.start("--to", shipper.url) as running:
        running.wait_for("handover_retry")
        scraper = Scraper(running)
        answer = scraper.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reason"] == f"nothing listens at {shipper.url.rstrip('/')}"
        shipper.start()
        assert scraper.get("/readyz").status_code == 200
        scraper.until("rows_total", 1)
        shipper.stop()
        assert scraper.get("/readyz").status_code == 200


def test_ready_for_a_role_without_permissions(tenancy: Tenancy) -> None:
    """A token without any permission is enough for a source to be ready."""
    tenancy.console.behaviour.forbidden = set(NAMES)
    listening(tenancy)
    with tenancy.start() as running:
        running.wait_for("feed_refused")
        answer = Scraper(running).get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "ready")


UNKNOWN = '{"errors":[{"code":4040010,"title":"Not Found"}]}'
FOREIGN = {
    "feed_not_understood": [
        faults.status(name, 404, UNKNOWN, times=None) for name in (*NAMES, DETAILS)
    ],
    "retry": [
        *(faults.login_page(name, times=None) for name in NAMES),
        faults.forbidden(DETAILS, html=True, times=None),
    ],
}


@pytest.mark.parametrize("event", FOREIGN)
def test_no_answer(tenancy: Tenancy, event: str) -> None:
    """Neither a 404 of every endpoint nor login pages with status 200 make a source ready."""
    listening(tenancy)
    tenancy.console.faults.add(*FOREIGN[event])
    with tenancy.start() as running:
        running.wait_for(event, count=5)
        assert Scraper(running).get("/readyz").status_code == 503


def test_stuck_loop() -> None:
    """An event loop that does not turn any more makes /healthz answer 503."""
    heartbeat = Heartbeat()
    assert live(heartbeat).status == 200
    heartbeat._at -= heartbeat.stuck_after + 11
    reply = live(heartbeat)
    assert reply.status == 503
    assert json.loads(reply.body)["reason"] == "the event loop has not turned for 41 s"


def test_loop_that_is_blocked() -> None:
    """While something blocks the event loop the process is not alive, and afterwards it is."""
    heartbeat = Heartbeat(every=0.01, stuck_after=0.5)

    async def blocked() -> None:
        beating = asyncio.create_task(heartbeat.run())
        until(lambda: live(heartbeat).status == 503, "a stuck loop")  # nothing else runs meanwhile
        while live(heartbeat).status != 200:
            await asyncio.sleep(0.01)
        beating.cancel()

    asyncio.run(blocked())


def test_unknown_pages_and_methods(served: Server) -> None:
    """An unknown path is a 404, and every method but GET and HEAD a 405."""
    assert ask(served, "GET", "/fine?x=1", headers={"Accept": "a/b"}).text == "a/b"
    head = ask(served, "HEAD", "/fine", headers={"Accept": "a/b"})
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "3", b"")
    assert ask(served, "GET", "/fine/").status_code == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"):
        refused = ask(served, method, "/fine")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


def test_broken_page(served: Server, capfd: pytest.CaptureFixture[str]) -> None:
    """A defect behind one page is a 500 and a line of the log; other pages are served."""
    configure_logs()
    assert ask(served, "GET", "/broken").status_code == 500
    assert ask(served, "GET", "/fine").status_code == 200
    (told,) = logs_of(capfd.readouterr().err)
    assert (told["event"], told["path"]) == ("telemetry_failed", "/broken")
    assert "ZeroDivisionError" in told["exception"]


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_nonsense(served: Server, sent: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Nonsense is neither logged nor the end of the server."""
    with socket.create_connection(served.address, timeout=10) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1000):
            pass
    assert ask(served, "GET", "/fine").status_code == 200
    assert capfd.readouterr().err == ""


def test_slow_clients_do_not_keep_others_out(
    served: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of too many connections the oldest is ended, so that a probe is answered."""
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(served.address, timeout=10))
            for _ in range(2 * MOST)
        ]
        for client in slow:
            client.sendall(b"GET /fi")
        assert ask(served, "GET", "/fine").status_code == 200
        ended = slow[0].recv(1000)
        assert ended == b""
    assert capfd.readouterr().err == ""


def test_no_connection_lasts() -> None:
    """A client that sends a byte now and then is cut off."""
    served = Server("telemetry", Address("127.0.0.1", 0), serve_pages({}), "there", patience=0.3)
    with closing(served), socket.create_connection(served.address, timeout=10) as client:
        gone = threading.Event()

        def drip() -> None:
            while not gone.wait(0.05):
                try:
                    client.sendall(b"x")
                except OSError:
                    gone.set()

        dripping = threading.Thread(target=drip)
        dripping.start()
        until(gone.is_set, "the connection has been ended")
        dripping.join()


def test_scrapes_while_stopping(tenancy: Tenancy) -> None:
    """Scrapes do not keep the process from ending, and leave no traceback."""
    tenancy.populate(5)
    listening(tenancy)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        scraper = Scraper(running)
        over = threading.Event()

        def scrape() -> None:
            while not over.is_set():
                try:
                    scraper.get("/metrics")
                except requests.RequestException:
                    over.set()

        scraping = [threading.Thread(target=scrape) for _ in range(4)]
        for thread in scraping:
            thread.start()
        assert running.stop() == 0
        over.set()
        for thread in scraping:
            thread.join()
    assert "Traceback" not in running.errors
    assert not running.events("telemetry_failed")


def test_address_in_use(tenancy: Tenancy) -> None:
    """A port that is taken is an error at the start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        tenancy.configure(f'[telemetry]\nlisten = "{address}"\n')
        running = tenancy.once(status=2)
    (failed,) = running.logs
    for words in (str(tenancy.config), "telemetry.listen", address, "in use"):
        assert words in failed["error"]
    assert tenancy.console.requests == []


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid", "a" * 70])
def test_addresses_of_others(host: str) -> None:
    """An address that is not this machine's is an error with a sentence."""
    with pytest.raises(ConfigError, match=r"^there: cannot listen on .+: \w+"):
        Server("telemetry", Address(host, 0), serve_pages({}), "there")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1", "::"])
def test_addresses(host: str) -> None:
    """Every address that can be configured is reached, also by IPv6."""
    try:
        one = Server("telemetry", Address(host, 0), lambda _: Reply(200, b""), "x")
    except ConfigError as error:
        pytest.skip(str(error))
    try:
        assert requests.get(f"http://{one.address.from_here}/", timeout=10).status_code == 200
        if host == "::":
            url = f"http://127.0.0.1:{one.address.port}/"
            assert requests.get(url, timeout=10).status_code == 200
    finally:
        one.close()


def test_nothing_listens_unless_asked(tenancy: Tenancy) -> None:
    """Without `listen` no port is open."""
    tenancy.populate(1)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        assert running.events("listening") == []
        assert listening_sockets(running.process.pid) == 0
        assert running.stop() == 0
    assert TOKEN not in running.errors


def listening_sockets(pid: int) -> int:
    """How many TCP sockets of a process listen."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    listening_state, found = "0A", 0
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            found += fields[3] == listening_state and fields[9] in inodes
    return found
