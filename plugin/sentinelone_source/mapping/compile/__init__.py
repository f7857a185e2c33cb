"""A mapping compiled: typed decoders, and the generated row function that fits them."""

from __future__ import annotations

from typing import Any

import msgspec

from sentinelone_source.mapping.compile.codegen import RowCode
from sentinelone_source.mapping.compile.decoders import build_path_tree
from sentinelone_source.mapping.numbers import UNREADABLE
from sentinelone_source.mapping.page_reader import PageReader
from sentinelone_source.mapping.spec.model import Mapping


class CompiledMapping:
    """One of two ways through a page: strict, without a look at each text, or tolerant.

    A strict decoder refuses a page with a number or boolean in a string column; the rows of one
    that it takes need no test of each value. After the first such page the tolerant one is used.

    Attributes:
        code: the generated row function; as text, Python that one can read.
        build: the function itself.
        open: takes a page apart, into typed records.
        strict: it takes text only.
        keys_only: it reads what makes a row unique, and builds no row.
        wants_raw: some path needs the record as JSON, so a page is taken apart first.
    """

    def __init__(self, mapping: Mapping, row: type[msgspec.Struct] | None, strict: bool) -> None:
        self.strict, self.keys_only = strict, row is None
        root = build_path_tree(mapping, strict)
        self.code = RowCode(mapping, root, row, strict)
        self.build = self.code.compile()
        self.open = PageReader(mapping.request, root.struct).open
        self.wants_raw = bool(root.uses)
        self._decode = msgspec.json.Decoder(root.struct).decode

    def decode(self, raw: Any) -> Any:
        """One record; None where it is not as expected."""
        try:
            return self._decode(raw)
        except (*UNREADABLE, RecursionError):
            return None
