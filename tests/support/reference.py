"""The generated parts of docs/reference: `make reference` writes them, a test compares them.

A page marks each part with a name. The last column of a table is written by hand where the code has
no text for it: it is kept by the name in the first column.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import click
import msgspec

from sentinelone_source import cli
from sentinelone_source.config import defaults
from sentinelone_source.mapping.spec.files import HEALTH, load_mappings
from sentinelone_source.mapping.spec.model import Column, Mapping, TableSpec
from sentinelone_source.telemetry.metrics import METRICS, PREFIX, other_metrics

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "docs/reference" / name
    for name in ("commands.md", "configuration.md", "logs.md", "tables.md", "telemetry.md")
]
PART = re.compile(r"(<!-- generated: ([\w ]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
HEALTH_TEXT = "The rows come from the program itself: see [Telemetry](telemetry.md#health-rows)."
NO_BREAK = "\N{NO-BREAK SPACE}"
Row = tuple[str, ...]


def page_text(page: Path) -> str:
    """The page with its generated parts as the code gives them."""
    return PART.sub(
        lambda part: f"{part[1]}\n{_generated(part[2], part[3])}\n\n{part[4]}", page.read_text()
    )


def _generated(name: str, before: str) -> str:
    kind, _, words = name.partition(" ")
    make: dict[str, Callable[[], Iterable[str]]] = {
        "commands": _commands,
        "command": lambda: _command(words, dict(every_command())[words]),
        "keys": lambda: _with_text(("key", "type", "default"), _keys(words), "meaning", before),
        "metrics": lambda: _table(("metric", "type", "labels", "meaning"), _metrics()),
        "events": lambda: _with_text(("event", "level"), _events(before), "meaning", before),
        "tables": _tables,
    }
    return "\n".join(make[kind]()).rstrip()


def cells(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _table(heads: Row, rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        yield f"| {' | '.join(row)} |".replace("|  |", "| |")


def _with_text(heads: Row, rows: Iterable[Row], text: str, before: str) -> Iterator[str]:
    """A table whose last column is the one of the page."""
    written = {line[0]: line[-1] for line in map(cells, before.strip().splitlines()) if line}
    return _table((*heads, text), ((*row, written.get(row[0], "")) for row in rows))


def every_command() -> Iterator[tuple[str, click.Command]]:
    """All commands that do something, by the words one types."""

    def found(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            typed = f"{words} {name}".strip()
            if not isinstance(command, click.Group) or command.invoke_without_command:
                yield typed, command
            if isinstance(command, click.Group):
                yield from found(command, typed)

    return found(cli.commands, "")


def _commands() -> Iterator[str]:
    return _table(
        ("command", "what it does"),
        (
            (f"[{words}](#{words.replace(' ', '-')})", command.get_short_help_str(200))
            for words, command in every_command()
        ),
    )


def _command(words: str, command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"sentinelone-source {words}")
    parameters = [one for one in command.params if one.name != "config"]
    formatter = click.HelpFormatter(width=100)
    usage = " ".join(_typed(one, context).replace(" ", NO_BREAK) for one in parameters)
    formatter.write_usage(context.command_path, usage, prefix="")
    yield f"```\n{formatter.getvalue().rstrip().replace(NO_BREAK, ' ')}\n```\n"
    yield inspect.cleandoc(command.help or "")
    options = [one for one in parameters if isinstance(one, click.Option)]
    if options:
        yield ""
        yield from _table(("option", "meaning"), (_option(one, context) for one in options))


def _typed(parameter: click.Parameter, context: click.Context) -> str:
    """A parameter as a usage line shows it."""
    if isinstance(parameter, click.Argument):
        return parameter.make_metavar(context)
    names = "|".join([parameter.opts[0], *parameter.secondary_opts])
    text = names if _is_flag(parameter) else f"{names} {parameter.make_metavar(context)}"
    return (text if parameter.required else f"[{text}]") + ("..." if parameter.multiple else "")


def _is_flag(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and parameter.is_flag


def _option(option: click.Option, context: click.Context) -> Row:
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    names = ", ".join(f"`{name}{value}`" for name in (*option.opts, *option.secondary_opts))
    default = option.get_help_extra(context).get("default")
    text = f"{option.help} Default: `{default}`." if default else option.help or ""
    return _escaped(names), _escaped(text)


def _escaped(text: str) -> str:
    """A pipe would end the cell."""
    return text.replace("|", "\\|")


def _keys(table: str) -> Iterator[Row]:
    """The keys of a table of the configuration; a table in it has a part of its own."""
    struct: type[msgspec.Struct] = getattr(defaults, table)
    for field in msgspec.structs.fields(struct):
        if not isinstance(field.default, msgspec.Struct):
            made = field.default_factory
            default = field.default if made is msgspec.NODEFAULT else made()
            shown = "" if default is msgspec.NODEFAULT else f"`{_toml(default)}`"
            yield f"`{field.name}`", _type(field.type), shown


def _toml(value: Any) -> str:
    return msgspec.json.encode(value).decode()  # for these values the two are the same


def _type(kind: Any) -> str:
    """A type of Python as a reader of TOML knows it."""
    if get_origin(kind) is Annotated:
        base, about = get_args(kind)
        return about.title or _type(base)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f"`{_toml(one)}`" for one in get_args(kind))
    names = {str: "string", bool: "boolean", int: "integer", tuple: "list of strings"}
    return names.get(get_origin(kind) or kind, "table")


def _metrics() -> Iterator[Row]:
    build, *process = other_metrics().collect()
    labels = ", ".join(f"`{label}`" for label in build.samples[0].labels)
    yield f"`{build.name}_info`", "gauge", labels, _escaped(build.documentation)
    for one in METRICS:
        name = f"`{PREFIX}{one.name}{'_total' * (one.kind == 'counter')}`"
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield name, one.kind, labels, _escaped(one.text)
    for family in process:
        suffix = "_total" * (family.type == "counter")
        yield f"`{family.name}{suffix}`", family.type, "", _escaped(family.documentation)


def _events(before: str) -> Iterator[Row]:
    """Every event that is logged, with its levels, in the order of the page."""
    levels: dict[str, set[str]] = {}
    for path in (ROOT / "plugin").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=call), args=[ast.Constant(value=str(event)), *_]
                ) if call in LEVELS:
                    levels.setdefault(f"`{event}`", set()).add(LEVELS[call])
    order = [line[0] for line in map(cells, before.strip().splitlines()) if line]
    for event in sorted(levels, key=lambda one: order.index(one) if one in order else len(order)):
        yield event, " or ".join(sorted(levels[event], reverse=True))


LEVELS = {"info": "info", "warning": "warning", "_warn_once": "warning"} | dict.fromkeys(
    ("error", "exception"), "error"
)


def _tables() -> Iterator[str]:
    for spec in (*load_mappings().values(), HEALTH):
        yield f"## {spec.table}\n\n{_about(spec)}\n"
        rows = ((f"`{one.name}`", f"`{one.type}`", _source(one)) for one in spec.columns)
        yield from _table(("column", "type", "source"), rows)
        yield ""


def _about(spec: TableSpec) -> str:
    if not isinstance(spec, Mapping):
        return HEALTH_TEXT
    ordering, state = spec.ordering, "on" if spec.enabled else "off"
    version = f" and the version `{ordering.version.text}`" if ordering.version else ""
    return (
        f"Feed `{spec.name}`, {state} by default, reads `{spec.request.path}` in the order of "
        f"`{ordering.position.text}`. A row is identified by `{ordering.id.text}`{version}."
    )


def _source(column: Column) -> str:
    text = ", else ".join(f"`{_escaped(str(source))}`" for source in column.sources)
    return f"{text}, as a fingerprint" if column.redact else text or "the program"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(page_text(path))
