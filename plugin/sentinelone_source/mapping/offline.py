"""Records from a file, as the API's pages."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.envelope import Envelope, Malformed
from sentinelone_source.mapping.exact import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sentinelone_source.mapping.model import Mapping

_PAGE = 1000


def pages(mapping: Mapping, data: bytes, name: str) -> Iterator[bytes]:
    """Pages made of an API page, a list of records, one record, or one of these a line.

    Args:
        mapping: says where a page has its records.
        data: what the file holds.
        name: the file's, for errors.

    Raises:
        SourceError: the data is not JSON; names the line.
    """
    members = mapping.request.records.members
    records = list(_records(members, data, name))
    for start in range(0, len(records), _PAGE):
        body = b"[" + b",".join(records[start : start + _PAGE]) + b"]"
        for member in reversed(members):
            body = b"{" + msgspec.json.encode(member) + b":" + body + b"}"
        yield body


def _records(members: tuple[str, ...], data: bytes, name: str) -> Iterator[bytes]:
    envelope = Envelope(members, ("pagination", "nextCursor"), msgspec.Raw)
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        records = _of_document(envelope, data)
    except (*UNREADABLE, RecursionError):
        records = _of_lines(envelope, data.splitlines(), name)
    yield from records


def _of_lines(envelope: Envelope, lines: list[bytes], name: str) -> Iterator[bytes]:
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                yield from _of_document(envelope, line)
        except UNREADABLE as error:
            raise SourceError(f"{name}: line {number}: is not JSON: {error}") from None
        except RecursionError:
            yield line


def _of_document(envelope: Envelope, data: bytes) -> Iterable[bytes]:
    data = msgspec.json.format(data, indent=-1)
    items: list[Any] = [data]
    if data.startswith(b"["):
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    elif data.startswith(b"{"):
        with contextlib.suppress(Malformed, msgspec.ValidationError):
            items = envelope.open(data)[0]
    return [bytes(item) for item in items]
