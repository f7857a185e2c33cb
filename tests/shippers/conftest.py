"""The shippers' programs; who needs one that is not there is skipped, and told how to get it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from doubles.azure import Azure
from shippers.fluentbit import binary


@pytest.fixture(scope="session")
def fluent_bit() -> str:
    """The path of a Fluent Bit."""
    program = binary()
    if program is None:
        pytest.skip("no Fluent Bit: set FLUENT_BIT to its path, or put fluent-bit on PATH")
    return program


@pytest.fixture
def azure() -> Iterator[Azure]:
    """Azure on loopback, for a Vector: without TLS."""
    with Azure(listen_tls=None, keep_times=True) as azure:
        yield azure
