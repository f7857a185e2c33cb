"""Bodies as they come over the wire."""

from __future__ import annotations

import codecs
import gzip
import zlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sentinelone_source.http.bodies import FASTEST, BrokenBody, decoded

if TYPE_CHECKING:
    from collections.abc import Callable


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def members(body: bytes) -> bytes:
    middle = len(body) // 2
    return gzip.compress(body[:middle]) + gzip.compress(body[middle:])


LAYERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": lambda body: body,
    "UTF-8": lambda body: body,
    "gzip": gzip.compress,
    "x-gzip": members,
    "deflate": zlib.compress,
    "DEFLATE": raw_deflate,
}
UNPACKERS = sorted({zlib, FASTEST}, key=lambda module: module.__name__)
"""With the extra `fast` there are two."""
TEXTS = st.recursive(
    st.text(max_size=30), lambda inner: st.lists(inner, max_size=3), max_leaves=5
).map(lambda value: repr([value]).encode())


def test_isal_unpacks_where_it_is_installed() -> None:
    """The extra `fast` needs no setting."""
    assert FASTEST.__name__ == ("isal.isal_zlib" if find_spec("isal") else "zlib")


@pytest.fixture(scope="module", params=UNPACKERS, ids=lambda module: module.__name__)
def unpacker(request: pytest.FixtureRequest) -> Any:
    """Each module that may unpack here."""
    return request.param


@example(text="[['000', 'ࠀ0ࠀ']]".encode(), chain=["DEFLATE"], mark=False)
@given(text=TEXTS, chain=st.lists(st.sampled_from(sorted(LAYERS)), max_size=3), mark=st.booleans())
def test_any_chain_is_read(unpacker: Any, text: bytes, chain: list[str], mark: bool) -> None:
    """A body is decoded by each encoding that its header names; a byte order mark is left out."""
    body = codecs.BOM_UTF8 + text if mark else text
    for name in chain:
        body = LAYERS[name](body)
    assert decoded(body, ", ".join(chain), unpacker) == text


@pytest.mark.parametrize("pack", [gzip.compress, members, zlib.compress])
def test_what_is_not_said_is_read(unpacker: Any, pack: Callable[[bytes], bytes]) -> None:
    """A compressed body is read though `Content-Encoding` is missing or untrue."""
    for said in ("", "UTF-8", "br", "deflate", "gzip"):
        assert decoded(pack(b'{"data":[]}'), said, unpacker) == b'{"data":[]}'
        assert decoded(b'{"data":[]}', said, unpacker) == b'{"data":[]}'


@pytest.mark.parametrize("pack", [gzip.compress, members, zlib.compress, raw_deflate])
def test_what_ends_early_is_an_error(unpacker: Any, pack: Callable[[bytes], bytes]) -> None:
    """Half a compressed body is never taken for a whole one."""
    whole = pack(b'{"data":[%b]}' % b",".join(b'"%d"' % n for n in range(500)))
    for end in range(10, len(whole) - 1, 7):
        with pytest.raises(BrokenBody):
            decoded(whole[:end], "deflate", unpacker)


def test_unknown_compression_is_named() -> None:
    """A body in a compression that was not asked for is an error that names it."""
    with pytest.raises(BrokenBody, match="br"):
        decoded(b"\x0b\x05\x80", "br")


@given(
    text=TEXTS,
    chain=st.lists(st.sampled_from(sorted(LAYERS)), max_size=2),
    spoil=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255)), max_size=2),
    junk=st.binary(max_size=60),
    said=st.sampled_from(["", "gzip", "deflate", "br", "x"]),
)
def test_any_bytes(
    unpacker: Any, *, text: bytes, chain: list[str], spoil: Any, junk: bytes, said: str
) -> None:
    """Whatever comes is a body or an error of ours; what `zlib` reads, each module reads alike."""
    for name in chain:
        text = LAYERS[name](text)
    spoilt = bytearray(text + junk)
    for place, byte in spoil:
        spoilt[place % len(spoilt)] = byte
    results = []
    for module in (zlib, unpacker):
        try:
            results.append(decoded(bytes(spoilt), said, module))
        except BrokenBody:
            results.append(b"")
    assert not results[0] or results[0] == results[1]
