"""Our mapper as a process of its own: pages from a file, one a line, to lines on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

from sentinelone_source.mapping.files import load_mappings
from sentinelone_source.mapping.mapper import Mapper


def main(name: str, file: str) -> None:
    """Map every page of a file."""
    mapper = Mapper(load_mappings()[name])
    with Path(file).open("rb") as pages, open(1, "wb") as out:
        for body in pages:
            for batch in mapper.lines(mapper.open(body.rstrip(b"\n"))):
                out.writelines(batch.pieces)


if __name__ == "__main__":
    main(*sys.argv[1:])
