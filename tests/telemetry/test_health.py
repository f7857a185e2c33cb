"""`health`, as a probe or a scheduler runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from doubles import faults
from sentinelone_source.cli.health import judge
from sentinelone_source.feed.state.files import StateSnapshot
from support.processes import Running
from support.scraping import Scraper, listening
from support.tenancy import NAMES, TOKEN, Tenancy
from support.waiting import until

NOW = 1_000_000.0


def health(tenancy: Tenancy, *arguments: object, status: int = 0) -> str:
    """The one line that the command says."""
    with Running("health", "--config", tenancy.config, *arguments, folder=tenancy.folder) as asked:
        assert asked.wait() == status, (asked.out, asked.errors)
    text = bytes(asked.out).decode() + asked.errors
    assert "Traceback" not in text
    assert TOKEN not in text
    (line,) = text.splitlines()
    assert line.startswith({0: "healthy: ", 1: "not healthy: ", 2: "{"}[status])
    return line


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert isinstance(port, int)
        return port


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_asks_the_process(tenancy: Tenancy, host: str) -> None:
    """With a listener `health` asks the process: 0 while it runs, 1 before and after."""
    tenancy.configure(f'[telemetry]\nlisten = "{host}:{free_port()}"\n')
    assert "no answer" in health(tenancy, status=1)
    with tenancy.start() as running:
        running.wait_for("listening")
        assert "answers 200" in health(tenancy)
        tenancy.console.stop()
        running.wait_for("retry")
        assert "alive" in health(tenancy)
    assert "no answer" in health(tenancy, status=1)


def test_process_that_hangs(tenancy: Tenancy) -> None:
    """A process that hangs is unhealthy; one that goes on is healthy while --max-age lasts."""
    tenancy.configure(f'[telemetry]\nlisten = "127.0.0.1:{free_port()}"\n')
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        os.kill(running.process.pid, signal.SIGSTOP)
        assert "timed out" in health(tenancy, status=1)
        os.kill(running.process.pid, signal.SIGCONT)
        assert "answers 200" in health(tenancy)
        health(tenancy, "--max-age", "1h")
        assert "0 s are allowed" in health(tenancy, "--max-age", "0s", status=1)


def test_addresses_of_others(tenancy: Tenancy) -> None:
    """Neither another server on the port nor a host that cannot be is a healthy source."""
    other = tenancy.console.url.removeprefix("http://")
    for address, said in ((other, "answers 404"), (f"{'a' * 70}:9464", "no answer")):
        tenancy.configure(f'[telemetry]\nlisten = "{address}"\n')
        assert said in health(tenancy, status=1)


def test_looks_at_the_state(tenancy: Tenancy) -> None:
    """Without a known port `health` reads the state, also while it is locked, and makes none."""
    tenancy.populate(2)
    assert "no state yet" in health(tenancy, status=1)
    assert not tenancy.state.exists()
    tenancy.once()
    before = sorted(path.name for path in tenancy.state.iterdir())
    stamp = (tenancy.state / "lock").stat().st_mtime_ns
    assert "5 feeds" in health(tenancy)
    assert (tenancy.state / "lock").stat().st_mtime_ns == stamp
    until(lambda: {path.name for path in tenancy.state.iterdir()} >= set(before), "its files")
    assert "ago; 0 s are allowed" in health(tenancy, "--max-age", "0s", status=1)
    with tenancy.start() as running:
        running.wait_for("swept", count=10)
        health(tenancy, "--max-age", "1m")  # while the lock is held
        assert running.stop() == 0
    listening(tenancy)  # on port 0
    assert "5 feeds" in health(tenancy)


def test_first_sweep(tenancy: Tenancy) -> None:
    """A process within its first sweep is healthy while --max-age lasts; its counters rise."""
    tenancy.populate(20)
    listening(tenancy, page_size=5)
    tenancy.console.faults.add(faults.bad_gateway("threats", times=None, after=2))
    with tenancy.start("--table", "threats") as running:
        seen = Scraper(running).until("rows_total", 10)
        assert seen.total("pages_total") == 2
        assert seen.total("last_success_timestamp_seconds") == 0
        assert running.events("swept") == []
        assert "1 feed" in health(tenancy)
        assert "first sweep" in health(tenancy, "--max-age", "0s", status=1)


def test_only_what_is_polled(tenancy: Tenancy) -> None:
    """Only feeds of the configuration that are enabled count."""
    tenancy.populate(1)
    tenancy.once()
    with tenancy.config.open("a") as config:
        off = [name for name in NAMES if name not in ("alerts", "threats")]
        config.write("".join(f"[feeds.{name}]\nenabled = false\n" for name in off))
        config.write("[feeds.alertsv2]\ninterval = '24h'\n")  # off until it is turned on
    assert "2 feeds, each swept or begun within 900 s" in health(tenancy)
    text = tenancy.config.read_text()
    for one, other in (('"acme"', '"another"'), ("[feeds]\n", "[feeds]\nenabled = false\n")):
        tenancy.config.write_text(text.replace(one, other))
        assert "no feed of this configuration" in health(tenancy, status=1)


def test_feed_that_is_refused(tenancy: Tenancy) -> None:
    """A feed that was never swept counts as begun, and is named once --max-age is over."""
    tenancy.populate(1)
    tenancy.console.behaviour.forbidden = {"alerts"}
    tenancy.once()
    off = "".join(f"[feeds.{name}]\nenabled = false\n" for name in NAMES if name != "alerts")
    tenancy.configure(off)
    assert "1 feed" in health(tenancy)
    said = health(tenancy, "--max-age", "0s", status=1)
    assert "acme/alerts: last settled anything in its first sweep" in said


def test_damaged_state(tenancy: Tenancy) -> None:
    """A state that cannot be read is unhealthy, and the reason says so."""
    tenancy.state.mkdir()
    (tenancy.state / "state.sqlite").write_bytes(b"this is no database, and long enough" * 100)
    assert "damaged" in health(tenancy, status=1)
    (tenancy.state / "state.sqlite").write_bytes(b"")
    health(tenancy, status=1)


@pytest.mark.parametrize(
    ("more", "arguments", "says"),
    [
        ('[telemetry]\nlisten = "nowhere"\n', [], "telemetry.listen"),
        ("", ["--max-age", "soon"], "--max-age"),
        ("[feeds.threats]\ninterval = 'x'\n", [], "interval"),
    ],
)
def test_mistakes(tenancy: Tenancy, more: str, arguments: list[str], says: str) -> None:
    """A mistake in configuration or arguments has status 2, unlike an unhealthy source."""
    tenancy.configure(more)
    assert says in health(tenancy, *arguments, status=2)


@pytest.mark.parametrize(
    ("swept", "written", "started", "healthy"),
    [
        (NOW - 50, NOW, NOW - 5000, True),
        (NOW - 500, NOW, NOW - 5000, False),
        (NOW - 500, NOW, NOW - 50, True),
        (NOW - 500, NOW, 0.0, False),
        (NOW + 500, NOW, 0.0, True),
        (None, NOW - 50, NOW - 5000, True),
        (None, NOW - 500, NOW - 5000, False),
        (None, NOW - 500, NOW - 50, True),
    ],
)
def test_what_a_state_means(
    swept: float | None, written: float, started: float, healthy: bool
) -> None:
    """A feed is unhealthy when its last sweep (or else the state) and the start are too old."""
    seen = StateSnapshot({("a", "new"): NOW, ("a", "b"): swept}, written, started)
    verdict = judge(seen, 100.0, NOW)
    assert verdict.healthy is healthy
    assert healthy or "a/b" in verdict.reason


def test_longest_interval_counts(tenancy: Tenancy) -> None:
    """The age that is allowed follows the longest interval of the enabled feeds."""
    tenancy.once()
    tenancy.configure("[feeds.agents]\ninterval = '12h'\n")
    assert "129600 s" in health(tenancy)
    tenancy.configure("[feeds.agents]\ninterval = '12h'\nenabled = false\n")
    assert "within 900 s" in health(tenancy)


def test_imports_little() -> None:
    """`health` imports none of the heavy libraries of the poller."""
    program = (
        "import sys; from sentinelone_source.cli.health import command;"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"requests", "urllib3", "prometheus_client", "structlog", "asyncio", "ssl"}
    assert not heavy & set(shown)
