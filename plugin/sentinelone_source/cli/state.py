"""`state`: look at the watermarks, and move them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from sentinelone_source.aligned import aligned
from sentinelone_source.cli.options import config_option, read_moment, table_option
from sentinelone_source.config.settings import load_settings
from sentinelone_source.errors import ConfigError, StateError
from sentinelone_source.feed.state.state import FeedState, State
from sentinelone_source.handover.dead_letters import DeadLetters
from sentinelone_source.mapping.spec.files import load_mappings
from sentinelone_source.times import SYSTEM_CLOCK, to_iso

console_option = click.option("--console", metavar="NAME", help="Only the feeds of this console.")


@click.group("state")
@config_option
def command(config: Path | None) -> None:
    """Show watermarks, or move them back."""


@command.command("show")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each feed.")
def show(config: Path | None, as_json: bool) -> None:
    """Show up to which time each feed is complete. It takes no lock."""
    state = State(load_settings(config).state_path, read_only=True)
    feeds = [_line(feed) for feed in state.show()]
    state.close()
    if sizes := DeadLetters(state.folder).sizes:
        total = f"{len(sizes)} files, {sum(sizes.values())} bytes"
        click.echo(f"dead letters: {total}: {', '.join(map(str, sizes))}", err=True)
    if as_json:
        for line in feeds:
            click.echo(msgspec.json.encode(line))
        return
    columns = ("console", "feed", "watermark", "last_sweep", "keys")
    rows = [columns, *(tuple(str(line[column] or "-") for column in columns) for line in feeds)]
    click.echo("\n".join(aligned(rows)))


@command.command("rewind")
@config_option
@table_option
@console_option
@click.option(
    "--to",
    "moment",
    required=True,
    metavar="T",
    help="A timestamp, or a duration back such as 6h.",
)
def rewind(config: Path | None, tables: tuple[str, ...], console: str | None, moment: str) -> None:
    """Move watermarks back to T, so that rows from T on are handed over again."""
    to = read_moment(moment, "--to")
    if to > SYSTEM_CLOCK.now():
        raise StateError(f"--to: {moment!r} is in the future; a watermark can only be moved back")
    with _chosen(config, tables, console) as (state, feeds):
        state.rewind(feeds, to)
        for feed in feeds:
            click.echo(f"{_name(feed)}: watermark {to_iso(to)}")


@command.command("reset")
@config_option
@table_option
@console_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def reset(config: Path | None, tables: tuple[str, ...], console: str | None, yes: bool) -> None:
    """Forget feeds, so that their next sweep is a first sweep, from `start`."""
    with _chosen(config, tables, console) as (state, feeds):
        forgotten = ", ".join(map(_name, feeds))
        if not yes:
            click.confirm(f"Forget {forgotten}?", abort=True, err=True)
        for feed in feeds:
            state.reset(feed.number)
        click.echo(f"forgotten: {forgotten}")


@contextlib.contextmanager
def _chosen(
    config: Path | None, tables: tuple[str, ...], console: str | None
) -> Iterator[tuple[State, list[FeedState]]]:
    """The state, locked, and the feeds in it that were named; a name may be a mapping's."""
    settings = load_settings(config)
    mappings = load_mappings(*settings.mappings).values()
    by_table = {mapping.table: mapping.name for mapping in mappings}
    names = {by_table.get(table, table) for table in tables}
    State(
        settings.state_path, read_only=True
    ).close()  # a mistyped path is an error, and creates no file
    with contextlib.closing(State(settings.state_path)) as state:
        known = state.show()
        feeds = [
            feed
            for feed in known
            if (not names or feed.mapping in names) and console in (None, feed.console)
        ]
        if not feeds or names - {feed.mapping for feed in feeds}:
            listed = ", ".join(map(_name, known)) or "none"
            raise ConfigError(f"no such feed in the state; known: {listed}")
        yield state, feeds


def _name(feed: FeedState) -> str:
    return f"{feed.console}/{feed.mapping}"


def _line(feed: FeedState) -> dict[str, object]:
    progress = feed.progress
    return {
        "console": feed.console,
        "feed": feed.mapping,
        "watermark": None if progress.watermark is None else to_iso(progress.watermark),
        "last_sweep": None if progress.signpost is None else to_iso(progress.signpost),
        "keys": feed.keys,
    }
