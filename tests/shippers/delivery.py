"""A tenant, a loopback Azure, and a shipped configuration of Fluent Bit between them."""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from doubles.azure import Azure
from shippers.arrivals import arrived, check_requests, shown
from shippers.fluentbit import SHIPPED, changed
from shippers.program import ShipperProgram, free_port
from support.tenancy import Tenancy
from support.waiting import until

QUICK = {
    "grace: 25": "grace: 3",
    "scheduler.base: 5": "scheduler.base: 1",
    "scheduler.cap: 60": "scheduler.cap: 2",
}
"""Changes for tests in which something is refused: the same, with shorter waits."""
EXEC = QUICK | {"interval_sec: 5 ": "interval_sec: 1 "}
"""The same for exec.yaml, whose poller starts sooner, too."""
PATIENT = 300.0


class Delivery:
    """Azure and a Fluent Bit that delivers to it, from `start` to the end of the `with`.

    Args:
        program: the Fluent Bit.
        tenancy: its configuration is the source's.
        name: `http.yaml`, `exec.yaml` or another shipped file.
        changes: texts of that file to be replaced, if any; else it is the shipped file itself.
        instead: a whole configuration in place of that file.
        environ: more of what the file asks for.
    """

    def __init__(
        self,
        program: str,
        tenancy: Tenancy,
        name: str = "http.yaml",
        changes: Mapping[str, str] | None = None,
        instead: Path | None = None,
        **environ: str,
    ) -> None:
        self.tenancy = tenancy
        self.folder = tenancy.folder
        self.azure = Azure(keep_times=True)
        self.azure.start()
        self.port, metrics = free_port(), free_port()
        config = instead or (changed(name, self.folder, changes) if changes else SHIPPED / name)
        behaviour = self.azure.behaviour
        known = {
            "AZURE_TENANT_ID": behaviour.tenant_id,
            "AZURE_CLIENT_ID": behaviour.client_id,
            "AZURE_CLIENT_SECRET": behaviour.client_secret,
            "AZURE_AUTH_URL": self.azure.token_url,
            "DCE_URL": self.azure.endpoint,
            "DCE_CA_FILE": str(self.azure.ca_file),
            "DCR_ID": behaviour.dcr_id,
            "FLUENT_BIT_STORAGE": str(self.folder / "buffers"),
            "FLUENT_BIT_PORT": str(self.port),
            "FLUENT_BIT_HTTP_PORT": str(metrics),
            "SENTINELONE_SOURCE_PROGRAM": f"{sys.executable} -m sentinelone_source",
            "SENTINELONE_SOURCE_CONFIG": str(tenancy.config),
        }
        listens = metrics if "exec" in name else self.port
        arguments = [program, "--config", str(config)]
        self.shipper = ShipperProgram(arguments, self.folder, known | environ, listens)

    @property
    def url(self) -> str:
        """Where the source hands over."""
        return f"http://127.0.0.1:{self.port}/"

    def __enter__(self) -> Self:
        self.shipper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shipper.kill()
        self.azure.stop()

    def arrived(self) -> Counter[str]:
        """Every row that Azure has, with how often it came."""
        return arrived(self.azure)

    def number(self) -> int:
        """Of rows that have arrived, however often."""
        return sum(self.azure.received.counts().values())

    def connected(self) -> bool:
        """Whether a connection to Fluent Bit's `in_http` is established."""
        connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        wanted = f":{self.port:04X}"
        return any(far.endswith(wanted) and state == "01" for _, _, far, state, *_ in connections)

    def stored(self) -> int:
        """Bytes of rows that Fluent Bit has on disk."""
        size = 0
        for path in (self.folder / "buffers").rglob("*.flb"):
            with suppress(FileNotFoundError):  # delivered meanwhile
                size += path.stat().st_size
        return size

    def expect(self, rows: set[str] | None = None, limit: float = PATIENT) -> Counter[str]:
        """Wait until all of these rows have arrived; gives all that have."""
        wanted = shown(self.tenancy) if rows is None else rows
        looked_at = -1

        def complete() -> bool:
            nonlocal looked_at
            number = self.number()
            if number < len(wanted) or number == looked_at:
                return False  # to decode every row costs what Fluent Bit needs
            looked_at = number
            return wanted <= self.arrived().keys()

        until(complete, "every row has arrived", limit)
        return self.arrived()

    def check_requests(self) -> None:
        """Nothing that Azure would have refused, cut or dropped was sent to it; all was gzip."""
        check_requests(self.azure)
        assert {request.encoding for request in self.azure.requests} == {"gzip"}

    def pollers(self) -> list[int]:
        """The processes that Fluent Bit runs."""
        assert self.shipper.process is not None
        tasks = Path(f"/proc/{self.shipper.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]


def pause(rng: random.Random, most: float) -> None:
    """Some time, so that what comes next comes at any moment."""
    threading.Event().wait(rng.uniform(0, most))
