"""Records from a file, as the API's pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.envelope import Envelope, Malformed
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
    with suppress(msgspec.DecodeError, RecursionError):
        yield from _of_document(envelope, data)
        return
    for number, line in enumerate(data.splitlines(), 1):
        try:
            if line.strip():
                yield from _of_document(envelope, line)
        except msgspec.DecodeError as error:
            raise SourceError(f"{name}: line {number}: is not JSON: {error}") from None
        except RecursionError:
            yield line


def _of_document(envelope: Envelope, data: bytes) -> list[bytes]:
    data = msgspec.json.format(data, indent=-1)
    items: list[Any] = [data]
    if data.startswith(b"["):
        items = msgspec.json.decode(data, type=list[msgspec.Raw])
    elif data.startswith(b"{"):
        with suppress(Malformed, msgspec.ValidationError):
            items = envelope.open(data)[0]
    return [bytes(item) for item in items]
