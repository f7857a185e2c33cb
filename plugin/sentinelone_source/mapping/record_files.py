"""Records from a file, as the API's pages. Nothing here decides what a record may look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.broken_page import split_broken
from sentinelone_source.mapping.numbers import UNREADABLE
from sentinelone_source.mapping.page_reader import CURSOR

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sentinelone_source.mapping.spec.model import Mapping

_PAGE = 1000
_ENVELOPE = {CURSOR[0], "errors"}
"""Members of an API page beside its records."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def pages(mapping: Mapping, data: bytes, name: str) -> Iterator[bytes]:
    """Pages made of API pages, records, or lists of these; one document, or one a line.

    An object that has the list of records, and beside it nothing but an envelope's members, is a
    page. Any other object is a record.

    Args:
        mapping: says where a page has its records.
        data: what the file holds.
        name: the file's, for errors.

    Raises:
        SourceError: the data is not JSON; names the line.
    """
    records = list(_records(mapping.request.records.members, data, name))
    for start in range(0, len(records), _PAGE):
        yield page_of(mapping, records[start : start + _PAGE])


def page_of(mapping: Mapping, records: Iterable[bytes]) -> bytes:
    """The page that the API would send of some records."""
    body = b"[" + b",".join(records) + b"]"
    for member in reversed(mapping.request.records.members):
        body = b"{" + msgspec.json.encode(member) + b":" + body + b"}"
    return body


def _records(names: Sequence[str], data: bytes, name: str) -> Iterator[bytes]:
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        yield from list(_of_document(names, msgspec.json.format(data, indent=-1)))
    except (*UNREADABLE, RecursionError):
        yield from _of_lines(names, data.split(b"\n"), name)


def _of_lines(names: Sequence[str], lines: list[bytes], name: str) -> Iterator[bytes]:
    for number, line in enumerate(map(bytes.strip, lines), 1):
        try:
            if line:
                yield from _of_document(names, msgspec.json.format(line, indent=-1))
        except RecursionError:
            yield from _of_broken_line(names, line) or [line]
        except UNREADABLE as error:
            records = _of_broken_line(names, line)
            if records is None:
                raise SourceError(f"{name}: line {number}: is not JSON: {error}") from None
            yield from records


def _of_document(names: Sequence[str], data: bytes) -> Iterator[bytes]:
    documents = _items(data) if data.startswith(b"[") else [data]
    for document in documents:
        records = _of_page(names, bytes(document))
        yield from [bytes(document)] if records is None else map(bytes, records)


def _of_page(names: Sequence[str], data: bytes) -> list[msgspec.Raw] | None:
    """The records of a page; None if the data is something else."""
    page = msgspec.Raw(data)
    for name in names:
        if not bytes(page).startswith(b"{"):
            return None
        members = _members(page)
        if name == names[0] and not members.keys() <= {name, *_ENVELOPE}:
            return None
        page = members.get(name, msgspec.Raw())
    return _items(page) if bytes(page).startswith(b"[") else None


def _of_broken_line(names: Sequence[str], line: bytes) -> list[bytes] | None:
    """The records of a page or a list with a broken record; None if the line is something else."""
    members = () if line.startswith(b"[") else tuple(names)
    split = split_broken(line, members, CURSOR[0])
    if split is None:
        return None
    shell = line[: split.start] + b"[" + line[split.end :]
    try:
        return None if members and _of_page(members, shell) is None else split.records
    except (*UNREADABLE, RecursionError):
        return None
