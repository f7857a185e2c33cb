"""`verify`: what the console shows, compared with what was handed over, and with the workspace."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click
import msgspec

from sentinelone_source.aligned import aligned
from sentinelone_source.cli.options import config_option, read_moment, table_option
from sentinelone_source.config.settings import load_settings
from sentinelone_source.errors import EXIT_FAILED, EXIT_OK, ConfigError

if TYPE_CHECKING:
    from sentinelone_source.config.settings import Settings
    from sentinelone_source.history.verify import Comparison, FeedCheck

_SHOWN = 100
"""Ids of a feed that the table names; `--json` names all."""
_COLUMNS = (
    "console",
    "feed",
    "since",
    "until",
    "records",
    "handed over",
    "in the workspace",
    "missing",
)


@click.command("verify")
@config_option
@table_option
@click.option(
    "--since",
    metavar="T",
    help="The first position: a timestamp, or a duration back such as 6h. Default: `remember`.",
)
@click.option("--until", metavar="T", help="The end, exclusive. Default: the feed's watermark.")
@click.option("--workspace", is_flag=True, help="Also compare with the Log Analytics workspace.")
@click.option(
    "--rows",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the rows of missing records to this file, for `replay`. It is overwritten.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each feed.")
def command(  # noqa: PLR0913 - its options
    config: Path | None,
    tables: tuple[str, ...],
    since: str | None,
    until: str | None,
    rows: Path | None,
    *,
    workspace: bool,
    as_json: bool,
) -> None:
    """Compare what the console shows with what was handed over, and name what is missing.

    It only reads, takes no lock and can run beside the poller. Exit status 1 means that something
    is missing, or that a feed was not compared.
    """
    from sentinelone_source.history.plan import PastSpan
    from sentinelone_source.telemetry.logs import configure_logs

    configure_logs()
    settings = load_settings(config)
    begin = None if since is None else read_moment(since, "--since")
    end = None if until is None else read_moment(until, "--until")
    PastSpan.of(begin or 0, end)
    with _checks(settings, tables, workspace=workspace) as checks, _opened(rows) as file:
        asyncio.run(_verify(checks, begin, end, file))
    results = [check.result for check in checks]
    if as_json:
        for result in results:
            click.echo(msgspec.json.encode(result))
    else:
        _print(results)
    sys.exit(EXIT_FAILED if any(one.missing or one.error for one in results) else EXIT_OK)


async def _verify(
    checks: Sequence[FeedCheck], since: int | None, until: int | None, file: BinaryIO | None
) -> None:
    from sentinelone_source.cli.progress import ProgressDisplay
    from sentinelone_source.history.verify import compare_all

    with ProgressDisplay("verify", "records compared") as progress:
        compared = asyncio.create_task(compare_all(checks, since, until))
        await asyncio.gather(
            compared,
            progress.follow(
                lambda: sum(check.result.records for check in checks), lambda: not compared.done()
            ),
        )
    if file is not None:
        for check in checks:
            if changed := await check.write_rows(file.write):
                what = f"{check.result.console}/{check.result.feed}"
                click.echo(
                    f"{what}: {changed} have changed meanwhile, so they have no row", err=True
                )


@contextlib.contextmanager
def _checks(
    settings: Settings, tables: Sequence[str], *, workspace: bool
) -> Iterator[list[FeedCheck]]:
    """What compares each feed of each console."""
    from sentinelone_source.builders import build_consoles, build_plan, select_mappings
    from sentinelone_source.feed.state.files import KeySnapshot
    from sentinelone_source.history.verify import FeedCheck
    from sentinelone_source.history.verify_workspace import TableQuery
    from sentinelone_source.mapping.mapper import Mapper
    from sentinelone_source.timings import DEFAULTS

    mappings = select_mappings(settings, tables)
    consoles = build_consoles(settings, mappings, DEFAULTS.once_patience, DEFAULTS)
    with contextlib.ExitStack() as stack:
        keys, asked = stack.enter_context(KeySnapshot(settings.state_path)), None
        if workspace:
            from sentinelone_source.azure.credential import Credential
            from sentinelone_source.azure.workspace import Workspace
            from sentinelone_source.config.azure import azure_settings

            azure = azure_settings(settings)
            asked = stack.enter_context(contextlib.closing(Workspace(azure, Credential(azure))))
        checks = []
        for mapping in mappings:
            mapper, swept = Mapper(mapping), build_plan(settings, mapping)
            query = TableQuery.of(mapping, versions=not swept.heartbeat) if asked else None
            ask = (query, asked.ask) if query and asked else None
            checks += [FeedCheck(one, mapper, keys, swept, ask) for one in consoles]
        yield checks


def _opened(path: Path | None) -> contextlib.AbstractContextManager[BinaryIO | None]:
    """The file for rows, opened before anything is compared, so that a mistake shows at once."""
    try:
        return path.open("wb") if path else contextlib.nullcontext()
    except OSError as error:
        raise ConfigError(f"--rows: {path}: cannot be written: {error.strerror}") from None


def _print(results: Sequence[Comparison]) -> None:
    for line in aligned([_COLUMNS, *map(_cells, results)]):
        click.echo(line)
    for result in results:
        for note in _notes(result):
            click.echo(f"{result.console}/{result.feed}: {note}")


def _cells(result: Comparison) -> tuple[str, ...]:
    workspace = "-" if result.in_workspace is None else str(result.in_workspace)
    numbers = (str(result.records), str(result.handed_over), workspace, str(result.missing))
    span = result.since[:19] or "-", result.until[:19] or "-"
    return (result.console, result.feed, *span, *(numbers if not result.error else "????"))


def _notes(result: Comparison) -> Iterator[str]:
    if result.error:
        yield f"not compared: {result.error}"
        return
    if result.not_remembered:
        yield (
            f"{result.not_remembered} are older than what the state remembers; raise `remember`, "
            "or use --workspace"
        )
    if result.pending:
        yield f"{result.pending} have changed since the last re-scan; the next one hands them over"
    if result.dead_letters:
        yield f"{result.dead_letters} cannot become rows, and are among the dead letters"
    if result.due:
        yield f"{result.due} of the missing became visible late, and a recheck hands them over"
    for id_ in result.missing_ids[:_SHOWN]:
        yield f"missing {id_}"
    if result.missing > _SHOWN:
        yield f"and {result.missing - _SHOWN} more; --json names all"
