"""Records from a file, as the API's pages. Nothing here decides what a record may look like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sentinelone_source.errors import SourceError
from sentinelone_source.mapping.broken_page import split_broken
from sentinelone_source.mapping.numbers import UNREADABLE
from sentinelone_source.mapping.page_reader import PageReader
from sentinelone_source.mapping.spec.model import Mapping

_PAGE = 1000
_ENVELOPE = {"pagination", "errors", "extensions"}
"""Members of an API page beside its records."""

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def pages(mapping: Mapping, data: bytes, name: str) -> Iterator[bytes]:
    """Pages made of API pages, records, or lists of these; one document, or one a line.

    An object that has the list of records, and beside it nothing but an envelope's members, is a
    page. Any other object is a record.

    Raises:
        SourceError: the data is not JSON; names the file and the line.
    """
    records = list(_records(PageReader(mapping.request, msgspec.Raw), data, name))
    for start in range(0, len(records), _PAGE):
        yield page_of(mapping, records[start : start + _PAGE])


def page_of(mapping: Mapping, records: Iterable[bytes]) -> bytes:
    """The page that the API would send of some records."""
    path = mapping.request.records
    items = records if not path.each else (_wrapped(path.each, record) for record in records)
    return _wrapped(path.members, b"[" + b",".join(items) + b"]")


def _wrapped(names: Sequence[str], body: bytes) -> bytes:
    for name in reversed(names):
        body = b"{" + msgspec.json.encode(name) + b":" + body + b"}"
    return body


def _records(reader: PageReader, data: bytes, name: str) -> Iterator[bytes]:
    data = data.removeprefix(b"\xef\xbb\xbf").strip()
    try:
        yield from list(_of_document(reader, msgspec.json.format(data, indent=-1)))
    except (*UNREADABLE, RecursionError):
        yield from _of_lines(reader, data.split(b"\n"), name)


def _of_lines(reader: PageReader, lines: list[bytes], name: str) -> Iterator[bytes]:
    for number, line in enumerate(map(bytes.strip, lines), 1):
        try:
            if line:
                yield from _of_document(reader, msgspec.json.format(line, indent=-1))
        except RecursionError:
            yield from _of_broken_line(reader, line) or [line]
        except UNREADABLE as error:
            records = _of_broken_line(reader, line)
            if records is None:
                raise SourceError(f"{name}: line {number}: is not JSON: {error}") from None
            yield from records


def _of_document(reader: PageReader, data: bytes) -> Iterator[bytes]:
    documents = _items(data) if data.startswith(b"[") else [data]
    for document in documents:
        records = _of_page(reader, bytes(document))
        yield from [bytes(document)] if records is None else records


def _of_page(reader: PageReader, data: bytes) -> list[bytes] | None:
    """The records of a page; None if the data is something else."""
    page = msgspec.Raw(data)
    names = reader.spec.records.members
    for name in names:
        if not bytes(page).startswith(b"{"):
            return None
        members = _members(page)
        if name == names[0] and not members.keys() <= {name, *_ENVELOPE}:
            return None
        page = members.get(name, msgspec.Raw())
    items = _items(page) if bytes(page).startswith(b"[") else None
    return None if items is None else [reader.record_of(bytes(item)) for item in items]


def _of_broken_line(reader: PageReader, line: bytes) -> list[bytes] | None:
    """The records of a page or a list with a broken record; None if the line is something else."""
    members = () if line.startswith(b"[") else reader.spec.records.members
    split = split_broken(line, members, reader.spec.beside)
    if split is None:
        return None
    shell = line[: split.start] + b"[" + line[split.end :]
    try:
        if members and _of_page(reader, shell) is None:
            return None
        return list(map(reader.record_of, split.records)) if members else split.records
    except (*UNREADABLE, RecursionError):
        return None
