"""`[telemetry] listen`: what can be written there."""

from __future__ import annotations

import pytest

from sentinelone_source.config.addresses import Address, read_address
from sentinelone_source.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "address", "from_here"),
    [
        ("0.0.0.0:9464", Address("0.0.0.0", 9464), "127.0.0.1:9464"),
        ("127.0.0.2:0", Address("127.0.0.2", 0), "127.0.0.2:0"),
        ("localhost:65535", Address("localhost", 65535), "localhost:65535"),
        ("[::]:1", Address("::", 1), "[::1]:1"),
        ("[fe80::1]:9464", Address("fe80::1", 9464), "[fe80::1]:9464"),
    ],
)
def test_addresses(text: str, address: Address, from_here: str) -> None:
    """An address is read as it is written; a probe asks loopback for one of all interfaces."""
    found = read_address(text, "x")
    assert found == address
    assert str(found) == text
    assert str(address.from_here) == from_here


@pytest.mark.parametrize(
    "text",
    [
        "9464",
        ":9464",
        "localhost",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "localhost:-1",
        "localhost:+80",
        "::1:9464",
        "[::1]",
        "[127.0.0.1]:80",
        "[x]:80",
        "http://localhost:9464",
        "me@localhost:9464",
        "localhost:9464/metrics",
        "local host:80",
        "localhost:٣",
        " localhost:80",
    ],
)
def test_mistakes(text: str) -> None:
    """A mistyped address is an error that says where it stands and what is right."""
    with pytest.raises(ConfigError) as raised:
        read_address(text, "config.toml: telemetry.listen")
    said = str(raised.value)
    assert said.startswith(f"config.toml: telemetry.listen: {text!r}: takes an address and a port")


def test_nothing() -> None:
    """An empty address means no telemetry."""
    assert read_address("", "x") is None
