"""The text of a template: a file that is written by hand, with the tables in it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sentinelone_source.template.tables import Table, check_limits

Part = Literal["tables", "rule"]
_TABLE = "Microsoft.OperationalInsights/workspaces/tables"


class _Language(NamedTuple):
    """A file, its references to the two files beside it, and the quotes of a long text."""

    file: str
    tables: str
    parser: str
    text: str


_LANGUAGES = {
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


def generate(
    tables: Sequence[Table],
    language: str = "arm",
    *,
    only: Part | None = None,
    with_parser: bool = False,
) -> str:
    """The template that deploys these tables.

    Args:
        language: `arm`, `bicep`, `terraform`, or `tables`: the data that deploy/azure reads.
        only: one part instead of all.
        with_parser: whether the workspace function is installed too.

    Raises:
        ConfigError: Azure would refuse a table, or lose what is in it.
    """
    check_limits(tables)
    if language == "tables":
        return _tables_json(tables)
    if language == "arm":
        parser = _source_file("SentinelOne.kql").read_text("utf-8") if with_parser else None
        return _arm_template(tables, only=only, parser=parser)
    parts = {only} if only else {"tables", "rule"}
    return _filled_file(language, tables, parts | ({"parser"} if with_parser else set()))


def _arm_template(tables: Sequence[Table], *, only: str | None, parser: str | None) -> str:
    """The ARM template; `parser` is the text of the workspace function, if it is wanted."""
    parts: dict[str, Any] = json.loads(_source_file("arm.json").read_text(encoding="utf-8"))
    before = [] if only == "rule" else [_table_id(table) for table in tables]
    parts["tables"]["resources"] = [_resource(tables, number) for number in range(len(tables))]
    [function] = parts["parser"]["resources"]
    function["dependsOn"], function["properties"]["query"] = before, parser
    _fill_rule(parts["rule"]["resources"][0], tables, before)
    document = parts["all"]
    wanted = {"tables": only != "rule", "parser": parser is not None, "rule": only != "tables"}
    for name in (name for name, is_wanted in wanted.items() if is_wanted):
        for key in ("parameters", "variables", "outputs"):
            document[key] |= parts[name].get(key, {})
        document["resources"] += parts[name]["resources"]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _table_id(table: Table) -> str:
    return f"[resourceId('{_TABLE}', variables('workspaceName'), '{table.name}')]"


def _resource(tables: Sequence[Table], number: int) -> dict[str, Any]:
    """A table. It waits for the one before: a workspace refuses concurrent changes."""
    table = tables[number]
    return {
        "type": _TABLE,
        "apiVersion": "2023-09-01",
        "name": f"[format('{{0}}/{table.name}', variables('workspaceName'))]",
        **({"dependsOn": [_table_id(tables[number - 1])]} if number else {}),
        "properties": {
            "plan": "Analytics",
            "retentionInDays": "[parameters('retentionInDays')]",
            "totalRetentionInDays": "[parameters('totalRetentionInDays')]",
            "schema": {
                "name": table.name,
                "columns": [
                    {"name": column.name, "type": column.kind.in_table} for column in table.columns
                ],
            },
        },
    }


def _fill_rule(rule: dict[str, Any], tables: Sequence[Table], before: list[str]) -> None:
    """Put the streams of all tables, and what must be deployed first, into the rule."""
    rule["dependsOn"] = before
    if not before:
        del rule["dependsOn"]
    rule["properties"]["streamDeclarations"] = {
        table.stream: {
            "columns": [
                {"name": column.name, "type": column.kind.in_stream} for column in table.columns
            ]
        }
        for table in tables
    }
    rule["properties"]["dataFlows"] = [
        {
            "streams": [table.stream],
            "destinations": ["workspace"],
            "transformKql": "source",
            "outputStream": f"Custom-{table.name}",
        }
        for table in tables
    ]


def _tables_json(tables: Sequence[Table]) -> str:
    """The tables with their streams and columns, one column a line; `type` as the tables API's."""
    return "[\n" + ",\n".join(map(_table, tables)) + "\n]\n"


def _table(table: Table) -> str:
    columns = ",\n".join(
        f'      {{ "name": "{column.name}", "type": "{column.kind.in_table}" }}'
        for column in table.columns
    )
    return (
        f'  {{\n    "name": "{table.name}",\n    "stream": "{table.stream}",\n'
        f'    "columns": [\n{columns}\n    ]\n  }}'
    )


def _filled_file(language: str, tables: Sequence[Table], parts: Collection[str]) -> str:
    """The file of `bicep` or `terraform` with these sections; it needs no other file beside it."""
    known = _LANGUAGES[language]
    head, *sections = _SECTION.split(_source_file(known.file).read_text(encoding="utf-8"))
    named = zip(sections[::2], sections[1::2], strict=True)
    text = head + "".join(section for name, section in named if name in parts)
    text = _LINE.sub(lambda line: f"{line[1]}\n" if line[2] in parts else "", text)
    text = _DEFAULT.sub("true", text).replace(known.tables, _literal(language, tables))
    if "parser" in parts:
        query = _source_file("SentinelOne.kql").read_text(encoding="utf-8")
        text = text.replace(known.parser, known.text.format(query))
    return text.rstrip("\n") + "\n"


def _literal(language: str, tables: Sequence[Table]) -> str:
    """The tables as a value of the language, indented as its formatter has it."""
    text = _tables_json(tables).rstrip("\n")
    if language == "terraform":
        text = _KEY.sub(r"\1 = ", text).replace("    name = ", "    name   = ")
        return text.replace("\n", "\n  ")
    return _KEY.sub(r"\1: ", text).replace('"', "'").replace(",\n", "\n")


def _source_file(name: str) -> Path:
    """A file of this folder, or of deploy/azure, whose files are here too in the wheel."""
    inside = Path(__file__).with_name(name)
    return inside if inside.is_file() else inside.parents[3] / "deploy" / "azure" / name
