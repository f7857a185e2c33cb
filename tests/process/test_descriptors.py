"""A process that has no file descriptor left."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.processes import COMMAND, logs_of, surroundings
from support.waiting import until

if TYPE_CHECKING:
    from support.tenancy import Tenancy


def test_no_descriptor_is_left(tenancy: Tenancy) -> None:
    """Without a free file descriptor the log says so; with free ones the feeds go on."""
    tenancy.populate(3)
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        pid = running.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))
        tenancy.console.stop()  # ends the connections that are there
        tenancy.console.start()
        (tenancy.folder / "token").touch()  # is to be read again
        until(lambda: "no file descriptor is left" in running.errors, "a word about it")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        swept = len(running.events("swept"))
        running.wait_for("swept", count=swept + 5)
        assert running.stop() == 0
        assert "internal error" not in running.errors
        assert "Errno" not in running.errors


@pytest.mark.parametrize(
    ("limits", "says"),
    [((8, 8), "file descriptor"), ((20, 90), "concurrency: needs 94 file descriptors, and")],
)
def test_too_few_to_start(tenancy: Tenancy, limits: tuple[int, int], says: str) -> None:
    """A start that needs more descriptors than there can be ends with one sentence."""
    ended = subprocess.run(
        [*COMMAND, "run", "--once", "--config", str(tenancy.config)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    (failed,) = logs_of(ended.stderr)
    assert failed["event"] == "failed"
    assert says in failed["error"]


def test_a_limit_that_can_be_raised() -> None:
    """The limit of file descriptors is raised as far as the process needs."""
    program = (
        "import resource; from sentinelone_source.resources import ensure_descriptors;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 200)); ensure_descriptors(30, '');"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert shown.stdout == b"(94, 200)\n"


@pytest.mark.untraced
def test_a_broken_page_without_descriptors() -> None:
    """What reads a page with a broken record is there before it is needed."""
    program = (
        "import resource;"
        "from sentinelone_source.mapping.mapper import Mapper;"
        "from sentinelone_source.mapping.spec.files import load_mappings;"
        "from sentinelone_source.mapping.spec.model import ConsoleId;"
        "mapper = Mapper(load_mappings(None, {}, '')['groups']);"
        "body = b'{\"data\":[{\"id\":%b},{}]}' % (b'[' * 5000 + b']' * 5000);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3));"
        "print(len(mapper.open(body, ConsoleId('acme', 'https://acme.example')).records))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("2\n", "")
