"""Many consoles in one process."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from doubles import faults
from doubles.console import ScriptedConsole
from support.tenancy import TOKEN
from support.waiting import LONG

if TYPE_CHECKING:
    from sentinelone_source.demo.http_server import Answer, Call
    from support.tenancy import Tenancy


def more(name: str, url: str) -> str:
    """One more console, with a token file of its own."""
    return f"[[consoles]]\nname = '{name}'\nurl = '{url}'\ntoken_file = '{name}.token'\n"


def test_first_sweeps_are_spread(tenancy: Tenancy) -> None:
    """The second of two consoles is swept after half an interval; with `--once`, at once."""
    tenancy.populate(2)
    (tenancy.folder / "globex.token").write_text(TOKEN)
    tenancy.configure(more("globex", tenancy.console.url), interval="1h")
    with tenancy.start() as running:
        running.wait_for("swept", count=5, console="acme")
        assert running.stop() == 0
    assert {line["console"] for line in running.events("swept")} == {"acme"}
    swept = tenancy.once().events("swept")
    assert sum(line["console"] == "globex" for line in swept) == 5


def test_one_console_delays_no_other(tenancy: Tenancy) -> None:
    """A console that hangs and one that refuses its token do not delay a third one."""
    tenancy.populate(2)
    hangs = ScriptedConsole(tenancy.world, {TOKEN}, [faults.hang("*", 600, times=None)])
    refuses = ScriptedConsole(tenancy.world, {"another"})
    with hangs, refuses:
        others = {"hangs": hangs.url, "refuses": refuses.url}
        for name in others:
            (tenancy.folder / f"{name}.token").write_text(TOKEN)
        consoles = "".join(more(name, url) for name, url in others.items())
        tenancy.configure(f"{consoles}[requests]\nconcurrency = 2\n")
        with tenancy.start() as running:
            running.wait_for("swept", count=25, console="acme")
            assert running.stop() == 0
    assert {line["console"] for line in running.events("refused")} == {"refuses"}


class Together:
    """Lets requests go on when so many are under way at once; counts the most that ever were."""

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.most = self.now = 0
        self._met = threading.Condition()

    def __enter__(self) -> None:
        with self._met:
            self.now += 1
            self.most = max(self.most, self.now)
            self._met.notify_all()
            assert self._met.wait_for(lambda: self.most >= self.enough, LONG)

    def __exit__(self, *_: object) -> None:
        with self._met:
            self.now -= 1


class Held(ScriptedConsole):
    """A console that answers when enough requests are under way."""

    together: Together

    def handle(self, call: Call) -> Answer:
        """The answer, later."""
        with self.together:
            return super().handle(call)


def test_threads_and_connections(tenancy: Tenancy) -> None:
    """Of 40 consoles, as many requests are under way as are allowed, and no more.

    Threads and connections stay below twice that number.
    """
    tenancy.populate(2)
    together = Together(16)
    with ExitStack() as stack:
        others = [stack.enter_context(Held(tenancy.world, {TOKEN})) for _ in range(40)]
        for one in others:
            one.together = together
            (tenancy.folder / f"c{one.port}.token").write_text(TOKEN)
        consoles = "".join(more(f"c{one.port}", one.url) for one in others)
        tenancy.configure(f"{consoles}[requests]\nconcurrency = 16\n")
        with tenancy.start() as running:
            running.wait_for("swept", count=5 * 41)
            process = Path(f"/proc/{running.process.pid}")
            threads = len(list((process / "task").iterdir()))
            sockets = [str(one.readlink()) for one in (process / "fd").iterdir()]
            assert running.stop() == 0
    assert together.most == 16
    assert threads < 32
    assert len([one for one in sockets if one.startswith("socket:")]) < 32
    assert not running.events("sweep_failed")
