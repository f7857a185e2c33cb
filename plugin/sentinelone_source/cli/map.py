"""`map`: API records into rows, offline."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from sentinelone_source.cli.options import config_option
from sentinelone_source.config.settings import load_settings
from sentinelone_source.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sentinelone_source.config.settings import Settings
    from sentinelone_source.mapping.mapper import Mapper
    from sentinelone_source.mapping.spec.model import ConsoleId

_PLACEHOLDER = "https://console.example.invalid"


@click.command("map")
@click.argument("table")
@click.argument("file", type=click.File("rb"), default="-")
@config_option
@click.option(
    "--explain",
    is_flag=True,
    help="Print which columns were filled, and which API fields have no column.",
)
@click.option(
    "--show-code", is_flag=True, help="Print the function that is generated from the mapping."
)
def command(
    table: str, file: BinaryIO, config: Path | None, explain: bool, show_code: bool
) -> None:
    """Turn API records into rows of TABLE, offline. TABLE can also be the name of a mapping.

    FILE holds records, API pages or lists of them, as one JSON document or one a line. The default
    is standard input. stderr names each record that cannot become a row. Columns from the console
    show the first console of the configuration.
    """
    from sentinelone_source.mapping.mapper import Mapper
    from sentinelone_source.mapping.page_reader import NotAPage
    from sentinelone_source.mapping.record_files import pages
    from sentinelone_source.mapping.spec.files import find_mapping, load_mappings

    settings = load_settings(config)
    mappings = load_mappings(*settings.mappings)
    mapper = Mapper(find_mapping(mappings, table))
    if show_code:
        click.echo(mapper.code, nl=False)
        return
    bodies = pages(mapper.mapping, file.read(), file.name)
    console = _console(settings)
    try:
        if explain:
            from sentinelone_source.mapping.explain import explain as explained

            click.echo(explained(mapper, bodies, console))
        else:
            _map(mapper, bodies, console)
    except NotAPage as error:
        raise SourceError(f"{file.name}: is not JSON: {error}") from None


def _console(settings: Settings) -> ConsoleId:
    from sentinelone_source.mapping.spec.model import ConsoleId

    first = next(iter(settings.consoles), None)
    return ConsoleId(first.name, first.url) if first else ConsoleId("default", _PLACEHOLDER)


def _map(mapper: Mapper, bodies: Iterable[bytes], console: ConsoleId) -> None:
    dropped = 0
    for body in bodies:
        page = mapper.open(body, console)
        for piece in mapper.lines(page):
            sys.stdout.buffer.write(piece.data)
        for dead in page.dead:
            _log().warning("dead_letter", reason=dead.reason, id=dead.id)
        dropped += page.dropped
    if dropped:
        _log().info("dropped", records=dropped)


def _log() -> Any:
    import structlog

    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    return structlog.get_logger()
