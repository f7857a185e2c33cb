"""The token: read from its file again whenever that changes."""

from __future__ import annotations

import codecs
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from sentinelone_source.config.defaults import ConsoleTable
from sentinelone_source.console.token import ApiToken
from sentinelone_source.errors import ConfigError
from sentinelone_source.secret_file import SecretFile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A token file."""
    (tmp_path / "token").write_text("first\n")
    return tmp_path / "token"


def of(file: Path) -> ApiToken:
    return ApiToken(ConsoleTable("acme", "https://a.example", token_file=str(file)))


def test_file(file: Path) -> None:
    """White space around a token is left out."""
    assert of(file).value() == "first"


@pytest.mark.parametrize("linked", [False, True])
def test_replaced(file: Path, linked: bool) -> None:
    """A file that is replaced is read again, or a link as Kubernetes replaces secrets."""
    other, link = file.with_name("other"), file.with_name("link")
    link.symlink_to(file)
    token = of(link if linked else file)
    token.value()
    stamp = token.stamp()
    other.write_text("other")
    if linked:
        link.unlink()
        link.symlink_to(other)
    else:
        other.rename(file)
    assert token.stamp() != stamp
    assert token.value() == "other"


def test_gone_and_back(file: Path) -> None:
    """A file that is missing for a moment is an error until it is back."""
    token = of(file)
    token.value()
    file.unlink()
    for _ in range(2):
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            token.value()
    gone = token.stamp()
    file.write_text("back")
    assert token.stamp() != gone
    assert token.value() == "back"


def test_a_file_without_end(file: Path) -> None:
    """A file that is longer than any secret is refused, and not read to its end."""
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="is longer than any secret"):
        of(file).value()


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_byte_order_mark(file: Path, mark: bytes) -> None:
    """A token file that an editor has put a byte order mark into is refused, and says why."""
    file.write_bytes(mark + b"token")
    with pytest.raises(ConfigError, match="begins with a byte order mark"):
        of(file).value()


def test_threads_share_a_secret(file: Path) -> None:
    """While a file is replaced again and again, no thread gets an empty or torn secret."""
    secret, values = SecretFile(file, "token file"), ("a" * 2000, "b" * 3000)
    file.write_text(values[0])
    other = file.with_name("other")
    seen: list[str] = []

    def read() -> None:
        seen.extend(secret.value() for _ in range(300))

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for turn in range(300):
            other.write_text(values[turn % 2])
            other.rename(file)
        for reader in readers:
            reader.result()
    assert set(seen) <= set(values)


@pytest.mark.parametrize("text", ["", "\n", "two words", "two\nlines", "\u00e9", "\x00"])
def test_no_token(file: Path, text: str) -> None:
    """A file that holds no token is an error that does not show what it holds."""
    file.write_text(text)
    token = of(file)
    with pytest.raises(ConfigError) as caught:
        token.value()
    assert str(file) in str(caught.value)
    assert not text.strip() or text not in str(caught.value)
    assert str(token) == repr(token) == f"token file {file}"


def test_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment is read, and not shown."""
    token = ApiToken(ConsoleTable("acme", "https://a.example", token_env="S1_TOKEN"))
    monkeypatch.setenv("S1_TOKEN", " secret\n")
    assert token.value() == "secret"
    assert "secret" not in f"{token} {token!r}"
    monkeypatch.delenv("S1_TOKEN")
    with pytest.raises(ConfigError, match="variable S1_TOKEN: is empty"):
        token.value()
