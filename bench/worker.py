"""Our mapper as a process of its own: pages from a file, one a line, to lines on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from sentinelone_source.mapping.mapper import Mapper
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.mapping.spec.model import ConsoleId

_NOWHERE = ConsoleId(None, None)


def main(name: str, file: str) -> None:
    """Map every page of a file."""
    mapper = Mapper(load_mappings()[name])
    with open(1, "wb") as out:
        for body in _pages(Path(file)):
            out.writelines(piece.data for piece in mapper.lines(mapper.open(body, _NOWHERE)))


def _pages(path: Path) -> Iterator[bytes]:
    """The lines, each copied once; read by `readline`, one of 8 MB takes 12 ms more."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as lines:
        start = 0
        while (end := lines.find(b"\n", start)) >= 0:
            yield lines[start:end]
            start = end + 1


if __name__ == "__main__":
    main(*sys.argv[1:])
