"""The token: read from its file again whenever that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sentinelone_source.config import Console
from sentinelone_source.console.token import Token
from sentinelone_source.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A token file."""
    (tmp_path / "token").write_text("first\n")
    return tmp_path / "token"


def of(file: Path) -> Token:
    return Token(Console("acme", "https://a.example", token_file=str(file)))


def test_file(file: Path) -> None:
    """A line end in the file is sent in the header."""
    assert of(file).value() == "first"


def test_replaced(file: Path) -> None:
    """A new token is not used until a restart."""
    token = of(file)
    assert token.changed()
    token.value()
    assert not token.changed()
    other = file.with_name("other")
    other.write_text("other")
    other.rename(file)
    assert token.changed()
    assert token.value() == "other"


def test_linked(file: Path) -> None:
    """Kubernetes replaces a secret by a link, and nobody notices."""
    link = file.with_name("link")
    link.symlink_to(file)
    token = of(link)
    token.value()
    other = file.with_name("other")
    other.write_text("other")
    link.unlink()
    link.symlink_to(other)
    assert token.changed()
    assert token.value() == "other"


def test_gone_and_back(file: Path) -> None:
    """A file that is missing for a moment is asked for without a pause, or never again."""
    token = of(file)
    token.value()
    file.unlink()
    for _ in range(2):
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            token.value()
        assert not token.changed()
    file.write_text("back")
    assert token.changed()
    assert token.value() == "back"


@pytest.mark.parametrize("text", ["", "\n", "two words", "two\nlines", "\u00e9", "\x00"])
def test_no_token(file: Path, text: str) -> None:
    """Whatever is in the file is sent, or shown in a message."""
    file.write_text(text)
    token = of(file)
    with pytest.raises(ConfigError) as caught:
        token.value()
    assert str(file) in str(caught.value)
    assert not text.strip() or text not in str(caught.value)
    assert str(token) == repr(token) == f"token file {file}"


def test_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment is not found, or shown."""
    token = Token(Console("acme", "https://a.example", token_env="S1_TOKEN"))
    monkeypatch.setenv("S1_TOKEN", " secret\n")
    assert token.value() == "secret"
    assert not token.changed()
    assert "secret" not in f"{token} {token!r}"
    monkeypatch.delenv("S1_TOKEN")
    with pytest.raises(ConfigError, match="variable S1_TOKEN: is empty"):
        token.value()
