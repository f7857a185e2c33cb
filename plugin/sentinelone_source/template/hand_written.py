"""The hand-written Bicep and Terraform files of deploy/azure, printed with the tables in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sentinelone_source.template.tables import Table


class _Language(NamedTuple):
    """A file, its references to the two files beside it, and the quotes of a long text."""

    file: str
    tables: str
    parser: str
    text: str


LANGUAGES = {
    "bicep": _Language(
        "main.bicep",
        "loadJsonContent('tables.json')",
        "loadTextContent('SentinelOne.kql')",
        "'''\n{}'''",
    ),
    "terraform": _Language(
        "main.tf",
        'jsondecode(file("${path.module}/tables.json"))',
        'file("${path.module}/SentinelOne.kql")',
        "<<KQL\n{}KQL",
    ),
}
_SECTION = re.compile(r"^(?://|#) ==== (\w+) ====\n\n", re.MULTILINE)
_LINE = re.compile(r"^(.*?) (?://|#) with (\w+)\n", re.MULTILINE)
_DEFAULT = re.compile(r"false (?://|#) true with --with-parser")
_KEY = re.compile(r'"(\w+)": ')


def tables_json(tables: Sequence[Table]) -> str:
    """The tables with their streams and columns, one column a line; `type` as the tables API's."""
    return "[\n" + ",\n".join(map(_table, tables)) + "\n]\n"


def _table(table: Table) -> str:
    columns = ",\n".join(
        f'      {{ "name": "{column.name}", "type": "{column.in_table["type"]}" }}'
        for column in table.columns
    )
    return (
        f'  {{\n    "name": "{table.name}",\n    "stream": "{table.stream}",\n'
        f'    "columns": [\n{columns}\n    ]\n  }}'
    )


def filled_file(language: str, tables: Sequence[Table], parts: Collection[str]) -> str:
    """A file that needs no other file beside it.

    Args:
        language: `bicep` or `terraform`.
        tables: what the mappings need.
        parts: the sections to keep: `tables`, `parser`, `rule`.
    """
    known = LANGUAGES[language]
    head, *sections = _SECTION.split(source_file(known.file).read_text(encoding="utf-8"))
    named = zip(sections[::2], sections[1::2], strict=True)
    text = head + "".join(section for name, section in named if name in parts)
    text = _LINE.sub(lambda line: f"{line[1]}\n" if line[2] in parts else "", text)
    text = _DEFAULT.sub("true", text).replace(known.tables, _literal(language, tables))
    if "parser" in parts:
        query = source_file("SentinelOne.kql").read_text(encoding="utf-8")
        text = text.replace(known.parser, known.text.format(query))
    return text.rstrip("\n") + "\n"


def _literal(language: str, tables: Sequence[Table]) -> str:
    """The tables as a value of the language, indented as its formatter has it."""
    text = tables_json(tables).rstrip("\n")
    if language == "terraform":
        text = _KEY.sub(r"\1 = ", text).replace("    name = ", "    name   = ")
        return text.replace("\n", "\n  ")
    return _KEY.sub(r"\1: ", text).replace('"', "'").replace(",\n", "\n")


def source_file(name: str) -> Path:
    """A file of deploy/azure: inside the wheel, or in the source tree."""
    inside = Path(__file__).with_name(name)
    return inside if inside.is_file() else inside.parents[3] / "deploy" / "azure" / name
