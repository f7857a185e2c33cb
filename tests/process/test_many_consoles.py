"""Many consoles in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doubles import faults
from doubles.console import Console
from support.tenancy import TOKEN

if TYPE_CHECKING:
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
    """Beside a console that hangs and one that refuses its token, the third is swept on and on."""
    tenancy.populate(2)
    hangs = Console(tenancy.world, {TOKEN}, [faults.hang("*", 600, times=None)])
    refuses = Console(tenancy.world, {"another"})
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
