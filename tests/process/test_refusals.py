"""Starts that cannot be: an exit status, and one sentence that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.tenancy import TOKEN

if TYPE_CHECKING:
    from support.processes import Running
    from support.tenancy import Tenancy

OTHER = "[[consoles]]\nname='b'\nurl='https://a.example'\ntoken_file='token'\n"


def refused(tenancy: Tenancy, status: int, *arguments: str) -> str:
    """The one sentence that a start ends with."""
    running: Running = tenancy.once(*arguments, status=status)
    assert running.out == b""
    (failed,) = running.logs
    assert failed["level"] == "error"
    assert failed["exit_status"] == status
    assert "Traceback" not in running.errors
    assert TOKEN not in running.errors
    return str(failed["error"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[feeds.threads]\n", ["feeds.threads", "did you mean 'threats'"]),
        (
            "[[consoles]]\nname='b'\nurl='http://a.example'\ntoken_file='token'\n",
            ["consoles.b: url", "plain http"],
        ),
        (
            "[[consoles]]\nname='b'\nurl='https://a.example'\ntoken_file='none'\n",
            ["token file", "none", "No such file"],
        ),
        (
            "[[consoles]]\nname='b'\nurl='https://a.example'\ntokenfile='token'\n",
            ["consoles", "tokenfile", "did you mean 'token_file'"],
        ),
        (
            f"{OTHER}proxy='socks5://127.0.0.1:1080'\n",
            ["consoles.b: proxy", "http:// or https:// URL"],
        ),
        (
            f"{OTHER}ca_file='config.toml'\n",
            ["consoles.b: ca_file", "holds no certificate in PEM form"],
        ),
        (f"{OTHER}ca_file='none.pem'\n", ["consoles.b: ca_file", "none.pem: no such file"]),
        ("[feeds]\n", ["is not valid TOML"]),
    ],
)
def test_configuration(tenancy: Tenancy, more: str, says: list[str]) -> None:
    """A mistake in the configuration ends with status 2 and a sentence that names its place."""
    tenancy.configure(more)
    sentence = refused(tenancy, 2)
    for words in [str(tenancy.config), *says]:
        assert words in sentence


def test_arguments(tenancy: Tenancy) -> None:
    """A mistake on the command line ends with status 2 and a sentence about it."""
    assert "did you mean 'threats'" in refused(tenancy, 2, "--table", "threat")
    assert "--to" in refused(tenancy, 2, "--to", "nowhere")
    assert "loopback" in refused(tenancy, 2, "--to", "http://a.example/")
    assert "no such configuration file" in refused(tenancy, 2, "--config", "nowhere.toml")


def test_out_of_reach(tenancy: Tenancy) -> None:
    """A path that the system refuses to look up ends with status 2 and says why."""
    path, why = "x" * 300, "File name too long"  # the refusal that root gets too
    assert f"{path}: cannot be read: {why}" in refused(tenancy, 2, "--config", path)
    tenancy.configure(f"{OTHER}ca_file='{path}'\n")
    assert f"/{path}: {why}" in refused(tenancy, 2)


def test_nothing_to_do(tenancy: Tenancy) -> None:
    """A start without a console or without a feed ends with status 2 and says so."""
    text = tenancy.config.read_text()
    tenancy.config.write_text(text.replace("[feeds]", "[feeds]\nenabled = false"))
    assert "every feed is switched off" in refused(tenancy, 2)
    tenancy.config.write_text("")
    assert "add [[consoles]]" in refused(tenancy, 2)


def test_broken_state(tenancy: Tenancy) -> None:
    """A damaged state ends the start with status 1, and the error says what to do."""
    tenancy.state.mkdir()
    (tenancy.state / "state.sqlite").write_bytes(b"what is this?\n" * 1000)
    sentence = refused(tenancy, 1)
    assert str(tenancy.state) in sentence
    assert "is damaged" in sentence
    assert "restore" in sentence


def test_second_instance(tenancy: Tenancy) -> None:
    """A second poller on one state ends with status 4 and names the first one."""
    with tenancy.start() as running:
        running.wait_for("swept", count=5)
        sentence = refused(tenancy, 4)
        assert f"pid {running.process.pid}" in sentence
        assert str(tenancy.state) in sentence
        assert running.stop() == 0
    tenancy.once()
