"""Connections that clients share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from doubles.console import ScriptedConsole
from doubles.world import World
from sentinelone_source.errors import Unavailable
from sentinelone_source.http.client import HttpClient
from sentinelone_source.http.connections import Connections
from support.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = (60.0, 60.0)


def ask(client: HttpClient, url: str) -> int:
    """The status of an answer."""
    with client.answer("a test", "GET", url) as answer:
        return answer.status_code


def test_certificates_that_change_are_read_again(tmp_path: Path) -> None:
    """A connection trusts what its bundle holds by then; one that is gone changes nothing."""
    first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(first.file.read_bytes())
    client = HttpClient(TIMEOUT, trust=str(bundle), proxies={})
    with ScriptedConsole(World(), set(), tls=second.server("127.0.0.1")) as console:
        with pytest.raises(Unavailable, match="TLS"):
            ask(client, console.url)
        bundle.write_bytes(second.file.read_bytes() + first.file.read_bytes())
        assert ask(client, console.url) == 404
        bundle.unlink()
        client.close()
        assert ask(client, console.url) == 404


def test_contexts_are_shared() -> None:
    """Clients of the same connections read the usual certificates once; plain http reads none."""
    connections = Connections(10, hosts=500)
    one, other = (HttpClient(TIMEOUT, connections=connections) for _ in range(2))
    secure = "https://console.example.invalid"
    assert one.get_adapter(secure) is other.get_adapter(f"{secure}/other")
    assert one.get_adapter("http://127.0.0.1") is not one.get_adapter(secure)


def test_any_concurrency() -> None:
    """However many connections are allowed, few places for idle ones are made beforehand."""
    adapter = Connections(10**8).adapter("http://127.0.0.1", True)
    pool = adapter.poolmanager.connection_from_url("http://127.0.0.1")
    assert pool.pool is not None
    assert pool.pool.qsize() <= 1024


def test_connections_to_many_hosts_are_few() -> None:
    """Fewer connections stay open than are allowed, however many consoles were asked."""
    client = HttpClient(TIMEOUT, proxies={}, connections=Connections(4, hosts=8))
    consoles = [ScriptedConsole(World(), set()) for _ in range(8)]
    for console in consoles:
        console.start()
        assert ask(client, console.url) == 404
    adapter = client.get_adapter("http://127.0.0.1")
    assert len(adapter.poolmanager.pools) == 3  # type: ignore[attr-defined]
    for console in consoles:
        console.stop()
