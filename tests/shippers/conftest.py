"""The shippers' programs; who needs one that is not there is skipped, and told how to get it."""

from __future__ import annotations

import pytest

from shippers.fluentbit import binary


@pytest.fixture(scope="session")
def fluent_bit() -> str:
    """The path of a Fluent Bit."""
    program = binary()
    if program is None:
        pytest.skip("no Fluent Bit: set FLUENT_BIT to its path, or put fluent-bit on PATH")
    return program
